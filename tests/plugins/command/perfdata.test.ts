import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { baseUnit, toMetrics } from '../../../plugins/command/metrics.ts'
import {
  type PerformanceDatum,
  parsePerfdata,
  parseRange,
  type Range,
} from '../../../plugins/command/perfdata.ts'

const datum = (
  label: string,
  value: number | null,
  more: Partial<PerformanceDatum> = {},
): PerformanceDatum => ({
  label,
  value,
  unit: '',
  warning: undefined,
  critical: undefined,
  min: undefined,
  max: undefined,
  ...more,
})
const outside = (low: number, high: number): Range => ({ low, high, inside: false })

test.each<[string, PerformanceDatum[]]>([
  ['', []],
  ['load1=0.5', [datum('load1', 0.5)]],
  ['  a=1   b=2\n\tc=3 ', [datum('a', 1), datum('b', 2), datum('c', 3)]],
  [
    '/=2643MB;5948;5958;0;5968',
    [
      datum('/', 2643, {
        unit: 'MB',
        warning: outside(0, 5948),
        critical: outside(0, 5958),
        min: 0,
        max: 5968,
      }),
    ],
  ],
  ["'C:\\ used space'=10%;;90", [datum('C:\\ used space', 10, { unit: '%', critical: outside(0, 90) })]],
  ["'it''s = here'=1", [datum("it's = here", 1)]],
  ["''''=1", [datum("'", 1)]],
  [
    'rta=12.445000ms;100.000000;200.000000;0.000000',
    [datum('rta', 12.445, { unit: 'ms', warning: outside(0, 100), critical: outside(0, 200), min: 0 })],
  ],
  [
    't=-4.5;~:10;@1:2',
    [
      datum('t', -4.5, {
        warning: outside(Number.NEGATIVE_INFINITY, 10),
        critical: { low: 1, high: 2, inside: true },
      }),
    ],
  ],
  [
    'x=.5 y=5. z=1e3 n=1.5E-2s',
    [datum('x', 0.5), datum('y', 5), datum('z', 1000), datum('n', 0.015, { unit: 's' })],
  ],
  ['u=U;1;2', [datum('u', null, { warning: outside(0, 1), critical: outside(0, 2) })]],
  ['sent=12c;;;;', [datum('sent', 12, { unit: 'c' })]],
  ['trailing=1;;;;;', [datum('trailing', 1)]],
])('parsePerfdata() reads %p', (text, expected) => {
  expect(parsePerfdata(text)).toEqual({ data: expected, rejected: [] })
})

test.each([
  ['word', ['word']],
  ['=5', ['=5']],
  ['a=', ['a=']],
  ['a=1,5', ['a=1,5']],
  ['a=five', ['a=five']],
  ['a=1.2.3', ['a=1.2.3']],
  ['a=1m3', ['a=1m3']],
  ['a=1;2;3;4;5;6', ['a=1;2;3;4;5;6']],
  ['a=1e999', ['a=1e999']],
  ["'open=1", ["'open=1"]],
  ["''=1", ["''=1"]],
  ['U=NaN', ['U=NaN']],
])('parsePerfdata() rejects %p without guessing', (text, rejected) => {
  expect(parsePerfdata(text)).toEqual({ data: [], rejected })
})

test('parsePerfdata() keeps the value where only a threshold is wrong, and what comes after a wrong piece', () => {
  expect(parsePerfdata('a=1;high;20:10;x;5 oops b=2')).toEqual({
    data: [datum('a', 1, { max: 5 }), datum('b', 2)],
    rejected: ['a: high', 'a: 20:10', 'a: x', 'oops'],
  })
})

test('parsePerfdata() keeps the first of two with one label', () => {
  expect(parsePerfdata('a=1 a=2')).toEqual({ data: [datum('a', 1)], rejected: ['a=2'] })
})

test.each<[string, Range | undefined]>([
  ['10', outside(0, 10)],
  ['10:', outside(10, Number.POSITIVE_INFINITY)],
  ['~:10', outside(Number.NEGATIVE_INFINITY, 10)],
  ['10:20', outside(10, 20)],
  ['-20:-10', outside(-20, -10)],
  [':10', outside(0, 10)],
  ['@10:20', { low: 10, high: 20, inside: true }],
  ['@10', { low: 0, high: 10, inside: true }],
  ['10:10', outside(10, 10)],
  ['', undefined],
  ['@', undefined],
  ['~', undefined],
  ['20:10', undefined],
  ['-5', undefined],
  ['10:20:30', undefined],
  ['10%', undefined],
])('parseRange() reads %p', (text, expected) => {
  expect(parseRange(text)).toEqual(expected)
})

