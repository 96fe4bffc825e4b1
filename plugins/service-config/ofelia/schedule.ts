import { CronExpressionParser } from 'cron-parser'
import { goDuration } from './values.ts'

const MACROS: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const NAMES = /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat|l|w|lw)$/i
const BY_HAND = ['@triggered', '@manual', '@none']

/** When a schedule comes: never, only when somebody says so, or at a time. */
export type Coming =
  | { kind: 'never'; reason: string }
  | { kind: 'by hand' }
  | { kind: 'at'; time: Date | undefined }

/** Pure: 5 fields, or 6 with seconds first; macros; `@every 1h30m`. */
export function comingOf(schedule: string, now: Date): Coming {
  const zoned = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(schedule.trim())
  const text = (zoned?.[2] ?? schedule).trim()
  const timezone = zoned?.[1] ?? 'UTC'
  if (text === '') return { kind: 'never', reason: 'it has no schedule' }
  if (BY_HAND.includes(text)) return { kind: 'by hand' }
  const every = /^@every\s+(.*)$/.exec(text)?.[1]
  if (every !== undefined) {
    const intervalMs = goDuration(every.trim())
    if (intervalMs === undefined || intervalMs <= 0)
      return { kind: 'never', reason: 'the time after @every is none' }
    return { kind: 'at', time: new Date(now.getTime() + intervalMs) }
  }
  const cron = MACROS[text] ?? text
  if (cron.startsWith('@')) return { kind: 'never', reason: 'there is no such word for a time' }
  const fields = cron.split(/\s+/).length
  if (fields !== 5 && fields !== 6) return { kind: 'never', reason: `it has ${fields} fields, wanted 5 or 6` }
  const strange = (cron.match(/[A-Za-z]+/g) ?? []).some((word) => !NAMES.test(word))
  if (strange || !/^[\dA-Za-z*,/?#\-\s]+$/.test(cron))
    return { kind: 'never', reason: 'it holds what no field may hold' }
  // L, W and # are read differently from program to program: neither right nor wrong here.
  if (/[LW#]/.test(cron.replace(/[A-Za-z]{3}/g, ''))) return { kind: 'at', time: undefined }
  try {
    const time = CronExpressionParser.parse(cron, { currentDate: now, tz: timezone }).next().toDate()
    return { kind: 'at', time }
  } catch {
    return { kind: 'never', reason: 'no time matches it' }
  }
}
