import { expect, test } from 'bun:test'
import { formatProgress, type PacedProgress, ProgressMeter } from '../../../agent/lib/progress.ts'

const MIB = 1_048_576
const sending = (done: number, total = 100 * MIB, label = 'sending') => ({
  done,
  total,
  label,
  unit: 'bytes' as const,
})

test('ProgressMeter tells a rate and the time left after a second, not before', () => {
  const meter = new ProgressMeter()
  expect(meter.note(sending(0), 0)).toEqual(sending(0))
  expect(meter.note(sending(MIB), 900)).toEqual(sending(MIB))
  expect(meter.note(sending(20 * MIB), 2000)).toEqual({
    ...sending(20 * MIB),
    ratePerSecond: 10 * MIB,
    remainingMs: 8000,
  })
})

test('ProgressMeter goes by the last seconds: a slow beginning is forgotten', () => {
  const meter = new ProgressMeter()
  for (let second = 0; second < 60; second++) meter.note(sending(second), 1000 * second)
  let last: PacedProgress = sending(0)
  for (let second = 0; second <= 20; second++)
    last = meter.note(sending(60 + second * MIB), 60_000 + 1000 * second)
  expect(last.ratePerSecond).toBe(MIB)
})

test('ProgressMeter tells no time left where the total is unknown, reached, or nothing goes on', () => {
  for (const progress of [sending(5 * MIB, 0), sending(5 * MIB, 5 * MIB)]) {
    const meter = new ProgressMeter()
    meter.note({ ...progress, done: 0 }, 0)
    expect(meter.note(progress, 5000)).toEqual({ ...progress, ratePerSecond: MIB })
  }
  const meter = new ProgressMeter()
  meter.note(sending(7), 0)
  expect(meter.note(sending(7), 60_000)).toEqual({ ...sending(7), ratePerSecond: 0 })
})

test('ProgressMeter keeps things apart that go on side by side, and begins anew with what begins anew', () => {
  const meter = new ProgressMeter()
  for (const second of [0, 1, 2]) {
    meter.note(sending(second * MIB, 100 * MIB, 'here'), 1000 * second)
    meter.note(sending(second * 3 * MIB, 100 * MIB, 'there'), 1000 * second)
  }
  expect(meter.note(sending(3 * MIB, 100 * MIB, 'here'), 3000).ratePerSecond).toBe(MIB)
  expect(meter.note(sending(9 * MIB, 100 * MIB, 'there'), 3000).ratePerSecond).toBe(3 * MIB)
  expect(meter.note(sending(1, 100 * MIB, 'here'), 4000)).toEqual(sending(1, 100 * MIB, 'here'))
})

test('ProgressMeter forgets old labels: a run may have any number of them', () => {
  const meter = new ProgressMeter()
  for (let label = 0; label < 1000; label++) meter.note(sending(0, 0, `log ${label}`), label)
  expect(meter.note(sending(MIB, 0, 'log 0'), 5000).ratePerSecond).toBeUndefined()
  expect(meter.note(sending(MIB, 0, 'log 999'), 5000).ratePerSecond).toBeGreaterThan(0)
})

test.each<[PacedProgress, string]>([
  [{ done: 1234, total: 0, label: 'entries' }, 'entries: 1,234'],
  [{ done: 3, total: 4, label: 'ports' }, 'ports: 3 of 4 (75 %)'],
  [{ done: 2048, total: 0, label: 'bytes' }, '2.0 KiB'],
  [
    { ...sending(25 * MIB), files: 12, ratePerSecond: 5 * MIB, remainingMs: 14_200 },
    'sending: 25.0 MiB of 100.0 MiB (25 %), 12 files, 5.0 MiB/s, 15s left',
  ],
  [
    { ...sending(25 * MIB), isEstimate: true, ratePerSecond: 0.4, remainingMs: 7_400_000 },
    'sending: 25.0 MiB of about 100.0 MiB (25 %), 0 B/s, about 2h 3m left',
  ],
  [{ ...sending(5, 4), files: 1 }, 'sending: 5 B of 4 B (100 %), 1 file'],
])('formatProgress() %#', (progress, text) => {
  expect(formatProgress(progress)).toBe(text)
})
