import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { RETRY_DELAYS_MS } from '../../../agent/alert/backoff.ts'
import { ANSWER_TIMEOUT_MS } from '../../../agent/alert/egress.ts'
import type { Deliverer } from '../../../agent/alert/outbox.ts'
import { channelSchema } from '../../../agent/config/schema.ts'
import { openStore, type Store } from '../../../agent/store/open.ts'
import { LEASE_MS, listOutbox, outboxCounts, replay } from '../../../agent/store/outbox.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'
import { deliverer, ManualClock, type Received, report, startSink, transition, webhook } from './kit.ts'

interface World extends Disposable {
  clock: ManualClock
  store: Store
  path: string
}

function world(): World {
  const directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  const store = openStore(path)
  return {
    clock: new ManualClock(),
    store,
    path,
    [Symbol.dispose]() {
      store.close()
      directory[Symbol.dispose]()
    },
  }
}

const opened = (findingId: number) =>
  transition({ findingId, subject: `/srv/${findingId}`, at: 1_790_000_000_000 })
const resolved = (findingId: number) =>
  transition({ findingId, subject: `/srv/${findingId}`, kind: 'resolved', at: 1_790_000_060_000 })
const told = (received: Received[]) => received.map((item) => `${item.type} ${item.subject}`)

const later = (clock: ManualClock, milliseconds: number, running: Deliverer) =>
  clock.pass(milliseconds, () => running.settled())

/** As after a suspended night: the clock is late, and all timers are due. */
async function jump(clock: ManualClock, to: number, running: Deliverer): Promise<void> {
  clock.jump(to)
  await later(clock, 0, running)
}

test('Deliverer sends each state change once, in order, with a signature that the public library accepts', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const ops = webhook(sink.url)
  const { deliverer: running, log } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1), opened(2)])
  running.kick()
  await running.settled()
  report(it.store, it.clock, [ops], [resolved(1)])
  running.kick()
  await running.settled()
  await later(it.clock, 3_600_000, running)
  expect(told(sink.received)).toEqual([
    'finding.opened /srv/1',
    'finding.opened /srv/2',
    'finding.resolved /srv/1',
  ])
  expect(sink.refused).toEqual([])
  expect(new Set(sink.received.map((item) => item.id)).size).toBe(3)
  expect(outboxCounts(it.store)).toMatchObject([{ channel: 'ops', pending: 0, delivered: 3, dead: 0 }])
  expect(log.map((line) => line.message)).toEqual(['alert delivered', 'alert delivered', 'alert delivered'])
  await running.stop()
})

test('Deliverer brings everything once and in order when the sink is down at first and reeve restarts', async () => {
  using it = world()
  using probe = startSink(it.clock)
  const port = probe.port
  probe[Symbol.dispose]()
  const ops = webhook(`http://127.0.0.1:${port}/hook`)

  const first = deliverer(it.store, it.clock, [ops])
  first.deliverer.start()
  await first.deliverer.settled()
  report(it.store, it.clock, [ops], [opened(1), opened(2)])
  first.deliverer.kick()
  await first.deliverer.settled()
  await later(it.clock, 7000, first.deliverer)
  report(it.store, it.clock, [ops], [resolved(1)])
  first.deliverer.kick()
  await first.deliverer.settled()
  await first.deliverer.stop()
  expect(listOutbox(it.store)).toMatchObject([
    { payload: expect.stringContaining('finding.resolved'), attempts: 0, lastError: null },
    { state: 'pending', attempts: 2 },
    { state: 'pending', attempts: 2 },
  ])
  expect(listOutbox(it.store)[1]?.lastError).toBe(
    `Cannot send to "http://127.0.0.1:${port}": connect ECONNREFUSED 127.0.0.1:${port}`,
  )

  const again = openStore(it.path)
  try {
    using sink = startSink(it.clock, { port })
    const second = deliverer(again, it.clock, [ops])
    second.deliverer.start()
    await later(it.clock, 10 * 60_000, second.deliverer)
    expect(told(sink.received).sort()).toEqual([
      'finding.opened /srv/1',
      'finding.opened /srv/2',
      'finding.resolved /srv/1',
    ])
    expect(told(sink.received).filter((line) => line.endsWith('/srv/1'))).toEqual([
      'finding.opened /srv/1',
      'finding.resolved /srv/1',
    ])
    expect(sink.refused).toEqual([])
    expect(outboxCounts(again)).toMatchObject([{ pending: 0, delivered: 3, dead: 0 }])
    await second.deliverer.stop()
  } finally {
    again.close()
  }
})

