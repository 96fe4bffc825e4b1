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
  } else if (criterion.kind !== 'minutes' && isSameHour(rotatedAt, now)) {
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
const isSameYear = (a: Date, b: Date) => a.getFullYear() === b.getFullYear()
const isSameMonth = (a: Date, b: Date) => isSameYear(a, b) && a.getMonth() === b.getMonth()
const isSameDay = (a: Date, b: Date) => isSameMonth(a, b) && a.getDate() === b.getDate()
const isSameHour = (a: Date, b: Date) => isSameDay(a, b) && a.getHours() === b.getHours()

function isLate(
  criterion: Exclude<Settings['criterion'], { kind: 'size' }>,
  rotatedAt: Date,
  now: Date,
): boolean {
  switch (criterion.kind) {
    case 'yearly':
      return !isSameYear(rotatedAt, now)
    case 'monthly':
      return !isSameMonth(rotatedAt, now)
    case 'weekly': {
      const days = daysBetween(rotatedAt, now)
      return days >= 7 || (days >= 1 && now.getDay() === criterion.weekday)
    }
    case 'daily':
      return !isSameDay(rotatedAt, now)
    case 'hourly':
      return !isSameHour(rotatedAt, now)
    case 'minutes':
      return seconds(now) - seconds(rotatedAt) >= criterion.count * 60
  }
}

/** Whole days of 24 hours from midnight to midnight: a week in which the clock goes forward has six, as for logrotate. */
function daysBetween(from: Date, to: Date): number {
  const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate())
  return Math.trunc((seconds(midnight(to)) - seconds(midnight(from))) / DAY_SECONDS)
}

/** "2026-11-22 00:33" */
export function formatMinute(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}
