import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Job } from '../../../agent/engine/job.ts'
import { expectedAfter, missedCount, nextTime, previousTime } from '../../../agent/engine/schedule.ts'

const VIENNA = 'Europe/Vienna'
const at = (text: string) => Date.parse(text)
const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString())

// In Vienna clocks go from 02:00 to 03:00 on 2026-03-29 (at 01:00 UTC), and from 03:00 to 02:00 on 2026-10-25.
const next: [schedule: string, zone: string, now: string, expected: string | null][] = [
  ['*/15 * * * *', 'UTC', '2026-03-10T12:00:00Z', '2026-03-10T12:15:00.000Z'],
  ['*/15 * * * *', 'UTC', '2026-03-10T12:14:59.999Z', '2026-03-10T12:15:00.000Z'],
  ['* * * * * *', 'UTC', '2026-03-10T12:00:00.500Z', '2026-03-10T12:00:01.000Z'],
  ['@daily', VIENNA, '2026-01-10T12:00:00Z', '2026-01-10T23:00:00.000Z'],
  ['@daily', VIENNA, '2026-07-10T12:00:00Z', '2026-07-10T22:00:00.000Z'],
  ['0 9 * * *', 'Asia/Kathmandu', '2026-03-10T00:00:00Z', '2026-03-10T03:15:00.000Z'],
  ['0 0 29 2 *', 'UTC', '2026-03-10T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ['0 0 31 2 *', 'UTC', '2026-03-10T00:00:00Z', null],
  // Spring: the day has no 02:30; it starts when clocks are changed.
  ['30 1 * * *', VIENNA, '2026-03-28T12:00:00Z', '2026-03-29T00:30:00.000Z'],
  ['30 2 * * *', VIENNA, '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
  ['30 3 * * *', VIENNA, '2026-03-28T12:00:00Z', '2026-03-29T01:30:00.000Z'],
  ['0 * * * *', VIENNA, '2026-03-29T00:30:00Z', '2026-03-29T01:00:00.000Z'],
  // Autumn: the day has 02:30 twice, at 00:30 and at 01:30 UTC.
  ['30 2 * * *', VIENNA, '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
  ['30 3 * * *', VIENNA, '2026-10-24T12:00:00Z', '2026-10-25T02:30:00.000Z'],
]
for (const [schedule, zone, now, expected] of next) {
  test(`nextTime() of "${schedule}" in ${zone} is ${expected} when it is ${now}`, () => {
    expect(iso(nextTime(schedule, zone, at(now)))).toBe(expected)
  })
}

test('nextTime() starts a daily job once on each day on which clocks are changed', () => {
  for (const day of ['2026-03-29', '2026-10-25']) {
    for (const schedule of ['30 2 * * *', '0 2 * * *', '0 3 * * *', '15 1 * * *']) {
      const starts: string[] = []
      const end = at(`${day}T22:00:00Z`)
      let time = nextTime(schedule, VIENNA, at(`${day}T00:00:00Z`) - 2 * 3_600_000)
      while (time !== null && time < end) {
        starts.push(iso(time) ?? '')
        time = nextTime(schedule, VIENNA, time)
      }
      expect({ day, schedule, starts: starts.length }).toEqual({ day, schedule, starts: 1 })
    }
  }
})

const previous: [schedule: string, zone: string, now: string, expected: string][] = [
  ['*/15 * * * *', 'UTC', '2026-03-10T12:15:00Z', '2026-03-10T12:15:00.000Z'],
  ['*/15 * * * *', 'UTC', '2026-03-10T12:14:59.999Z', '2026-03-10T12:00:00.000Z'],
  ['@hourly', 'UTC', '2026-03-10T00:00:00Z', '2026-03-10T00:00:00.000Z'],
  ['30 3 * * *', VIENNA, '2026-03-29T12:00:00Z', '2026-03-29T01:30:00.000Z'],
  ['30 3 * * *', VIENNA, '2026-10-25T12:00:00Z', '2026-10-25T02:30:00.000Z'],
  ['0 0 1 1 *', VIENNA, '2026-03-10T12:00:00Z', '2025-12-31T23:00:00.000Z'],
]
for (const [schedule, zone, now, expected] of previous) {
  test(`previousTime() of "${schedule}" in ${zone} is ${expected} when it is ${now}`, () => {
    expect(iso(previousTime(schedule, zone, at(now)))).toBe(expected)
  })
}

const missed: [schedule: string, since: string, now: string, expected: number][] = [
  ['0 * * * *', '2026-03-10T12:00:00Z', '2026-03-10T12:30:00Z', 0],
  ['0 * * * *', '2026-03-10T12:00:00Z', '2026-03-10T13:00:00Z', 1],
  ['0 * * * *', '2026-03-10T11:59:59Z', '2026-03-10T15:10:00Z', 4],
  ['@yearly', '2020-06-01T00:00:00Z', '2026-06-01T00:00:00Z', 6],
  ['* * * * * *', '2026-01-01T00:00:00Z', '2026-03-10T00:00:00Z', 100],
]
for (const [schedule, since, now, expected] of missed) {
  test(`missedCount() of "${schedule}" is ${expected} from ${since} to ${now}`, () => {
    expect(missedCount(schedule, 'UTC', at(since), at(now))).toBe(expected)
  })
}

const changes = ['2026-03-28T00:00:00Z', '2026-10-24T00:00:00Z', '2026-03-10T00:00:00Z'].map(at)
const schedules = [
  '*/15 * * * *',
  '30 2 * * *',
  '0 2 * * *',
  '0 3 * * 0',
  '@hourly',
  '*/7 1-3 * * *',
  '15 2 29 * *',
]

test('previousTime() names no time at which a job does not start, so that none is late without a reason', () => {
  const when = fc.tuple(fc.constantFrom(...changes), fc.integer({ min: 0, max: 3 * 86_400_000 }))
  fc.assert(
    fc.property(fc.constantFrom(...schedules), when, (schedule, [start, offset]) => {
      const now = start + offset
      const previous = previousTime(schedule, VIENNA, now)
      const started = nextTime(schedule, VIENNA, previous - 1) ?? Number.POSITIVE_INFINITY
      expect({ schedule, now: iso(now), previous: iso(previous), late: started > now }).toEqual({
        schedule,
        now: iso(now),
        previous: iso(previous),
        late: false,
      })
    }),
    { seed: 20260303, numRuns: 1000 },
  )
})

test('missedCount() agrees with the times at which a job starts', () => {
  for (const schedule of ['0,50 * * * *', '30 3 * * *', '0 3 * * 0', '@hourly']) {
    for (const from of changes) {
      const to = from + 2 * 86_400_000
      let count = 0
      for (let time = nextTime(schedule, VIENNA, from); time !== null && time <= to; count++) {
        time = nextTime(schedule, VIENNA, time)
      }
      expect({ schedule, from, count: missedCount(schedule, VIENNA, from, to) }).toEqual({
        schedule,
        from,
        count,
      })
    }
  }
})

function job(more: Partial<Job> = {}): Job {
  return {
    name: 'watch',
    plugin: { name: 'command', summary: '', file: null, canApply: false },
    schedule: '0 * * * *',
    timezone: 'UTC',
    mode: 'observe',
    timeoutMs: 60_000,
    jitterMs: 0,
    runOnStart: false,
    catchUp: true,
    enabled: true,
    sandbox: 'always',
    config: {},
    permissions: { check: {} },
    watch: null,
    refused: null,
    configDigest: '',
    ...more,
  }
}

const late: [name: string, job: Partial<Job>, watchedSince: string, now: string, expected: string | null][] =
  [
    [
      'its time is past its grace',
      {},
      '2026-03-10T00:00:00Z',
      '2026-03-10T12:02:00Z',
      '2026-03-10T12:00:00.000Z',
    ],
    [
      'its time is within its grace',
      {},
      '2026-03-10T00:00:00Z',
      '2026-03-10T12:01:59Z',
      '2026-03-10T11:00:00.000Z',
    ],
    [
      'its jitter goes on',
      { jitterMs: 600_000 },
      '2026-03-10T00:00:00Z',
      '2026-03-10T12:11:00Z',
      '2026-03-10T11:00:00.000Z',
    ],
    ['it is new', {}, '2026-03-10T12:00:00Z', '2026-03-10T12:30:00Z', null],
    [
      'it was new an hour ago',
      {},
      '2026-03-10T12:00:01Z',
      '2026-03-10T13:30:00Z',
      '2026-03-10T13:00:00.000Z',
    ],
    ['it runs only when asked to', { schedule: null }, '2026-03-10T00:00:00Z', '2026-03-10T12:30:00Z', null],
    ['it is disabled', { enabled: false }, '2026-03-10T00:00:00Z', '2026-03-10T12:30:00Z', null],
    ['it may not run', { refused: 'no' }, '2026-03-10T00:00:00Z', '2026-03-10T12:30:00Z', null],
  ]
for (const [name, more, watchedSince, now, expected] of late) {
  test(`expectedAfter() is ${expected} when ${name}`, () => {
    expect(iso(expectedAfter(job(more), at(watchedSince), at(now)))).toBe(expected)
  })
}
