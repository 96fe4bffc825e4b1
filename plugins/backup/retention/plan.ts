import { formatDuration } from '../../../agent/contract/mod.ts'
import type { RetentionPolicy } from '../destination/config.ts'

/** A proven backup whose object is whole. */
export interface Candidate {
  name: string
  createdAt: Date
  /** The backup that this one only holds the changes to; null for a full one. */
  parent: string | null
}

export interface RetentionPlan {
  /** Why each kept one is kept: "last", "daily", …, "needed" by a kept one that builds upon it. */
  keep: Map<string, string[]>
  remove: string[]
}

/** A clock is set right by less. */
const CLOCK_TOLERANCE_MS = 300_000
/** Between two backups of a job, at least; after a longer pause retention waits for the next ones. */
const LONGEST_PAUSE_MS = 40 * 86_400_000
const LONGEST_PAUSE_INTERVALS = 4
/** So many of the newest backups must follow each other plausibly before anything is removed. */
const LOOKED_AT = 3

/**
 * What to keep of the proven backups, given in the order in which they were made. No age plays a part, only order
 * and the calendar (UTC): a clock that jumps deletes nothing. The last one made is always kept, and with each kept
 * one all that it builds upon.
 */
export function planRetention(made: readonly Candidate[], policy: RetentionPolicy, now: Date): RetentionPlan {
  const keep = new Map<string, string[]>()
  const note = (name: string, reason: string) => {
    const reasons = keep.get(name)
    if (reasons) reasons.push(reason)
    else keep.set(name, [reason])
  }
  const newestFirst = made.toReversed()
  for (const { name } of newestFirst.slice(0, Math.max(1, policy.keepLast))) note(name, 'last')
  const isFuture = ({ createdAt }: Candidate) => createdAt.getTime() > now.getTime() + CLOCK_TOLERANCE_MS
  for (const [reason, count, periodOf] of periods(policy)) {
    const seen = new Set<string>()
    // What a wrong clock has dated into the future takes nobody's place.
    for (const candidate of newestFirst.filter((candidate) => !isFuture(candidate))) {
      const period = periodOf(candidate.createdAt)
      if (seen.has(period)) continue
      if (seen.size === count) break
      seen.add(period)
      note(candidate.name, reason)
    }
  }
  keepAncestors(made, keep, note)
  return { keep, remove: made.flatMap(({ name }) => (keep.has(name) ? [] : [name])) }
}

function periods(
  policy: RetentionPolicy,
): [reason: string, count: number, periodOf: (date: Date) => string][] {
  return [
    ['hourly', policy.hourly, (date) => date.toISOString().slice(0, 13)],
    ['daily', policy.daily, (date) => date.toISOString().slice(0, 10)],
    ['weekly', policy.weekly, isoWeek],
    ['monthly', policy.monthly, (date) => date.toISOString().slice(0, 7)],
    ['yearly', policy.yearly, (date) => date.toISOString().slice(0, 4)],
  ]
}

function keepAncestors(
  made: readonly Candidate[],
  keep: ReadonlyMap<string, string[]>,
  note: (name: string, reason: string) => void,
): void {
  const byName = new Map(made.map((candidate) => [candidate.name, candidate]))
  for (const name of [...keep.keys()]) {
    let parent = byName.get(name)?.parent ?? null
    while (parent !== null && byName.has(parent) && !keep.has(parent)) {
      note(parent, 'needed')
      parent = byName.get(parent)?.parent ?? null
    }
  }
}

/**
 * Why nothing is to be removed now: the clock has jumped, or the host was off for long, and which of it cannot be
 * told. Undefined when the newest backups follow each other as they should.
 */
export function whyHeld(made: readonly Candidate[], intervalMs: number): string | undefined {
  const longestPauseMs = Math.max(LONGEST_PAUSE_MS, LONGEST_PAUSE_INTERVALS * intervalMs)
  const newest = made.slice(-LOOKED_AT - 1)
  for (const [index, { name, createdAt }] of newest.entries()) {
    const before = newest[index - 1]
    if (!before) continue
    const pauseMs = createdAt.getTime() - before.createdAt.getTime()
    if (pauseMs < -CLOCK_TOLERANCE_MS) {
      return `the clock went back by ${formatDuration(-pauseMs)} before "${name}" was made`
    }
    if (pauseMs > longestPauseMs) {
      return `the clock went on by ${formatDuration(pauseMs)} before "${name}" was made`
    }
  }
  return undefined
}

/** "2026-W01", by ISO 8601: weeks begin on Monday and belong to the year of their Thursday. */
export function isoWeek(date: Date): string {
  const thursday = new Date(date)
  thursday.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7))
  const firstOfYear = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  const week = Math.floor((thursday.getTime() - firstOfYear) / 604_800_000) + 1
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`
}
