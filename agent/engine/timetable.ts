import { Cron } from 'croner'
import type { Job } from './job.ts'

/** Says when a job is due by its schedule, later by chance within its jitter. Knows nothing of runs or store. */
export class Timetable {
  private jobs: Job[] = []
  private crons: Cron[] = []
  private readonly delays = new Set<Timer>()

  constructor(private readonly due: (job: Job) => void) {}

  /** Follows the schedules of these jobs and of no others from now on. */
  follow(jobs: Job[]): void {
    if (jobs === this.jobs) return
    this.stop()
    this.jobs = jobs
    for (const job of jobs) {
      if (!job.schedule || !job.enabled || job.refused) continue
      this.crons.push(new Cron(job.schedule, { timezone: job.timezone }, () => this.delay(job)))
    }
  }

  stop(): void {
    for (const cron of this.crons) cron.stop()
    for (const delay of this.delays) clearTimeout(delay)
    this.jobs = []
    this.crons = []
    this.delays.clear()
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
