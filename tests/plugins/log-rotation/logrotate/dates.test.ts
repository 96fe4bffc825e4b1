import { expect, test } from 'bun:test'
import { dateExtension } from '../../../../plugins/log-rotation/logrotate/date-extension.ts'
import { sortByDate } from '../../../../plugins/log-rotation/logrotate/date-order.ts'
import { decide } from '../../../../plugins/log-rotation/logrotate/decide.ts'
import { DEFAULTS, type Settings } from '../../../../plugins/log-rotation/logrotate/settings.ts'
import { bucketsFor, formatState, inBuckets } from '../../../../plugins/log-rotation/logrotate/state.ts'

const LETTERS = ['Y', 'y', 'G', 'g', 'm', 'd', 'H', 'M', 'S', 'V', 'U', 'W', 'u', 'w', 'j', 's', 'z']

test('dateExtension() fills in what date(1) fills in, on days where weeks and years part', () => {
  const days = [
    '2024-02-29',
    '2024-12-30',
    '2025-12-29',
    '2026-01-01',
    '2026-11-02',
    '2027-01-03',
    '2028-12-31',
  ]
  for (const day of days) {
    const at = new Date(`${day}T05:06:07`)
    const format = LETTERS.map((letter) => `%${letter}`).join(' ')
    const real = Bun.spawnSync(['date', '-d', `@${at.getTime() / 1000}`, `+${format}`])
    const ours = LETTERS.map((letter) => dateExtension(`%${letter}`, at).text).join(' ')
    expect(ours).toBe(String(real.stdout).trimEnd())
  }
})

test('dateExtension() leaves what it does not know, and refuses what is too long or nothing', () => {
  const at = new Date(2026, 10, 22)
  expect(dateExtension('-%Q%%', at)).toEqual({ text: '-%Q%%', pattern: '-%Q%%', format: '-%%Q%%%%' })
  expect(dateExtension('  .%d', at).text).toBe('.22')
  expect(() => dateExtension('%s%s%s', at)).toThrow('Date format %s%s%s is too long')
  expect(() => dateExtension(`-${'a'.repeat(63)}`, at)).toThrow('failed to apply date format')
  expect(() => dateExtension('', at)).toThrow('failed to apply date format')
})

test.each([
  ['-%d-%m-%Y', ['-03-02-2026', '-30-01-2026', '-01-12-2025'], ['-01-12-2025', '-30-01-2026', '-03-02-2026']],
  ['.%y%j', ['.26010', '.25365', '.26002'], ['.25365', '.26002', '.26010']],
  ['-%s', ['-1700000002', '-1700000001'], ['-1700000001', '-1700000002']],
  ['-%W.%w.%Y', ['-02.1.2026', '-01.5.2026', '-51.0.2025'], ['-51.0.2025', '-01.5.2026', '-02.1.2026']],
])('sortByDate() of "%s" puts the oldest first', (format, names, expected) => {
  expect(sortByDate(names, 0, format)).toEqual(expected)
})

const NOW = new Date(2026, 10, 22, 10, 30)
const log = { sizeBytes: 100, modifiedAt: NOW }

test.each<[string, Partial<Settings>, Date, boolean]>([
  ['daily on the same day', { criterion: { kind: 'daily' } }, new Date(2026, 10, 22, 1), false],
  ['daily on the day before', { criterion: { kind: 'daily' } }, new Date(2026, 10, 21, 23, 59), true],
  ['hourly in the same hour', { criterion: { kind: 'hourly' } }, new Date(2026, 10, 22, 10, 1), false],
  ['hourly in the hour before', { criterion: { kind: 'hourly' } }, new Date(2026, 10, 22, 9, 59), true],
  [
    'hourly a day before at the same hour',
    { criterion: { kind: 'hourly' } },
    new Date(2026, 10, 21, 10),
    true,
  ],
  ['weekly on its day', { criterion: { kind: 'weekly', weekday: 0 } }, new Date(2026, 10, 21), true],
  ['weekly on another day', { criterion: { kind: 'weekly', weekday: 1 } }, new Date(2026, 10, 21), false],
  [
    'weekly after seven days',
    { criterion: { kind: 'weekly', weekday: 1 } },
    new Date(2026, 10, 15, 23),
    true,
  ],
  ['weekly 7 after six', { criterion: { kind: 'weekly', weekday: 7 } }, new Date(2026, 10, 16, 1), false],
  ['monthly over a year end', { criterion: { kind: 'monthly' } }, new Date(2025, 10, 22), true],
  ['monthly in the same month', { criterion: { kind: 'monthly' } }, new Date(2026, 10, 1), false],
  ['yearly', { criterion: { kind: 'yearly' } }, new Date(2026, 0, 1), false],
  [
    'yearly on the last day of the year before',
    { criterion: { kind: 'yearly' } },
    new Date(2025, 11, 31),
    true,
  ],
  [
    'minutes in the same hour',
    { criterion: { kind: 'minutes', count: 20 } },
    new Date(2026, 10, 22, 10, 10),
    true,
  ],
  ['minutes too early', { criterion: { kind: 'minutes', count: 21 } }, new Date(2026, 10, 22, 10, 10), false],
  ['size reached', { criterion: { kind: 'size', bytes: 100 } }, NOW, true],
  ['size not reached', { criterion: { kind: 'size', bytes: 101 } }, NOW, false],
  ['maxsize before its time', { criterion: { kind: 'daily' }, maxSizeBytes: 99 }, NOW, true],
  [
    'minsize after its time',
    { criterion: { kind: 'daily' }, minSizeBytes: 101 },
    new Date(2020, 1, 1),
    false,
  ],
  ['minage of a fresh log', { criterion: { kind: 'daily' }, minAgeDays: 1 }, new Date(2020, 1, 1), false],
  ['the future', { criterion: { kind: 'yearly' } }, new Date(2027, 1, 1), true],
  ['an empty log', { criterion: { kind: 'size', bytes: 0 }, ifEmpty: true }, NOW, true],
])('decide() of %s', (_, settings, rotatedAt, expected) => {
  expect(decide({ ...DEFAULTS, ...settings }, log, rotatedAt, NOW, false).rotate).toBe(expected)
})

test('decide() leaves an empty log, forced or not, with notifempty', () => {
  const settings = { ...DEFAULTS, ifEmpty: false }
  const decision = decide(settings, { ...log, sizeBytes: 0 }, NOW, NOW, true)
  expect(decision).toEqual({ rotate: false, reasons: ['log is empty'], isFromFuture: false })
})

test('inBuckets() gives the order of logrotate: by bucket, the later first', () => {
  // 13 × "a" + "b" and 13 × "b" + "U" are the same modulo 64.
  const entries = new Map(['ab', 'bU', 'a'].map((name) => [name, new Date(2026, 0, 2, 3, 4, 5)]))
  const order = inBuckets(entries, 64, (name) => Buffer.from(name))
  expect(order.map(([name]) => name)).toEqual(['bU', 'ab', 'a'])
  expect(formatState(order.slice(2))).toBe('logrotate state -- version 2\n"a" 2026-1-2-3:4:5\n')
  expect([0, 1_024_000, 1_040_000, 1e9].map(bucketsFor)).toEqual([64, 64, 65, 8192])
})
