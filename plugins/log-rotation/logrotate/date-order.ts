import { momentOf } from './local-time.ts'

/** Fields that decide the order of dates, as a clock in a text has them. */
interface Fields {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  yearDay?: number
  week?: { number: number; startsOn: 0 | 1 }
  weekday?: number
  epoch?: number
}

/** Digits that strptime reads at most for a specifier; it takes fewer, too. */
const WIDTHS: Record<string, number> = { Y: 4, G: 4, j: 3, u: 1, w: 1, s: 20 }

/**
 * Sorts names by the dates in them, oldest first, whatever the order of the fields. `from` is where the date begins,
 * `format` what strftime made it from. Equal dates keep their order.
 */
export function sortByDate(names: string[], from: number, format: string): string[] {
  return names
    .map((name) => ({ name, at: readDate(name.slice(from), format) }))
    .sort((a, b) => a.at - b.at)
    .map(({ name }) => name)
}

/** Milliseconds of the date that a text begins with; what cannot be read counts as zero, as for strptime and mktime. */
function readDate(text: string, format: string): number {
  const fields: Fields = { year: 1900, month: 1, day: 0, hour: 0, minute: 0, second: 0 }
  let at = 0
  for (let index = 0; index < format.length; index++) {
    const character = format[index] ?? ''
    if (character !== '%' || format[index + 1] === '%') {
      if (character === '%') index++
      if (text[at] !== character) break
      at++
      continue
    }
    const name = format[++index] ?? ''
    const source = name === 'z' ? '[-+][0-9]{4}' : `[0-9]{1,${WIDTHS[name] ?? 2}}`
    const found = new RegExp(source, 'y')
    found.lastIndex = at
    const digits = found.exec(text)?.[0]
    if (digits === undefined) break
    at += digits.length
    if (name !== 'z') set(fields, name, Number(digits))
  }
  return moment(fields)
}

function set(fields: Fields, name: string, value: number): void {
  if (name === 'Y') fields.year = value
  else if (name === 'y') fields.year = value < 69 ? 2000 + value : 1900 + value
  else if (name === 'm') fields.month = value
  else if (name === 'd') fields.day = value
  else if (name === 'H') fields.hour = value
  else if (name === 'M') fields.minute = value
  else if (name === 'S') fields.second = value
  else if (name === 'j') fields.yearDay = value
  else if (name === 'u' || name === 'w') fields.weekday = value % 7
  else if (name === 'U') fields.week = { number: value, startsOn: 0 }
  else if (name === 'W') fields.week = { number: value, startsOn: 1 }
  else if (name === 's') fields.epoch = value
}

/** The year alone tells nothing of a month: the day of the year, or week and weekday, do if they are there. */
function moment({ year, month, day, hour, minute, second, yearDay, week, weekday, epoch }: Fields): number {
  if (epoch !== undefined) return epoch * 1000
  let [inMonth, inDay] = [month, day]
  if (week && weekday !== undefined) {
    const first = (new Date(Date.UTC(year, 0, 1)).getUTCDay() - week.startsOn + 7) % 7
    inMonth = 1
    inDay = 1 + ((7 - first) % 7) + (week.number - 1) * 7 + ((weekday - week.startsOn + 7) % 7)
  } else if (yearDay !== undefined && day === 0) {
    inMonth = 1
    inDay = yearDay
  }
  return momentOf(year, inMonth, inDay, hour, minute, second).getTime()
}
