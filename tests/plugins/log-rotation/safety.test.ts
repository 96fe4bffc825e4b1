import { expect, test } from 'bun:test'
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import type { FileStat } from '../../../agent/contract/mod.ts'
import { judgeSafety } from '../../../plugins/log-rotation/safety.ts'
import { logFixture, rules } from './fixture.ts'

const file: FileStat = {
  type: 'file',
  mode: 0o640,
  uid: 0,
  gid: 4,
  size: 10,
  mtimeMs: 0,
  ctimeMs: 0,
  ino: 1,
  dev: 1,
  nlink: 1,
}
const directory = (mode: number, uid = 0, gid = 0, type: FileStat['type'] = 'directory') => ({
  path: '/var/log/app',
  stat: { ...file, type, mode, uid, gid, nlink: 2 },
})

test.each([
  ['a file of one name in a directory of root', file, directory(0o755), 0, undefined],
  ['a symbolic link', { ...file, type: 'symlink' as const }, directory(0o755), 0, 'it is a symbolic link'],
  ['a pipe', { ...file, type: 'fifo' as const }, directory(0o755), 0, 'it is a fifo, not a file'],
  ['a file with another name', { ...file, nlink: 2 }, directory(0o755), 0, 'it has 2 hard links'],
  ['a directory that everybody can write to', file, directory(0o757), 0, 'everybody can write'],
  ['a directory like /tmp', file, directory(0o1777), 0, 'everybody can write'],
  ['a directory that a group can write to', file, directory(0o775, 0, 4), 0, 'the group 4 can write'],
  ["a directory that root's group can write to", file, directory(0o775, 0, 0), 0, undefined],
  ['a directory of the service', file, directory(0o750, 33, 33), 0, undefined],
  ['an own directory, with an own group', file, directory(0o775, 1000, 1000), 1000, undefined],
  ['a directory of another user, for an ordinary one', file, directory(0o775, 33, 33), 1000, 'the group 33'],
  ['a directory that is a link', file, directory(0o777, 0, 0, 'symlink'), 0, 'use the real path'],
])('judgeSafety() judges %s', (_, log, parent, uid, expected) => {
  const reason = judgeSafety(log, [parent], 1, uid)
  if (expected === undefined) expect(reason).toBeUndefined()
  else expect(reason).toContain(expected)
})

test('judgeSafety() takes the name that a cut-off rotation left as one of the family', () => {
  expect(judgeSafety({ ...file, nlink: 2 }, [directory(0o755)], 2, 0)).toBeUndefined()
  expect(judgeSafety({ ...file, nlink: 3 }, [directory(0o755)], 2, 0)).toBe('it has 3 hard links')
})

test('links are reported and left alone', async () => {
  using logs = logFixture({ paths: ['*.log'], size: 1 })
  writeFileSync(logs.path('target'), 'precious')
  symlinkSync('target', logs.path('symbolic.log'))
  linkSync(logs.path('target'), logs.path('hard.log'))
  const { before, after } = await logs.enforce()
  expect(before.findings.map(({ rule, subject }) => [rule, subject])).toEqual([
    ['log-unsafe', logs.path('hard.log')],
    ['log-unsafe', logs.path('symbolic.log')],
  ])
  expect(after.findings).toEqual(before.findings)
  expect(logs.names()).toEqual(['hard.log', 'symbolic.log', 'target'])
  expect(readFileSync(logs.path('target'), 'utf8')).toBe('precious')
})

test('a directory that others can write to is reported, until they cannot', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1 })
  writeFileSync(logs.path('app.log'), 'x')
  chmodSync(logs.logs, 0o777)
  // Its own directory is an ordinary user's own risk.
  const expected = process.geteuid?.() === 0 ? ['log-unsafe'] : ['rotation-due']
  expect(rules(await logs.check())).toEqual(expected)
  chmodSync(logs.logs, 0o755)
  expect(rules(await logs.check())).toEqual(['rotation-due'])
})

test('a directory on the way that is a link is reported', async () => {
  using logs = logFixture({ paths: ['current/app.log'], size: 1 })
  mkdirSync(logs.path('2026'))
  writeFileSync(logs.path('2026/app.log'), 'x')
  symlinkSync('2026', logs.path('current'))
  const { before, applied } = await logs.enforce()
  expect(rules(before)).toEqual(['log-unsafe'])
  expect(before.findings[0]?.summary).toContain('use the real path')
  expect(applied.findings).toEqual([])
})

test('what is no file, but has the name of a generation, stops the rotation before anything is moved', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1 })
  writeFileSync(logs.path('app.log'), 'x')
  mkdirSync(logs.path('app.log.2'))
  expect(rules((await logs.enforce()).after)).toEqual(['name-collision'])
  expect(logs.names()).toEqual(['app.log', 'app.log.2'])
})

test('apply() refuses a log that was replaced since the check', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1 })
  writeFileSync(logs.path('app.log'), 'x')
  writeFileSync(logs.path('secret'), 'root only')
  const job = logs.underTest()
  const { findings } = await job.check()
  renameSync(logs.path('app.log'), logs.path('moved'))
  symlinkSync('secret', logs.path('app.log'))
  await job.apply(findings)
  expect(logs.names()).toEqual(['app.log', 'moved', 'secret'])
  expect(readFileSync(logs.path('secret'), 'utf8')).toBe('root only')
})

test('apply() replaces no file that has the name of a temporary one', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1 })
  writeFileSync(logs.path('app.log'), 'x')
  const job = logs.underTest()
  const { findings } = await job.check()
  symlinkSync('/etc/passwd', logs.path('.app.log.reeve-new'))
  const report = await job.apply(findings)
  expect(logs.content('app.log')).toBe('x')
  expect(logs.names()).toEqual(['.app.log.reeve-new', 'app.log'])
  expect(report.findings).toEqual([])
  expect(rules(await job.check())).toEqual(['name-collision'])
})
