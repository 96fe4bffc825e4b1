import { Cron } from 'croner'
import type { Job } from './job.ts'

/**
 * Cron counts in full seconds, so nothing is due before the next one. Until then the first look at a time zone,
 * which takes the runtime 12 ms, waits this long: whoever waits for the start to be over has an answer before it.
 */
const ARMING_MS = 100

/** Says when a job is due by its schedule, later by chance within its jitter. Knows nothing of runs or store. */
export class Timetable {
  private jobs: Job[] = []
  private arming: Timer | undefined
  private crons: Cron[] = []
  private readonly delays = new Set<Timer>()

  constructor(private readonly due: (job: Job) => void) {}

  /** Follows the schedules of these jobs and of no others from now on. */
  follow(jobs: Job[]): void {
    if (jobs === this.jobs) return
    this.stop()
    this.jobs = jobs
    const from = Date.now()
    this.arming = setTimeout(() => this.arm(from), ARMING_MS)
  }

  stop(): void {
    clearTimeout(this.arming)
    for (const cron of this.crons) cron.stop()
    for (const delay of this.delays) clearTimeout(delay)
    this.jobs = []
    this.crons = []
    this.delays.clear()
  }

  /** Sets a timer for each job, and says at once what was due since `from`. */
  private arm(from: number): void {
    const now = Date.now()
    const untilNextSecond = 1000 - (now % 1000)
    if (untilNextSecond < ARMING_MS) {
      // What is due while one second becomes the next would be so twice, or never.
      this.arming = setTimeout(() => this.arm(from), untilNextSecond + 5)
      return
    }
    for (const job of this.jobs) {
      if (!job.schedule || !job.enabled || job.refused) continue
      const cron = new Cron(job.schedule, { timezone: job.timezone }, () => this.delay(job))
      this.crons.push(cron)
      if (now - from < 1000 - (from % 1000)) continue
      const first = cron.nextRun(new Date(from))?.getTime()
      if (first !== undefined && first <= now) this.delay(job)
    }
  }

  private delay(job: Job): void {
    if (job.jitterMs === 0) {
      this.due(job)
      return
    }
    const delay = setTimeout(() => {
      this.delays.delete(delay)
      this.due(job)
    }, Math.random() * job.jitterMs)
    this.delays.add(delay)
  }
}
