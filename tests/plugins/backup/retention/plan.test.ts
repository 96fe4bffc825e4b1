import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { RetentionPolicy } from '../../../../plugins/backup/destination/config.ts'
import { type Candidate, isoWeek, planRetention, whyHeld } from '../../../../plugins/backup/retention/plan.ts'

const NOTHING: RetentionPolicy = { keepLast: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 }

const NOW = new Date('2026-11-23T14:00:00Z')
const LATER = new Date(5_000_000_000_000)

/** Backups by the day on which they were made, in the order in which they were made. */
function made(...days: string[]): Candidate[] {
  return days.map((day) => ({
    name: day,
    createdAt: new Date(day.includes('T') ? day : `${day}T03:00:00Z`),
    parent: null,
  }))
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
  expect(planRetention(made(...days), { ...NOTHING, ...policy }, NOW).remove).toEqual(removed)
})

test('planRetention() tells why it keeps what it keeps', () => {
  const policy = { ...NOTHING, daily: 2, monthly: 2 }
  const { keep } = planRetention(made('2026-10-31', '2026-11-22', '2026-11-23'), policy, NOW)
  expect(Object.fromEntries(keep)).toEqual({
    '2026-11-23': ['last', 'daily', 'monthly'],
    '2026-11-22': ['daily'],
    '2026-10-31': ['monthly'],
  })
})

test('planRetention() keeps the last one made when the clock once ran two years ahead', () => {
  const backups = made('2028-11-20', '2028-11-21', '2028-11-22', '2026-11-23')
  expect(planRetention(backups, { ...NOTHING, keepLast: 2 }, NOW).remove).toEqual([
    '2028-11-20',
    '2028-11-21',
  ])
})

test('planRetention() of nothing is nothing', () => {
  expect(planRetention([], NOTHING, NOW)).toEqual({ keep: new Map(), remove: [] })
})

test('planRetention() never removes the last one, and keeps or removes each', () => {
  const backups = fc
    .uniqueArray(fc.integer({ min: 0, max: 4_000_000_000 }), { minLength: 1, maxLength: 60 })
    .map((seconds) =>
      seconds.map((second) => ({ name: String(second), createdAt: new Date(second * 1000), parent: null })),
    )
  const count = fc.integer({ min: 0, max: 6 })
  const policy = fc.record({
    keepLast: count,
    hourly: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
  })
  fc.assert(
    fc.property(backups, policy, (candidates, rules) => {
      const { keep, remove } = planRetention(candidates, rules, LATER)
      expect(keep.has(candidates.at(-1)?.name ?? '')).toBe(true)
      expect([...keep.keys(), ...remove].sort()).toEqual(candidates.map(({ name }) => name).sort())
      // What is kept stays kept when the same is asked again of what is left.
      const left = candidates.filter(({ name }) => keep.has(name))
      expect(planRetention(left, rules, LATER).remove).toEqual([])
    }),
    { seed: 4, numRuns: 300 },
  )
})

test('planRetention() gives no place of the calendar to what a wrong clock has dated into the future', () => {
  const backups = made('2024-11-23', '2025-11-23', '2028-11-22', '2026-11-22', '2026-11-23')
  const { keep, remove } = planRetention(backups, { ...NOTHING, yearly: 3 }, NOW)
  expect([...keep.keys()]).toEqual(['2026-11-23', '2025-11-23', '2024-11-23'])
  expect(remove).toEqual(['2028-11-22', '2026-11-22'])
})

test('planRetention() keeps what a kept backup builds upon', () => {
  const chain = made('2026-11-20', '2026-11-21', '2026-11-22', '2026-11-23').map((backup, index, all) => ({
    ...backup,
    parent: index === 0 ? null : (all[index - 1]?.name ?? null),
  }))
  const { keep, remove } = planRetention(chain, NOTHING, NOW)
  expect(remove).toEqual([])
  expect(keep.get('2026-11-20')).toEqual(['needed'])
  const [full, ...changes] = chain
  const renewed = [full, ...changes, ...made('2026-11-23T12:00:00Z')].filter((one) => one !== undefined)
  expect(planRetention(renewed, NOTHING, NOW).remove).toEqual(WEEK.slice(4))
})

test('planRetention() never keeps a backup without all that it builds upon', () => {
  const backups = fc.array(fc.tuple(fc.integer({ min: 0, max: 90 }), fc.boolean()), {
    minLength: 1,
    maxLength: 40,
  })
  const count = fc.integer({ min: 0, max: 4 })
  fc.assert(
    fc.property(backups, count, count, (steps, daily, weekly) => {
      const chain = steps.map(([days, isFull], index) => ({
        name: String(index),
        createdAt: new Date(NOW.getTime() + (index - days) * 86_400_000),
        parent: isFull || index === 0 ? null : String(index - 1),
      }))
      const { keep } = planRetention(chain, { ...NOTHING, daily, weekly }, NOW)
      for (const { name, parent } of chain) {
        if (keep.has(name) && parent !== null) expect(keep.has(parent)).toBe(true)
      }
    }),
    { seed: 4, numRuns: 200 },
  )
})

const DAY_MS = 86_400_000
test.each<[string, string[], string | undefined]>([
  ['one after the other', WEEK, undefined],
  ['a single one', ['2026-11-23'], undefined],
  ['a clock that went back', ['2028-11-22', '2026-11-22', '2026-11-23'], 'went back'],
  ['a clock that went on by two years', ['2026-11-22', '2028-11-22'], 'went on'],
  ['a clock that is right again', ['2028-11-22', ...WEEK], undefined],
  ['a minute back', ['2026-11-22T03:00:00Z', '2026-11-22T02:59:00Z'], undefined],
])('whyHeld() of %s', (_what, days, reason) => {
  const held = whyHeld(made(...days), DAY_MS)
  if (reason === undefined) expect(held).toBeUndefined()
  else expect(held).toContain(reason)
})

test('whyHeld() takes the pauses of a job that rarely runs for what they are', () => {
  const quarters = made('2026-01-01', '2026-04-01', '2026-07-01')
  expect(whyHeld(quarters, 90 * DAY_MS)).toBeUndefined()
  expect(whyHeld(quarters, DAY_MS)).toContain('went on')
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
