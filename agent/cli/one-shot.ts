import { alerting } from '../alerting.ts'
import { Runner } from '../engine/runner.ts'
import { takeLock } from '../host/lock.ts'
import { Redactor } from '../lib/redact.ts'
import { jsonLog, type LogFunction } from '../log.ts'
import { phaseExecutor } from '../phases.ts'
import { openStateDirectory } from '../state-directory.ts'
import { openStore } from '../store/open.ts'
import { ownTokens } from '../store/tokens.ts'
import { version } from '../version.ts'
import type { HostView } from './host.ts'

/** A runner in this process, for `reeve run` without a daemon. `close` brings its alerts out first. */
export function openOneShot(host: HostView, verbose: boolean) {
  const state = openStateDirectory(host.stateDir)
  const store = openStore(state.database)
  host.keep(state.path)
  const redactor = new Redactor()
  const json = jsonLog(redactor)
  const log: LogFunction = (level, message, fields) => {
    if (verbose || level === 'error') json(level, message, fields)
  }
  const alerts = alerting(host.config, { store, state, redactor, log })
  const runner = new Runner({
    store,
    version,
    redactor,
    execute: phaseExecutor({ state, redactor, log, ownTokens: () => ownTokens(store, Date.now()) }),
    lock: (job) => takeLock(state.lockFile(`job-${job}`)),
    waivers: () => host.config.waivers,
    jobs: () => host.jobs,
    alert: alerts.write,
    onFinished: () => {},
    now: () => Date.now(),
    log,
  })
  return {
    runner,
    store,
    redactor,
    state,
    async close(): Promise<void> {
      await alerts.deliverer.flush()
      store.close()
    },
  }
}