test('Deliverer retries on the schedule of Standard Webhooks with one id, then keeps a dead letter that can be replayed', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const times: number[] = []
  sink.answer = () => {
    times.push(it.clock.now())
    return new Response('out of order', { status: 502 })
  }
  const ops = webhook(sink.url)
  const { deliverer: running, log } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1)])
  running.kick()
  await running.settled()
  for (let attempt = 1; attempt < 20; attempt++) {
    const [waiting] = listOutbox(it.store, { state: 'pending' })
    if (waiting) await jump(it.clock, waiting.nextAttemptAt, running)
  }
  const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  // A jitter of 0.5 in this test is a tenth of the delay.
  expect(waits).toEqual(RETRY_DELAYS_MS.map((delay) => Math.round(delay * 1.1)))
  expect(new Set(sink.received.map((item) => item.id)).size).toBe(1)
  expect(new Set(sink.received.map((item) => item.headers['webhook-timestamp'])).size).toBe(10)
  expect(listOutbox(it.store)).toMatchObject([
    {
      state: 'dead',
      attempts: 10,
      lastError: 'given up after 10 attempts, the last one: HTTP 502: out of order',
    },
  ])
  expect(log.at(-1)).toMatchObject({ message: 'alert given up', channel: 'ops', attempts: 10 })

  sink.answer = () => new Response(null, { status: 200 })
  expect(replay(it.store, 'dead', it.clock.now())).toBe(1)
  running.kick()
  await running.settled()
  expect(sink.received).toHaveLength(11)
  expect(sink.received[10]?.id).toBe(sink.received[0]?.id ?? '')
  expect(outboxCounts(it.store)).toMatchObject([{ pending: 0, delivered: 1, dead: 0 }])
  await running.stop()
})

test('Deliverer tries what failed before soon again when the channel works again', async () => {
  using it = world()
  using sink = startSink(it.clock)
  let isDown = true
  sink.answer = () => new Response(null, { status: isDown ? 503 : 204 })
  const ops = webhook(sink.url)
  const { deliverer: running } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1)])
  running.kick()
  await running.settled()
  for (let attempt = 1; attempt < 5; attempt++) {
    await jump(it.clock, listOutbox(it.store)[0]?.nextAttemptAt ?? 0, running)
  }
  const waitMs = (listOutbox(it.store)[0]?.nextAttemptAt ?? 0) - it.clock.now()
  expect(waitMs).toBeGreaterThan(3_600_000)
  isDown = false
  report(it.store, it.clock, [ops], [opened(2)])
  running.kick()
  await running.settled()
  await later(it.clock, LEASE_MS, running)
  expect(outboxCounts(it.store)).toMatchObject([{ pending: 0, delivered: 2, dead: 0 }])
  await running.stop()
})

test('Deliverer gives up at once on 410', async () => {
  using it = world()
  using sink = startSink(it.clock)
  sink.answer = () => new Response('moved away', { status: 410 })
  const ops = webhook(sink.url)
  const { deliverer: running } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1)])
  await later(it.clock, 3_600_000, running)
  expect(sink.received).toHaveLength(1)
  expect(listOutbox(it.store)).toMatchObject([
    { state: 'dead', attempts: 1, lastError: 'HTTP 410: the receiver is gone for good: moved away' },
  ])
  await running.stop()
})

test('Deliverer lets a channel rest as long as its Retry-After says', async () => {
  using it = world()
  using sink = startSink(it.clock)
  sink.answer = (index) =>
    index === 0 ? new Response(null, { status: 429, headers: { 'retry-after': '600' } }) : new Response(null)
  const ops = webhook(sink.url)
  const { deliverer: running } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1)])
  running.kick()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(2)])
  running.kick()
  await later(it.clock, 9 * 60_000, running)
  expect(sink.received).toHaveLength(1)
  await later(it.clock, 3 * 60_000, running)
  expect(told(sink.received).sort()).toEqual([
    'finding.opened /srv/1',
    'finding.opened /srv/1',
    'finding.opened /srv/2',
  ])
  await running.stop()
})

test('Deliverer does not let one channel wait for another', async () => {
  using it = world()
  using stuck = startSink(it.clock)
  using sink = startSink(it.clock)
  stuck.answer = () => new Promise<Response>(() => {})
  const channels = [webhook(stuck.url, { name: 'stuck' }), webhook(sink.url)]
  report(it.store, it.clock, channels, [opened(1), opened(2)])
  const { deliverer: running, logged } = deliverer(it.store, it.clock, channels)
  running.start()
  await stuck.arrived(1)
  await logged('alert delivered', 2)
  expect(told(sink.received)).toEqual(['finding.opened /srv/1', 'finding.opened /srv/2'])
  // Only one at a time goes to a channel that does not answer.
  expect(stuck.received).toHaveLength(1)
  it.clock.advance(ANSWER_TIMEOUT_MS)
  await stuck.arrived(2)
  expect(listOutbox(it.store, { channel: 'stuck' })).toMatchObject([
    { state: 'pending', attempts: 1, lastError: null },
    { state: 'pending', attempts: 1, lastError: expect.stringContaining('no answer within 15 seconds') },
  ])
  const stopped = running.stop(0)
  it.clock.advance(0)
  await stopped
})

