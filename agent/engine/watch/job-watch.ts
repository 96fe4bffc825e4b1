import { describeError } from '../../lib/errors.ts'
import { recordHealth } from '../health.ts'
import type { Job } from '../job.ts'
import type { Runner, RunnerParts } from '../runner.ts'
import { AT_REST, changed, isDue, type Pace, started } from './pace.ts'
import { Watcher, type WatchState } from './watcher.ts'

/** How often the kernel is asked: one system call, which a daemon that watches nothing does not make. */
const POLL_MS = 200
/** Between two looks at whether directories could not be watched. */
const NOTE_MS = 5000

/**
 * Starts jobs when something on their watched paths changes, beside their schedule. It runs no code of a plugin:
 * the paths come from the plugin once, when the configuration is read.
 */
export class JobWatch {
  private jobs = new Map<string, Job>()
  private readonly paces = new Map<string, Pace>()
  private watcher: Watcher | undefined
  private timer: Timer | undefined
  private notedMs = 0
  /** Why nothing is watched although jobs ask for it. */
  private problem: string | null = null

  constructor(
    private readonly runner: Pick<Runner, 'start' | 'running'>,
    private readonly parts: Pick<RunnerParts, 'store' | 'now' | 'alert' | 'log' | 'onFinished'>,
    /** Never watched: reeve's own files change with every run. */
    private readonly stateDir: string,
    /** False: systemd timers start the jobs, so nobody could be told of a change. */
    private readonly startsJobs: boolean,
  ) {}

  /** Watches for these jobs and for no others from now on. */
  async follow(jobs: Job[]): Promise<void> {
    this.stop()
    for (const job of jobs.filter((one) => one.watch === null)) this.noteHealth(job, null)
    const watching = jobs.filter((job) => job.watch !== null && job.enabled && !job.refused)
    this.jobs = new Map(watching.map((job) => [job.name, job]))
    this.problem = null
    if (watching.length === 0) return
    if (!this.startsJobs) {
      this.problem = 'systemd timers start the jobs, not the daemon'
      return this.noteAll()
    }
    try {
      const paths = watching.map(({ name, watch }) => ({
        job: name,
        paths: watch?.paths ?? [],
        exclude: [...(watch?.exclude ?? []), this.stateDir, `${this.stateDir}/**`],
      }))
      this.watcher = new Watcher(paths, (job) => this.note(job))
      this.timer = setInterval(() => this.poll(), POLL_MS)
      await this.watcher.watchAll()
    } catch (error) {
      this.problem = describeError(error)
    }
    this.noteAll()
    this.parts.log('info', 'watching', {
      jobs: watching.length,
      directories: [...this.states().values()].reduce((sum, { directories }) => sum + directories, 0),
    })
  }

  stop(): void {
    clearInterval(this.timer)
    this.watcher?.close()
    this.watcher = undefined
    this.jobs.clear()
    this.paces.clear()
  }

  /** By name, of the jobs that want to be watched. */
  states(): Map<string, WatchState> {
    if (this.problem === null && this.watcher) return this.watcher.states()
    const off = { state: 'off' as const, directories: 0, reason: this.problem }
    return new Map([...this.jobs.keys()].map((job) => [job, off]))
  }

  private note(job: string): void {
    this.paces.set(job, changed(this.paces.get(job) ?? AT_REST, performance.now()))
  }

  private poll(): void {
    try {
      this.watcher?.poll()
    } catch (error) {
      // Without events nothing is watched: say so, and leave it to the schedule.
      this.problem = describeError(error)
      clearInterval(this.timer)
      this.noteAll()
      return
    }
    const now = performance.now()
    const running = new Set(this.runner.running().map(({ job }) => job))
    for (const [name, pace] of this.paces) {
      const job = this.jobs.get(name)
      // What changes while it runs waits for its end: the run may have looked there already.
      if (!job || running.has(name) || !isDue(pace, now)) continue
      this.paces.set(name, started(pace, now))
      try {
        const result = this.runner.start(job, 'watch')
        if ('refused' in result) this.note(name)
      } catch (error) {
        this.note(name)
        this.parts.log('error', 'run not started', {
          job: name,
          trigger: 'watch',
          reason: describeError(error),
        })
      }
    }
    if (now - this.notedMs >= NOTE_MS) this.noteAll()
  }

  private noteAll(): void {
    this.notedMs = performance.now()
    const states = this.states()
    for (const job of this.jobs.values()) this.noteHealth(job, states.get(job.name) ?? null)
  }

  /** The finding that changes may go unseen until the next scheduled run. */
  private noteHealth(job: Job, state: WatchState | null): void {
    const isComplete = state === null || state.state === 'watching'
    const reason = state?.reason ?? 'there is no directory to watch'
    const problem = isComplete
      ? null
      : {
          summary:
            `Not all that ${job.name} looks after is watched for changes (${reason}); its schedule goes on`.slice(
              0,
              2000,
            ),
          remedy: this.startsJobs
            ? 'Raise the limit (sysctl fs.inotify.max_user_watches), watch less, or set `watch: false`'
            : 'Let the daemon start the jobs, or set `watch: false`',
        }
    const { store, now, alert, log, onFinished } = this.parts
    let hasChanged = false
    try {
      recordHealth(
        store,
        { name: job.name, plugin: job.plugin.name },
        'watch-incomplete',
        problem,
        now(),
        (transitions) => {
          hasChanged = transitions.length > 0
          alert(transitions)
        },
      )
    } catch (error) {
      log('error', 'watch not recorded', { job: job.name, reason: describeError(error) })
    }
    if (hasChanged) onFinished('')
  }
}
