import type { Database } from 'bun:sqlite'
import { hostname } from 'node:os'
import { alerting } from './alerting.ts'
import type { ApiDeps, RunNow } from './api/deps.ts'
import type { Listener } from './api/listen.ts'
import type { PluginSource } from './contract/plugin.ts'
import { audits } from './engine/audit.ts'
import { recordHealth, recordOutsideOfRuns, SELF } from './engine/health.ts'
import type { Job } from './engine/job.ts'
import { Runner, type RunnerParts } from './engine/runner.ts'
import { Scheduler } from './engine/scheduler.ts'
import type { Timetable } from './engine/timetable.ts'
import { reviewWaivers, WAIVER_RULES } from './engine/waiver-review.ts'
import type { JobWatch } from './engine/watch/job-watch.ts'
import { takeLock } from './host/lock.ts'
import { releaseUnusedMemory } from './host/memory.ts'
import { notifySystemd, watchdogIntervalMs } from './host/notify.ts'
import { describeError, UserError } from './lib/errors.ts'
import type { Redactor } from './lib/redact.ts'
import { asLog, type LogFunction } from './log.ts'
import { type OpenedSetup, openSetup } from './open-setup.ts'
import { phaseExecutor, pluginDescriber } from './phases.ts'
import type { StateDirectory } from './state-directory.ts'
import { recordAudit } from './store/audit.ts'
import { lastLooks } from './store/looks.ts'
import { type Store, storeOf } from './store/open.ts'
import { prune } from './store/prune.ts'
import { listRecentFindings } from './store/read-findings.ts'
import { forgetJobs } from './store/record.ts'
import type { PlannedJob } from './store/status.ts'
import { ownTokens } from './store/tokens.ts'
import { version } from './version.ts'

/** The engine's refusals in the words of the API. */
const REFUSALS = {
  running: 'running',
  locked: 'running',
  disabled: 'disabled',
  'not-permitted': 'refused',
} as const

const DRAIN_MS = 20_000
/** How often an idle daemon gives back what the last burst of work needed. */
const SETTLE_MS = 15_000
const PRUNE_INTERVAL_MS = 6 * 3_600_000
/** A waiver for what comes and goes is in use as long as it came within this time. */
const WAIVER_MEMORY_MS = 30 * 86_400_000

/** What is open before the service starts. */
export interface ServiceParts {
  configPath: string
  plugins: PluginSource
  keepsSchedule: boolean
  /** Follows the jobs already, where they are started by the schedule. */
  timetable: Timetable
  setup: OpenedSetup
  state: StateDirectory
  database: Database
  listeners: Listener[]
  redactor: Redactor
  log: LogFunction
  startedAt: number
  readiness: ApiDeps['readiness']
}

/** All that a daemon does but listening: schedule, runs, alerts, and what the API asks for. */
export class Service {
  private readonly store: Store
  private readonly log: LogFunction
  private readonly engine: RunnerParts
  private readonly runner: Runner
  private readonly scheduler: Scheduler
  /** The configuration in force. */
  setup: OpenedSetup
  isStopping = false
  private alerts: ReturnType<typeof alerting>
  private watching: JobWatch | undefined
  private timers: Timer[] = []
  private reloading: Promise<string | null> = Promise.resolve(null)
  private isSettled = false

  constructor(private readonly parts: ServiceParts) {
    const { setup, state, redactor, log } = parts
    this.store = storeOf(parts.database)
    this.setup = setup
    this.log = log
    this.alerts = this.openAlerts()
    this.engine = {
      store: this.store,
      version,
      redactor,
      execute: phaseExecutor({ state, redactor, log, ownTokens: () => ownTokens(this.store, Date.now()) }),
      lock: (job: string) => takeLock(state.lockFile(`job-${job}`)),
      waivers: () => this.setup.config.waivers,
      jobs: () => this.setup.jobs,
      alert: (transitions: Parameters<typeof this.alerts.write>[0]) => this.alerts.write(transitions),
      onFinished: () => {
        this.isSettled = false
        this.alerts.deliverer.kick()
      },
      now: () => Date.now(),
      log,
    }
    this.runner = new Runner(this.engine)
    this.scheduler = new Scheduler(this.runner, this.engine, parts.keepsSchedule, parts.timetable)
  }

