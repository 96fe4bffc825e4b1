import { hostname } from 'node:os'
import { alerting } from './alerting.ts'
import { createApp } from './api/app.ts'
import type { ApiDeps, RunNow } from './api/deps.ts'
import { type Listener, listen } from './api/listen.ts'
import { ConfigError } from './config/load.ts'
import { configPath, socketPath, stateDirectory } from './config/paths.ts'
import type { PluginSource } from './contract/plugin.ts'
import { recordHealth, SELF } from './engine/health.ts'
import { Runner } from './engine/runner.ts'
import { Scheduler } from './engine/scheduler.ts'
import { takeLock } from './host/lock.ts'
import { releaseUnusedMemory } from './host/memory.ts'
import { notifySystemd, watchdogIntervalMs } from './host/notify.ts'
import { describeError, UserError } from './lib/errors.ts'
import { Redactor } from './lib/redact.ts'
import { jsonLog, type LogFunction } from './log.ts'
import { phaseExecutor, pluginDescriber } from './phases.ts'
import { loadSetup, type Setup } from './setup.ts'
import { openStateDirectory, type StateDirectory } from './state-directory.ts'
import { openStore, type Store } from './store/open.ts'
import { prune } from './store/prune.ts'
import { forgetJobs } from './store/record.ts'
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

/** Runs until SIGTERM or SIGINT; then lets the runs under way end, at most 20 seconds, and stops. */
export async function runDaemon(options: {
  config?: string | undefined
  plugins: PluginSource
}): Promise<void> {
  const path = configPath(options.config, process.env)
  const setup = await loadSetup(path, options.plugins, pluginDescriber)
  const state = openStateDirectory(stateDirectory(setup.config.stateDir, process.env, path))
  const lock = takeLock(state.lockFile('daemon'))
  if (!lock) {
    throw new UserError(
      `Cannot start: another reeve daemon already uses "${state.path}" (see "reeve status")`,
    )
  }
  const redactor = new Redactor()
  const daemon = new Daemon(path, options.plugins, setup, state, openStore(state.database), redactor)
  try {
    await daemon.start()
    await daemon.ended
  } finally {
    await daemon.stop()
    lock.release()
  }
}

class Daemon {
  private readonly log: LogFunction
  private readonly startedAt = Date.now()
  private readonly runner: Runner
  private readonly scheduler: Scheduler
  private alerts: ReturnType<typeof alerting>
  private listeners: Listener[] = []
  private timers: Timer[] = []
  private stopping = false
  private reloading: Promise<string | null> = Promise.resolve(null)
  private isSettled = false
  private finish = () => {}
  /** Resolves when a signal asks for the end. */
  readonly ended = new Promise<void>((resolve) => {
    this.finish = resolve
  })

  constructor(
    private readonly path: string,
    private readonly plugins: PluginSource,
    private setup: Setup,
    private readonly state: StateDirectory,
    private readonly store: Store,
    private readonly redactor: Redactor,
  ) {
    this.log = jsonLog(redactor)
    this.alerts = this.openAlerts()
    const parts = {
      store,
      version,
      redactor,
      execute: phaseExecutor({ state, redactor, log: this.log }),
      lock: (job: string) => takeLock(state.lockFile(`job-${job}`)),
      waivers: () => this.setup.config.waivers,
      alert: (transitions: Parameters<typeof this.alerts.write>[0]) => this.alerts.write(transitions),
      onFinished: () => {
        this.isSettled = false
        this.alerts.deliverer.kick()
      },
      now: () => Date.now(),
      log: this.log,
    }
    this.runner = new Runner(parts)
    this.scheduler = new Scheduler(this.runner, parts)
  }

  async start(): Promise<void> {
    const { config } = this.setup
    const app = this.api()
    this.listeners.push(
      await listen({ transport: 'tcp', api: config.api, app: createApp(app, 'tcp'), store: this.store }),
    )
    const socket = socketPath(config.api.socket, process.env, this.state.path)
    if (socket) {
      this.listeners.push(
        await listen({
          transport: 'socket',
          path: socket,
          group: config.api.socketGroup,
          app: createApp(app, 'socket'),
          log: app.log,
        }),
      )
    }
    process.on('SIGTERM', this.finish)
    process.on('SIGINT', this.finish)
    process.on('SIGHUP', () => void this.reload())
    process.on('unhandledRejection', (error) =>
      this.log('error', 'unhandled rejection', { error: describeError(error) }),
    )
    forgetJobs(this.store, this.jobNames(), Date.now())
    this.alerts.deliverer.start()
    this.scheduler.start(this.setup.jobs)
    this.timers.push(setInterval(() => this.prune(), PRUNE_INTERVAL_MS))
    const watchdogMs = watchdogIntervalMs()
    if (watchdogMs) this.timers.push(setInterval(() => notifySystemd('WATCHDOG=1'), watchdogMs))
    this.timers.push(setInterval(() => this.settle(), SETTLE_MS))
    this.noteConfig(null)
    notifySystemd(`READY=1\nSTATUS=${this.setup.jobs.length} jobs, ${this.listeners[0]?.url ?? ''}`)
    this.log('info', 'started', {
      version,
      url: this.listeners[0]?.url ?? '',
      socket: socket ?? '',
      jobs: this.setup.jobs.length,
      config: this.setup.loaded.digest.slice(0, 12),
    })
  }

