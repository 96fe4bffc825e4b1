import { setSystemTime } from 'bun:test'
import { Webhook } from 'standardwebhooks'
import { openChannel } from '../../../agent/alert/channels/open.ts'
import type { Clock } from '../../../agent/alert/clock.ts'
import { Deliverer } from '../../../agent/alert/outbox.ts'
import { planAlerts } from '../../../agent/alert/policy.ts'
import { type ChannelConfig, channelSchema } from '../../../agent/config/schema.ts'
import { Redactor } from '../../../agent/lib/redact.ts'
import type { Store } from '../../../agent/store/open.ts'
import { enqueue } from '../../../agent/store/outbox.ts'
import type { Transition } from '../../../agent/store/transitions.ts'

export const SECRET = `whsec_${Buffer.from('a key of thirty-two bytes, tests').toString('base64')}`
export const CONTEXT = { host: 'web1.example.org', instance: 'installation-1' }

/** Time that moves only when it is told to. It starts at the true time, as certificates look at that. */
export class ManualClock implements Clock {
  private time = Date.now()
  private timers: { at: number; wake: () => void }[] = []
  private fired = 0

  now(): number {
    return this.time
  }

  after(delayMs: number, wake: () => void): () => void {
    const timer = { at: this.time + delayMs, wake }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((other) => other !== timer)
    }
  }

  /** Sets the time without any timer having fired in between. */
  jump(to: number): void {
    this.time = Math.max(this.time, to)
  }

  /** Lets time pass at once, while whatever is under way stays so. */
  advance(milliseconds: number): void {
    const end = this.time + milliseconds
    while (this.fireNext(end)) this.count()
    this.time = end
    this.fired = 0
  }

  /** Lets time pass, and waits for `settled` after each timer: the network is faster than the clock. */
  async pass(milliseconds: number, settled: () => Promise<void>): Promise<void> {
    const end = this.time + milliseconds
    await settled()
    while (this.fireNext(end)) {
      this.count()
      await settled()
    }
    this.time = end
    this.fired = 0
  }

  private fireNext(end: number): boolean {
    const [next] = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)
    if (!next) return false
    this.timers = this.timers.filter((timer) => timer !== next)
    this.time = Math.max(this.time, next.at)
    next.wake()
    return true
  }

  private count(): void {
    if (++this.fired > 10_000) throw new Error('the clock was asked to wake too often: a busy loop')
  }

  /** How long until the next timer fires, in milliseconds. */
  get nextDelayMs(): number | undefined {
    const times = this.timers.map((timer) => timer.at - this.time)
    return times.length === 0 ? undefined : Math.min(...times)
  }
}

export interface Received {
  id: string
  type: string
  subject: string
  body: string
  path: string
  headers: Record<string, string>
}

export interface Sink extends Disposable {
  readonly port: number
  readonly url: string
  /** All that came, in order, answered with success or not. */
  readonly received: Received[]
  /** What the public library did not accept. */
  readonly refused: string[]
  /** Answers the n-th request, from 0. Default: 204. */
  answer: (index: number, received: Received) => Response | Promise<Response>
  /** Resolves when `count` requests have come. */
  arrived(count: number): Promise<void>
}

/** A receiver on loopback that verifies every message with the public library. */
export function startSink(
  clock: Clock,
  options: { secret?: string | null; tls?: { key: string; cert: string }; port?: number } = {},
): Sink {
  const { secret = SECRET } = options
  const received: Received[] = []
  const refused: string[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  const server = Bun.serve({
    port: options.port ?? 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    ...(options.tls && { tls: options.tls }),
    async fetch(request) {
      const body = await request.text()
      const headers = request.headers.toJSON()
      if (secret !== null) {
        // The library compares with the system's time.
        setSystemTime(new Date(clock.now()))
        try {
          new Webhook(secret).verify(body, headers)
        } catch (error) {
          refused.push(String(error))
          return new Response('bad signature', { status: 401 })
        } finally {
          setSystemTime()
        }
      }
      const parsed = JSON.parse(body)
      const item = {
        id: headers['webhook-id'] ?? '',
        type: parsed.type,
        subject: parsed.data?.finding?.subject ?? '',
        body,
        path: new URL(request.url).pathname,
        headers,
      }
      received.push(item)
      for (const waiter of waiting) if (received.length >= waiter.count) waiter.resolve()
      return sink.answer(received.length - 1, item)
    },
  })
  const sink: Sink = {
    port: server.port ?? 0,
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${server.port}/hook`,
    received,
    refused,
    answer: () => new Response(null, { status: 204 }),
    arrived: (count) =>
      new Promise((resolve) => {
        if (received.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
    [Symbol.dispose]: () => void server.stop(true),
  }
  return sink
}

export function transition(changes: Partial<Transition> = {}): Transition {
  return {
    kind: 'opened',
    at: 1_790_000_000_000,
    runId: 7,
    findingId: 1,
    job: 'permissions',
    plugin: 'permission-drift',
    rule: 'mode-differs',
    subject: '/etc/shadow',
    severity: 'critical',
    summary: 'the mode of /etc/shadow is 0644, wanted 0640',
    remedy: 'chmod 0640 /etc/shadow',
    evidence: { mode: '0644', wanted: '0640' },
    openedAt: 1_790_000_000_000,
    muted: false,
    ...changes,
  }
}

/** A channel of the configuration, checked by its schema. */
export function webhook(url: string, changes: Record<string, unknown> = {}): ChannelConfig {
  return channelSchema.parse({ name: 'ops', type: 'webhook', url, secret: 'env:SECRET', ...changes })
}

export interface LogLine {
  message: string
  [field: string]: unknown
}

/** A deliverer over real channels, with everything that a daemon would give to it. */
export function deliverer(
  store: Store,
  clock: Clock,
  configs: ChannelConfig[],
  options: { secrets?: Record<string, string>; allowedHosts?: string[] } = {},
): { deliverer: Deliverer; log: LogLine[]; logged: (message: string, count: number) => Promise<void> } {
  const secrets: Record<string, string> = { 'env:SECRET': SECRET, ...options.secrets }
  const redactor = new Redactor()
  const log: LogLine[] = []
  const waiting: { message: string; count: number; resolve: () => void }[] = []
  const has = (message: string, count: number) =>
    log.filter((line) => line.message === message).length >= count
  const write = (message: string, fields: Record<string, unknown> = {}) => {
    log.push({ message, ...fields })
    for (const waiter of waiting) if (has(waiter.message, waiter.count)) waiter.resolve()
  }
  const channels = configs.map((config) =>
    openChannel(config, {
      allowedHosts: options.allowedHosts ?? [],
      clock,
      redact: (text) => redactor.text(text),
      resolveSecret(reference) {
        const value = secrets[reference]
        if (value === undefined) throw new Error(`no secret "${reference}" in this test`)
        redactor.add(value)
        return value
      },
    }),
  )
  return {
    deliverer: new Deliverer({
      store,
      channels,
      clock,
      log: { info: write, warn: write },
      random: () => 0.5,
    }),
    log,
    logged: (message, count) =>
      new Promise((resolve) => {
        if (has(message, count)) resolve()
        else waiting.push({ message, count, resolve })
      }),
  }
}

/** What a finished run does: plans and enqueues in one transaction. */
export function report(store: Store, clock: Clock, configs: ChannelConfig[], changes: Transition[]): void {
  store.transaction(() => enqueue(store, planAlerts(changes, configs, CONTEXT), clock.now()))
}
