import type { Finding, HostReader } from '../../../agent/contract/mod.ts'

const WANTS = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system', '/run/systemd/system']

/** What still starts logrotate on this host: then two programs rotate one log. */
export function findRivals(host: HostReader): Finding[] {
  const hasSystemd = host.stat('/run/systemd/system') !== undefined
  const timer = WANTS.map((directory) => `${directory}/timers.target.wants/logrotate.timer`).find(
    (path) => hasSystemd && host.stat(path) && !isMasked(host),
  )
  // Debian's own script does nothing where systemd runs.
  const scripts = ['daily', 'hourly', 'weekly']
    .map((period) => `/etc/cron.${period}/logrotate`)
    .filter((path) => !hasSystemd && isExecutable(host, path))
  const tables = cronTables(host).filter((path) => startsLogrotate(host.readText(path, { follow: true })))
  return [
    ...(timer === undefined ? [] : [rivalFinding(timer, 'systemctl disable --now logrotate.timer')]),
    ...scripts.map((path) => rivalFinding(path, `chmod a-x ${path}`)),
    ...tables.map((path) => rivalFinding(path, `Take the line that starts logrotate out of ${path}`)),
  ]
}

/** A line of a crontab that starts logrotate itself, and not reeve's stand-in. Pure. */
export function startsLogrotate(table: string): boolean {
  return table
    .split('\n')
    .some(
      (line) =>
        /^\s*[^#\s]/.test(line) && /(^|[\s/;&|])logrotate(\s|$)/.test(line.replace(/reeve\s+logrotate/, '')),
    )
}

function isMasked(host: HostReader): boolean {
  const path = '/etc/systemd/system/logrotate.timer'
  return host.stat(path)?.type === 'symlink' && host.readLink(path) === '/dev/null'
}

function isExecutable(host: HostReader, path: string): boolean {
  const stat = host.statTarget(path)
  return stat !== undefined && stat.type === 'file' && (stat.mode & 0o111) !== 0
}

/** Crontabs of the system. */
function cronTables(host: HostReader): string[] {
  const directory = '/etc/cron.d'
  const names = host.stat(directory) ? host.list(directory) : []
  return ['/etc/crontab', ...names.map((name) => `${directory}/${name}`)].filter(
    (path) => host.statTarget(path)?.type === 'file',
  )
}

function rivalFinding(path: string, remedy: string): Finding {
  return {
    rule: 'logrotate-still-active',
    subject: path,
    severity: 'warning',
    summary: `${path} still starts logrotate on this host: two programs rotate the same logs`,
    remedy,
  }
}
