import { formatBytes, formatDuration } from '../../agent/contract/mod.ts'
import type { CalendarInterval } from './config.ts'

/** What decides when a log of a set is due. */
export interface DueRule {
  interval?: CalendarInterval | number | undefined
  size?: number | undefined
  minSize?: number | undefined
  notIfEmpty: boolean
}

/** When the interval of a log began: at its last rotation, or when it was first seen. */
export interface Clock {
  sinceMs: number
  rotatedMs: number | null
}

const DAY_MS = 86_400_000

/** Why a log has to be rotated now, for people; undefined when it has not. */
export function judgeDue(
  rule: DueRule,
  sizeBytes: number,
  clock: Clock | undefined,
  now: number,
  timeZone: string,
): string | undefined {
  if (sizeBytes === 0 && rule.notIfEmpty) return undefined
  if (rule.size !== undefined && sizeBytes >= rule.size) {
    return `it has ${formatBytes(sizeBytes)}, the limit is ${formatBytes(rule.size)}`
  }
  if (rule.interval === undefined || !clock || sizeBytes < (rule.minSize ?? 0)) return undefined
  // A clock that was set back must not stop rotation until it has caught up.
  if (clock.sinceMs > now + DAY_MS) return 'its last rotation lies in the future'
  if (typeof rule.interval === 'number') {
    const elapsed = now - clock.sinceMs
    return elapsed >= rule.interval ? `its last rotation was ${formatDuration(elapsed)} ago` : undefined
  }
  if (clock.sinceMs >= now) return undefined
  const before = periodOf(rule.interval, clock.sinceMs, timeZone)
  const current = periodOf(rule.interval, now, timeZone)
  return before === current ? undefined : `a new period began (${rule.interval}: ${current})`
}

/** The hour, day, week, month or year of a time: "2026-07-31", or for a week its Monday. */
export function periodOf(interval: CalendarInterval, timeMs: number, timeZone: string): string {
  const parts = Object.fromEntries(
    formatterOf(timeZone)
      .formatToParts(timeMs)
      .map((part) => [part.type, part.value]),
  )
  const date = `${parts.year}-${parts.month}-${parts.day}`
  switch (interval) {
    case 'hourly':
      // With its offset: when clocks go back, the second 02:00 is another hour.
      return `${date} ${parts.hour}:00 ${parts.timeZoneName}`
    case 'daily':
      return date
    case 'weekly':
      return mondayOf(date)
    case 'monthly':
      return date.slice(0, 7)
    case 'yearly':
      return date.slice(0, 4)
  }
}

function mondayOf(date: string): string {
  const midnight = Date.parse(`${date}T00:00:00Z`)
  const daysSinceMonday = (new Date(midnight).getUTCDay() + 6) % 7
  return new Date(midnight - daysSinceMonday * DAY_MS).toISOString().slice(0, 10)
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** Making a formatter takes a hundred times longer than using it. */
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone)
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-CA', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'longOffset',
    })
    formatters.set(timeZone, formatter)
  }
  return formatter
}
