import { expect, test } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { openStore, type Store } from '../../../agent/store/open.ts'
import {
  alertId,
  buryOrphans,
  claimNext,
  enqueue,
  LEASE_MS,
  listOutbox,
  markDead,
  markDelivered,
  markRetry,
  nextDueAt,
  outboxCounts,
  replay,
} from '../../../agent/store/outbox.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

function message(stream: string, change: string, channel = 'ops') {
  return {
    messageId: alertId(stream, change),
    channel,
    type: 'finding.opened',
    payload: `"${stream} ${change}"`,
  }
}

function withStore(work: (store: Store) => void): void {
  using directory = temporaryDirectory()
  const store = openStore(join(directory.path, 'reeve.db'))
  try {
    work(store)
  } finally {
    store.close()
  }
}

const payloads = (store: Store) => listOutbox(store).map((row) => row.payload)

test('alertId() is the same for the same change and shares its first part within a stream', () => {
  expect(alertId('finding 1', 'opened')).toBe(alertId('finding 1', 'opened'))
  expect(alertId('finding 1', 'opened')).toMatch(/^msg_[0-9a-f]{24}_[0-9a-f]{24}$/)
  const [opened, resolved] = [alertId('finding 1', 'opened'), alertId('finding 1', 'resolved')]
  expect(opened).not.toBe(resolved)
  expect(opened.slice(0, 28)).toBe(resolved.slice(0, 28))
  expect(alertId('finding 2', 'opened').slice(0, 28)).not.toBe(opened.slice(0, 28))
})

test('enqueue() leaves nothing behind when its transaction is rolled back', () =>
  withStore((store) => {
    expect(() =>
      store.transaction(() => {
        enqueue(store, [message('a', '1')], 1000)
        throw new Error('the run could not be written')
      }),
    ).toThrow('the run could not be written')
    expect(listOutbox(store)).toEqual([])
  }))

test('enqueue() makes one message for each channel when the same change is written twice', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1'), message('a', '1', 'chat')], 1000)
    enqueue(store, [message('a', '1'), message('a', '1', 'chat')], 2000)
    expect(listOutbox(store).map((row) => [row.channel, row.createdAt])).toEqual([
      ['chat', 1000],
      ['ops', 1000],
    ])
  }))

test('claimNext() gives the oldest due message, counts the attempt and keeps others off until the lease is over', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1'), message('b', '1'), message('c', '1', 'chat')], 1000)
    expect(claimNext(store, 'ops', 999)).toBeUndefined()
    expect(claimNext(store, 'ops', 1000)).toMatchObject({ payload: '"a 1"', attempts: 1 })
    expect(claimNext(store, 'ops', 1000)).toMatchObject({ payload: '"b 1"' })
    expect(claimNext(store, 'ops', 1000)).toBeUndefined()
    expect(nextDueAt(store, 'ops')).toBe(1000 + LEASE_MS)
    expect(claimNext(store, 'ops', 1000 + LEASE_MS)).toMatchObject({ payload: '"a 1"', attempts: 2 })
    expect(claimNext(store, 'chat', 1000)).toMatchObject({ payload: '"c 1"', attempts: 1 })
  }))

test('claimNext() holds a message back until those of its stream before it are through', () =>
  withStore((store) => {
    enqueue(store, [message('a', 'opened'), message('a', 'resolved'), message('b', 'opened')], 1000)
    const first = claimNext(store, 'ops', 1000)
    expect(first?.payload).toBe('"a opened"')
    expect(claimNext(store, 'ops', 1000)?.payload).toBe('"b opened"')
    expect(claimNext(store, 'ops', 1000)).toBeUndefined()
    markDelivered(store, first?.id ?? 0, 1100)
    expect(claimNext(store, 'ops', 1100)?.payload).toBe('"a resolved"')
  }))

test('claimNext() goes on with a stream when its first message was given up', () =>
  withStore((store) => {
    enqueue(store, [message('a', 'opened'), message('a', 'resolved')], 1000)
    markDead(store, claimNext(store, 'ops', 1000)?.id ?? 0, 'HTTP 410')
    expect(claimNext(store, 'ops', 1000)?.payload).toBe('"a resolved"')
  }))

test('claimNext() does not take streams of other channels for its own', () =>
  withStore((store) => {
    enqueue(store, [message('a', 'opened', 'chat'), message('a', 'resolved', 'ops')], 1000)
    expect(claimNext(store, 'ops', 1000)?.payload).toBe('"a resolved"')
  }))

test('enqueue() brings a waiting message of the stream forward, but not into its lease', () =>
  withStore((store) => {
    enqueue(store, [message('a', 'opened'), message('b', 'opened')], 1000)
    for (const row of [claimNext(store, 'ops', 1000), claimNext(store, 'ops', 1000)]) {
      markRetry(store, row?.id ?? 0, 9_000_000, 'HTTP 500')
    }
    enqueue(store, [message('a', 'resolved')], 50_000)
    expect(nextDueAt(store, 'ops')).toBe(50_000 + LEASE_MS)
    expect(claimNext(store, 'ops', 50_000 + LEASE_MS)?.payload).toBe('"a opened"')
    expect(nextDueAt(store, 'ops')).toBe(50_000 + 2 * LEASE_MS)
    expect(listOutbox(store).find((row) => row.payload === '"b opened"')?.nextAttemptAt).toBe(9_000_000)
  }))

