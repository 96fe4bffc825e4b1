import { expect, test } from 'bun:test'
import { linkSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { judgeRename } from '../../../plugins/log-rotation/plan.ts'
import type { Pending } from '../../../plugins/log-rotation/state.ts'
import { allLines, type LogFixture, logFixture, rules } from './fixture.ts'

/** Leaves the state that a run wrote before it was cut off. */
function leavePending(logs: LogFixture, file: string, phase: Pending['phase'], set = 'app'): void {
  mkdirSync(logs.stateDir, { recursive: true, mode: 0o700 })
  const { dev, ino } = statSync(logs.path(file))
  const pending: Pending = { set, phase, startedMs: logs.nowMs, dev, ino, failure: null }
  const state = { version: 1, clocks: {}, pending: { [logs.path('app.log')]: pending } }
  writeFileSync(`${logs.stateDir}/state.json`, JSON.stringify(state))
}

test('judgeRename() tells by the inode how far a rename came', () => {
  const stat = (ino: number) => ({ ...statSync('/'), dev: 1, ino }) as never
  const generation = (ino: number) => ({ path: '', index: 1, compression: 'none' as const, stat: stat(ino) })
  const identity = { dev: 1, ino: 5 }
  expect(judgeRename({ stat: stat(5), generations: [generation(4)] }, identity)).toBe('not-begun')
  expect(judgeRename({ stat: stat(5), generations: [generation(5)] }, identity)).toBe('linked')
  expect(judgeRename({ stat: stat(6), generations: [generation(5)] }, identity)).toBe('renamed')
  expect(judgeRename({ stat: undefined, generations: [generation(5)] }, identity)).toBe('renamed')
  expect(judgeRename({ stat: undefined, generations: [] }, identity)).toBe('renamed')
})

test('a log that has the name of its generation, too, gets a successor', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 100 })
  writeFileSync(logs.path('app.log'), 'one\n', { mode: 0o640 })
  linkSync(logs.path('app.log'), logs.path('app.log.1'))
  const { before, after } = await logs.enforce()
  expect(rules(before)).toEqual(['rotation-unfinished'])
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1.zst'])
  expect(logs.content('app.log')).toBe('')
  expect(statSync(logs.path('app.log')).mode & 0o7777).toBe(0o640)
  expect(allLines(logs.path('app.log'))).toEqual(['one'])
})

test('check() only reports what a cut-off run left', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 100 })
  writeFileSync(logs.path('app.log'), 'one\n')
  writeFileSync(logs.path('.app.log.reeve-new'), '')
  expect(rules(await logs.check())).toEqual(['rotation-unfinished'])
  expect(rules(await logs.check())).toEqual(['rotation-unfinished'])
  expect(logs.names()).toEqual(['.app.log.reeve-new', 'app.log'])
})

test('temporary files of a new log and of an archive are removed', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 100 })
  writeFileSync(logs.path('app.log'), 'one\n')
  writeFileSync(logs.path('app.log.1'), 'zero\n')
  writeFileSync(logs.path('.app.log.reeve-new'), '')
  writeFileSync(logs.path('.app.log.1.zst.reeve-archive'), 'half of an arch')
  writeFileSync(logs.path('.other.log.reeve-new'), 'of another job')
  const { after } = await logs.enforce()
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['.other.log.reeve-new', 'app.log', 'app.log.1.zst'])
  expect(allLines(logs.path('app.log'))).toEqual(['zero', 'one'])
})

test('a copy of what the log still begins with is removed', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 100, method: 'copytruncate' })
  writeFileSync(logs.path('app.log'), 'one\ntwo\nthree\n')
  writeFileSync(logs.path('.app.log.reeve-copy'), 'one\ntwo\n')
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log'])
  expect(logs.content('app.log')).toBe('one\ntwo\nthree\n')
})

