import type { Settings } from './settings.ts'

const DAY_MS = 86_400_000

export interface Decision {
  rotate: boolean
  /** Why not, in logrotate's words. */
  reason?: string
}

/** Whether a log is to be rotated now. Pure; local time, as logrotate does. */
export function decide(
  settings: Settings,
  log: { sizeBytes: number; modifiedAt: Date },
  rotatedAt: Date,
  now: Date,
  forced: boolean,
): Decision {
  const decision = forced ? { rotate: true } : decideByCriterion(settings, log, rotatedAt, now)
  if (!settings.ifEmpty && log.sizeBytes === 0) return { rotate: false, reason: 'log is empty' }
  return decision
}

function decideByCriterion(
  settings: Settings,
  log: { sizeBytes: number; modifiedAt: Date },
  rotatedAt: Date,
  now: Date,
): Decision {
  const { criterion, minSizeBytes, maxSizeBytes, minAgeDays } = settings
  if (maxSizeBytes > 0 && log.sizeBytes > maxSizeBytes) return { rotate: true }
  if (criterion.kind === 'size') {
    if (log.sizeBytes >= criterion.bytes) return { rotate: true }
    return { rotate: false, reason: "log size is below the 'size' threshold" }
  }
  if (rotatedAt.getTime() - now.getTime() > 25 * 3_600_000) return { rotate: true }
  const late = isLate(criterion, rotatedAt, now)
  if (!late.rotate) return late
  if (minSizeBytes > 0 && log.sizeBytes < minSizeBytes) {
    return {
      rotate: false,
      reason: "'minsize' directive is used and the log size is smaller than the minsize value",
    }
  }
  if (minAgeDays > 0 && now.getTime() - log.modifiedAt.getTime() <= minAgeDays * DAY_MS) {
    return {
      rotate: false,
      reason: "'minage' directive is used and the log age is smaller than the minage days",
    }
  }
  return { rotate: true }
}

function isLate(
  criterion: Exclude<Settings['criterion'], { kind: 'size' }>,
  rotatedAt: Date,
  now: Date,
): Decision {
  const sameYear = rotatedAt.getFullYear() === now.getFullYear()
  const sameMonth = sameYear && rotatedAt.getMonth() === now.getMonth()
  const days = calendarDays(now) - calendarDays(rotatedAt)
  switch (criterion.kind) {
    case 'yearly':
      return sameYear ? notYet(rotatedAt, 'a year') : { rotate: true }
    case 'monthly':
      return sameMonth ? notYet(rotatedAt, 'a month') : { rotate: true }
    case 'weekly': {
      const due = days >= 7 || (days > 0 && criterion.weekday < 7 && now.getDay() === criterion.weekday)
      return due ? { rotate: true } : notYet(rotatedAt, 'a week')
    }
    case 'daily':
      return days !== 0 ? { rotate: true } : notYet(rotatedAt, 'a day')
    case 'hourly':
      if (days !== 0 || rotatedAt.getHours() !== now.getHours()) return { rotate: true }
      return { rotate: false, reason: 'log has already been rotated' }
    case 'minutes':
      if (now.getTime() - rotatedAt.getTime() >= criterion.count * 60_000) return { rotate: true }
      return { rotate: false, reason: 'log has already been rotated' }
  }
}

/** Days since the epoch of the date as the calendar on the wall shows it. */
function calendarDays(date: Date): number {
  return Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY_MS)
}

function notYet(rotatedAt: Date, period: string): Decision {
  return {
    rotate: false,
    reason: `log has been rotated at ${formatMinute(rotatedAt)}, which is less than ${period} ago`,
  }
}

/** "2026-11-22 00:33" */
export function formatMinute(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}
