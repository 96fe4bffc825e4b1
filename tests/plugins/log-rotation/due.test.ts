import { expect, test } from 'bun:test'
import { type Clock, type DueRule, judgeDue, periodOf } from '../../../plugins/log-rotation/due.ts'

const time = (text: string) => Date.parse(text)
const clock = (text: string): Clock => ({ sinceMs: time(text), rotatedMs: null })
const NOW = time('2026-03-10T12:00:00Z')

const table: [string, Partial<DueRule>, number, Clock | undefined, boolean][] = [
  ['below the size', { size: 100 }, 99, undefined, false],
  ['at the size', { size: 100 }, 100, undefined, true],
  [
    'at the size, long before the interval',
    { size: 100, interval: 'yearly' },
    100,
    clock('2026-03-10T11:00:00Z'),
    true,
  ],
  ['a new day', { interval: 'daily' }, 1, clock('2026-03-09T23:59:59Z'), true],
  ['the same day', { interval: 'daily' }, 1, clock('2026-03-10T00:00:00Z'), false],
  ['a new week, on Monday', { interval: 'weekly' }, 1, clock('2026-03-08T23:00:00Z'), true],
  ['the same week', { interval: 'weekly' }, 1, clock('2026-03-09T00:00:00Z'), false],
  ['a new month', { interval: 'monthly' }, 1, clock('2026-02-28T10:00:00Z'), true],
  ['the same month', { interval: 'monthly' }, 1, clock('2026-03-01T00:00:00Z'), false],
  ['the same month of another year', { interval: 'monthly' }, 1, clock('2025-03-10T12:00:00Z'), true],
  ['a new year', { interval: 'yearly' }, 1, clock('2025-12-31T23:59:59Z'), true],
  ['a new hour', { interval: 'hourly' }, 1, clock('2026-03-10T11:59:59Z'), true],
  ['the same hour', { interval: 'hourly' }, 1, clock('2026-03-10T12:00:00Z'), false],
  ['a duration that is over', { interval: 3_600_000 }, 1, clock('2026-03-10T11:00:00Z'), true],
  ['a duration that is not', { interval: 3_600_000 }, 1, clock('2026-03-10T11:00:01Z'), false],
  ['a log never seen before', { interval: 'daily' }, 1, undefined, false],
  ['an empty log', { interval: 'daily', size: 0 }, 0, clock('2026-01-01T00:00:00Z'), false],
  [
    'an empty log that may be rotated',
    { interval: 'daily', notIfEmpty: false },
    0,
    clock('2026-01-01T00:00:00Z'),
    true,
  ],
  ['a small log', { interval: 'daily', minSize: 10 }, 9, clock('2026-01-01T00:00:00Z'), false],
  [
    'a small log over its size',
    { interval: 'daily', minSize: 10, size: 5 },
    9,
    clock('2026-01-01T00:00:00Z'),
    true,
  ],
  ['a clock set back by an hour', { interval: 'hourly' }, 1, clock('2026-03-10T13:00:00Z'), false],
  ['a clock set back by a year', { interval: 'daily' }, 1, clock('2027-03-10T12:00:00Z'), true],
]

test.each(table)('judgeDue() on %s', (_, rule, size, since, expected) => {
  const reason = judgeDue({ notIfEmpty: true, ...rule }, size, since, NOW, 'UTC')
  expect(reason !== undefined).toBe(expected)
})

test('judgeDue() follows the time zone', () => {
  const rule: DueRule = { interval: 'daily', notIfEmpty: true }
  const since = clock('2026-03-10T22:30:00Z')
  const now = time('2026-03-10T23:30:00Z')
  expect(judgeDue(rule, 1, since, now, 'UTC')).toBeUndefined()
  expect(judgeDue(rule, 1, since, now, 'Europe/Vienna')).toContain('2026-03-11')
})

test('periodOf() tells the two hours apart that the end of summer time repeats', () => {
  const first = periodOf('hourly', time('2026-10-25T00:30:00Z'), 'Europe/Vienna')
  const second = periodOf('hourly', time('2026-10-25T01:30:00Z'), 'Europe/Vienna')
  expect(first).toContain('02:00')
  expect(second).toContain('02:00')
  expect(first).not.toBe(second)
})

test('periodOf() names a week by its Monday, over the end of a year', () => {
  expect(periodOf('weekly', time('2027-01-01T12:00:00Z'), 'UTC')).toBe('2026-12-28')
  expect(periodOf('weekly', time('2026-12-28T00:00:00Z'), 'UTC')).toBe('2026-12-28')
  expect(periodOf('weekly', time('2027-01-04T00:00:00Z'), 'UTC')).toBe('2027-01-04')
})
