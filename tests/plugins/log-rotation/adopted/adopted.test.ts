import { expect, test } from 'bun:test'
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import type { Report } from '../../../../agent/contract/mod.ts'
import { contentOf, DAY_MS, rules } from '../fixture.ts'
import { AdoptedHost } from './fixture.ts'

const ours = (report: Report) => rules(report).filter((rule) => rule !== 'logrotate-still-active')

test('a log of an included file is due after its interval, and is rotated as logrotate does', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app':
      '@/log/*.log {\n  daily\n  rotate 2\n  compress\n  create 0640\n  postrotate\n    echo "$1" >> @/log/told\n  endscript\n}\n',
    'log/app.log': 'one\n',
  })
  expect(ours(await host.check())).toEqual([])
  host.nowMs += DAY_MS
  const { before, applied, after } = await host.enforce()
  expect(before.findings.filter(({ fixable }) => fixable)).toMatchObject([
    { rule: 'rotation-due', subject: host.at('log/app.log'), evidence: { by: 'logrotate' } },
  ])
  expect(applied.findings).toEqual([])
  expect(ours(after)).toEqual([])
  expect(readdirSync(host.at('log')).sort()).toEqual(['app.log', 'app.log.1.gz', 'told'])
  expect(contentOf(host.at('log/app.log.1.gz'))).toBe('one\n')
  expect(statSync(host.at('log/app.log')).mode & 0o777).toBe(0o640)
  expect(readFileSync(host.at('log/told'), 'utf8')).toBe(`${host.at('log/app.log')}\n`)
})

test("logrotate's own state is imported once, so that nothing is rotated twice", async () => {
  using host = new AdoptedHost({ 'etc/logrotate.d/app': '@/log/app.log {\n daily\n}\n', 'log/app.log': 'x' })
  const today = new Date(host.nowMs)
  const yesterday = new Date(host.nowMs - DAY_MS)
  const line = (at: Date) =>
    `logrotate state -- version 2\n"${host.at('log/app.log')}" ${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}-1:2:3\n`
  host.write('status', line(today))
  expect(ours(await host.check())).toEqual([])
  // From now on the job's own state counts.
  host.write('status', line(yesterday))
  expect(ours(await host.check())).toEqual([])
  expect(readFileSync(host.at('status'), 'utf8')).toBe(line(yesterday))

  using other = new AdoptedHost({ 'etc/logrotate.d/app': '@/log/app.log {\n daily\n}\n', 'log/app.log': 'x' })
  other.write('status', line(yesterday).replace(host.at('log/app.log'), other.at('log/app.log')))
  expect(ours(await other.check())).toEqual(['rotation-due'])
})

test('a log is due by its size at once, whatever the state', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': '@/log/app.log {\n weekly\n maxsize 10\n rotate 1\n create\n}\n',
    'log/app.log': '0123456789',
  })
  expect(ours(await host.check())).toEqual([])
  host.write('log/app.log', '0123456789a')
  expect(ours((await host.enforce()).after)).toEqual([])
  expect(readdirSync(host.at('log')).sort()).toEqual(['app.log', 'app.log.1'])
})

test('a bad block is told with file and line, and the rest goes on', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/bad':
      '@/log/bad.log {\n daily\n rotate many\n}\n@/log/good.log {\n size 1\n rotate 1\n}\n',
    'etc/logrotate.d/odd': '@/log/odd.log {\n dayly\n size 1\n}\n',
    'log/bad.log': 'x',
    'log/good.log': 'x',
  })
  const report = await host.check()
  const errors = report.findings.filter(({ rule }) => rule === 'logrotate-error')
  expect(errors.map(({ subject }) => subject)).toEqual([
    `${host.at('etc/logrotate.d/bad')}:3`,
    `${host.at('etc/logrotate.d/odd')}:2`,
  ])
  expect(errors[0]?.summary).toContain("bad rotation count 'many'")
  expect(ours(report)).toContain('rotation-due')
  expect(report.findings.find(({ rule }) => rule === 'log-missing')?.subject).toBe(host.at('log/odd.log'))
})

test('a file that others can write is not followed, and that is told', async () => {
  using host = new AdoptedHost({ 'etc/logrotate.d/app': '@/log/app.log {\n size 1\n}\n', 'log/app.log': 'x' })
  chmodSync(host.at('etc/logrotate.d/app'), 0o666)
  const report = await host.check()
  expect(ours(report)).toEqual(['logrotate-error'])
  expect(report.findings[0]?.subject).toBe(host.at('etc/logrotate.d/app'))
})

