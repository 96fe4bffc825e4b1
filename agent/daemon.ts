import type { Database } from 'bun:sqlite'
import type { Transport } from './api/deps.ts'
import { type App, createFront } from './api/front.ts'
import { type Listener, listen } from './api/listen.ts'
import { configPath, socketPath, stateDirectory } from './config/paths.ts'
import type { PluginSource } from './contract/plugin.ts'
import { Timetable } from './engine/timetable.ts'
import { takeLock } from './host/lock.ts'
import { describeError, UserError } from './lib/errors.ts'
import { Redactor } from './lib/redact.ts'
import { asLog, jsonLog } from './log.ts'
import { openSetup } from './open-setup.ts'
import type { Service } from './service.ts'
import { openStateDirectory } from './state-directory.ts'
import { openDatabase } from './store/database.ts'

// A start is short because what stands between it and the first answer loads little. Look at
// docs/adr/0007-quick-start.md before adding an import here.

/**
 * For so long the service is not loaded yet. It takes the thread for some 30 ms, for catching up and the like:
 * whoever waits for an answer has it by then, and a job that is due waits no longer.
 */
const HEAD_START_MS = 20

/** Runs until SIGTERM or SIGINT; then lets the runs under way end, at most 20 seconds, and stops. */
export async function runDaemon(options: {
  config?: string | undefined
  plugins: PluginSource
  /** False: systemd timers start the jobs. */
  keepsSchedule: boolean
}): Promise<void> {
  const startedAt = Date.now()
  const path = configPath(options.config, process.env)
  const setup = await openSetup(path, options.plugins, async (file, configs) =>
    (await import('./phases.ts')).pluginDescriber(file, configs),
  )
  const state = openStateDirectory(stateDirectory(setup.config.stateDir, process.env, path))
  const lock = takeLock(state.lockFile('daemon'))
  if (!lock) {
    throw new UserError(
      `Cannot start: another reeve daemon already uses "${state.path}" (see "reeve status")`,
    )
  }
  const redactor = new Redactor()
  const log = jsonLog(redactor)
  const started = Promise.withResolvers<Service>()
  // From here on no signal finds a daemon that does not know what to do with it.
  process.on('SIGHUP', () => void started.promise.then((service) => service.reload()))
  const ended = new Promise<void>((resolve) => {
    process.on('SIGTERM', resolve)
    process.on('SIGINT', resolve)
  })
  process.on('unhandledRejection', (error) =>
    log('error', 'unhandled rejection', { error: describeError(error) }),
  )
  const database = openDatabase(state.database)
  const listeners: Listener[] = []
  let service: Service | undefined
  try {
    const timetable = new Timetable((job) => void started.promise.then((service) => service.startDue(job)))
    if (options.keepsSchedule) timetable.follow(setup.jobs)
    const { api } = setup.config
    const readiness = () => judgeReadiness(database, service?.isStopping ?? false)
    const front = (transport: Transport) =>
      createFront({ readiness, config: () => (service?.setup ?? setup).config.api }, () =>
        loadApp(started.promise, transport),
      )
    const hasToken = () => hasActiveToken(database)
    listeners.push(await listen({ transport: 'tcp', api, app: front('tcp'), hasToken }))
    const socket = socketPath(api.socket, process.env, state.path)
    if (socket) {
      const access = { path: socket, group: api.socketGroup, log: asLog(log) }
      listeners.push(await listen({ transport: 'socket', app: front('socket'), ...access }))
    }
    await Promise.race([ended, Bun.sleep(HEAD_START_MS)])
    const { Service } = await import('./service.ts')
    service = new Service({
      ...options,
      configPath: path,
      setup,
      timetable,
      state,
      database,
      listeners,
      readiness,
      redactor,
      log,
      startedAt,
    })
    service.start()
    started.resolve(service)
    await ended
  } finally {
    await (service?.stop() ?? Promise.all(listeners.map((listener) => listener.stop())))
    database.close(false)
    lock.release()
  }
}

/**
 * Ready: the database answers. All else was there before the first question could be heard: the configuration
 * is in force, the state is this daemon's alone, and the schedule is followed.
 */
function judgeReadiness(database: Database, isStopping: boolean): { ready: boolean; reasons: string[] } {
  const reasons = isStopping ? ['reeve is stopping'] : []
  try {
    database.query('SELECT 1').get()
  } catch (error) {
    reasons.push(`the database does not answer: ${describeError(error)}`)
  }
  return { ready: reasons.length === 0, reasons }
}

async function hasActiveToken(database: Database): Promise<boolean> {
  const [store, tokens] = await Promise.all([import('./store/open.ts'), import('./store/tokens.ts')])
  return tokens.hasActiveToken(store.storeOf(database), Date.now())
}

async function loadApp(started: Promise<Service>, transport: Transport): Promise<App> {
  const [service, { createApp }] = await Promise.all([started, import('./api/app.ts')])
  return createApp(service.api(), transport)
}
