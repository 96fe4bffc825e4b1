import type { Log } from '../contract/plugin.ts'
import { describeError } from '../lib/errors.ts'
import type { Store } from '../store/open.ts'
import {
  buryOrphans,
  claimNext,
  markDead,
  markDelivered,
  markRetry,
  nextDueAt,
  type OutboxMessage,
} from '../store/outbox.ts'
import { LONGEST_RETRY_AFTER_MS, retryAt } from './backoff.ts'
import type { Channel, Verdict } from './channel.ts'
import type { Clock } from './clock.ts'

/** Another process (`reeve run`, `reeve alerts replay`) may have left a message: look at least this often. */
const LONGEST_SLEEP_MS = 60_000
/** When the store itself fails (a full disk), a channel rests for so long. */
const FAILURE_REST_MS = 60_000

export interface DelivererOptions {
  store: Store
  /** Those of the configuration; what waits for any other is given up. */
  channels: Channel[]
  clock: Clock
  log: Log
  /** In [0, 1); default Math.random. */
  random?: (() => number) | undefined
}

/**
 * Brings the messages of the outbox to their channels: one at a time for each channel, the channels
 * independent of each other. All its state is in the store, so it goes on where the last process ended. A
 * message is sent until it is answered with 2xx and that is written down: a crash in between sends it again,
 * with the same id, by which the receiver knows it.
 */
export class Deliverer {
  private phase: 'new' | 'running' | 'stopped' = 'new'
  /** One promise for each channel that is being worked on. */
  private readonly lanes = new Map<string, Promise<void>>()
  /** Channels that asked for rest (Retry-After), or for which the store failed. */
  private readonly restUntil = new Map<string, number>()
  private readonly abort = new AbortController()
  private cancelTimer = () => {}

  constructor(private readonly options: DelivererOptions) {}

  start(): void {
    if (this.phase !== 'new') throw new Error(`a deliverer cannot start when it is ${this.phase}`)
    this.phase = 'running'
    this.wake()
  }

  /** There may be something new in the outbox. Does nothing before `start()` and after `stop()`. */
  kick(): void {
    if (this.phase === 'running') this.wake()
  }

  /**
   * Sends what is due now and no more, without `start()`: for a process that does one thing and ends. What is
   * not through after `limitMs` waits for the next one.
   */
  async flush(limitMs = 30_000): Promise<void> {
    const cancel = this.options.clock.after(limitMs, () => void this.stop(0))
    this.openLanes()
    await this.settled()
    cancel()
  }

  /** Resolves when nothing is being sent. */
  async settled(): Promise<void> {
    while (this.lanes.size > 0) await Promise.all(this.lanes.values())
  }

  /** Begins nothing new and waits for what is being sent, at most `graceMs`; that is then broken off. */
  async stop(graceMs = 5000): Promise<void> {
    this.phase = 'stopped'
    this.cancelTimer()
    const cancel = this.options.clock.after(graceMs, () => this.abort.abort(new Error('reeve is stopping')))
    await this.settled()
    cancel()
  }

  private wake(): void {
    this.openLanes()
    this.sleep()
  }

  /** One for each channel with something due that has none yet. */
  private openLanes(): void {
    const { store, channels, clock, log } = this.options
    const names = channels.map((channel) => channel.name)
    const orphans = this.fromStore(() => buryOrphans(store, names)) ?? 0
    if (orphans > 0) log.warn('alerts of removed channels given up', { count: orphans })
    for (const channel of channels) {
      if (this.lanes.has(channel.name)) continue
      const dueAt = this.dueAt(channel.name)
      if (dueAt !== undefined && dueAt <= clock.now()) this.lanes.set(channel.name, this.openLane(channel))
    }
  }

  private async openLane(channel: Channel): Promise<void> {
    try {
      await this.work(channel)
    } catch (error) {
      this.rest(channel.name, FAILURE_REST_MS)
      this.options.log.warn('alerts cannot be sent', { channel: channel.name, reason: describeError(error) })
    }
    this.lanes.delete(channel.name)
    if (this.phase === 'running') this.sleep()
  }

  /** Until the next message of any idle channel is due; a lane that ends sets it anew. */
  private sleep(): void {
    this.cancelTimer()
    const { channels, clock } = this.options
    const idle = channels.filter(({ name }) => !this.lanes.has(name))
    const dueTimes = idle.map(({ name }) => this.dueAt(name)).filter((dueAt) => dueAt !== undefined)
    const wakeAt = Math.min(clock.now() + LONGEST_SLEEP_MS, ...dueTimes)
    this.cancelTimer = clock.after(Math.max(0, wakeAt - clock.now()), () => this.wake())
  }

  private dueAt(channel: string): number | undefined {
    const dueAt = this.fromStore(() => nextDueAt(this.options.store, channel))
    return dueAt === undefined ? undefined : Math.max(dueAt, this.restEnd(channel))
  }

  /** Undefined when the store fails, for the daemon has to live on: the next look is a minute later. */
  private fromStore<T>(look: () => T): T | undefined {
    try {
      return look()
    } catch (error) {
      this.options.log.warn('the outbox cannot be read', { reason: describeError(error) })
      return undefined
    }
  }

  private async work(channel: Channel): Promise<void> {
    const { store, clock } = this.options
    while (this.phase !== 'stopped' && clock.now() >= this.restEnd(channel.name)) {
      const message = claimNext(store, channel.name, clock.now())
      if (!message) return
      this.settle(message, await channel.send(message, this.abort.signal))
    }
  }

  private settle(message: OutboxMessage, verdict: Verdict): void {
    const { store, clock, log, random = Math.random } = this.options
    const { id, messageId, channel, type, attempts } = message
    const fields = { channel, type, messageId, attempts }
    const now = clock.now()
    if (verdict.kind === 'delivered') {
      markDelivered(store, id, now)
      log.info('alert delivered', fields)
      return
    }
    const { reason } = verdict
    if (verdict.kind === 'gone') {
      markDead(store, id, reason)
      log.warn('alert given up', { ...fields, reason })
      return
    }
    if (this.abort.signal.aborted) {
      markRetry(store, id, now, reason)
      return
    }
    if (verdict.retryAfterMs !== undefined) {
      this.rest(channel, Math.min(verdict.retryAfterMs, LONGEST_RETRY_AFTER_MS))
    }
    const nextAttemptAt = retryAt(attempts, now, random(), verdict.retryAfterMs)
    if (nextAttemptAt === undefined) {
      markDead(store, id, `given up after ${attempts} attempts, the last one: ${reason}`)
      log.warn('alert given up', { ...fields, reason })
    } else {
      markRetry(store, id, nextAttemptAt, reason)
      log.warn('alert not delivered', { ...fields, reason, nextAttemptAt })
    }
  }

  private rest(channel: string, durationMs: number): void {
    this.restUntil.set(channel, this.options.clock.now() + durationMs)
  }

  private restEnd(channel: string): number {
    return this.restUntil.get(channel) ?? 0
  }
}
