/** The date part of a rotated log's name, and how to know one again. */
export interface DateExtension {
  text: string
  /** Matches a date part; its groups are the fields in `fields`. */
  source: string
  fields: string[]
}

const DIGITS: Record<string, string> = {
  Y: '[0-9]{4}',
  G: '[0-9]{4}',
  m: '[0-9]{2}',
  d: '[0-9]{2}',
  H: '[0-9]{2}',
  M: '[0-9]{2}',
  S: '[0-9]{2}',
  V: '[0-9]{2}',
  U: '[0-9]{2}',
  W: '[0-9]{2}',
  y: '[0-9]{2}',
  g: '[0-9]{2}',
  j: '[0-9]{3}',
  u: '[0-9]',
  w: '[0-9]',
  s: '[0-9]{10,}',
  z: '[-+][0-9]{4}',
}

/** Fills a `dateformat`. What is no known specifier stays as it is. */
export function dateExtension(format: string, at: Date): DateExtension {
  let [text, source] = ['', '']
  const fields: string[] = []
  for (let index = 0; index < format.length; index++) {
    const character = format[index] ?? ''
    const name = format[index + 1] ?? ''
    const digits = character === '%' ? DIGITS[name] : undefined
    if (digits) {
      text += field(name, at)
      source += `(${digits})`
      fields.push(name)
      index++
    } else {
      text += character
      source += character.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    }
  }
  return { text, source, fields }
}

/** Sorts names by the dates in them, oldest first, whatever the order of the fields; equal dates by name. */
export function sortByDate(names: string[], extension: DateExtension): string[] {
  const matcher = new RegExp(extension.source, 'g')
  const key = (name: string) => {
    const match = [...name.matchAll(matcher)].at(-1)
    const value = (field: string) => match?.[extension.fields.indexOf(field) + 1] ?? ''
    const has = (field: string) => extension.fields.includes(field)
    return ['s', 'Y', 'G', 'y', 'g', 'm', 'V', 'U', 'W', 'j', 'd', 'u', 'w', 'H', 'M', 'S', 'z']
      .filter(has)
      .map(value)
      .join('')
  }
  return names
    .map((name) => ({ name, key: key(name) }))
    .sort((a, b) => compare(a.key, b.key) || compare(a.name, b.name))
    .map(({ name }) => name)
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const padded = (value: number, width = 2) => String(value).padStart(width, '0')

function field(name: string, at: Date): string {
  const day = dayOfYear(at)
  const weekday = at.getDay()
  switch (name) {
    case 'Y':
      return padded(at.getFullYear(), 4)
    case 'y':
      return padded(at.getFullYear() % 100)
    case 'm':
      return padded(at.getMonth() + 1)
    case 'd':
      return padded(at.getDate())
    case 'H':
      return padded(at.getHours())
    case 'M':
      return padded(at.getMinutes())
    case 'S':
      return padded(at.getSeconds())
    case 's':
      return String(Math.floor(at.getTime() / 1000))
    case 'j':
      return padded(day + 1, 3)
    case 'u':
      return String(weekday || 7)
    case 'w':
      return String(weekday)
    case 'U':
      return padded(Math.floor((day + 7 - weekday) / 7))
    case 'W':
      return padded(Math.floor((day + 7 - ((weekday + 6) % 7)) / 7))
    case 'z':
      return zone(at)
    case 'G':
      return padded(isoWeek(at).year, 4)
    case 'g':
      return padded(isoWeek(at).year % 100)
    default:
      return padded(isoWeek(at).week)
  }
}

function dayOfYear(at: Date): number {
  return (
    (Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) - Date.UTC(at.getFullYear(), 0, 1)) / 86_400_000
  )
}

/** ISO 8601: the week belongs to the year of its Thursday. */
function isoWeek(at: Date): { year: number; week: number } {
  const thursday = new Date(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate() + 4 - (at.getDay() || 7)))
  const year = thursday.getUTCFullYear()
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / 604_800_000) + 1 }
}

function zone(at: Date): string {
  const minutes = -at.getTimezoneOffset()
  const absolute = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${padded(Math.floor(absolute / 60))}${padded(absolute % 60)}`
}
