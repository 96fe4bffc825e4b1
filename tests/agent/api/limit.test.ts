import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { SlidingWindow } from '../../../agent/api/limit.ts'

test('SlidingWindow.take() says how long to wait when the limit is reached', () => {
  const window = new SlidingWindow(2, 60_000)
  expect(window.take('a', 0)).toBe(0)
  expect(window.take('a', 10_000)).toBe(0)
  expect(window.take('a', 20_000)).toBe(40_000)
  expect(window.take('b', 20_000)).toBe(0)
  expect(window.take('a', 60_000)).toBe(0)
  expect(window.take('a', 60_001)).toBe(9_999)
})

test('SlidingWindow.waitMs() counts nothing', () => {
  const window = new SlidingWindow(1, 1000)
  for (let index = 0; index < 10; index++) expect(window.waitMs('a', 0)).toBe(0)
  expect(window.take('a', 0)).toBe(0)
  expect(window.waitMs('a', 0)).toBe(1000)
})

test('SlidingWindow forgets the key that was silent for longest when there are too many', () => {
  const window = new SlidingWindow(1, 1000, 2)
  window.take('a', 0)
  window.take('b', 1)
  window.take('c', 2)
  expect(window.waitMs('b', 3)).toBeGreaterThan(0)
  expect(window.waitMs('c', 3)).toBeGreaterThan(0)
  expect(window.waitMs('a', 3)).toBe(0)
})

test('SlidingWindow does not lock a key out when the clock goes back', () => {
  const window = new SlidingWindow(1, 1000)
  window.take('a', 1_000_000)
  expect(window.take('a', 0)).toBe(0)
})

test('SlidingWindow.take() never allows more than the limit in any window', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (gaps) => {
      const window = new SlidingWindow(5, 1000)
      const allowed: number[] = []
      let now = 0
      for (const gap of gaps) {
        now += gap
        if (window.take('a', now) === 0) allowed.push(now)
        expect(allowed.filter((at) => at > now - 1000).length).toBeLessThanOrEqual(5)
      }
    }),
    { seed: 7, numRuns: 100 },
  )
})