test.each([
  ['truncated', 'three\n'],
  ['truncated and grown', 'three\nfour\nfive\nsix\n'],
  ['empty', ''],
])('a copy of a log that is now %s becomes its generation', async (_, now) => {
  using logs = logFixture({ paths: ['app.log'], size: 100, method: 'copytruncate' })
  writeFileSync(logs.path('app.log'), now)
  writeFileSync(logs.path('app.log.1.zst'), Bun.zstdCompressSync(Buffer.from('zero\n')))
  writeFileSync(logs.path('.app.log.reeve-copy'), 'one\ntwo\n')
  const { applied, after } = await logs.enforce()
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1.zst', 'app.log.2.zst'])
  expect(allLines(logs.path('app.log'))).toEqual(['zero', 'one', 'two', ...now.split('\n').slice(0, -1)])
  expect(applied.artifacts).toMatchObject([{ path: logs.path('app.log.1.zst'), data: { bytesIn: 8 } }])
})

test('a copy that has its final name already only loses the temporary one', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 100, method: 'copytruncate', compress: 'none' })
  writeFileSync(logs.path('app.log'), '')
  writeFileSync(logs.path('app.log.1'), 'one\n')
  linkSync(logs.path('app.log.1'), logs.path('.app.log.reeve-copy'))
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1'])
  expect(allLines(logs.path('app.log'))).toEqual(['one'])
})

test('a generation with two numbers keeps the higher one', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, compress: 'gzip' })
  writeFileSync(logs.path('app.log'), 'two\n')
  writeFileSync(logs.path('app.log.1.gz'), Bun.gzipSync(Buffer.from('one\n')))
  linkSync(logs.path('app.log.1.gz'), logs.path('app.log.2.gz'))
  const { before, after } = await logs.enforce()
  expect(rules(before)).toEqual(['rotation-unfinished'])
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1.gz', 'app.log.2.gz'])
  expect(allLines(logs.path('app.log'))).toEqual(['one', 'two'])
})

test('a log that is missing because its rotation was cut off is created again, and its writers are told', async () => {
  using logs = logFixture({ paths: ['*.log'], size: 1, compress: 'none' })
  const told = logs.path('told')
  Object.assign(logs.config.sets[0] ?? {}, { afterRotate: ['/usr/bin/touch', told] })
  writeFileSync(logs.path('app.log.1'), 'one\n', { mode: 0o604 })
  leavePending(logs, 'app.log.1', 'rename')
  const { before, applied, after } = await logs.enforce()
  expect(rules(before)).toEqual(['rotation-unfinished'])
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1', 'told'])
  expect(statSync(logs.path('app.log')).mode & 0o7777).toBe(0o604)
  expect(applied.artifacts).toMatchObject([{ path: logs.path('app.log.1'), bytes: 4 }])
})

test('a rename that did not begin is no finding, and the log is as due as before', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 100 })
  writeFileSync(logs.path('app.log'), 'one\n')
  leavePending(logs, 'app.log', 'rename')
  expect((await logs.check()).findings).toEqual([])
})

test('a rotation whose log and generation somebody removed is forgotten', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, missingOk: true })
  writeFileSync(logs.path('app.log'), 'one\n')
  leavePending(logs, 'app.log', 'rename')
  rmSync(logs.path('app.log'))
  const { before, after } = await logs.enforce()
  expect(rules(before)).toEqual(['rotation-unfinished'])
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual([])
})

test('what was cut off after the writers were told is still proven', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'daily', compress: 'gzip' })
  writeFileSync(logs.path('app.log'), '')
  writeFileSync(logs.path('app.log.1.gz'), Bun.gzipSync(Buffer.from('one\n')))
  leavePending(logs, 'app.log', 'prove')
  const { applied, after } = await logs.enforce()
  expect(after.findings).toEqual([])
  expect(applied.artifacts).toMatchObject([
    { path: logs.path('app.log.1.gz'), data: { bytesArchived: 4, compression: 'gzip' } },
  ])
})

test.each([
  ['the same content', 'one\n', ['app.log', 'app.log.1.gz']],
  ['only its beginning', 'one\ntwo\n', ['app.log', 'app.log.1.gz']],
])('an archive beside its source, with %s, is completed', async (_, source, expected) => {
  using logs = logFixture({ paths: ['app.log'], size: 100, compress: 'gzip' })
  writeFileSync(logs.path('app.log'), '')
  writeFileSync(logs.path('app.log.1'), source)
  writeFileSync(logs.path('app.log.1.gz'), Bun.gzipSync(Buffer.from('one\n')))
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(logs.names()).toEqual(expected)
  expect(logs.content('app.log.1.gz')).toBe(source)
})
