import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseRetryAfter, RETRY_DELAYS_MS, retryAt } from '../../../agent/alert/backoff.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

test('retryAt() follows the schedule of Standard Webhooks and gives up after the tenth attempt', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((attempts) => retryAt(attempts, 0, 0))
  expect(waits).toEqual([
    5000,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
    undefined,
  ])
})

test('retryAt() keeps to a Retry-After that is longer than the schedule, up to a day', () => {
  expect(retryAt(1, 1000, 0, 120_000)).toBe(121_000)
  expect(retryAt(3, 1000, 0, 120_000)).toBe(1000 + 30 * MINUTE)
  expect(retryAt(1, 0, 0, 9e12)).toBe(24 * HOUR)
  expect(retryAt(10, 0, 0, 120_000)).toBeUndefined()
})

test('retryAt() is never before its time and at most a fifth later, for any chance', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: RETRY_DELAYS_MS.length }),
      fc.integer({ min: 0, max: 4e12 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.integer({ min: 0, max: 86_400_000 }),
      (attempts, now, random, retryAfterMs) => {
        const wait = Math.max(RETRY_DELAYS_MS[attempts - 1] ?? 0, retryAfterMs)
        const at = retryAt(attempts, now, random, retryAfterMs) ?? -1
        expect(at).toBeGreaterThanOrEqual(now + wait)
        expect(at).toBeLessThanOrEqual(now + Math.ceil(wait * 1.2))
      },
    ),
    { seed: 1 },
  )
})

test('retryAt() gives different hosts different times', () => {
  expect(retryAt(2, 0, 0.1)).not.toBe(retryAt(2, 0, 0.9))
})

const NOW = Date.UTC(2026, 9, 21, 7, 28, 0)

test.each([
  ['120', 120_000],
  ['0', 0],
  ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
  ['Wed, 21 Oct 2026 07:00:00 GMT', 0],
  ['soon', undefined],
  ['-5', undefined],
  ['1.5', undefined],
  ['5', 5000],
  ['2026-10-21', undefined],
  ['99999999999999', undefined],
  ['', undefined],
  [undefined, undefined],
])('parseRetryAfter() reads %p as %p ms', (header, expected) => {
  expect(parseRetryAfter(header, NOW)).toBe(expected)
})
