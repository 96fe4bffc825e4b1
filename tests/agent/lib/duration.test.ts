import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatDuration, parseDuration } from '../../../agent/lib/duration.ts'

const durations: [text: string, milliseconds: number | undefined][] = [
  ['90d', 90 * 86_400_000],
  ['1w', 7 * 86_400_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['0s', 0],
  ['1m1ms', 60_001],
  ['2h2h', 14_400_000],
  ['', undefined],
  ['90', undefined],
  ['-1d', undefined],
  ['1.5h', undefined],
  ['1 h', undefined],
  ['1H', undefined],
  ['1y', undefined],
  ['99999999999999999999d', undefined],
]
for (const [text, milliseconds] of durations) {
  test(`parseDuration() of "${text}" is ${milliseconds}`, () =>
    expect(parseDuration(text)).toBe(milliseconds))
}

const shown: [milliseconds: number, text: string][] = [
  [0, '0ms'],
  [850.4, '850ms'],
  [999.6, '1000ms'],
  [1000, '1s'],
  [59_999, '1m'],
  [725_000, '12m 5s'],
  [3_600_000, '1h'],
  [273_600_000, '3d 4h'],
  [86_400_000 + 59_000, '1d 59s'],
]
for (const [milliseconds, text] of shown) {
  test(`formatDuration() of ${milliseconds} is "${text}"`, () =>
    expect(formatDuration(milliseconds)).toBe(text))
}

test('parseDuration() reads what formatDuration() shows of whole seconds, as far as it is shown', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400 * 400 }), (seconds) => {
      const back = parseDuration(formatDuration(seconds * 1000).replaceAll(' ', '')) ?? -1
      expect(back).toBeLessThanOrEqual(seconds * 1000)
      expect(back).toBeGreaterThan(seconds * 1000 * 0.95 - 60_000)
    }),
    { seed: 20260306, numRuns: 300 },
  )
})
