/** @jsxImportSource hono/jsx */
import { expect, test } from 'bun:test'
import {
  absoluteTime,
  Datum,
  inWords,
  Literal,
  relativeTime,
  Time,
  toneOf,
} from '../../../agent/api/page/parts.tsx'
import { JOB_STATES } from '../../../agent/store/status.ts'
import { NOW } from './host.ts'

const SECOND = 1000
const HOUR = 3_600_000
const DAY = 24 * HOUR

test.each([
  [0, 'just now'],
  [-4 * SECOND, 'just now'],
  [-5 * SECOND, '5s ago'],
  [-90 * SECOND, '1m 30s ago'],
  [-HOUR - 29 * SECOND, '1h ago'],
  [-HOUR - 31 * SECOND, '1h 1m ago'],
  [-23 * HOUR - 59.9 * 60 * SECOND, '1d ago'],
  [-3 * DAY - HOUR, '3d 1h ago'],
  [7 * 60 * SECOND, 'in 7m'],
  [12 * DAY, 'in 12d'],
])('relativeTime() tells %d ms from now as %p', (distance, words) => {
  expect(relativeTime(NOW + distance, NOW)).toBe(words)
})

test('absoluteTime() tells UTC', () => {
  expect(absoluteTime(NOW)).toBe('2026-11-21 22:00:00 UTC')
})

test('Time tells what never was in words', () => {
  expect(String(<Time at={null} now={NOW} />)).toBe('<span class="none">never</span>')
  expect(String(<Time at={NOW - HOUR} now={NOW} />)).toBe(
    '<time datetime="2026-11-21T21:00:00.000Z" title="2026-11-21 21:00:00 UTC">1h ago</time>',
  )
})

test.each([
  ['lastProvenAt', 'Last proven'],
  ['credential-age', 'Credential age'],
  ['sizeBytes', 'Size'],
  ['bytes', 'Bytes'],
  ['At', 'At'],
  ['entries', 'Entries'],
])('inWords() tells %p as %p', (name, words) => {
  expect(inWords(name)).toBe(words)
})

test.each([
  ['provenAt', null, 'never'],
  ['issuer', null, 'unknown'],
  ['issuer', undefined, '–'],
  ['selfSigned', false, 'no'],
  ['ageMs', DAY, '1d'],
  ['sizeBytes', 2048, '2.0 KiB'],
  ['entries', 12, '12'],
  ['expiresAt', NOW + 12 * DAY, 'in 12d'],
  ['expiresAt', '2026-12-03T22:00:00Z', '2026-12-03'],
  ['expiresAt', 9e99, '9e+99'],
  ['name', '<b>', '&lt;b&gt;'],
])('Datum shows %p = %p as %p', (name, value, shown) => {
  expect(String(<Datum name={name} value={value} now={NOW} />)).toContain(shown)
})

test('Literal shows what cannot be seen', () => {
  expect(String(<Literal text={'a\n\u202eb\udcff'} />)).toBe(
    '<code class="literal">a\\x0a\\u202eb\\xff</code>',
  )
})

test('toneOf() is good for ok alone', () => {
  expect(JOB_STATES.filter((state) => toneOf(state) === 'good')).toEqual(['ok'])
})
