import { expect, test } from 'bun:test'
import { appendFileSync, copyFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { judgeTimes, LineReview } from '../../../plugins/log-review/line-review.ts'
import plugin from '../../../plugins/log-review/plugin.ts'
import { type Position, readLines } from '../../../plugins/log-review/read-lines.ts'
import { readTail } from '../../../plugins/log-review/tail.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const NOW = Date.parse('2026-11-22T06:00:00Z')

type Settings = NonNullable<z.input<typeof plugin.config>['logs']>[number]
const settingsOf = (settings: Partial<Settings>) => {
  const [log] = plugin.config.parse({ logs: [{ path: '/l', ...settings }] }).logs
  if (!log) throw new Error('no log')
  return log
}

function review(settings: Partial<Settings>, lines: string[]) {
  const one = new LineReview(settingsOf(settings), NOW, { lastMs: null, gap: null })
  for (const [index, text] of lines.entries()) one.add(text, { line: index + 1, offset: index * 10 })
  const times = judgeTimes('/l', settingsOf(settings), one.state, NOW, NOW)
  return [...one.findings('/l'), ...times].map(({ rule, evidence }) => [rule, evidence?.line ?? null])
}

const at = (time: string, rest = 'x') => `2026-11-22T${time}Z ${rest}`
const json = (fields: object) => JSON.stringify({ time: '2026-11-22T05:00:00Z', ...fields })

test.each<[string, Partial<Settings>, string[], unknown[]]>([
  ['lines with times', {}, [at('05:00:00'), at('05:00:01')], []],
  [
    'an error of several lines',
    {},
    [at('05:00:00'), '  at a', '\tat b', 'caused by c', at('05:00:01'), at('05:00:02')],
    [],
  ],
  ['lines without times', {}, [at('05:00:00'), 'a', 'b'], [['log-unparsable', 2]]],
  ['lines without times where that is in order', { times: false }, ['a', 'b'], []],
  ['JSON', { format: 'json' }, [json({})], []],
  ['what is no JSON', { format: 'json' }, [json({}), 'Traceback'], [['log-unparsable', 2]]],
  ['a list of JSON', { format: 'json' }, ['[1]'], [['log-unparsable', 1]]],
  ['JSON without a time', { format: 'json' }, ['{"a":1}'], [['log-unparsable', 1]]],
  [
    'JSON with a time in another field',
    { format: 'json', timeField: 'meta.at' },
    ['{"meta":{"at":1795325744}}'],
    [],
  ],
  ['JSON with a number for time', { format: 'json' }, ['{"ts":1795325744.5}'], []],
  ['a few bad lines that are tolerated', { format: 'json', tolerance: 0.5 }, [json({}), 'x'], []],
  ['times that go back', {}, [at('05:00:00'), at('04:00:00'), at('05:00:01')], [['log-disorder', 2]]],
  ['times that go back a little', {}, [at('05:00:03'), at('05:00:00')], []],
  ['a gap', { maxGap: '1h' }, [at('01:00:00'), at('03:00:00'), at('03:30:00')], [['log-gap', null]]],
  ['no gap', { maxGap: '1h' }, [at('01:00:00'), at('01:59:00')], []],
  ['a log that is quiet', { writtenWithin: '30m' }, [at('05:00:00')], [['log-not-growing', null]]],
  ['a log that is written to', { writtenWithin: '2h' }, [at('05:00:00')], []],
  [
    'entries with all fields',
    { format: 'json', fields: ['ip|client_ip', 'user.name'] },
    [json({ client_ip: 'a', user: { name: 'b' } })],
    [],
  ],
  [
    'entries that lack one',
    { format: 'json', fields: ['ip', 'op'] },
    [json({ ip: 'a', op: 'b' }), json({ ip: 'a' })],
    [['audit-log-unusable', 2]],
  ],
  [
    'entries with an empty one',
    { format: 'json', fields: ['ip'] },
    [json({ ip: '' })],
    [['audit-log-unusable', 1]],
  ],
  [
    'only some lines that are entries',
    { format: 'json', fields: ['ip'], entries: { kind: 'audit' } },
    [json({}), json({ kind: 'audit', ip: 'a' })],
    [],
  ],
  [
    'no entry at all',
    { format: 'json', fields: ['ip'], entries: { kind: 'audit' } },
    [json({})],
    [['audit-log-unusable', null]],
  ],
  ['pairs in text', { fields: ['client_ip', 'op'] }, [at('05:00:00', 'client_ip=1.2.3.4 op="CREATE x"')], []],
  [
    'pairs that lack one',
    { fields: ['client_ip', 'op'] },
    [at('05:00:00', 'client_ip=1.2.3.4')],
    [['audit-log-unusable', 1]],
  ],
])('LineReview judges %s', (_, settings, lines, found) => {
  expect(review(settings, lines)).toEqual(found as ReturnType<typeof review>)
})

test('judgeTimes() tells of a gap for a day, and then no more', () => {
  const state = { lastMs: NOW, gap: { fromMs: NOW - 10_000_000, toMs: NOW } }
  const told = (nowMs: number) => judgeTimes('/l', settingsOf({ maxGap: '1h' }), state, NOW, nowMs).length
  expect([told(NOW), told(NOW + 80_000_000), told(NOW + 90_000_000)]).toEqual([1, 1, 0])
})

const host = new LocalHostReader('/', ALL_GRANTS)

function reading(path: string, known?: Position, maxBytes = 1_000_000) {
  const lines: string[] = []
  const result = readLines(host, path, known, maxBytes, (text, { line, offset }) =>
    lines.push(`${line}@${offset} ${text}`),
  )
  return { ...result, lines }
}

test('readLines() goes on where it ended, with whole lines only', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'log')
  writeFileSync(path, 'a\nbc\nunfin')
  const first = reading(path)
  expect([first.lines, first.position]).toMatchObject([['1@0 a', '2@2 bc'], { offset: 5, line: 2 }])
  appendFileSync(path, 'ished\nd\n')
  const second = reading(path, first.position)
  expect(second.lines).toEqual(['3@5 unfinished', '4@16 d'])
  expect(reading(path, second.position).lines).toEqual([])
})

