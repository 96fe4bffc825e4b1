import { type WallTime, wallTime } from './local-time.ts'

/** The date part of a rotated log's name, and how to know one again. */
export interface DateExtension {
  text: string
  /** A shell pattern that matches a date part. */
  pattern: string
  /** The format as strftime gets it: an unknown specifier stands there as a percent sign of its own. */
  format: string
}

/** Nothing, or too much, comes of a format. */
export class UselessFormat extends Error {
  constructor(readonly format: string) {
    super(`failed to apply date format '${format}'`)
  }
}

/** Digits that a specifier is replaced by. */
const DIGITS: Record<string, number> = {
  Y: 4,
  G: 4,
  m: 2,
  d: 2,
  H: 2,
  M: 2,
  S: 2,
  V: 2,
  U: 2,
  W: 2,
  y: 2,
  g: 2,
  j: 3,
  u: 1,
  w: 1,
  s: 10,
}
const [MAX_PATTERN, MAX_TEXT] = [127, 63]
const DIGIT = '[0-9]'

/** Fills a `dateformat`. Throws with logrotate's complaint when it, or what comes of it, is too long. */
export function dateExtension(dateFormat: string, at: Date): DateExtension {
  let [pattern, format, text] = ['', '', '']
  const tooLong = () => new Error(`Date format ${dateFormat} is too long`)
  const given = dateFormat.replace(/^ +/, '')
  for (let index = 0; index < given.length; index++) {
    if (pattern.length >= MAX_PATTERN || format.length >= MAX_PATTERN - 1) throw tooLong()
    const character = given[index] ?? ''
    const name = given[index + 1] ?? ''
    const digits = name === 'z' ? `[-+]${DIGIT.repeat(4)}` : DIGIT.repeat(DIGITS[name] ?? 0)
    if (character === '%' && digits !== '') {
      pattern += digits
      if (pattern.length >= MAX_PATTERN) throw tooLong()
      format += `%${name}`
      text += field(name, at)
      index++
    } else {
      pattern += character
      format += character === '%' ? '%%' : character
      text += character
    }
  }
  if (text === '' || Buffer.byteLength(text) > MAX_TEXT) throw new UselessFormat(format)
  return { text, pattern, format }
}

const padded = (value: number, width = 2) => String(value).padStart(width, '0')

function field(name: string, at: Date): string {
  const { year, month, day, hour, minute, second, weekday, yearDay, offsetMinutes } = wallTime(at)
  switch (name) {
    case 'Y':
      return padded(year, 4)
    case 'y':
      return padded(year % 100)
    case 'm':
      return padded(month)
    case 'd':
      return padded(day)
    case 'H':
      return padded(hour)
    case 'M':
      return padded(minute)
    case 'S':
      return padded(second)
    case 's':
      return String(Math.floor(at.getTime() / 1000))
    case 'j':
      return padded(yearDay + 1, 3)
    case 'u':
      return String(weekday || 7)
    case 'w':
      return String(weekday)
    case 'U':
      return padded(Math.floor((yearDay + 7 - weekday) / 7))
    case 'W':
      return padded(Math.floor((yearDay + 7 - ((weekday + 6) % 7)) / 7))
    case 'z':
      return zone(offsetMinutes)
    case 'G':
      return padded(isoWeek(wallTime(at)).year, 4)
    case 'g':
      return padded(isoWeek(wallTime(at)).year % 100)
    default:
      return padded(isoWeek(wallTime(at)).week)
  }
}

/** ISO 8601: the week belongs to the year of its Thursday. */
function isoWeek({ year, month, day, weekday }: WallTime): { year: number; week: number } {
  const thursday = new Date(Date.UTC(year, month - 1, day + 4 - (weekday || 7)))
  const itsYear = thursday.getUTCFullYear()
  return { year: itsYear, week: Math.floor((thursday.getTime() - Date.UTC(itsYear, 0, 1)) / 604_800_000) + 1 }
}

function zone(minutes: number): string {
  const absolute = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${padded(Math.floor(absolute / 60))}${padded(absolute % 60)}`
}
