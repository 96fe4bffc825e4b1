import { type Finding, globMatcher } from '../../../agent/contract/mod.ts'
import type { Properties } from '../live/show.ts'

/** Why, from the property Result (systemd.exec(5)). */
const RESULTS: Record<string, string> = {
  'exit-code': 'its process ended with an error',
  signal: 'a signal ended its process',
  'core-dump': 'its process crashed',
  timeout: 'it took too long',
  watchdog: 'it did not answer any more',
  'start-limit-hit': 'it was started too often in a short time',
  resources: 'a resource was missing',
  'oom-kill': 'the kernel killed it for want of memory',
  protocol: 'it did not do as its type wants',
}

/** Pure: a finding for each unit that has failed. */
export function judgeFailed(units: ReadonlyMap<string, Properties>, ignored: string[]): Finding[] {
  const isIgnored = globMatcher(ignored)
  return [...units]
    .filter(([name, properties]) => properties.get('ActiveState') === 'failed' && !isIgnored(name))
    .map(([name, properties]) => {
      const result = properties.get('Result') ?? ''
      const status = Number(properties.get('ExecMainStatus') ?? 0)
      const code = result === 'exit-code' && status > 0 ? ` (${status})` : ''
      return {
        rule: 'unit-failed',
        subject: name,
        severity: 'warning' as const,
        summary: `${name} has failed: ${RESULTS[result] ?? (result || 'for an unknown reason')}${code}`,
        remedy: `journalctl -u '${name}' -n 50\n# when the cause is gone:\nsystemctl restart '${name}'`,
        evidence: { result, status, path: properties.get('FragmentPath') || null },
      }
    })
}

/** Pure: a finding for each unit whose files changed and were not read. */
export function judgeReloadNeeded(units: ReadonlyMap<string, Properties>): Finding[] {
  return [...units]
    .filter(([, properties]) => properties.get('NeedDaemonReload') === 'yes')
    .map(([name, properties]) => ({
      rule: 'daemon-reload-needed',
      subject: name,
      severity: 'warning' as const,
      summary: `The files of ${name} were changed, and systemd still goes by what they were`,
      remedy: 'systemctl daemon-reload',
      evidence: { path: properties.get('FragmentPath') || null },
    }))
}