test('readLines() reads the rest of a log that was rotated, and a truncated one from its beginning', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'log')
  writeFileSync(path, 'a\n')
  const { position } = reading(path)
  appendFileSync(path, 'b\n')
  renameSync(path, `${path}.1`)
  writeFileSync(path, 'c\n')
  const rotated = reading(path, position)
  expect([rotated.lines, rotated.isLost]).toEqual([['2@2 b', '1@0 c'], false])
  truncateSync(path, 0)
  expect(reading(path, rotated.position).lines).toEqual([])
  writeFileSync(path, 'd\n')
  renameSync(path, `${path}.gz`)
  copyFileSync(`${path}.gz`, path)
  expect(reading(path, rotated.position).isLost).toBe(true)
})

test('readLines() is bounded: in one run, for a first look, and for a line without end', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'log')
  const line = `${'x'.repeat(99)}\n`
  writeFileSync(path, line.repeat(30_000))
  const first = reading(path, undefined, 2_000_000)
  // The last mebibyte, without the line that begins before it.
  expect([first.lines.length, first.position.line, first.left]).toEqual([10_485, null, 0])
  expect(reading(path).left).toBe(48_576)
  const next = reading(path, { ...first.position, offset: 0, line: 0 }, 1000)
  expect([next.lines.length, next.left]).toEqual([10, 2_999_000])
  writeFileSync(path, `a\n${'y'.repeat(3_000_000)}\nb\n`)
  const long = reading(path, { ino: host.stat(path)?.ino ?? 0, offset: 0, line: 0 }, 10_000_000)
  expect(long.lines.map((text) => text.length < 1_048_700)).toEqual([true, true, true])
  expect(long.lines.at(-1)).toEndWith(' b')
})

test('readTail() reads back as far as it has to, over a rotation as well', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'log')
  const lines = (from: number, count: number) =>
    Array.from(
      { length: count },
      (_, index) => `${new Date(NOW - (from - index) * 60_000).toISOString()} n${from - index}\n`,
    ).join('')
  writeFileSync(`${path}.1`, lines(1000, 970) + lines(30, 20))
  writeFileSync(path, `no time\n${lines(10, 10)}`)
  const names = (minutes: number) =>
    readTail(host, path, NOW - minutes * 60_000, NOW).lines.map(({ text }) => text.split(' ').at(-1))
  expect(names(5)).toEqual(['n5', 'n4', 'n3', 'n2', 'n1'])
  expect(names(12)).toHaveLength(12)
  expect(names(500)).toHaveLength(500)
  expect(readTail(host, path, NOW - 3_600_000, NOW)).toMatchObject({ isCut: false, without: 1 })
})

test('readTail() says when it did not get far enough', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'log')
  writeFileSync(path, `${new Date(NOW - 1000).toISOString()} ${'x'.repeat(1000)}\n`.repeat(20_000))
  const { isCut, lines } = readTail(host, path, NOW - 60_000, NOW)
  expect([isCut, lines.length > 10_000]).toEqual([true, true])
})
