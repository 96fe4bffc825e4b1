import { expect, test } from 'bun:test'
import { timeOfLine, timeOfNumber } from '../../../plugins/log-review/timestamp.ts'

const ESCAPE = String.fromCharCode(27)
const NOW = Date.parse('2026-11-22T06:00:00Z')
const local = (...fields: [number, number, number, number, number, number, number?]) =>
  new Date(...fields).getTime()

test.each<[string, number | undefined]>([
  ['2026-11-22T05:35:44Z message', Date.parse('2026-11-22T05:35:44Z')],
  ['2026-11-22T05:35:44.123456+01:00 host sshd[1]: x', Date.parse('2026-11-22T04:35:44.123Z')],
  ['2026-11-22 05:35:44.123 UTC [12] LOG:  x', Date.parse('2026-11-22T05:35:44.123Z')],
  ['2026-11-22 05:35:44,123 INFO x', local(2026, 10, 22, 5, 35, 44, 123)],
  ['2026/11/22 05:35:44 [error] 1#1: x', local(2026, 10, 22, 5, 35, 44)],
  ['[2026-11-22 05:35:44] x', local(2026, 10, 22, 5, 35, 44)],
  ['Nov 22 05:35:44 host sshd[1]: x', local(2026, 10, 22, 5, 35, 44)],
  ['Nov  2 05:35:44 host sshd[1]: x', local(2026, 10, 2, 5, 35, 44)],
  ['<34>Nov 22 05:35:44 host x', local(2026, 10, 22, 5, 35, 44)],
  // Without a year: the last one, not one to come.
  ['Dec 31 23:59:59 host x', local(2025, 11, 31, 23, 59, 59)],
  ['1.2.3.4 - - [22/Nov/2026:05:35:44 +0200] "GET / HTTP/1.1" 200 1', Date.parse('2026-11-22T03:35:44Z')],
  ['::1 - kim smith [22/Nov/2026:05:35:44 +0000] "GET"', Date.parse('2026-11-22T05:35:44Z')],
  ['812:M 22 Nov 2026 05:35:44.123 * Ready', local(2026, 10, 22, 5, 35, 44, 123)],
  ['1795325744.5 message', 1795325744500],
  ['1795325744123 message', 1795325744123],
  ['time="2026-11-22T05:35:44Z" level=info', Date.parse('2026-11-22T05:35:44Z')],
  ['level=info ts=2026-11-22T05:35:44Z msg=x', Date.parse('2026-11-22T05:35:44Z')],
  [`${ESCAPE}[2m2026-11-22T05:35:44.5Z${ESCAPE}[0m INFO x`, Date.parse('2026-11-22T05:35:44.5Z')],
  ['level=info ts=1', undefined],
  ['    at something (file.js:1:2)', undefined],
  ['Traceback (most recent call last):', undefined],
  ['2026-13-22T05:35:44Z', undefined],
  ['12345 messages', undefined],
  ['', undefined],
])('timeOfLine(%p)', (line, time) => {
  expect(timeOfLine(line, NOW)).toBe(time as number)
})

test.each<[number, number | undefined]>([
  [1795325744, 1795325744000],
  [1795325744.25, 1795325744250],
  [1795325744123, 1795325744123],
  [1795325744123456, 1795325744123],
  [Number(1795325744123456789n), 1795325744123],
  [42, undefined],
])('timeOfNumber(%p)', (value, time) => expect(timeOfNumber(value)).toBe(time as number))
