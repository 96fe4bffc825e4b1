import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type Candidate,
  isoWeek,
  planRetention,
  type RetentionPolicy,
} from '../../../plugins/backup/retention.ts'

const NOTHING: RetentionPolicy = { keepLast: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 }

/** Backups by the day on which they were made, in the order in which they were made. */
function made(...days: string[]): Candidate[] {
  return days.map((day) => ({ name: day, createdAt: new Date(day.includes('T') ? day : `${day}T03:00:00Z`) }))
}

const WEEK = [
  '2026-11-16',
  '2026-11-17',
  '2026-11-18',
  '2026-11-19',
  '2026-11-20',
  '2026-11-21',
  '2026-11-22',
  '2026-11-23',
]

test.each<[string, Partial<RetentionPolicy>, string[], string[]]>([
  ['the newest alone', {}, WEEK, WEEK.slice(0, 7)],
  ['the newest three', { keepLast: 3 }, WEEK, WEEK.slice(0, 5)],
  ['one of each of three days', { daily: 3 }, WEEK, WEEK.slice(0, 5)],
  ['one of each of two weeks', { weekly: 2 }, WEEK, WEEK.slice(0, 6)],
  ['more than there are', { keepLast: 50, yearly: 10 }, WEEK, []],
  [
    'the last of each day',
    { daily: 2 },
    ['2026-11-22T01:00:00Z', '2026-11-22T13:00:00Z', '2026-11-23T01:00:00Z', '2026-11-23T13:00:00Z'],
    ['2026-11-22T01:00:00Z', '2026-11-23T01:00:00Z'],
  ],
  [
    'months and years together',
    { monthly: 2, yearly: 2 },
    ['2024-12-31', '2025-06-01', '2025-12-31', '2026-10-01', '2026-10-31', '2026-11-23'],
    ['2024-12-31', '2025-06-01', '2026-10-01'],
  ],
])('planRetention() keeps %s', (_what, policy, days, removed) => {
  expect(planRetention(made(...days), { ...NOTHING, ...policy }).remove).toEqual(removed)
})

test('planRetention() tells why it keeps what it keeps', () => {
  const { keep } = planRetention(made('2026-10-31', '2026-11-22', '2026-11-23'), {
    ...NOTHING,
    daily: 2,
    monthly: 2,
  })
  expect(Object.fromEntries(keep)).toEqual({
    '2026-11-23': ['last', 'daily', 'monthly'],
    '2026-11-22': ['daily'],
    '2026-10-31': ['monthly'],
  })
})

test('planRetention() keeps the last one made when the clock once ran two years ahead', () => {
  const backups = made('2028-11-20', '2028-11-21', '2028-11-22', '2026-11-23')
  expect(planRetention(backups, { ...NOTHING, keepLast: 2 }).remove).toEqual(['2028-11-20', '2028-11-21'])
})

test('planRetention() of nothing is nothing', () => {
  expect(planRetention([], NOTHING)).toEqual({ keep: new Map(), remove: [] })
})

test('planRetention() never removes the last one, and keeps or removes each', () => {
  const backups = fc
    .uniqueArray(fc.integer({ min: 0, max: 4_000_000_000 }), { minLength: 1, maxLength: 60 })
    .map((seconds) => seconds.map((second) => ({ name: String(second), createdAt: new Date(second * 1000) })))
  const count = fc.integer({ min: 0, max: 6 })
  const policy = fc.record({ keepLast: count, daily: count, weekly: count, monthly: count, yearly: count })
  fc.assert(
    fc.property(backups, policy, (candidates, rules) => {
      const { keep, remove } = planRetention(candidates, rules)
      expect(keep.has(candidates.at(-1)?.name ?? '')).toBe(true)
      expect([...keep.keys(), ...remove].sort()).toEqual(candidates.map(({ name }) => name).sort())
      // What is kept stays kept when the same is asked again of what is left.
      const left = candidates.filter(({ name }) => keep.has(name))
      expect(planRetention(left, rules).remove).toEqual([])
    }),
    { seed: 4, numRuns: 300 },
  )
})

test.each([
  ['2026-01-01', '2026-W01'],
  ['2027-01-03', '2026-W53'],
  ['2027-01-04', '2027-W01'],
  ['2024-12-30', '2025-W01'],
  ['2026-11-23', '2026-W48'],
])('isoWeek() of %s is %s', (day, week) => {
  expect(isoWeek(new Date(`${day}T23:59:59Z`))).toBe(week)
})
