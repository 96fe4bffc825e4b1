import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { openStore } from '../../../agent/store/open.ts'
import { LEASE_MS, listOutbox, outboxCounts } from '../../../agent/store/outbox.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'
import { deliverer, ManualClock, report, startSink, transition, webhook } from './kit.ts'

const program = join(import.meta.dir, 'deliver-once.ts')

test('Deliverer sends a message again with the same id when reeve was killed before it could note the answer', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  const clock = new ManualClock()
  using sink = startSink(clock)
  const ops = webhook(sink.url)
  const store = openStore(path)
  report(store, clock, [ops], [transition({ findingId: 1 }), transition({ findingId: 2 })])

  const child = Bun.spawn([process.execPath, program, path, sink.url], {
    stdout: 'inherit',
    stderr: 'inherit',
  })
  sink.answer = (index) => {
    // Not even the answer to the first message gets through to the child.
    if (index === 0) child.kill('SIGKILL')
    return new Response(null, { status: 204 })
  }
  await child.exited
  expect(child.signalCode).toBe('SIGKILL')
  expect(sink.received).toHaveLength(1)
  expect(outboxCounts(store)).toMatchObject([{ pending: 2, delivered: 0, dead: 0 }])

  const { deliverer: running } = deliverer(store, clock, [ops])
  running.start()
  await clock.pass(2 * LEASE_MS, () => running.settled())
  await running.stop()
  const [interrupted, ...others] = sink.received.map((item) => item.id)
  expect(others).toHaveLength(2)
  expect(others).toContain(interrupted ?? '')
  expect(new Set(others)).toEqual(new Set(listOutbox(store).map((row) => row.messageId)))
  expect(outboxCounts(store)).toMatchObject([{ pending: 0, delivered: 2, dead: 0 }])
  expect(sink.refused).toEqual([])
  store.close()
})

test('Deliverer ends by itself after a flush with the clock of the system', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  const clock = new ManualClock()
  using sink = startSink(clock)
  const store = openStore(path)
  report(store, clock, [webhook(sink.url)], [transition()])
  const child = Bun.spawn([process.execPath, program, path, sink.url], {
    stdout: 'inherit',
    stderr: 'inherit',
  })
  expect(await child.exited).toBe(0)
  expect(sink.received).toHaveLength(1)
  expect(outboxCounts(store)).toMatchObject([{ pending: 0, delivered: 1, dead: 0 }])
  store.close()
})
