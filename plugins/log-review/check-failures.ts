import {
  type Blind,
  type CheckContext,
  describeError,
  type Finding,
  formatDuration,
  type Inapplicable,
  type Metric,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { Config, Failure } from './config.ts'
import { hasJournal, readJournal } from './journal.ts'
import { judgeLogins, type LoginLine, parseLoginLine, readLogins } from './logins.ts'
import { readTail } from './tail.ts'

const LOGIN_RULES = ['failed-logins', 'login-after-failures']
const named = (...programs: string[]) => programs.map((program) => `SYSLOG_IDENTIFIER=${program}`)
/** What calls itself sshd has to be root's: anybody can write "Accepted …" to the journal. */
const LOGIN_ENTRIES = [...named('sshd', 'sshd-session'), '_UID=0', '+', ...named('sudo', 'su', 'login')]
/** Longer lines are matched by their beginning. */
const MAX_MATCHED = 4096

export interface FailuresChecked {
  findings: Finding[]
  blind: Blind[]
  inapplicable: Inapplicable[]
  metrics: Metric[]
  examined: number
}

/** Failed logins within the window: from the journal where systemd keeps one, else from the logs of logins. */
export async function checkLogins(ctx: CheckContext<Config>): Promise<FailuresChecked> {
  const { failedLogins } = ctx.config
  const nothing = { findings: [], blind: [], inapplicable: [], metrics: [], examined: 0 }
  const idle = (reason: string) => ({
    ...nothing,
    inapplicable: LOGIN_RULES.map((rule) => ({ rule, reason })),
  })
  if (!failedLogins.enabled) return idle('the job does not look for failed logins')
  const subject = 'logins'
  const dark = (reason: string) => ({ ...nothing, blind: [{ subject, reason, rules: LOGIN_RULES }] })
  try {
    const seen = await readLoginLines(ctx)
    if (!seen)
      return idle(
        `nothing keeps a log of logins here: neither systemd nor ${failedLogins.files.join(' or ')}`,
      )
    const logins = readLogins(seen.lines)
    const findings = judgeLogins(logins, failedLogins)
    const isKnown = findings.some(({ rule }) => rule === 'failed-logins')
    return {
      ...nothing,
      findings,
      // So many lines that not all were looked at, and still not too many failures.
      blind:
        seen.isCut && !isKnown
          ? [{ subject, reason: 'there are more lines than are looked at', rules: LOGIN_RULES }]
          : [],
      metrics: [
        {
          name: 'failed_logins',
          value: logins.failed.length,
          labels: { source: 'ssh' },
          help: 'Failed logins within the window',
        },
        {
          name: 'failed_logins',
          value: logins.local.length,
          labels: { source: 'local' },
          help: 'Failed logins within the window',
        },
      ],
      examined: 1,
    }
  } catch (error) {
    ctx.signal.throwIfAborted()
    return dark(describeError(error))
  }
}

async function readLoginLines({
  config,
  host,
  now,
  signal,
}: CheckContext<Config>): Promise<{ lines: LoginLine[]; isCut: boolean } | undefined> {
  const { files, window } = config.failedLogins
  const sinceMs = now.getTime() - window
  if (hasJournal(host)) return readJournal(host, sinceMs, LOGIN_ENTRIES, signal)
  const [path] = files.filter((file) => host.stat(file))
  if (path === undefined) return undefined
  const { lines, isCut } = readTail(host, path, sinceMs, now.getTime())
  return { lines: lines.flatMap(({ text, timeMs }) => parseLoginLine(text, timeMs) ?? []), isCut }
}

/** Lines of services that match what tells of a failure. */
export async function checkFailures(ctx: CheckContext<Config>): Promise<FailuresChecked> {
  const checked: FailuresChecked = { findings: [], blind: [], inapplicable: [], metrics: [], examined: 0 }
  for (const failure of ctx.config.failures) {
    const { name, atMost } = failure
    try {
      const { count, isCut } = await countOf(ctx, failure)
      checked.examined++
      checked.metrics.push({
        name: 'log_failures',
        value: count,
        labels: { name },
        help: 'Lines that tell of a failure, within the window',
      })
      if (count > atMost) checked.findings.push(tooMany(failure, count))
      else if (isCut)
        checked.blind.push({
          subject: name,
          reason: 'there are more lines than are looked at',
          rules: ['too-many-failures'],
        })
    } catch (error) {
      ctx.signal.throwIfAborted()
      checked.blind.push({ subject: name, reason: describeError(error), rules: ['too-many-failures'] })
    }
  }
  if (ctx.config.failures.length === 0) {
    checked.inapplicable.push({ rule: 'too-many-failures', reason: 'the job names no failures of services' })
  }
  return checked
}

async function countOf(
  { host, now, signal }: CheckContext<Config>,
  { log, unit, pattern, window }: Failure,
): Promise<{ count: number; isCut: boolean }> {
  const sinceMs = now.getTime() - window
  const matcher = new RegExp(pattern, 'u')
  const isFailure = (text: string) => matcher.test(text.slice(0, MAX_MATCHED))
  if (unit !== undefined) {
    if (!hasJournal(host)) throw new Error('systemd keeps no journal here')
    const { lines, isCut } = await readJournal(host, sinceMs, ['-u', unit], signal)
    return { count: lines.filter(({ message }) => isFailure(message)).length, isCut }
  }
  const { lines, isCut, without } = readTail(host, log ?? '', sinceMs, now.getTime())
  if (lines.length === 0 && without > 0) throw new Error('its lines do not say when they were written')
  return { count: lines.filter(({ text }) => isFailure(text)).length, isCut }
}

function tooMany({ name, log, unit, pattern, atMost, window }: Failure, count: number): Finding {
  const word = shellWord(pattern)
  return {
    rule: 'too-many-failures',
    subject: name,
    severity: 'warning',
    summary: `${count} lines of ${log ?? unit} tell of a failure (${name}) within ${formatDuration(window)}, wanted at most ${atMost}`,
    remedy: `See them: ${unit === undefined ? `grep -P ${word} ${shellWord(log ?? '')} | tail` : `journalctl -u ${unit} --since -${Math.ceil(window / 60_000)}min -g ${word}`}`,
    evidence: { failures: count, path: log ?? null, unit: unit ?? null },
  }
}
