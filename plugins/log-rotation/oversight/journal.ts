import {
  type Blind,
  describeError,
  type Finding,
  formatBytes,
  formatDuration,
  type HostReader,
  type JournalSettings,
  readJournald,
} from '../../../agent/contract/mod.ts'
import { conflictOf } from './retention.ts'
import { policiesFor, type RetentionPolicy } from './retention-policy.ts'

export const JOURNAL = '/var/log/journal'
/** The journal as it is on the disk. */
export interface JournalUse {
  exists: boolean
  bytes: number
  /** Time of the oldest entry; undefined when no file tells. */
  oldestMs: number | undefined
  fileSystemBytes: number
}

const GIBIBYTE = 1024 ** 3
const DAY_MS = 86_400_000

/** Whether the journal of systemd is kept as the policies about it demand. */
export async function checkJournal(
  host: HostReader,
  policies: RetentionPolicy[],
  nowMs: number,
  signal: AbortSignal,
): Promise<{ findings: Finding[]; blind: Blind[] }> {
  const own = policiesFor(policies, JOURNAL)
  if (own.length === 0) return { findings: [], blind: [] }
  const blind: Blind[] = []
  try {
    const settings = readJournald(host)
    const use = await surveyJournal(host, signal, (subject, reason) => blind.push({ subject, reason }))
    return { findings: judgeJournal(settings, use, own, nowMs), blind }
  } catch (error) {
    signal.throwIfAborted()
    return { findings: [], blind: [...blind, { subject: JOURNAL, reason: describeError(error) }] }
  }
}

async function surveyJournal(
  host: HostReader,
  signal: AbortSignal,
  onBlind: (path: string, reason: string) => void,
): Promise<JournalUse> {
  const use: JournalUse = { exists: false, bytes: 0, oldestMs: undefined, fileSystemBytes: 0 }
  if (host.stat(JOURNAL)?.type !== 'directory') return use
  use.exists = true
  use.fileSystemBytes = host.fileSystemBytes(JOURNAL)
  for await (const batch of host.walk(JOURNAL, { onBlind, signal })) {
    for (const { path, type, size } of batch) {
      if (type !== 'file') continue
      use.bytes += size
      const beginMs = beginOf(path)
      if (beginMs !== undefined) use.oldestMs = Math.min(use.oldestMs ?? beginMs, beginMs)
    }
  }
  return use
}

/** An archived journal file has the time of its first entry in its name: …-SEQUENCE-MICROSECONDS.journal. Pure. */
export function beginOf(path: string): number | undefined {
  const hex = /@[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{16})\.journal$/.exec(path)?.[1]
  return hex === undefined ? undefined : Number(BigInt(`0x${hex}`) / 1000n)
}

/** Pure. */
export function judgeJournal(
  settings: JournalSettings,
  use: JournalUse,
  policies: RetentionPolicy[],
  nowMs: number,
): Finding[] {
  const findings: Finding[] = []
  const report = (summary: string, remedy: string) =>
    findings.push({ rule: 'journal-retention', subject: JOURNAL, severity: 'warning', summary, remedy })
  const conflict = conflictOf(policies)
  const atLeast = Math.max(0, ...policies.flatMap((policy) => policy.atLeast ?? []))
  const atMost = Math.min(Number.POSITIVE_INFINITY, ...policies.flatMap((policy) => policy.atMost ?? []))
  const days = (timeMs: number) => Math.ceil(timeMs / DAY_MS)
  if (conflict) {
    report(
      `The journal is to be kept at least ${formatDuration(atLeast)} and at most ${formatDuration(atMost)}`,
      'Decide which of the two policies holds for the journal',
    )
    return findings
  }
  const isPersistent = settings.storage === 'persistent' || (settings.storage === 'auto' && use.exists)
  if (atLeast > 0 && !isPersistent) {
    report(
      `The journal is lost with every start of the host (Storage=${settings.storage}), wanted at least ${formatDuration(atLeast)}`,
      'Set Storage=persistent in /etc/systemd/journald.conf.d/retention.conf and restart systemd-journald',
    )
  } else if (settings.maxRetentionMs > 0 && settings.maxRetentionMs < atLeast) {
    report(
      `The journal is kept for ${formatDuration(settings.maxRetentionMs)} (MaxRetentionSec), wanted at least ${formatDuration(atLeast)}`,
      `Set MaxRetentionSec=${days(atLeast)}day in /etc/systemd/journald.conf.d/retention.conf`,
    )
  } else if (atLeast > 0) {
    const short = shortBySize(settings, use, atLeast, nowMs)
    if (short) report(short.summary, short.remedy)
  }
  if (
    isPersistent &&
    Number.isFinite(atMost) &&
    (settings.maxRetentionMs === 0 || settings.maxRetentionMs > atMost)
  ) {
    report(
      `The journal is kept ${settings.maxRetentionMs === 0 ? 'without an end in time' : `for ${formatDuration(settings.maxRetentionMs)}`}, wanted at most ${formatDuration(atMost)}`,
      `Set MaxRetentionSec=${Math.floor(atMost / DAY_MS)}day in /etc/systemd/journald.conf.d/retention.conf`,
    )
  }
  return onlyOne(findings)
}

/** The journal has a limit of size as well: at its rate so far, how long does that last? */
function shortBySize({ maxUseBytes }: JournalSettings, use: JournalUse, atLeast: number, nowMs: number) {
  const limit = maxUseBytes ?? Math.min(use.fileSystemBytes / 10, 4 * GIBIBYTE)
  if (use.oldestMs === undefined || nowMs - use.oldestMs < DAY_MS || use.bytes === 0) return undefined
  const lastsMs = (limit / use.bytes) * (nowMs - use.oldestMs)
  if (lastsMs >= atLeast) return undefined
  const needed = Math.ceil(((use.bytes / (nowMs - use.oldestMs)) * atLeast) / GIBIBYTE)
  return {
    summary: `At its rate the journal reaches its ${formatBytes(Math.round(limit))} after ${formatDuration(lastsMs)}, wanted are at least ${formatDuration(atLeast)}`,
    remedy: `Set SystemMaxUse=${needed}G in /etc/systemd/journald.conf.d/retention.conf`,
  }
}

/** Rule and subject are the identity of a finding. */
function onlyOne([first, ...others]: Finding[]): Finding[] {
  if (!first) return []
  return [
    {
      ...first,
      summary: [first, ...others]
        .map(({ summary }) => summary)
        .join('; ')
        .slice(0, 2000),
    },
  ]
}
