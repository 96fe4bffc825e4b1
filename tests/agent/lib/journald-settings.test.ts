import { expect, test } from 'bun:test'
import { parseJournald, parseTimeSpan } from '../../../agent/lib/journald-settings.ts'

const DAY_MS = 86_400_000

test.each([
  ['90day', 90 * DAY_MS],
  ['1week 2d', 9 * DAY_MS],
  ['3600', 3_600_000],
  ['2 weeks', 14 * DAY_MS],
  ['1h30min', 5_400_000],
  ['0', 0],
  ['soon', undefined],
  ['3 parsecs', undefined],
])('parseTimeSpan(%p)', (text, expected) => expect(parseTimeSpan(text)).toBe(expected))

test('parseJournald() takes the last word, of its own section only', () => {
  const main =
    '# Storage=none\n[Journal]\nStorage=persistent\nSystemMaxUse=500M\nMaxRetentionSec=1month\n[Other]\nStorage=none\n'
  expect(parseJournald([main, '[Journal]\nSystemMaxUse=2G\n'])).toMatchObject({
    storage: 'persistent',
    maxUseBytes: 2 * 1024 ** 3,
  })
  expect(parseJournald([])).toEqual({ storage: 'auto', maxUseBytes: undefined, maxRetentionMs: 0 })
})