// + 0: no negative zero, which is equal but not the same.
const number = fc
  .oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  .map((value) => value + 0)
const range = fc
  .record({ a: fc.option(number), b: fc.option(number), inside: fc.boolean() })
  .map(({ a, b, inside }): Range => {
    const [low, high] = [a ?? Number.NEGATIVE_INFINITY, b ?? Number.POSITIVE_INFINITY]
    return { low: Math.min(low, high), high: Math.max(low, high), inside }
  })
const anyDatum = fc.record({
  label: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  value: fc.option(number),
  unit: fc.constantFrom('', 's', 'ms', '%', 'B', 'KiB', 'c', 'req/s', '°C'),
  warning: fc.option(range, { nil: undefined }),
  critical: fc.option(range, { nil: undefined }),
  min: fc.option(number, { nil: undefined }),
  max: fc.option(number, { nil: undefined }),
})

function write(data: PerformanceDatum[]): string {
  const bound = (value: number) => (Number.isFinite(value) ? String(value) : value < 0 ? '~' : '')
  const writeRange = (r: Range | undefined) =>
    r ? `${r.inside ? '@' : ''}${bound(r.low)}:${bound(r.high)}` : ''
  return data
    .map(({ label, value, unit, warning, critical, min, max }) => {
      const fields = [
        value === null ? 'U' : `${value}${unit}`,
        writeRange(warning),
        writeRange(critical),
        min ?? '',
        max ?? '',
      ]
      return `'${label.replaceAll("'", "''")}'=${fields.join(';')}`
    })
    .join(' ')
}

test('parsePerfdata() reads back whatever is written by the grammar', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyDatum, { selector: ({ label }) => label, maxLength: 10 }), (data) => {
      const expected = data.map((item) => ({ ...item, unit: item.value === null ? '' : item.unit }))
      expect(parsePerfdata(write(data))).toEqual({ data: expected, rejected: [] })
    }),
    { seed: 20260731, numRuns: 300 },
  )
})

test('parsePerfdata() ends on any text, and gives nothing but finite numbers', () => {
  const noise = fc.string({
    unit: fc.constantFrom("'", '=', ';', ' ', '|', '1', '.', '-', 'e', '@', '~', ':', 'U', 'a', '\n'),
  })
  fc.assert(
    fc.property(noise, (text) => {
      for (const metric of toMetrics('x', parsePerfdata(text)))
        expect(Number.isFinite(metric.value)).toBe(true)
    }),
    { seed: 20260731, numRuns: 2000 },
  )
})

test('parsePerfdata() is not slowed down by a long line without sense', () => {
  const started = performance.now()
  for (const piece of ["'", "''", "'a''", 'a=1;', '1', '=']) parsePerfdata(piece.repeat(200_000))
  expect(performance.now() - started).toBeLessThan(2000)
})

test.each([
  ['s', '_seconds', 1],
  ['ms', '_seconds', 1e-3],
  ['us', '_seconds', 1e-6],
  ['B', '_bytes', 1],
  ['KB', '_bytes', 1000],
  ['kB', '_bytes', 1000],
  ['MiB', '_bytes', 1_048_576],
  ['TB', '_bytes', 1e12],
  ['Mb', '_bits', 1e6],
  ['%', '_ratio', 0.01],
  ['c', '', 1],
  ['toString', '', 1],
] as const)('baseUnit() of %s', (unit, suffix, factor) => {
  expect(baseUnit(unit)).toEqual({ suffix, factor })
})

test('toMetrics() gives base units, finite bounds and the unit that has no base unit', () => {
  const perfdata = parsePerfdata("rta=12ms;100;~:200 'used space'=50%;@80:90 sent=5c")
  const found = toMetrics('ping', perfdata).map(({ name, value, labels }) => [name, value, labels])
  const rta = { subject: 'ping', label: 'rta' }
  const used = { subject: 'ping', label: 'used space' }
  expect(found).toEqual([
    ['command_value_seconds', 0.012, rta],
    ['command_warning_low_seconds', 0, { ...rta, alert: 'outside' }],
    ['command_warning_high_seconds', 0.1, { ...rta, alert: 'outside' }],
    ['command_critical_high_seconds', 0.2, { ...rta, alert: 'outside' }],
    ['command_value_ratio', 0.5, used],
    ['command_warning_low_ratio', 0.8, { ...used, alert: 'inside' }],
    ['command_warning_high_ratio', 0.9, { ...used, alert: 'inside' }],
    ['command_value', 5, { subject: 'ping', label: 'sent', unit: 'c' }],
  ])
})
