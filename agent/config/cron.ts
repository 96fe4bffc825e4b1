import { CronExpressionParser } from 'cron-parser'
import { Cron } from 'croner'
import { describeError } from '../lib/errors.ts'

/** Why a schedule cannot be used, or undefined. Both libraries must understand it: one runs, one looks back. */
export function scheduleError(schedule: string, timezone: string): string | undefined {
  if (schedule === 'manual') return undefined
  try {
    new Cron(schedule, { timezone, paused: true }).stop()
    CronExpressionParser.parse(schedule, { tz: timezone })
    return undefined
  } catch (error) {
    return describeError(error)
  }
}