  start(): void {
    forgetJobs(this.store, this.jobNames(), Date.now())
    this.alerts.deliverer.start()
    this.scheduler.start(this.setup.jobs)
    this.timers.push(setInterval(() => this.prune(), PRUNE_INTERVAL_MS))
    const watchdogMs = watchdogIntervalMs()
    if (watchdogMs) this.timers.push(setInterval(() => notifySystemd('WATCHDOG=1'), watchdogMs))
    this.timers.push(setInterval(() => this.settle(), SETTLE_MS))
    void this.watch()
    this.noteConfig(null)
    this.noteLoad('start')
    this.noteWaivers()
    const { jobs, digest } = this.setup
    const [url = '', socket = ''] = this.parts.listeners.map((listener) => listener.url)
    notifySystemd(`READY=1\nSTATUS=${jobs.length} jobs, ${url}`)
    this.log('info', 'started', {
      version,
      url,
      socket: socket.replace(/^unix:/, ''),
      jobs: jobs.length,
      config: digest.slice(0, 12),
    })
    if (process.getuid?.() === 0) {
      this.log('warn', 'runs as root', {
        advice: 'the unit of install.sh runs it as the user reeve, with the capabilities that its jobs need',
      })
    }
    this.setup.keep(this.parts.state.path)
  }

  /** A job is due by the schedule. */
  startDue(job: Job): void {
    this.scheduler.startDue(job)
  }

  async stop(): Promise<void> {
    if (this.isStopping) return
    this.isStopping = true
    notifySystemd('STOPPING=1')
    this.log('info', 'stopping', { running: this.runner.running().map((run) => run.job) })
    for (const timer of this.timers) clearInterval(timer)
    this.watching?.stop()
    this.scheduler.stop()
    await this.runner.drain(DRAIN_MS)
    await this.runner.stop()
    await Promise.all(this.parts.listeners.map((listener) => listener.stop()))
    await this.alerts.deliverer.stop()
    this.log('info', 'stopped')
  }

  /** One after the other: of two at once, the one that read the older file could be the last to swap. */
  reload(): Promise<string | null> {
    const next = this.reloading.then(() => this.reloadNow())
    this.reloading = next.catch(() => null)
    return next
  }

  /** Checks the whole new configuration, then swaps; a bad one leaves the old one running and is a finding. */
  private async reloadNow(): Promise<string | null> {
    if (this.isStopping) return 'reeve is stopping'
    notifySystemd('RELOADING=1')
    try {
      const next = await openSetup(this.parts.configPath, this.parts.plugins, pluginDescriber)
      const old = this.setup.config
      this.setup = next
      await this.alerts.deliverer.stop()
      this.alerts = this.openAlerts()
      forgetJobs(this.store, this.jobNames(), Date.now())
      this.alerts.deliverer.start()
      this.scheduler.reload(next.jobs)
      void this.watch()
      this.noteConfig(null)
      this.noteLoad('reload')
      this.noteWaivers()
      next.keep(this.parts.state.path)
      this.isSettled = false
      const restart =
        JSON.stringify(old.api) !== JSON.stringify(next.config.api) || old.stateDir !== next.config.stateDir
      this.log('info', 'reloaded', { jobs: next.jobs.length, restartNeeded: restart })
      return null
    } catch (error) {
      this.noteConfig(describeError(error))
      this.log('error', 'configuration refused', {
        reason: describeError(error),
        isBug: !(error instanceof UserError),
      })
      return describeError(error)
    } finally {
      notifySystemd('READY=1')
    }
  }

  /** Which configuration is in force since when: by its digest, in the audit log. */
  private noteLoad(action: 'start' | 'reload'): void {
    const { config, digest, jobs } = this.setup
    try {
      recordAudit(this.store, {
        at: Date.now(),
        actor: 'daemon',
        remote: null,
        action: `configuration.${action}`,
        object: digest,
        result: 'ok',
        detail: { version, jobs: jobs.length, listen: config.api.listen },
      })
    } catch (error) {
      this.log('warn', 'audit entry could not be stored', { reason: describeError(error) })
    }
  }

