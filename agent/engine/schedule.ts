import { CronExpressionParser } from 'cron-parser'
import { Cron } from 'croner'
import type { Job } from './job.ts'

/** The next scheduled time after `now`; null when there is none. Milliseconds. */
export function nextTime(schedule: string, timezone: string, now: number): number | null {
  return new Cron(schedule, { timezone, paused: true }).nextRun(new Date(now))?.getTime() ?? null
}

/** The last scheduled time at or before `now`. Milliseconds. */
export function previousTime(schedule: string, timezone: string, now: number): number {
  for (const time of pastTimes(schedule, timezone, now)) return time
  throw new Error(`Cannot tell when "${schedule}" was last due`)
}

/** Further back nobody counts: each step takes about half a millisecond. */
export const MAX_MISSED = 100

/** How many scheduled times lie after `since` and at or before `now`; counts no further than MAX_MISSED. */
export function missedCount(schedule: string, timezone: string, since: number, now: number): number {
  let missed = 0
  for (const time of pastTimes(schedule, timezone, now)) {
    if (time <= since || ++missed === MAX_MISSED) break
  }
  return missed
}

/**
 * Scheduled times at or before `now`, the newest first: those of the library that looks back at which the one
 * that starts runs does start one. Of an hour that a change of clocks repeats they take different ones.
 */
function* pastTimes(schedule: string, timezone: string, now: number): Generator<number> {
  const back = CronExpressionParser.parse(schedule, { tz: timezone, currentDate: new Date(now + 1) })
  const cron = new Cron(schedule, { timezone, paused: true })
  for (;;) {
    const time = back.prev().getTime()
    if (cron.nextRun(new Date(time - 1))?.getTime() === time) yield time
  }
}

/** How long after its time a run may start before it is late: its jitter, and this. */
const START_GRACE_MS = 120_000

/**
 * The job's last run must have started at or after this time, or it is late. It is the newest scheduled time
 * that is past its grace; never before `watchedSince` (nothing was expected while reeve did not know the job).
 */
export function expectedAfter(job: Job, watchedSince: number, now: number): number | null {
  if (!job.schedule || !job.enabled || job.refused) return null
  const grace = job.jitterMs + START_GRACE_MS
  const due = previousTime(job.schedule, job.timezone, now - grace)
  return due > watchedSince ? due : null
}
