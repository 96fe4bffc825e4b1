const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAY_MS = 86_400_000

/** A date, "T" or a blank, a time, a fraction, and a zone or none. */
const ISO =
  /^(\d{4})[-/](\d{2})[-/](\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?(?: ?(Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?))?/
/** "22 Nov 2026 05:35:44.123" of redis. */
const DAY_FIRST =
  /^(\d{1,2})[ /]([A-Za-z]{3})[ /](\d{4})[ :](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?(?: ?([+-]\d{4}))?/
/** "Nov 22 05:35:44" of syslog, which has no year. */
const SYSLOG = /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?![\d:])/
/** Seconds, milliseconds, microseconds or nanoseconds since 1970, of this century. */
const EPOCH = /^(\d{10})(?:(\d{3})|(\d{6})|(\d{9}))?(\.\d+)?(?!\d)/
const ESCAPE = String.fromCharCode(27)
/** What may stand before: colours, a bracket, a priority, a process ("1234:M " of redis), keys of logfmt. */
const LEAD = new RegExp(
  String.raw`^(?:${ESCAPE}\[[0-9;]*m|<\d{1,3}>(?:1 )?|\d+:[A-Z] |\[|level=\w+ |(?:time|ts|t)="?){0,4}`,
)
/** The access log of web servers: address, names, then the time in brackets. */
const ACCESS = /^\S+ \S+ \S+(?: \S+)? \[([^\]]{20,40})\]/

/**
 * When a line of a log was written, in UTC milliseconds; undefined when it does not say so at its beginning. A time
 * without a zone is one of this host, one without a year the last such before `nowMs`. Pure, but for the time zone.
 */
export function timeOfLine(line: string, nowMs: number): number | undefined {
  const start = line.slice(LEAD.exec(line)?.[0].length ?? 0, 300)
  return timeOfText(start, nowMs) ?? timeOfText(ACCESS.exec(line.slice(0, 300))?.[1] ?? '', nowMs)
}

/** A time at the beginning of a text. */
export function timeOfText(text: string, nowMs: number): number | undefined {
  const iso = ISO.exec(text)
  if (iso) {
    const [, year, month, day, hour, minute, second, fraction, zone] = iso
    return moment(
      [Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)],
      fraction,
      zone,
    )
  }
  const dayFirst = DAY_FIRST.exec(text)
  if (dayFirst) {
    const [, day, name = '', year, hour, minute, second, fraction, zone] = dayFirst
    return moment(
      [Number(year), monthOf(name), Number(day), Number(hour), Number(minute), Number(second)],
      fraction,
      zone,
    )
  }
  const syslog = SYSLOG.exec(text)
  if (syslog) {
    const [, name = '', day, hour, minute, second] = syslog
    const inYear = (year: number) =>
      moment([year, monthOf(name), Number(day), Number(hour), Number(minute), Number(second)])
    const thisYear = new Date(nowMs).getFullYear()
    const time = inYear(thisYear)
    return time !== undefined && time > nowMs + DAY_MS ? inYear(thisYear - 1) : time
  }
  const epoch = EPOCH.exec(text)
  return epoch ? timeOfNumber(Number(epoch[0])) : undefined
}

/** Of a number in JSON, by its size: seconds, milliseconds, microseconds or nanoseconds since 1970. */
export function timeOfNumber(value: number): number | undefined {
  for (const perMs of [0.001, 1, 1000, 1_000_000]) {
    const time = value / perMs
    // From 2001 to 2100.
    if (time >= 1e12 && time < 4.1e12) return Math.floor(time)
  }
  return undefined
}

type Fields = [year: number, month: number, day: number, hour: number, minute: number, second: number]

function moment(fields: Fields, fraction = '', zone?: string): number | undefined {
  const [year, month, day, hour, minute, second] = fields
  if (month < 0 || month > 11 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
    return undefined
  const milliseconds = Math.floor(Number(`0.${fraction || 0}`) * 1000)
  if (zone === undefined) return new Date(year, month, day, hour, minute, second, milliseconds).getTime()
  const [, sign, hours = 0, minutes = 0] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? []
  const offsetMinutes = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
  return Date.UTC(year, month, day, hour, minute, second, milliseconds) - offsetMinutes * 60_000
}

function monthOf(name: string): number {
  return MONTHS.indexOf(name.toLowerCase())
}