test('a log outside of logrotateDirectories is blind with the line to add, and stays as it is', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': '@/srv/*.log @/log/app.log {\n size 1\n rotate 1\n}\n',
    'etc/logrotate.d/old': '@/log/old.log {\n size 1\n rotate 1\n olddir @/elsewhere\n createolddir\n}\n',
    'srv/app.log': 'x',
    'log/app.log': 'x',
    'log/old.log': 'x',
  })
  const { before, after } = await host.enforce()
  expect(before.blind).toMatchObject([
    {
      subject: host.at('srv/*.log'),
      reason: expect.stringContaining(`logrotateDirectories: [${host.at('log')}, ${host.at('srv')}]`),
    },
    { subject: host.at('log/old.log'), reason: expect.stringContaining(host.at('elsewhere')) },
  ])
  expect(after.blind).toHaveLength(2)
  expect(readdirSync(host.at('srv'))).toEqual(['app.log'])
  expect(readdirSync(host.at('log')).sort()).toEqual(['app.log.1', 'old.log'])
  host.config.logrotateDirectories = [host.at('log'), host.at('srv'), host.at('elsewhere')]
  expect((await host.check()).blind).toEqual([])
})

test('a log that is missing, unsafe or linked is told; missingok is silent', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app':
      '@/log/gone.log {\n daily\n}\n@/log/may.log {\n daily\n missingok\n}\n@/log/link.log {\n daily\n}\n@/log/open/a.log {\n daily\n}\n',
    'log/real': 'x',
    'log/open/a.log': 'x',
  })
  symlinkSync('real', host.at('log/link.log'))
  chmodSync(host.at('log/open'), 0o777)
  const report = await host.check()
  const found = report.findings.map(({ rule, subject, severity }) => [rule, subject, severity])
  const expected = [
    ['log-missing', host.at('log/gone.log'), 'warning'],
    ['log-unsafe', host.at('log/link.log'), 'info'],
  ]
  if (process.geteuid?.() === 0) expected.push(['log-unsafe', host.at('log/open/a.log'), 'warning'])
  expect(found.filter(([rule]) => rule !== 'logrotate-still-active')).toEqual(expected)
})

test('a script that fails is a finding with what it said; the log is kept', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app':
      '@/log/app.log {\n size 1\n rotate 1\n compress\n prerotate\n echo no such service >&2; echo out; exit 3\n endscript\n}\n',
    'log/app.log': 'x',
  })
  const { applied, after } = await host.enforce()
  expect(rules(applied)).toEqual(['script-failed'])
  expect(applied.findings[0]?.summary).toContain('no such service')
  expect(ours(after)).toEqual(['rotation-due'])
  expect(readdirSync(host.at('log'))).toEqual(['app.log'])
})

test('compression waits for a writer that still has the old log open, and the log is not rotated again', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': '@/log/app.log {\n size 1\n rotate 3\n compress\n create\n}\n',
    'log/app.log': 'one\n',
  })
  const writer = openSync(host.at('log/app.log'), 'a')
  const { after } = await host.enforce()
  expect(ours(after)).toEqual(['writer-not-reopened'])
  expect(readdirSync(host.at('log')).sort()).toEqual(['app.log', 'app.log.1'])
  writeSync(writer, 'two\n')
  host.write('log/app.log', 'three\n')
  expect(ours((await host.enforce()).after)).toEqual(['writer-not-reopened'])
  expect(contentOf(host.at('log/app.log.1'))).toBe('one\ntwo\n')
  closeSync(writer)
  const { after: released } = await host.enforce()
  expect(ours(released)).toEqual(['rotation-due'])
  expect(contentOf(host.at('log/app.log.1.gz'))).toBe('one\ntwo\n')
  expect(existsSync(host.at('log/app.log.1'))).toBe(false)
  expect(ours((await host.enforce()).after)).toEqual([])
  expect(contentOf(host.at('log/app.log.2.gz'))).toBe('one\ntwo\n')
  expect(contentOf(host.at('log/app.log.1.gz'))).toBe('three\n')
})

test('apply() acts only on what the check asked for', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': '@/log/*.log {\n size 1\n rotate 1\n}\n',
    'log/a.log': 'a',
    'log/b.log': 'b',
  })
  const job = host.underTest()
  const { findings } = await job.check()
  await job.apply(findings.filter(({ subject }) => subject === host.at('log/b.log')))
  expect(readdirSync(host.at('log')).sort()).toEqual(['a.log', 'b.log.1'])
})

test.each([
  ['xz', '.xz'],
  ['bzip2', '.bz2'],
  ['zstd', '.zst'],
])('what %s compresses is read back and proven', async (program, suffix) => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': `@/log/app.log {\n size 1\n rotate 1\n compress\n compresscmd /usr/bin/${program}\n compressext ${suffix}\n create\n}\n`,
    'log/app.log': 'a line\n',
  })
  if (!Bun.which(program)) return
  const { applied } = await host.enforce()
  expect(applied.findings).toEqual([])
  expect(applied.artifacts).toMatchObject([
    { path: host.at(`log/app.log.1${suffix}`), data: { bytesIn: 7, bytesArchived: 7 } },
  ])
})

test('under pressure the oldest archives of adopted logs go, and never the newest of one', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app':
      '@/log/*.log {\n yearly\n rotate 9\n compress\n preremove\n echo "$1" >> @/log/removed\n endscript\n}\n',
    'log/a.log': 'x',
    'log/b.log': 'x',
  })
  for (const name of ['a.log.1.gz', 'a.log.2.gz', 'a.log.3.gz', 'b.log.1.gz']) host.write(`log/${name}`, name)
  for (const [index, name] of ['a.log.1.gz', 'a.log.2.gz', 'a.log.3.gz'].entries()) {
    const seconds = (host.nowMs - index * DAY_MS) / 1000
    utimesSync(host.at(`log/${name}`), seconds, seconds)
  }
  expect(ours(await host.check())).toEqual([])
  host.config.whenFreeBelow = '4000000G'
  const { before, applied, after } = await host.enforce()
  expect(ours(before)).toEqual(['disk-pressure'])
  expect(applied.findings).toEqual([])
  expect(after.findings.find(({ rule }) => rule === 'disk-pressure')).toMatchObject({ severity: 'critical' })
  expect(readdirSync(host.at('log')).sort()).toEqual([
    'a.log',
    'a.log.1.gz',
    'b.log',
    'b.log.1.gz',
    'removed',
  ])
  expect(readFileSync(host.at('log/removed'), 'utf8')).toContain('a.log.3.gz')
})
