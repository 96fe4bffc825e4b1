/** Whose a process is: what a finding is about, and what has to be restarted. */
export interface Whereabouts {
  /** "nginx.service", "deploy: app.service", "/usr/bin/app (deploy)". */
  title: string
  unit: string | undefined
  /** Name of the user whose own manager has the unit. */
  owner: string | undefined
}

/** The first of many, and how many more there are. Pure. */
export function listed(items: readonly string[], limit: number): string {
  const more = items.length - limit
  return more > 0 ? `${items.slice(0, limit).join(', ')} and ${more} more` : items.join(', ')
}

/** What others lean on: nobody restarts these in a running system. */
const NEEDS_BOOT = new Set(['dbus.service', 'dbus-broker.service', 'systemd-logind.service'])

/** The command that makes processes use what is on the disk now. Pure. */
export function restartOf(
  { unit, owner }: Pick<Whereabouts, 'unit' | 'owner'>,
  pids: readonly number[],
): string {
  if (unit === undefined) return `kill ${pids.slice(0, 20).join(' ')}\n# and start it again as it was started`
  if (owner !== undefined) return `systemctl --user --machine='${owner}@.host' restart '${unit}'`
  if (unit === 'init.scope') return 'systemctl daemon-reexec'
  if (NEEDS_BOOT.has(unit)) return `systemctl reboot\n# ${unit} cannot be restarted without what leans on it`
  if (/^user@\d+\.service$/.test(unit))
    return `systemctl restart '${unit}'\n# ends all that this user's manager runs`
  if (unit.startsWith('session-'))
    return `loginctl terminate-session '${unit.slice(8, -6)}'\n# or log out and in again`
  if (/^(docker|libpod|crio|cri-containerd)-[0-9a-f]{12,}\.scope$/.test(unit)) {
    const [, runtime = '', id = ''] = /^([a-z-]+)-([0-9a-f]{12})/.exec(unit) ?? []
    return `${runtime === 'libpod' ? 'podman' : 'docker'} restart ${id}`
  }
  return `systemctl restart '${unit}'`
}
