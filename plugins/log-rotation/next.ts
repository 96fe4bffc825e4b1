import type { CalendarInterval } from './config.ts'
import { type Clock, type DueRule, judgeDue, periodOf } from './due.ts'
import { decide } from './logrotate/decide.ts'
import type { Settings } from './logrotate/settings.ts'

/** When a log will be rotated, if it goes on growing as it does. */
export interface NextRotation {
  /** Undefined when that is not known. */
  atMs: number | undefined
  /** For people. */
  because: string
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const PERIOD_MS: Record<CalendarInterval, number> = {
  hourly: HOUR_MS,
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 31 * DAY_MS,
  yearly: 366 * DAY_MS,
}

/** Of a log of a set. Pure. */
export function nextOfSet(
  rule: DueRule,
  sizeBytes: number,
  clock: Clock | undefined,
  bytesPerDay: number | undefined,
  nowMs: number,
  timeZone: string,
): NextRotation {
  if (judgeDue(rule, sizeBytes, clock, nowMs, timeZone)) return { atMs: nowMs, because: 'it is due' }
  if (sizeBytes === 0 && rule.notIfEmpty && !bytesPerDay)
    return { atMs: undefined, because: 'when it is written to' }
  const bySize = rule.size === undefined ? undefined : whenAsLarge(rule.size, sizeBytes, bytesPerDay, nowMs)
  const byTime = whenPeriodEnds(rule, clock, nowMs, timeZone)
  return earlier(bySize, byTime) ?? { atMs: undefined, because: 'by size; its growth is not known yet' }
}

function whenPeriodEnds(
  { interval, minSize }: DueRule,
  clock: Clock | undefined,
  nowMs: number,
  timeZone: string,
): NextRotation | undefined {
  if (interval === undefined) return undefined
  const because = minSize === undefined ? 'by time' : 'by time, if it is large enough'
  const sinceMs = clock?.sinceMs ?? nowMs
  if (typeof interval === 'number') return { atMs: Math.max(nowMs, sinceMs + interval), because }
  return { atMs: periodEnd(interval, sinceMs, timeZone), because }
}

/** The first minute of the next hour, day, week, month or year. */
function periodEnd(interval: CalendarInterval, timeMs: number, timeZone: string): number {
  const current = periodOf(interval, timeMs, timeZone)
  let [within, beyond] = [timeMs, timeMs + PERIOD_MS[interval] + 2 * HOUR_MS]
  while (beyond - within > 1000) {
    const middle = (within + beyond) / 2
    if (periodOf(interval, middle, timeZone) === current) within = middle
    else beyond = middle
  }
  return Math.round(beyond / 60_000) * 60_000
}

const MOST_HOURS = 400 * 24

/** Of a log of a block of logrotate. Pure. */
export function nextOfBlock(
  settings: Settings,
  sizeBytes: number,
  modifiedMs: number,
  rotatedAt: Date,
  bytesPerDay: number | undefined,
  nowMs: number,
): NextRotation {
  const log = { sizeBytes: Math.max(1, sizeBytes), modifiedAt: new Date(modifiedMs) }
  const isDueAt = (timeMs: number) => decide(settings, log, rotatedAt, new Date(timeMs), false).rotate
  if (sizeBytes === 0 && !settings.ifEmpty && !bytesPerDay)
    return { atMs: undefined, because: 'when it is written to' }
  if (sizeBytes > 0 && isDueAt(nowMs)) return { atMs: nowMs, because: 'it is due' }
  const { criterion, maxSizeBytes } = settings
  const limit = criterion.kind === 'size' ? criterion.bytes : maxSizeBytes > 0 ? maxSizeBytes : undefined
  const bySize = limit === undefined ? undefined : whenAsLarge(limit, sizeBytes, bytesPerDay, nowMs)
  const byTime =
    criterion.kind === 'size' ? undefined : firstHour(isDueAt, nowMs, criterion.kind === 'minutes')
  return earlier(bySize, byTime) ?? { atMs: undefined, because: 'by size; its growth is not known yet' }
}

/** Hours begin where days do in every time zone that counts by whole hours. */
function firstHour(
  isDueAt: (timeMs: number) => boolean,
  nowMs: number,
  byMinutes: boolean,
): NextRotation | undefined {
  const stepMs = byMinutes ? 60_000 : HOUR_MS
  const start = Math.floor(nowMs / stepMs) * stepMs
  for (let step = 1; step <= MOST_HOURS; step++) {
    const timeMs = start + step * stepMs
    if (isDueAt(timeMs)) return { atMs: timeMs, because: 'by time' }
  }
  return undefined
}

function whenAsLarge(
  limit: number,
  sizeBytes: number,
  bytesPerDay: number | undefined,
  nowMs: number,
): NextRotation | undefined {
  if (!bytesPerDay) return undefined
  return { atMs: nowMs + (Math.max(0, limit - sizeBytes) / bytesPerDay) * DAY_MS, because: 'by size' }
}

function earlier(a: NextRotation | undefined, b: NextRotation | undefined): NextRotation | undefined {
  if (a?.atMs === undefined) return b
  return b?.atMs !== undefined && b.atMs < a.atMs ? b : a
}
