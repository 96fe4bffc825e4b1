import { CronExpressionParser } from 'cron-parser'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/**
 * systemd OnCalendar= expressions that fire when the cron expression does; several where both days of the
 * month and of the week are given, which cron joins by "or" and systemd by "and". Pure. Throws for what
 * systemd cannot say ("W", "#").
 */
export function onCalendar(schedule: string, timezone: string): string[] {
  const { fields } = CronExpressionParser.parse(schedule, { tz: timezone })
  const months = list(fields.month.values, 1, 12)
  const time = `${list(fields.hour.values, 0, 23)}:${list(fields.minute.values, 0, 59)}:${list(fields.second.values, 0, 59)}`
  // Of a month that is named, "*" has as many values as it has days.
  const days = fields.dayOfMonth.isWildcard ? '*' : monthDays(fields.dayOfMonth.values)
  const weekdays = [...new Set(fields.dayOfWeek.values.map((day) => Number(day) % 7))].sort()
  if (weekdays.some(Number.isNaN) || fields.dayOfWeek.nthDay > 0) {
    throw new Error(`Cannot say "${schedule}" as a systemd calendar event`)
  }
  const anyDay = days === '*'
  const anyWeekday = weekdays.length === 7
  const week = `${weekdays.map((day) => DAYS[day]).join(',')} `
  const byMonthDay = days.startsWith('~') ? `*-${months}${days}` : `*-${months}-${days}`
  if (anyWeekday) return [`${byMonthDay} ${time} ${timezone}`]
  const byWeekday = `${week}*-${months}-* ${time} ${timezone}`
  return anyDay ? [byWeekday] : [`${byMonthDay} ${time} ${timezone}`, byWeekday]
}

/** Values as systemd writes them; "*" for all of them. */
function list(values: readonly (number | string)[], first: number, last: number): string {
  const numbers = values.map(Number)
  if (numbers.length === last - first + 1) return '*'
  return numbers.map((number) => String(number).padStart(2, '0')).join(',')
}

function monthDays(values: readonly (number | string)[]): string {
  if (values.length === 31) return '*'
  if (values.length === 1 && values[0] === 'L') return '~01'
  if (values.some((value) => !/^\d+$/.test(String(value))))
    throw new Error('days such as "L" cannot stand in a list')
  return list(values, 1, 31)
}
