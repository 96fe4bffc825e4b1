import { describeError } from '../lib/errors.ts'
import type { Store } from '../store/open.ts'
import { firstStart, lastStart } from '../store/read-runs.ts'
import { recordUnstarted } from '../store/record.ts'
import type { PlannedJob } from '../store/status.ts'
import { recordHealth } from './health.ts'
import type { Job } from './job.ts'
import type { Runner, RunnerParts } from './runner.ts'
import { expectedAfter, MAX_MISSED, missedCount, nextTime } from './schedule.ts'
import { Timetable } from './timetable.ts'

const WATCH_INTERVAL_MS = 30_000

/** Starts jobs when they are due, and says so when one did not start. */
export class Scheduler {
  private jobs: Job[] = []
  private watch: Timer | undefined
  /** Since when reeve knows each job: nothing was expected of it before. */
  private readonly knownSince = new Map<string, number>()

  constructor(
    private readonly runner: Runner,
    private readonly parts: Pick<RunnerParts, 'store' | 'now' | 'alert' | 'log' | 'version' | 'onFinished'>,
    /** False: others (systemd timers) start the jobs; this one only tells when they do not. */
    private readonly startsJobs = true,
    /** One that may follow the jobs of `start()` already; it calls `startDue`. */
    private readonly timetable = new Timetable((job) => this.startDue(job)),
  ) {}

  /** Starts with these jobs: catches up what was missed, then follows the schedules. */
  start(jobs: Job[]): void {
    this.schedule(jobs)
    if (this.startsJobs) for (const job of jobs) this.catchUp(job)
    this.watch = setInterval(() => this.look(), WATCH_INTERVAL_MS)
  }

  /** Swaps the jobs; what runs goes on to its end with the configuration that it began with. */
  reload(jobs: Job[]): void {
    this.schedule(jobs)
  }

  /** Starts nothing any more. */
  stop(): void {
    clearInterval(this.watch)
    this.timetable.stop()
  }

  list(): Job[] {
    return this.jobs
  }

  planned(): PlannedJob[] {
    return planJobs(this.parts.store, this.jobs, {
      now: this.parts.now(),
      knownSince: this.knownSince,
      isRunning: (job) => this.runner.isRunning(job),
    })
  }

  private schedule(jobs: Job[]): void {
    this.jobs = jobs
    const now = this.parts.now()
    for (const job of jobs) if (!this.knownSince.has(job.name)) this.knownSince.set(job.name, now)
    if (this.startsJobs) this.timetable.follow(jobs)
    for (const job of jobs) this.noteRefusal(job, now)
  }

  private noteRefusal(job: Job, now: number): void {
    const problem = job.refused
      ? {
          summary: `${job.name} may not run: ${job.refused}`,
          remedy: 'Add what is missing to `grant` of the job, or remove it',
        }
      : null
    const { store, alert, log } = this.parts
    try {
      recordHealth(store, { name: job.name, plugin: job.plugin.name }, 'job-refused', problem, now, alert)
    } catch (error) {
      // The state of the job says it all the same.
      log('error', 'refused job not recorded', { job: job.name, reason: describeError(error) })
    }
  }

  /** Starts a job because its time has come. */
  startDue(job: Job): void {
    this.startNow(job, 'schedule')
  }

  private startNow(job: Job, trigger: 'schedule' | 'start' | 'catch-up'): void {
    try {
      this.runner.start(job, trigger)
    } catch (error) {
      this.parts.log('error', 'run not started', { job: job.name, trigger, reason: describeError(error) })
    }
  }

  private catchUp(job: Job): void {
    this.runner.closeCutOff(job.name)
    if (!job.enabled || job.refused) return
    const { store, version } = this.parts
    const now = this.parts.now()
    const last = lastStart(store, job.name)
    if (last && job.schedule) {
      const missed = missedCount(job.schedule, job.timezone, last.startedAt, now)
      const wasCut = last.outcome === 'interrupted'
      if (missed > 0) {
        const atLeast = missed === MAX_MISSED ? 'at least ' : ''
        const reason = `${atLeast}${missed} scheduled ${missed === 1 ? 'run' : 'runs'} missed while reeve was not running`
        const run = {
          job: job.name,
          plugin: job.plugin.name,
          trigger: 'schedule' as const,
          mode: job.mode,
          startedAt: now,
          configDigest: job.configDigest,
          actor: null,
          version,
        }
        recordUnstarted(store, run, 'missed', reason)
      }
      if (job.catchUp && (missed > 0 || wasCut)) {
        this.startNow(job, 'catch-up')
        return
      }
    }
    if (job.runOnStart) this.startNow(job, 'start')
  }

  /** Twice a minute: closes runs that were cut off, and says which jobs are late. */
  look(): void {
    try {
      for (const job of this.jobs) this.runner.closeCutOff(job.name)
      this.noteLateJobs()
    } catch (error) {
      this.parts.log('error', 'late jobs not looked for', { reason: describeError(error) })
    }
  }

  private noteLateJobs(): void {
    const now = this.parts.now()
    const running = new Set(this.runner.running().map((run) => run.job))
    let changed = false
    for (const job of this.jobs) {
      const after = expectedAfter(job, this.knownSince.get(job.name) ?? now, now)
      const last = lastStart(this.parts.store, job.name)
      const isLate =
        after !== null && !running.has(job.name) && (last === undefined || last.startedAt < after)
      const problem = isLate
        ? {
            summary: `${job.name} should have run at ${new Date(after).toISOString()} and did not start`,
            remedy: `Look at "reeve runs --job ${job.name}" and at the log of the service`,
          }
        : null
      recordHealth(
        this.parts.store,
        { name: job.name, plugin: job.plugin.name },
        'job-late',
        problem,
        now,
        (transitions) => {
          changed ||= transitions.length > 0
          this.parts.alert(transitions)
        },
      )
    }
    if (changed) this.parts.onFinished('')
  }
}

/**
 * Jobs as the status sees them; also for a command line without a daemon. `knownSince` has when each job was
 * first seen in the configuration; `isRunning` tells whether any process runs a job now.
 */
export function planJobs(
  store: Store | null,
  jobs: Job[],
  look: { now: number; knownSince?: ReadonlyMap<string, number>; isRunning(job: string): boolean },
): PlannedJob[] {
  const { now, knownSince, isRunning } = look
  return jobs.map((job) => {
    const first = store ? firstStart(store, job.name) : undefined
    const last = store ? lastStart(store, job.name) : undefined
    const since = Math.min(knownSince?.get(job.name) ?? now, first ?? now)
    return {
      name: job.name,
      plugin: job.plugin.name,
      summary: job.plugin.summary,
      mode: job.mode,
      schedule: job.schedule ?? 'manual',
      timezone: job.timezone,
      enabled: job.enabled,
      refused: job.refused,
      nextRunAt:
        job.schedule && job.enabled && !job.refused ? nextTime(job.schedule, job.timezone, now) : null,
      expectedAfter: expectedAfter(job, since, now),
      cutOff: last?.finishedAt === null && !isRunning(job.name),
    }
  })
}