test('Deliverer sends each message once when two of them work on one store', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const ops = webhook(sink.url)
  const changes = Array.from({ length: 15 }, (_, index) => opened(index))
  report(it.store, it.clock, [ops], changes)
  const other = openStore(it.path)
  try {
    const both = [deliverer(it.store, it.clock, [ops]), deliverer(other, it.clock, [ops])]
    await Promise.all(both.map((each) => each.deliverer.flush()))
    expect(told(sink.received).sort()).toEqual(
      changes.map((change) => `finding.opened ${change.subject}`).sort(),
    )
    expect(outboxCounts(it.store)).toMatchObject([{ pending: 0, delivered: 15 }])
  } finally {
    other.close()
  }
})

test('Deliverer sleeps until the next message is due, and a minute at most', async () => {
  using it = world()
  using sink = startSink(it.clock)
  sink.answer = () => new Response(null, { status: 500 })
  const ops = webhook(sink.url)
  const { deliverer: running } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  expect(it.clock.nextDelayMs).toBe(60_000)
  report(it.store, it.clock, [ops], [opened(1)])
  running.kick()
  await running.settled()
  expect(it.clock.nextDelayMs).toBe(5500)
  await later(it.clock, 5500, running)
  expect(sink.received).toHaveLength(2)
  expect(it.clock.nextDelayMs).toBe(60_000)
  await running.stop()
  expect(it.clock.nextDelayMs).toBeUndefined()
})

test('Deliverer finds what another process left without being kicked', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const ops = webhook(sink.url)
  const { deliverer: running } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1)])
  await later(it.clock, 60_000, running)
  expect(sink.received).toHaveLength(1)
  await running.stop()
})

test('stop() waits for the delivery under way', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const { promise, resolve } = Promise.withResolvers<Response>()
  sink.answer = () => promise
  const ops = webhook(sink.url)
  const { deliverer: running } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1), opened(2)])
  running.kick()
  await sink.arrived(1)
  const stopped = running.stop()
  resolve(new Response(null, { status: 204 }))
  await stopped
  expect(outboxCounts(it.store)).toMatchObject([{ pending: 1, delivered: 1 }])
  running.kick()
  await running.settled()
  expect(sink.received).toHaveLength(1)
})

test('stop() breaks off a delivery that takes too long, and the next start sends it again with the same id', async () => {
  using it = world()
  using sink = startSink(it.clock)
  sink.answer = (index) => (index === 0 ? new Promise<Response>(() => {}) : new Response(null))
  const ops = webhook(sink.url)
  const { deliverer: running } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  report(it.store, it.clock, [ops], [opened(1)])
  running.kick()
  await sink.arrived(1)
  const stopped = running.stop(5000)
  it.clock.advance(5000)
  await stopped
  expect(listOutbox(it.store)[0]).toMatchObject({ state: 'pending', nextAttemptAt: it.clock.now() })
  expect(listOutbox(it.store)[0]?.lastError).toContain('reeve is stopping')
  const next = deliverer(it.store, it.clock, [ops])
  next.deliverer.start()
  await next.deliverer.settled()
  expect(sink.received.map((item) => item.id)).toEqual([
    sink.received[0]?.id ?? '',
    sink.received[0]?.id ?? '',
  ])
  await next.deliverer.stop()
})

test('flush() sends what is due and does not wait for retries', async () => {
  using it = world()
  using sink = startSink(it.clock)
  sink.answer = (index) => new Response(null, { status: index === 0 ? 500 : 204 })
  const ops = webhook(sink.url)
  report(it.store, it.clock, [ops], [opened(1), opened(2)])
  await deliverer(it.store, it.clock, [ops]).deliverer.flush()
  expect(outboxCounts(it.store)).toMatchObject([{ pending: 1, delivered: 1 }])
  expect(it.clock.nextDelayMs).toBeUndefined()
})

