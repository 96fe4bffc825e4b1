import type { PluginSource, PluginSpec, Program } from '../agent/contract/mod.ts'

// biome-ignore lint/suspicious/noExplicitAny: specs of different configs; each is checked where it is defined
type Load = () => Promise<{ default: PluginSpec<any> }>

/** Every built-in plugin: one line each. */
const plugins: Record<string, Load> = {
  'permission-drift': () => import('./permission-drift/plugin.ts'),
  'log-rotation': () => import('./log-rotation/plugin.ts'),
  'credential-age': () => import('./credential-age/plugin.ts'),
  backup: () => import('./backup/plugin.ts'),
  attestation: () => import('./attestation/plugin.ts'),
  'network-exposure': () => import('./network-exposure/plugin.ts'),
  'ssh-settings': () => import('./ssh-settings/plugin.ts'),
  'host-hardening': () => import('./host-hardening/plugin.ts'),
  'systemd-units': () => import('./systemd-units/plugin.ts'),
  'secret-scan': () => import('./secret-scan/plugin.ts'),
  'web-front-end': () => import('./web-front-end/plugin.ts'),
  'service-config': () => import('./service-config/plugin.ts'),
  containers: () => import('./containers/plugin.ts'),
  updates: () => import('./updates/plugin.ts'),
  'http-probe': () => import('./http-probe/plugin.ts'),
  processes: () => import('./processes/plugin.ts'),
  accounts: () => import('./accounts/plugin.ts'),
  'log-review': () => import('./log-review/plugin.ts'),
  'backup-presence': () => import('./backup-presence/plugin.ts'),
  command: () => import('./command/plugin.ts'),
}

/** `reeve logs` is `reeve log-rotation list`, `reeve logs verify` is `reeve log-rotation verify`. */
const shortNames: Record<string, { plugin: string; verb?: string }> = {
  logs: { plugin: 'log-rotation', verb: 'list' },
  baseline: { plugin: 'permission-drift' },
}

/** Checklists as data, by name: see profiles/. */
const profiles: Record<string, () => Promise<string>> = {
  baseline: async () => (await import('../profiles/baseline.yaml', { with: { type: 'text' } })).default,
  rostr: async () => (await import('../profiles/rostr.yaml', { with: { type: 'text' } })).default,
  rstmdb: async () => (await import('../profiles/rstmdb.yaml', { with: { type: 'text' } })).default,
  maestro: async () => (await import('../profiles/maestro.yaml', { with: { type: 'text' } })).default,
  ofelia: async () => (await import('../profiles/ofelia.yaml', { with: { type: 'text' } })).default,
}

/** `reeve logrotate …`, or a link of that name to reeve. */
const programs: Record<string, Program> = {
  logrotate: {
    summary: 'Rotate logs as the program logrotate does, with its options and files',
    load: async () => (await import('./log-rotation/program/main.ts')).logrotate,
  },
}

export const builtInPlugins: PluginSource = {
  names: Object.keys(plugins),
  shortNames,
  profiles,
  programs,
  async load(names) {
    const wanted = [...new Set(names)].flatMap((name) => plugins[name] ?? [])
    const modules = await Promise.all(wanted.map((load) => load()))
    return new Map(modules.map(({ default: plugin }) => [plugin.name, plugin]))
  },
}
