import {
  type Blind,
  type Entry,
  type Finding,
  formatBytes,
  globMatcher,
  type HostReader,
  shellWord,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { looksRotated } from '../generation.ts'

export type UnmanagedSettings = NonNullable<Config['unmanaged']>

/** Databases of fixed size, and the journal, which has a retention of its own. */
const NO_LOGS = ['lastlog', 'faillog', 'tallylog', 'wtmp.db', 'lastlog2.db']
const JOURNALS = ['/var/log/journal', '/run/log/journal']

/** Every file below the roots that no rule covers and that is no rotated log. */
export async function findUnmanaged(
  host: HostReader,
  { roots, ignore }: UnmanagedSettings,
  managed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<{ logs: Entry[]; blind: Blind[]; examined: number }> {
  const blind: Blind[] = []
  const logs: Entry[] = []
  const isIgnored = globMatcher(ignore)
  let examined = 0
  for (const root of roots) {
    const entries = host.walk(root, {
      exclude: (path) => JOURNALS.includes(path) || isIgnored(path),
      onBlind: (subject, reason) => blind.push({ subject, reason }),
      signal,
    })
    for await (const batch of entries) {
      for (const entry of batch) {
        if (entry.type !== 'file') continue
        examined++
        if (entry.size > 0 && !managed.has(entry.path) && !isNoLog(entry.path)) logs.push(entry)
      }
    }
  }
  return { logs, blind, examined }
}

function isNoLog(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return NO_LOGS.includes(name) || looksRotated(name) || /\.(old|bak|[0-9]+\.\w{1,4})$/.test(name)
}

/** More of them say no more. */
const MAX_FINDINGS = 200

export function unmanagedFindings(
  logs: Pick<Entry, 'path' | 'size'>[],
  { growsPerDay, roots }: UnmanagedSettings,
  growth: (path: string) => number | undefined,
): Finding[] {
  const sorted = logs.toSorted((a, b) => b.size - a.size)
  const findings = sorted.slice(0, MAX_FINDINGS).map(({ path, size }): Finding => {
    const perDay = growth(path)
    const grows = perDay !== undefined && perDay > growsPerDay
    const evidence = { bytes: size, bytesPerDay: perDay ?? null }
    const remedy = `Cover it: a set with "paths: [${path}]" in this job, or a file in /etc/logrotate.d; or add it to unmanaged.ignore`
    if (!grows) {
      const summary = `No rule rotates ${path}, which has ${formatBytes(size)}`
      return { rule: 'log-unmanaged', subject: path, severity: 'info', summary, remedy, evidence }
    }
    const summary = `${path} grows by ${formatBytes(perDay)} a day and nobody rotates it: it has ${formatBytes(size)}`
    return { rule: 'log-grows-unmanaged', subject: path, severity: 'warning', summary, remedy, evidence }
  })
  const more = sorted.length - findings.length
  if (more <= 0) return findings
  const [root = '/'] = roots
  return [
    ...findings,
    {
      rule: 'log-unmanaged',
      subject: root,
      severity: 'info',
      summary: `No rule rotates ${more} further files below ${roots.join(', ')}; those above are the largest`,
      remedy: `Ignore what is no log with unmanaged.ignore; find ${roots.map(shellWord).join(' ')} -type f lists all`,
    },
  ]
}
