import type { z } from '../../../agent/contract/mod.ts'
import { type RuleConfig, rule, splitRule } from './rule-config.ts'

export const PRESET_NAMES = ['accounts', 'ssh', 'sudo', 'cron', 'units', 'temporary', 'reeve'] as const
export type PresetName = (typeof PRESET_NAMES)[number]

type Input = z.input<typeof rule>

const byRoot = { owner: 'root' } as const
const atMost = (mode: string) => ({ atMost: mode })
/** Directories and files of root that others may read and not write. */
const readable = (path: string | string[]): Input => ({
  path,
  ...byRoot,
  mode: atMost('0644'),
  directoryMode: atMost('0755'),
})

/**
 * What every host needs, and a fresh Debian, Fedora or Alpine keeps to: nothing here is a matter of taste. The
 * modes are those that the programs themselves ask for (sshd(8), sudoers(5), cron(8), shadow(5), hier(7)).
 */
const PRESETS: Record<PresetName, Input[]> = {
  accounts: [
    { path: ['/etc/passwd', '/etc/group'], type: 'file', ...byRoot, mode: atMost('0644') },
    { path: ['/etc/passwd-', '/etc/group-'], missing: 'ok', type: 'file', ...byRoot, mode: atMost('0644') },
    { path: ['/etc/subuid', '/etc/subgid'], missing: 'ok', type: 'file', ...byRoot, mode: atMost('0644') },
    {
      path: ['/etc/shadow', '/etc/shadow-', '/etc/gshadow', '/etc/gshadow-'],
      missing: 'ok',
      type: 'file',
      ...byRoot,
      group: ['root', 'shadow'],
      mode: atMost('0640'),
    },
    { path: '/etc/security/opasswd', missing: 'ok', type: 'file', ...byRoot, mode: atMost('0600') },
  ],
  ssh: [
    { path: '/{root,home/*}/.ssh', type: 'directory', mode: atMost('0700') },
    { path: '/{root,home/*}/.ssh/*', mode: atMost('0644'), directoryMode: atMost('0700') },
    { path: '/{root,home/*}/.ssh/{authorized_keys,authorized_keys2,id_*}', mode: atMost('0600') },
    { path: '/{root,home/*}/.ssh/*.pub', mode: atMost('0644') },
    readable('/etc/ssh/**'),
    { path: '/etc/ssh', missing: 'ok', type: 'directory', ...byRoot, mode: atMost('0755') },
    {
      path: '/etc/ssh/ssh_host_*_key',
      type: 'file',
      ...byRoot,
      group: ['root', 'ssh_keys'],
      mode: atMost('0640'),
    },
  ],
  sudo: [
    { path: '/etc/sudoers', missing: 'ok', type: 'file', ...byRoot, group: 'root', mode: atMost('0440') },
    { path: '/etc/sudoers.d', missing: 'ok', type: 'directory', ...byRoot, mode: atMost('0755') },
    {
      path: '/etc/sudoers.d/*',
      ...byRoot,
      group: 'root',
      mode: atMost('0440'),
      directoryMode: atMost('0755'),
    },
  ],
  cron: [
    {
      path: ['/etc/crontab', '/etc/anacrontab'],
      missing: 'ok',
      type: 'file',
      ...byRoot,
      mode: atMost('0644'),
    },
    { path: '/etc/cron.{d,hourly,daily,weekly,monthly}', type: 'directory', ...byRoot, mode: atMost('0755') },
    { path: '/etc/cron.{d,hourly,daily,weekly,monthly}/*', ...byRoot, mode: atMost('0755') },
    { path: '/etc/cron.{allow,deny}', ...byRoot, mode: atMost('0644') },
    { path: '/var/spool/cron/crontabs', missing: 'ok', type: 'directory', ...byRoot, mode: atMost('1730') },
    { path: '/var/spool/cron/{crontabs/*,root}', mode: atMost('0600') },
  ],
  units: [
    readable('/{etc,usr/lib,usr/local/lib}/systemd/system/**'),
    {
      path: '/{etc,usr/lib,usr/local/lib}/systemd/system',
      noMatch: 'ok',
      type: 'directory',
      ...byRoot,
      mode: atMost('0755'),
    },
  ],
  temporary: [
    { path: '/tmp', type: 'directory', ...byRoot, mode: '1777' },
    { path: '/var/tmp', missing: 'ok', type: ['directory', 'symlink'], ...byRoot, mode: '1777' },
  ],
  reeve: [
    { path: '/etc/reeve', missing: 'ok', type: 'directory', ...byRoot, mode: atMost('0755') },
    { path: '/etc/reeve/**', mode: atMost('0640'), directoryMode: atMost('0755') },
    { path: '/var/lib/reeve', missing: 'ok', type: 'directory', mode: atMost('0700') },
    { path: '/usr/local/bin/reeve', missing: 'ok', ...byRoot, mode: atMost('0755') },
  ],
}

/** The rules of presets, in the order of the list above. */
export function presetRules(names: readonly PresetName[]): RuleConfig[] {
  return PRESET_NAMES.filter((name) => names.includes(name)).flatMap((name) =>
    PRESETS[name].flatMap((input) => splitRule(rule.parse(input))),
  )
}
