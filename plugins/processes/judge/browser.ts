import type { Finding } from '../../../agent/contract/mod.ts'
import { listed } from '../whereabouts.ts'

const BROWSER =
  /^(chromium|chromium-browser|chrome|chrome-headless-shell|headless_shell|google-chrome(-\w+)?|msedge|microsoft-edge(-\w+)?|brave(-browser)?|electron)$/

/** A process that may be a browser. */
export interface BrowserProcess {
  pid: number
  /** File that it executes, where it could be looked at. */
  program: string | undefined
  arguments: string[]
  user: string
  isRoot: boolean
  unit: string | undefined
}

/** Whether it is the first process of a browser, the one that decides about the sandbox. Pure. */
export function isBrowser({
  program,
  arguments: words,
}: Pick<BrowserProcess, 'program' | 'arguments'>): boolean {
  const name = (program ?? words[0] ?? '').split(' ')[0] ?? ''
  // A title that a program writes over its arguments is one text.
  const all = words.length === 1 ? (words[0] ?? '').split(' ') : words
  return (
    BROWSER.test(name.slice(name.lastIndexOf('/') + 1)) && !all.some((word) => word.startsWith('--type='))
  )
}

/** Pure: a finding for each browser program that runs as root or without its sandbox. */
export function judgeBrowsers(processes: readonly BrowserProcess[]): Finding[] {
  const groups = new Map<string, { why: Set<string>; pids: number[]; first: BrowserProcess }>()
  for (const one of processes) {
    const words = one.arguments.flatMap((word) => word.split(' '))
    const why = [
      ...(one.isRoot ? ['as root'] : []),
      ...(words.includes('--no-sandbox') ? ['without its sandbox (--no-sandbox)'] : []),
    ]
    if (why.length === 0) continue
    const subject = `${one.program ?? one.arguments[0] ?? 'browser'} (${one.user})`
    const group = groups.get(subject) ?? { why: new Set(), pids: [], first: one }
    for (const reason of why) group.why.add(reason)
    group.pids.push(one.pid)
    groups.set(subject, group)
  }
  return [...groups].map(([subject, { why, pids, first }]) => ({
    rule: 'browser-unsandboxed',
    subject,
    severity: 'warning',
    summary: `${subject} runs ${[...why].join(' and ')}: a page that breaks out of it has all rights of ${first.user}`,
    remedy: `Start it as a user of its own and without --no-sandbox${first.unit ? ` (it belongs to ${first.unit})` : ''}; unprivileged user namespaces must be allowed: sysctl user.max_user_namespaces`,
    evidence: { processes: listed(pids.map(String), 20), user: first.user, unit: first.unit ?? null },
  }))
}