test('flush() ends at its limit when the sink does not answer', async () => {
  using it = world()
  using sink = startSink(it.clock)
  sink.answer = () => new Promise<Response>(() => {})
  const ops = webhook(sink.url)
  report(it.store, it.clock, [ops], [opened(1), opened(2)])
  const flushed = deliverer(it.store, it.clock, [ops]).deliverer.flush(10_000)
  await sink.arrived(1)
  it.clock.advance(10_000)
  await flushed
  expect(outboxCounts(it.store)).toMatchObject([{ pending: 2, delivered: 0, dead: 0 }])
})

test('start() refuses to start twice or after stop()', async () => {
  using it = world()
  const { deliverer: running } = deliverer(it.store, it.clock, [])
  running.start()
  expect(() => running.start()).toThrow('running')
  await running.stop()
  expect(() => running.start()).toThrow('stopped')
})

test('Deliverer gives up what waits for a channel that was removed from the configuration', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const [ops, removed] = [webhook(sink.url), webhook(sink.url, { name: 'removed' })]
  report(it.store, it.clock, [ops, removed], [opened(1)])
  const { deliverer: running, log } = deliverer(it.store, it.clock, [ops])
  running.start()
  await running.settled()
  expect(listOutbox(it.store, { channel: 'removed' })).toMatchObject([
    { state: 'dead', lastError: 'the channel "removed" is not in the configuration' },
  ])
  expect(sink.received).toHaveLength(1)
  expect(log[0]).toEqual({ message: 'alerts of removed channels given up', count: 1 })
  await running.stop()
})

test('Deliverer keeps a message when its secret cannot be resolved, and sends it when it can', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const ops = webhook(sink.url, { secret: 'env:NOT_YET' })
  report(it.store, it.clock, [ops], [opened(1)])
  await deliverer(it.store, it.clock, [ops]).deliverer.flush()
  expect(listOutbox(it.store)[0]).toMatchObject({ state: 'pending', attempts: 1 })
  expect(listOutbox(it.store)[0]?.lastError).toContain('no secret "env:NOT_YET"')
  it.clock.advance(6000)
  const secrets = { 'env:NOT_YET': `whsec_${Buffer.alloc(32, 1).toString('base64')}` }
  using strict = startSink(it.clock, { secret: secrets['env:NOT_YET'] })
  const moved = webhook(strict.url, { secret: 'env:NOT_YET' })
  await deliverer(it.store, it.clock, [moved], { secrets }).deliverer.flush()
  expect(told(strict.received)).toEqual(['finding.opened /srv/1'])
  expect(strict.refused).toEqual([])
})

test('Deliverer lives on when the store fails, and delivers when it works again', async () => {
  using it = world()
  using sink = startSink(it.clock)
  const ops = webhook(sink.url)
  report(it.store, it.clock, [ops], [opened(1)])
  const { deliverer: running, log } = deliverer(it.store, it.clock, [ops])
  // A full disk, as far as writing goes.
  it.store.sqlite.run('PRAGMA query_only = ON')
  running.start()
  await running.settled()
  await later(it.clock, 10 * 60_000, running)
  expect(sink.received).toEqual([])
  expect(log.length).toBeLessThan(40)
  it.store.sqlite.run('PRAGMA query_only = OFF')
  await later(it.clock, 3 * 60_000, running)
  expect(told(sink.received)).toEqual(['finding.opened /srv/1'])
  await running.stop()
})

test('no secret of a channel is in the store, the log or what is sent', async () => {
  using it = world()
  using sink = startSink(it.clock, { secret: null })
  const url = `http://127.0.0.1:${sink.port}/services/T0SECRETPART/B0SECRETPART`
  const secrets = { 'env:SLACK': url, 'env:PASSWORD': 'correct-horse-battery' }
  sink.answer = (index, { path, headers }) =>
    index === 0
      ? new Response(`${path} ${url} ${headers.host}\u001b[31m`, { status: 404 })
      : new Response('ok')
  const chat = channelSchema.parse({ name: 'chat', type: 'slack', url: 'env:SLACK' })
  const { deliverer: running, log } = deliverer(it.store, it.clock, [chat], { secrets })
  running.start()
  await running.settled()
  report(it.store, it.clock, [chat], [opened(1)])
  running.kick()
  await running.settled()
  const failed = JSON.stringify([log, listOutbox(it.store)])
  expect(listOutbox(it.store)[0]?.lastError).toStartWith('HTTP 404: [redacted]')
  expect(failed).not.toContain('SECRETPART')
  expect(failed).not.toContain('u001b')
  await later(it.clock, 10_000, running)
  expect(sink.received).toHaveLength(2)
  expect(JSON.parse(sink.received[1]?.body ?? '').text).toContain('*CRITICAL opened on web1.example.org*')
  await running.stop()
})
