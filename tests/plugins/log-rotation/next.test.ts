import { expect, test } from 'bun:test'
import { DEFAULTS, type Settings } from '../../../plugins/log-rotation/logrotate/settings.ts'
import { nextOfBlock, nextOfSet } from '../../../plugins/log-rotation/next.ts'

const now = Date.parse('2026-06-10T15:30:00Z') // a Wednesday
const HOUR_MS = 3_600_000
const clock = { sinceMs: now - HOUR_MS, rotatedMs: null }
const at = (atMs: number | undefined) => (atMs === undefined ? undefined : new Date(atMs).toISOString())

test.each([
  ['daily', { interval: 'daily' as const }, 5, undefined, '2026-06-11T00:00:00.000Z'],
  ['weekly', { interval: 'weekly' as const }, 5, undefined, '2026-06-15T00:00:00.000Z'],
  ['monthly', { interval: 'monthly' as const }, 5, undefined, '2026-07-01T00:00:00.000Z'],
  ['yearly', { interval: 'yearly' as const }, 5, undefined, '2027-01-01T00:00:00.000Z'],
  ['a duration', { interval: 3 * HOUR_MS }, 5, undefined, '2026-06-10T17:30:00.000Z'],
  ['a size that is near', { size: 1000 }, 900, 2400, '2026-06-10T16:30:00.000Z'],
  [
    'a size that comes first',
    { interval: 'weekly' as const, size: 1000 },
    900,
    2400,
    '2026-06-10T16:30:00.000Z',
  ],
  ['a size of unknown growth', { size: 1000 }, 900, undefined, undefined],
  ['an empty log', { interval: 'daily' as const }, 0, undefined, undefined],
  ['what is due', { size: 10 }, 10, undefined, '2026-06-10T15:30:00.000Z'],
])('nextOfSet() of %s', (_, rule, size, growth, expected) => {
  expect(at(nextOfSet({ notIfEmpty: true, ...rule }, size, clock, growth, now, 'UTC').atMs)).toBe(expected)
})

test('nextOfSet() begins days where the time zone does', () => {
  const next = nextOfSet({ interval: 'daily', notIfEmpty: true }, 5, clock, undefined, now, 'Asia/Kathmandu')
  expect(at(next.atMs)).toBe('2026-06-10T18:15:00.000Z')
})

const settings = (some: Partial<Settings>): Settings => ({ ...DEFAULTS, ...some })
const local = (text: string) => new Date(text)

test.each([
  ['daily', { criterion: { kind: 'daily' } }, 5, undefined, '2026-06-11T00:00'],
  ['monthly', { criterion: { kind: 'monthly' } }, 5, undefined, '2026-07-01T00:00'],
  ['weekly', { criterion: { kind: 'weekly', weekday: 0 } }, 5, undefined, '2026-06-14T00:00'],
  ['maxsize', { criterion: { kind: 'monthly' }, maxSizeBytes: 1000 }, 900, 2400, '2026-06-10T16:30'],
  ['size', { criterion: { kind: 'size', bytes: 1000 } }, 900, undefined, undefined],
] satisfies [string, Partial<Settings>, number, number | undefined, string | undefined][])(
  'nextOfBlock() of %s',
  (_, some, size, growth, expected) => {
    const today = local('2026-06-10T15:30')
    const rotated = local('2026-06-10T14:30')
    const next = nextOfBlock(settings(some), size, today.getTime(), rotated, growth, today.getTime())
    expect(next.atMs).toBe(expected === undefined ? undefined : local(expected).getTime())
  },
)