  /** The finding that the file on disk is not what runs. */
  private noteConfig(problem: string | null): void {
    recordHealth(
      this.store,
      { name: SELF, plugin: SELF },
      'configuration-refused',
      problem === null
        ? null
        : {
            summary: `The configuration on disk is not in force: ${this.parts.redactor.text(problem)}`.slice(
              0,
              2000,
            ),
            remedy: 'Run "reeve config check", mend what it says, then "reeve reload"',
          },
      Date.now(),
      (transitions) => this.alerts.write(transitions),
    )
    this.alerts.deliverer.kick()
  }

  /** The findings that waivers are over, or accept nothing. */
  private noteWaivers(): void {
    const now = Date.now()
    const { config, jobs } = this.setup
    const enabled = jobs.filter((job) => job.enabled).map((job) => job.name)
    const looked = lastLooks(this.store, enabled)
    const findings = reviewWaivers(
      config.waivers,
      listRecentFindings(this.store, now - WAIVER_MEMORY_MS),
      (job) => (job === null ? enabled.every((name) => looked.has(name)) : looked.has(job)),
      now,
    )
    recordOutsideOfRuns(
      this.store,
      { name: SELF, plugin: SELF },
      Object.keys(WAIVER_RULES),
      findings,
      now,
      (transitions) => this.alerts.write(transitions),
    )
    this.alerts.deliverer.kick()
  }

  private openAlerts() {
    return alerting(this.setup.config, {
      store: this.store,
      state: this.parts.state,
      redactor: this.parts.redactor,
      log: this.log,
    })
  }

  /** Loaded only for jobs that are watched: most hosts have none. */
  private async watch(): Promise<void> {
    const { jobs } = this.setup
    if (!this.watching && jobs.every(({ watch }) => watch === null)) return
    const { JobWatch } = await import('./engine/watch/job-watch.ts')
    if (this.isStopping) return
    const { state, keepsSchedule } = this.parts
    this.watching ??= new JobWatch(this.runner, this.engine, state.path, keepsSchedule)
    await this.watching.follow(jobs)
  }

  private jobNames(): string[] {
    return [SELF, ...this.setup.jobs.map((job) => job.name)]
  }

  /** Once after the start, and after runs, when nothing is going on. */
  private settle(): void {
    if (this.isSettled || this.runner.running().length > 0) return
    this.isSettled = true
    releaseUnusedMemory()
  }

  private prune(): void {
    try {
      prune(this.store, this.setup.config.retention, Date.now())
      this.noteWaivers()
    } catch (error) {
      this.log('error', 'old records not removed', { reason: describeError(error) })
    }
  }

  /** The daemon's side of the API. */
  api(): ApiDeps {
    return {
      store: this.store,
      config: () => this.setup.config.api,
      jobs: () => this.planned(),
      running: () => this.runner.running().map((run) => ({ ...run, progress: run.progress ?? undefined })),
      audits: () => audits(this.store, this.setup.checklists, this.scheduler.planned()),
      runNow: async (job, actor) => this.runNow(job, actor),
      reload: () => this.reload(),
      readiness: this.parts.readiness,
      version,
      startedAt: this.parts.startedAt,
      hostname: hostname(),
      now: () => Date.now(),
      sleep: (delayMs) => Bun.sleep(delayMs),
      log: asLog(this.log),
    }
  }

  private planned(): PlannedJob[] {
    const watched = this.watching?.states()
    return this.scheduler.planned().map((job) => ({ ...job, watch: watched?.get(job.name) ?? null }))
  }

  private runNow(name: string, actor: string): RunNow {
    if (this.isStopping) return { refused: 'stopping', reason: 'reeve is stopping' }
    const job = this.scheduler.list().find((candidate) => candidate.name === name)
    if (!job) return { refused: 'unknown', reason: `there is no job "${name}"` }
    const result = this.runner.start(job, 'api', actor)
    if ('started' in result) return { runId: result.started.runId, finished: result.started.done }
    return { refused: REFUSALS[result.refused], reason: result.reason }
  }
}
