import { expect, test } from 'bun:test'
import {
  AT_REST,
  changed,
  isDue,
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  PATIENCE_MS,
  QUIET_MS,
  started,
} from '../../../../agent/engine/watch/pace.ts'

test('isDue() says no without a change', () => {
  expect(isDue(AT_REST, 1_000_000)).toBe(false)
})

test('isDue() waits until a burst is over, but not for ever', () => {
  let pace = changed(AT_REST, 1000)
  expect(isDue(pace, 1000 + QUIET_MS - 1)).toBe(false)
  expect(isDue(pace, 1000 + QUIET_MS)).toBe(true)
  for (let now = 1000; now < 1000 + PATIENCE_MS; now += 100) {
    expect(isDue(pace, now)).toBe(false)
    pace = changed(pace, now)
  }
  expect(isDue(pace, 1000 + PATIENCE_MS)).toBe(true)
})

test('started() lengthens the interval while changes go on, up to its bound, and forgets after a calm', () => {
  let now = 0
  let pace = started(changed(AT_REST, now), now)
  expect([pace.firstMs, pace.intervalMs]).toEqual([null, MIN_INTERVAL_MS])
  const intervals: number[] = []
  for (let round = 0; round < 12; round++) {
    pace = changed(pace, now + 1)
    expect(isDue(pace, now + pace.intervalMs - 1)).toBe(false)
    now += pace.intervalMs
    expect(isDue(pace, now + PATIENCE_MS)).toBe(true)
    pace = started(pace, now)
    intervals.push(pace.intervalMs)
  }
  expect(intervals.slice(0, 3)).toEqual([MIN_INTERVAL_MS * 2, MIN_INTERVAL_MS * 4, MIN_INTERVAL_MS * 8])
  expect(intervals.at(-1)).toBe(MAX_INTERVAL_MS)
  now += MAX_INTERVAL_MS * 4
  pace = started(changed(pace, now), now)
  expect(pace.intervalMs).toBe(MIN_INTERVAL_MS)
})
