import { hostname } from 'node:os'
import { openChannel } from './alert/channels/open.ts'
import { systemClock } from './alert/clock.ts'
import { Deliverer } from './alert/outbox.ts'
import { type AlertContext, planAlerts } from './alert/policy.ts'
import type { Config } from './config/schema.ts'
import { resolveSecret } from './config/secrets.ts'
import { sha256 } from './lib/digest.ts'
import type { Redactor } from './lib/redact.ts'
import { asLog, type LogFunction } from './log.ts'
import type { StateDirectory } from './state-directory.ts'
import type { Store } from './store/open.ts'
import { enqueue } from './store/outbox.ts'
import type { Transition } from './store/transitions.ts'

export interface AlertParts {
  store: Store
  state: StateDirectory
  redactor: Redactor
  log: LogFunction
}

export function alertContext(state: StateDirectory): AlertContext {
  const instance = sha256('instance\0', state.hostKey).slice(0, 16)
  return { host: hostname(), instance }
}

/** The alerts of a configuration: what writes them into the outbox, and what brings them out. */
export function alerting(config: Config, { store, state, redactor, log }: AlertParts) {
  const context = alertContext(state)
  const channels = config.alerts.channels.map((channel) => openConfigured(config, channel, redactor))
  return {
    /** To be called inside of the transaction that wrote the transitions. */
    write: (transitions: Transition[]): void =>
      enqueue(store, planAlerts(transitions, config.alerts.channels, context), Date.now()),
    deliverer: new Deliverer({
      store,
      channels,
      clock: systemClock,
      log: asLog(log),
    }),
  }
}

export function openConfigured(
  config: Config,
  channel: Config['alerts']['channels'][number],
  redactor: Redactor,
) {
  return openChannel(channel, {
    clock: systemClock,
    allowedHosts: config.alerts.allowedHosts,
    resolveSecret: (reference) => resolveSecret(reference, process.env, { redactor }),
    redact: (text) => redactor.text(text),
  })
}