test('markDelivered() brings forward what failed on the channel before, and no other channel', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1'), message('b', '1'), message('c', '1', 'chat')], 1000)
    markRetry(store, claimNext(store, 'ops', 1000)?.id ?? 0, 9_000_000, 'HTTP 500')
    markRetry(store, claimNext(store, 'chat', 1000)?.id ?? 0, 9_000_000, 'HTTP 500')
    const second = claimNext(store, 'ops', 1000)
    markDelivered(store, second?.id ?? 0, 2000)
    expect(nextDueAt(store, 'ops')).toBe(2000 + LEASE_MS)
    expect(nextDueAt(store, 'chat')).toBe(9_000_000)
    expect(listOutbox(store, { state: 'delivered' })).toMatchObject([
      { payload: '"b 1"', deliveredAt: 2000, lastError: null, attempts: 1 },
    ])
  }))

test('buryOrphans() gives up what waits for a removed channel and says so', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1'), message('b', '1', 'removed')], 1000)
    expect(buryOrphans(store, ['ops'])).toBe(1)
    expect(buryOrphans(store, ['ops'])).toBe(0)
    expect(listOutbox(store, { state: 'dead' })).toMatchObject([
      { payload: '"b 1"', lastError: 'the channel "removed" is not in the configuration' },
    ])
    expect(buryOrphans(store, [])).toBe(1)
  }))

test('replay() sends dead messages again with the same id, in their old order', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1'), message('b', '1'), message('c', '1')], 1000)
    const claimed = [1, 2, 3].map(() => claimNext(store, 'ops', 1000))
    markDead(store, claimed[0]?.id ?? 0, 'HTTP 410')
    markDead(store, claimed[1]?.id ?? 0, 'HTTP 410')
    markDelivered(store, claimed[2]?.id ?? 0, 1000)
    expect(replay(store, 'dead', 5000)).toBe(2)
    const again = claimNext(store, 'ops', 5000)
    expect(again).toMatchObject({ messageId: claimed[0]?.messageId, attempts: 1, state: 'pending' })
    expect(claimNext(store, 'ops', 5000)?.payload).toBe('"b 1"')
    expect(claimNext(store, 'ops', 5000)).toBeUndefined()
  }))

test('replay() by id takes a delivered message too, and leaves a lease alone', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1'), message('b', '1')], 1000)
    const delivered = claimNext(store, 'ops', 1000)
    markDelivered(store, delivered?.id ?? 0, 1000)
    const leased = claimNext(store, 'ops', 1000)
    expect(replay(store, [delivered?.id ?? 0, leased?.id ?? 0, 12_345], 2000)).toBe(2)
    expect(claimNext(store, 'ops', 2000)?.payload).toBe('"a 1"')
    expect(claimNext(store, 'ops', 2000)).toBeUndefined()
  }))

test('outboxCounts() counts by channel and says since when messages wait', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1')], 1000)
    enqueue(store, [message('b', '1'), message('c', '1')], 2000)
    enqueue(store, [message('a', '1', 'chat')], 3000)
    markDelivered(store, claimNext(store, 'ops', 3000)?.id ?? 0, 3000)
    markDead(store, claimNext(store, 'chat', 3000)?.id ?? 0, 'HTTP 410')
    expect(outboxCounts(store)).toEqual([
      { channel: 'chat', pending: 0, delivered: 0, dead: 1, pendingSince: null },
      { channel: 'ops', pending: 2, delivered: 1, dead: 0, pendingSince: 2000 },
    ])
  }))

test('listOutbox() pages from the newest and filters by state and channel', () =>
  withStore((store) => {
    enqueue(store, [message('a', '1'), message('b', '1', 'chat'), message('c', '1')], 1000)
    expect(payloads(store)).toEqual(['"c 1"', '"b 1"', '"a 1"'])
    const [newest] = listOutbox(store, { limit: 1 })
    expect(listOutbox(store, { before: newest?.id }).map((row) => row.payload)).toEqual(['"b 1"', '"a 1"'])
    expect(listOutbox(store, { channel: 'chat' }).map((row) => row.payload)).toEqual(['"b 1"'])
    expect(listOutbox(store, { state: 'dead' })).toEqual([])
  }))

test('nextDueAt() is the time at which claimNext() has something, whatever happened before', () =>
  withStore((store) => {
    const step = fc.record({
      act: fc.constantFrom('enqueue', 'claim', 'deliver', 'retry', 'bury', 'replay'),
      stream: fc.constantFrom('a', 'b', 'c'),
      wait: fc.integer({ min: 0, max: 100_000 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        store.sqlite.run('delete from outbox')
        let now = 1000
        let claimed: number | undefined
        for (const [index, { act, stream, wait }] of steps.entries()) {
          now += wait
          if (act === 'enqueue') enqueue(store, [message(stream, `${index}`)], now)
          if (act === 'claim') claimed = claimNext(store, 'ops', now)?.id ?? claimed
          if (act === 'deliver' && claimed !== undefined) markDelivered(store, claimed, now)
          if (act === 'retry' && claimed !== undefined) markRetry(store, claimed, now + wait * 10, 'HTTP 500')
          if (act === 'bury' && claimed !== undefined) markDead(store, claimed, 'HTTP 410')
          if (act === 'replay') replay(store, 'dead', now)
        }
        const dueAt = nextDueAt(store, 'ops')
        const pending = listOutbox(store, { state: 'pending' })
        expect(dueAt === undefined).toBe(pending.length === 0)
        if (dueAt === undefined) return
        expect(claimNext(store, 'ops', dueAt - 1)).toBeUndefined()
        const claim = claimNext(store, 'ops', dueAt)
        expect(claim).toBeDefined()
        const before = pending.filter(
          (row) => row.id < (claim?.id ?? 0) && row.messageId.slice(0, 28) === claim?.messageId.slice(0, 28),
        )
        expect(before).toEqual([])
      }),
      { seed: 7, numRuns: 60 },
    )
  }))
