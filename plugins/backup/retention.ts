import type { BackupConfig } from './config.ts'

export type RetentionPolicy = BackupConfig['retention']

/** A proven backup whose object is whole. */
export interface Candidate {
  name: string
  createdAt: Date
}

export interface RetentionPlan {
  /** Why each kept one is kept: "last", "daily", … */
  keep: Map<string, string[]>
  remove: string[]
}

/**
 * What to keep of the proven backups, given in the order in which they were made. No age plays a part, only order
 * and the calendar day (UTC): a clock that jumps deletes nothing. The last one made is always kept.
 */
export function planRetention(made: readonly Candidate[], policy: RetentionPolicy): RetentionPlan {
  const keep = new Map<string, string[]>()
  const note = (candidate: Candidate, reason: string) => {
    const reasons = keep.get(candidate.name)
    if (reasons) reasons.push(reason)
    else keep.set(candidate.name, [reason])
  }
  const newestFirst = made.toReversed()
  for (const candidate of newestFirst.slice(0, Math.max(1, policy.keepLast))) note(candidate, 'last')
  const periods: [string, number, (date: Date) => string][] = [
    ['daily', policy.daily, (date) => date.toISOString().slice(0, 10)],
    ['weekly', policy.weekly, isoWeek],
    ['monthly', policy.monthly, (date) => date.toISOString().slice(0, 7)],
    ['yearly', policy.yearly, (date) => date.toISOString().slice(0, 4)],
  ]
  for (const [reason, count, periodOf] of periods) {
    const seen = new Set<string>()
    for (const candidate of newestFirst) {
      const period = periodOf(candidate.createdAt)
      if (seen.has(period)) continue
      if (seen.size === count) break
      seen.add(period)
      note(candidate, reason)
    }
  }
  return { keep, remove: made.flatMap(({ name }) => (keep.has(name) ? [] : [name])) }
}

/** "2026-W01", by ISO 8601: weeks begin on Monday and belong to the year of their Thursday. */
export function isoWeek(date: Date): string {
  const thursday = new Date(date)
  thursday.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7))
  const firstOfYear = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  const week = Math.floor((thursday.getTime() - firstOfYear) / 604_800_000) + 1
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`
}
