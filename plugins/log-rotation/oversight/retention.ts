import { type Finding, formatDuration } from '../../../agent/contract/mod.ts'
import type { CalendarInterval } from '../config.ts'
import { policiesFor, type RetentionPolicy } from './retention-policy.ts'

const DAY_MS = 86_400_000

/** How long a rule keeps the lines of a log, as far as that can be told. */
export interface Kept {
  path: string
  /** For people: the set or the block that says so. */
  rule: string
  /** Time between two rotations; undefined when that is by size and its growth is not known. */
  periodMs: number | undefined
  keep: number
  maxAgeMs: number | undefined
  /** Age of the oldest generation, when there are as many as are kept. */
  fullAgeMs: number | undefined
}

export const PERIODS_MS: Record<CalendarInterval, number> = {
  hourly: 3_600_000,
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 30 * DAY_MS,
  yearly: 365 * DAY_MS,
}

/** How often a log is rotated: by its interval, or by its size where that comes first. */
export function periodOfRule(
  intervalMs: number | undefined,
  sizeBytes: number | undefined,
  bytesPerDay: number | undefined,
): number | undefined {
  const bySize = sizeBytes !== undefined && bytesPerDay ? (sizeBytes / bytesPerDay) * DAY_MS : undefined
  if (intervalMs === undefined || bySize === undefined) return intervalMs ?? bySize
  return Math.min(intervalMs, bySize)
}

/** What a rule keeps against what the policies demand; policies that cannot both be met are told as well. Pure. */
export function judgeRetention(kept: Kept, policies: RetentionPolicy[]): Finding[] {
  const own = policiesFor(policies, kept.path)
  const conflict = conflictOf(own)
  const findings: Finding[] = []
  const evidence = { rule: kept.rule, keep: Number.isFinite(kept.keep) ? kept.keep : null }
  if (conflict) {
    const [least, most] = conflict
    findings.push({
      rule: 'retention-conflict',
      subject: kept.path,
      severity: 'warning',
      summary: `${kept.path} is to be kept at least ${text(least.atLeast)}${by(least)}, and at most ${text(most.atMost)}${by(most)}`,
      remedy: 'Decide which of the two policies holds for this path, and take it out of the other one',
      evidence,
    })
  }
  const short = shortest(kept)
  for (const policy of own) {
    if (policy.atLeast !== undefined && short !== undefined && short < policy.atLeast) {
      findings.push({
        rule: 'retention-too-short',
        subject: kept.path,
        severity: 'warning',
        summary: `${kept.path} is kept for about ${formatDuration(short)} (${kept.rule}), wanted at least ${text(policy.atLeast)}${by(policy)}`,
        remedy: remedyFor(kept, policy.atLeast),
        evidence: { ...evidence, keptSeconds: Math.round(short / 1000) },
      })
      break
    }
  }
  const long = longest(kept)
  for (const policy of own) {
    if (policy.atMost !== undefined && (long === undefined || long > policy.atMost)) {
      const what = long === undefined ? 'without an end in time' : `for up to ${formatDuration(long)}`
      findings.push({
        rule: 'retention-too-long',
        subject: kept.path,
        severity: 'warning',
        summary: `${kept.path} is kept ${what} (${kept.rule}), wanted at most ${text(policy.atMost)}${by(policy)}`,
        remedy: `Set maxAge (maxage in a file of logrotate) to ${Math.floor(policy.atMost / DAY_MS)} days or less`,
        evidence,
      })
      break
    }
  }
  return findings
}

/** The demand for most and the permission for least, when both cannot be met. */
export function conflictOf(policies: RetentionPolicy[]): [RetentionPolicy, RetentionPolicy] | undefined {
  const least = policies
    .filter(({ atLeast }) => atLeast !== undefined)
    .toSorted((a, b) => (b.atLeast ?? 0) - (a.atLeast ?? 0))[0]
  const most = policies
    .filter(({ atMost }) => atMost !== undefined)
    .toSorted((a, b) => (a.atMost ?? 0) - (b.atMost ?? 0))[0]
  if (least?.atLeast === undefined || most?.atMost === undefined) return undefined
  return least.atLeast > most.atMost ? [least, most] : undefined
}

/** By what the rule says, or by what is seen on the disk. */
function shortest({ periodMs, keep, maxAgeMs, fullAgeMs }: Kept): number | undefined {
  const byCount = periodMs === undefined ? fullAgeMs : periodMs * keep
  const times = [byCount, maxAgeMs].filter((time) => time !== undefined)
  return times.length > 0 ? Math.min(...times) : undefined
}

/** Removal by age is the only one that is sure to come; by count only with a period. */
function longest({ periodMs, keep, maxAgeMs }: Kept): number | undefined {
  const byCount = periodMs === undefined || !Number.isFinite(keep) ? undefined : periodMs * (keep + 1)
  const times = [byCount, maxAgeMs].filter((time) => time !== undefined)
  return times.length > 0 ? Math.min(...times) : undefined
}

function remedyFor({ periodMs, maxAgeMs }: Kept, wantedMs: number): string {
  const days = Math.ceil(wantedMs / DAY_MS)
  const age = maxAgeMs !== undefined && maxAgeMs < wantedMs ? ` and maxAge (maxage) to ${days} days` : ''
  if (periodMs === undefined) return `Keep more generations (keep, or rotate in a file of logrotate)${age}`
  return `Set keep (rotate in a file of logrotate) to ${Math.ceil(wantedMs / periodMs)}${age}`
}

const text = (timeMs: number | undefined) => formatDuration(timeMs ?? 0)
const by = ({ source }: RetentionPolicy) => (source === undefined ? '' : ` (${source})`)