  async stop(): Promise<void> {
    if (this.stopping) return
    this.stopping = true
    notifySystemd('STOPPING=1')
    this.log('info', 'stopping', { running: this.runner.running().map((run) => run.job) })
    for (const timer of this.timers) clearInterval(timer)
    this.scheduler.stop()
    await this.runner.drain(DRAIN_MS)
    await this.runner.stop()
    await Promise.all(this.listeners.map((listener) => listener.stop()))
    await this.alerts.deliverer.stop()
    this.store.close()
    this.log('info', 'stopped')
  }

  /** One after the other: of two at once, the one that read the older file could be the last to swap. */
  private reload(): Promise<string | null> {
    const next = this.reloading.then(() => this.reloadNow())
    this.reloading = next.catch(() => null)
    return next
  }

  /** Checks the whole new configuration, then swaps; a bad one leaves the old one running and is a finding. */
  private async reloadNow(): Promise<string | null> {
    if (this.stopping) return 'reeve is stopping'
    notifySystemd('RELOADING=1')
    try {
      const next = await loadSetup(this.path, this.plugins, pluginDescriber)
      const old = this.setup.config
      this.setup = next
      await this.alerts.deliverer.stop()
      this.alerts = this.openAlerts()
      forgetJobs(this.store, this.jobNames(), Date.now())
      this.alerts.deliverer.start()
      this.scheduler.reload(next.jobs)
      this.noteConfig(null)
      const restart =
        JSON.stringify(old.api) !== JSON.stringify(next.config.api) || old.stateDir !== next.config.stateDir
      this.log('info', 'reloaded', { jobs: next.jobs.length, restartNeeded: restart })
      return null
    } catch (error) {
      this.noteConfig(describeError(error))
      this.log('error', 'configuration refused', {
        reason: describeError(error),
        isBug: !(error instanceof ConfigError),
      })
      return describeError(error)
    } finally {
      notifySystemd('READY=1')
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
            summary: `The configuration on disk is not in force: ${this.redactor.text(problem)}`.slice(
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

  private openAlerts() {
    return alerting(this.setup.config, {
      store: this.store,
      state: this.state,
      redactor: this.redactor,
      log: this.log,
    })
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
    } catch (error) {
      this.log('error', 'old records not removed', { reason: describeError(error) })
    }
  }

  private api(): ApiDeps {
    return {
      store: this.store,
      config: () => this.setup.config.api,
      jobs: () => this.scheduler.planned(),
      running: () => this.runner.running().map((run) => ({ ...run, progress: run.progress ?? undefined })),
      runNow: async (job, actor) => this.runNow(job, actor),
      reload: () => this.reload(),
      readiness: () => this.readiness(),
      version,
      startedAt: this.startedAt,
      hostname: hostname(),
      now: () => Date.now(),
      log: {
        info: (message, fields) => this.log('info', message, fields),
        warn: (message, fields) => this.log('warn', message, fields),
      },
    }
  }

  private runNow(name: string, actor: string): RunNow {
    if (this.stopping) return { refused: 'stopping', reason: 'reeve is stopping' }
    const job = this.scheduler.list().find((candidate) => candidate.name === name)
    if (!job) return { refused: 'unknown', reason: `there is no job "${name}"` }
    const result = this.runner.start(job, 'api', actor)
    if ('started' in result) return { runId: result.started.runId, finished: result.started.done }
    return { refused: REFUSALS[result.refused], reason: result.reason }
  }

  private readiness(): { ready: boolean; reasons: string[] } {
    const reasons = this.stopping ? ['reeve is stopping'] : []
    try {
      this.store.sqlite.query('SELECT 1').get()
    } catch (error) {
      reasons.push(`the database does not answer: ${describeError(error)}`)
    }
    return { ready: reasons.length === 0, reasons }
  }
}
