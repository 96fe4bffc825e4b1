import { momentOf, type WallTime, wallTime } from './local-time.ts'
import type { Settings } from './settings.ts'

const [HOUR_MS, DAY_SECONDS] = [3_600_000, 86_400]

export interface Decision {
  rotate: boolean
  /** Why not, in logrotate's words; more than one thing may speak against it. */
  reasons: string[]
  /** The last rotation lies in the future, so that nothing but rotating mends it. */
  isFromFuture: boolean
}

/** Whether a log is to be rotated now. Pure; local time, as logrotate does. */
export function decide(
  settings: Settings,
  log: { sizeBytes: number; modifiedAt: Date },
  rotatedAt: Date,
  now: Date,
  forced: boolean,
): Decision {
  const decision: Decision = { rotate: forced, reasons: [], isFromFuture: false }
  if (!forced) decideByCriterion(decision, settings, log, rotatedAt, now)
  if (decision.rotate && !settings.ifEmpty && log.sizeBytes === 0) {
    return { ...decision, rotate: false, reasons: [...decision.reasons, 'log is empty'] }
  }
  return decision
}

function decideByCriterion(
  decision: Decision,
  settings: Settings,
  log: { sizeBytes: number; modifiedAt: Date },
  rotatedAt: Date,
  now: Date,
): void {
  const { criterion, minSizeBytes, maxSizeBytes, minAgeDays } = settings
  const refuse = (reason: string) => {
    decision.rotate = false
    decision.reasons.push(reason)
  }
  if (maxSizeBytes > 0 && log.sizeBytes > maxSizeBytes) {
    decision.rotate = true
  } else if (criterion.kind === 'size') {
    decision.rotate = log.sizeBytes >= criterion.bytes
    if (!decision.rotate) refuse("log size is below the 'size' threshold")
  } else if (rotatedAt.getTime() - now.getTime() > 25 * HOUR_MS) {
    // 25 hours leave room for summer time and for travel.
    decision.rotate = true
    decision.isFromFuture = true
  } else if (criterion.kind !== 'minutes' && isSameHour(wallTime(rotatedAt), wallTime(now))) {
    refuse('log has already been rotated')
  } else {
    decision.rotate = isLate(criterion, rotatedAt, now)
    if (!decision.rotate) {
      const period = criterion.kind === 'minutes' ? `${criterion.count} minutes` : PERIODS[criterion.kind]
      refuse(`log has been rotated at ${formatMinute(rotatedAt)}, which is less than ${period} ago`)
    }
    if (minSizeBytes > 0 && log.sizeBytes < minSizeBytes) {
      refuse("'minsize' directive is used and the log size is smaller than the minsize value")
    }
    const ageSeconds = seconds(now) - seconds(log.modifiedAt)
    if (minAgeDays > 0 && minAgeDays * DAY_SECONDS >= ageSeconds) {
      refuse("'minage' directive is used and the log age is smaller than the minage days")
    }
  }
}

const PERIODS = { hourly: 'an hour', daily: 'a day', weekly: 'a week', monthly: 'a month', yearly: 'a year' }

const seconds = (date: Date) => Math.floor(date.getTime() / 1000)
const isSameYear = (a: WallTime, b: WallTime) => a.year === b.year
const isSameMonth = (a: WallTime, b: WallTime) => isSameYear(a, b) && a.month === b.month
const isSameDay = (a: WallTime, b: WallTime) => isSameMonth(a, b) && a.day === b.day
const isSameHour = (a: WallTime, b: WallTime) => isSameDay(a, b) && a.hour === b.hour

function isLate(
  criterion: Exclude<Settings['criterion'], { kind: 'size' }>,
  rotatedAt: Date,
  now: Date,
): boolean {
  const [last, today] = [wallTime(rotatedAt), wallTime(now)]
  switch (criterion.kind) {
    case 'yearly':
      return !isSameYear(last, today)
    case 'monthly':
      return !isSameMonth(last, today)
    case 'weekly': {
      const days = daysBetween(last, today)
      return days >= 7 || (days >= 1 && today.weekday === criterion.weekday)
    }
    case 'daily':
      return !isSameDay(last, today)
    case 'hourly':
      return !isSameHour(last, today)
    case 'minutes':
      return seconds(now) - seconds(rotatedAt) >= criterion.count * 60
  }
}

/** Whole days of 24 hours from midnight to midnight: a week in which the clock goes forward has six, as for logrotate. */
function daysBetween(from: WallTime, to: WallTime): number {
  const midnight = ({ year, month, day }: WallTime) => momentOf(year, month, day)
  return Math.trunc((seconds(midnight(to)) - seconds(midnight(from))) / DAY_SECONDS)
}

/** "2026-11-22 00:33" */
export function formatMinute(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const { year, month, day, hour, minute } = wallTime(date)
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}`
}
