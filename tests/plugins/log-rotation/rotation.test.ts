import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { DAY_MS, logFixture, rules } from './fixture.ts'

const isRoot = process.geteuid?.() === 0

test('check() starts the clock at first sight, and rotates only after the interval', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'daily' })
  writeFileSync(logs.path('app.log'), 'one\n')
  expect((await logs.check()).findings).toEqual([])
  logs.nowMs += DAY_MS / 4
  expect((await logs.check()).findings).toEqual([])
  logs.nowMs += DAY_MS
  const report = await logs.check()
  expect(rules(report)).toEqual(['rotation-due'])
  expect(report.findings[0]).toMatchObject({ subject: logs.path('app.log'), severity: 'info', fixable: true })
  expect(logs.names()).toEqual(['app.log'])
})

test('apply() rotates, compresses and proves; the next check is silent', async () => {
  using logs = logFixture({ paths: ['*.log'], interval: 'daily', compress: 'zstd', keep: 3 })
  const text = 'a line of some length\n'.repeat(10_000)
  writeFileSync(logs.path('app.log'), text, { mode: 0o640 })
  await logs.firstSight()
  const { applied, after } = await logs.enforce()
  expect(after.findings).toEqual([])
  expect(applied.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1.zst'])
  expect(logs.content('app.log')).toBe('')
  expect(logs.content('app.log.1.zst')).toBe(text)
  expect(statSync(logs.path('app.log')).mode & 0o7777).toBe(0o640)
  expect(statSync(logs.path('app.log.1.zst')).mode & 0o7777).toBe(0o640)

  const archive = readFileSync(logs.path('app.log.1.zst'))
  expect(applied.artifacts).toEqual([
    {
      kind: 'log-generation',
      path: logs.path('app.log.1.zst'),
      bytes: archive.length,
      sha256: createHash('sha256').update(archive).digest('hex'),
      data: expect.objectContaining({
        log: logs.path('app.log'),
        compression: 'zstd',
        bytesIn: text.length,
        bytesArchived: text.length,
        contentSha256: createHash('sha256').update(text).digest('hex'),
      }),
    },
  ])
  expect(after.facts?.[0]).toMatchObject({
    kind: 'log',
    subject: logs.path('app.log'),
    data: { bytes: 0, generations: 1, lastRotation: new Date(logs.nowMs).toISOString() },
  })
  expect(after.metrics).toContainEqual(expect.objectContaining({ name: 'logs_generations', value: 1 }))
})

test('apply() shifts the generations and keeps as many as it is told to', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'daily', compress: 'gzip', keep: 2 })
  for (const day of ['one', 'two', 'three', 'four']) {
    writeFileSync(logs.path('app.log'), `${day}\n`)
    if (day === 'one') await logs.check()
    logs.nowMs += DAY_MS
    expect((await logs.enforce()).after.findings).toEqual([])
  }
  expect(logs.names()).toEqual(['app.log', 'app.log.1.gz', 'app.log.2.gz'])
  expect(logs.content('app.log.1.gz')).toBe('four\n')
  expect(logs.content('app.log.2.gz')).toBe('three\n')
})

test('apply() rotates by size alone, without having seen the log before', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 100, compress: 'none' })
  writeFileSync(logs.path('app.log'), 'x'.repeat(99))
  expect((await logs.check()).findings).toEqual([])
  writeFileSync(logs.path('app.log'), 'x'.repeat(100))
  const { applied, after } = await logs.enforce()
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1'])
  expect(applied.artifacts).toMatchObject([
    { path: logs.path('app.log.1'), bytes: 100, data: { compression: 'none', bytesIn: 100 } },
  ])
})

for (const [compress, program, name] of [
  ['gzip', 'zcat', 'app.log.1.gz'],
  ['zstd', 'zstdcat', 'app.log.1.zst'],
  ['xz', 'xzcat', 'app.log.1.xz'],
  ['bzip2', 'bzcat', 'app.log.1.bz2'],
] as const) {
  test.skipIf(!Bun.which(program))(`apply() makes ${compress} archives that ${program} reads`, async () => {
    using logs = logFixture({ paths: ['app.log'], size: 1, compress })
    const text = Array.from({ length: 50_000 }, (_, index) => `${index} ${index * 7919}\n`).join('')
    writeFileSync(logs.path('app.log'), text)
    const { applied, after } = await logs.enforce()
    expect([applied.findings, after.findings]).toEqual([[], []])
    expect(applied.artifacts).toMatchObject([{ path: logs.path(name), data: { bytesArchived: text.length } }])
    const result = Bun.spawnSync([program, logs.path(name)])
    expect(result.exitCode).toBe(0)
    expect(result.stdout.toString() === text).toBe(true)
  })
}

test.skipIf(!isRoot)('apply() gives the new log and the archive the owner of the old one', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1 })
  writeFileSync(logs.path('app.log'), 'x', { mode: 0o600 })
  chownSync(logs.path('app.log'), 1234, 2345)
  await logs.enforce()
  for (const name of ['app.log', 'app.log.1.zst']) {
    expect(statSync(logs.path(name))).toMatchObject({ uid: 1234, gid: 2345 })
  }
})

test.skipIf(!isRoot)('apply() gives the new log the configured mode, owner and group', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, mode: '0604', owner: 'daemon', group: '77' })
  writeFileSync(logs.path('app.log'), 'x', { mode: 0o600 })
  await logs.enforce()
  const created = statSync(logs.path('app.log'))
  expect({ mode: created.mode & 0o7777, uid: created.uid, gid: created.gid }).toEqual({
    mode: 0o604,
    uid: 1,
    gid: 77,
  })
  expect(statSync(logs.path('app.log.1.zst')).mode & 0o7777).toBe(0o600)
})

test('apply() changes nothing when the configured owner does not exist', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, owner: 'nobody-of-this-name' })
  writeFileSync(logs.path('app.log'), 'x')
  const { applied, after } = await logs.enforce()
  expect(rules(applied)).toEqual(['rotation-failed'])
  expect(applied.findings[0]?.summary).toContain('there is no such user')
  expect(rules(after)).toEqual(['rotation-due'])
  expect(logs.names()).toEqual(['app.log'])
  expect(after.facts?.[0]?.data.lastRotation).toBeNull()
})

test('apply() leaves the newest generation uncompressed for one rotation with delayCompress', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, delayCompress: true })
  writeFileSync(logs.path('app.log'), 'one')
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1'])
  writeFileSync(logs.path('app.log'), 'two')
  const { applied, after } = await logs.enforce()
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1', 'app.log.2.zst'])
  expect(logs.content('app.log.2.zst')).toBe('one')
  expect(applied.artifacts?.map(({ path }) => path)).toEqual([
    logs.path('app.log.1'),
    logs.path('app.log.2.zst'),
  ])
})

test('apply() copies and truncates the same file with copytruncate', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, method: 'copytruncate' })
  writeFileSync(logs.path('app.log'), 'one\n', { mode: 0o620 })
  chmodSync(logs.path('app.log'), 0o620)
  const { ino } = statSync(logs.path('app.log'))
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(statSync(logs.path('app.log'))).toMatchObject({ ino, size: 0 })
  expect(logs.names()).toEqual(['app.log', 'app.log.1.zst'])
  expect(logs.content('app.log.1.zst')).toBe('one\n')
  expect(statSync(logs.path('app.log.1.zst')).mode & 0o7777).toBe(0o620)
})

test('check() does not rotate an empty log, nor by interval one below minSize', async () => {
  using logs = logFixture({ paths: ['*.log'], interval: 'daily', minSize: 10 })
  writeFileSync(logs.path('empty.log'), '')
  writeFileSync(logs.path('small.log'), '123456789')
  writeFileSync(logs.path('large.log'), '1234567890')
  await logs.firstSight()
  expect((await logs.check()).findings.map(({ subject }) => subject)).toEqual([logs.path('large.log')])
})

test('apply() rotates an empty log with notIfEmpty off', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: '12h', notIfEmpty: false, compress: 'none' })
  writeFileSync(logs.path('app.log'), '')
  await logs.firstSight()
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1'])
})

test('check() reports a missing log unless it may be missing', async () => {
  using logs = logFixture({ paths: ['app.log', '*.txt'], size: 1 })
  const report = await logs.check()
  expect(rules(report)).toEqual(['log-missing', 'log-missing'])
  logs.config.sets[0] = { ...logs.config.sets[0], missingOk: true } as (typeof logs.config.sets)[0]
  expect((await logs.check()).findings).toEqual([])
})

test('apply() removes what is too old and what is too much, whether or not the log is due', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'weekly', keep: 3, maxAge: '30d' })
  writeFileSync(logs.path('app.log'), 'x')
  for (const [index, days] of [
    [1, 5],
    [2, 31],
    [3, 10],
    [4, 10],
  ]) {
    const path = logs.path(`app.log.${index}.gz`)
    writeFileSync(path, 'x')
    const time = (logs.nowMs - (days ?? 0) * DAY_MS) / 1000
    utimesSync(path, time, time)
  }
  writeFileSync(logs.path('app.log.backup'), 'not ours')
  const { before, after } = await logs.enforce()
  expect(before.findings.map(({ rule, subject }) => [rule, subject])).toEqual([
    ['retention-exceeded', logs.path('app.log.2.gz')],
    ['retention-exceeded', logs.path('app.log.4.gz')],
  ])
  expect(after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1.gz', 'app.log.3.gz', 'app.log.backup'])
})

test('apply() touches only what the check asked for', async () => {
  using logs = logFixture({ paths: ['*.log'], size: 1 })
  writeFileSync(logs.path('a.log'), 'a')
  writeFileSync(logs.path('b.log'), 'b')
  const job = logs.underTest()
  const { findings } = await job.check()
  await job.apply(findings.filter(({ subject }) => subject === logs.path('b.log')))
  expect(logs.names()).toEqual(['a.log', 'b.log', 'b.log.1.zst'])
})

test('a wildcard takes in no rotated, hidden or unfinished file, and no directory', async () => {
  using logs = logFixture({ paths: ['*'], size: 1, compress: 'none' })
  for (const name of ['app.log', 'app.log.1', 'old.gz', 'other.log.2.zst', '.hidden', 'sys-20260731']) {
    writeFileSync(logs.path(name), 'x')
  }
  Bun.spawnSync(['mkdir', logs.path('directory')])
  const report = await logs.check()
  expect(report.facts?.map(({ subject }) => subject)).toEqual([logs.path('app.log')])
})

test('check() reports a log that two sets match, and the first set rotates it', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, compress: 'none' })
  logs.config.sets.push({ name: 'other', paths: [logs.path('*.log')], size: 1, compress: 'gzip' })
  writeFileSync(logs.path('app.log'), 'x')
  const { before, after } = await logs.enforce()
  expect(rules(before)).toEqual(['log-in-two-sets', 'rotation-due'])
  expect(rules(after)).toEqual(['log-in-two-sets'])
  expect(logs.names()).toEqual(['app.log', 'app.log.1'])
})

test('apply() ends promptly when it is aborted, and the next run finishes', async () => {
  using logs = logFixture({ paths: ['*.log'], size: 1 })
  for (let index = 0; index < 5; index++) writeFileSync(logs.path(`${index}.log`), `line of ${index}\n`)
  const { findings } = await logs.check()
  const aborted = logs.underTest(AbortSignal.abort(new Error('the run was ended')))
  await expect(aborted.apply(findings)).rejects.toThrow('the run was ended')
  expect((await logs.enforce()).after.findings).toEqual([])
  for (let index = 0; index < 5; index++)
    expect(logs.content(`${index}.log.1.zst`)).toBe(`line of ${index}\n`)
})

test('check() refuses a damaged state file instead of starting anew', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1 })
  writeFileSync(logs.path('app.log'), 'x')
  await logs.check()
  writeFileSync(`${logs.stateDir}/state.json`, '{"version":1,"clo')
  await expect(logs.check()).rejects.toThrow('Move it away')
})

test('apply() compresses what was left uncompressed, and refuses to overwrite an archive of other content', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'yearly', compress: 'gzip' })
  writeFileSync(logs.path('app.log'), 'now')
  writeFileSync(logs.path('app.log.1'), 'first')
  writeFileSync(logs.path('app.log.2'), 'second')
  writeFileSync(logs.path('app.log.2.gz'), Bun.gzipSync(Buffer.from('something else')))
  const { before, applied, after } = await logs.enforce()
  expect(rules(before)).toEqual(['compression-due', 'compression-due'])
  expect(applied.findings).toMatchObject([{ rule: 'compression-failed', subject: logs.path('app.log.2') }])
  expect(applied.findings[0]?.summary).toContain('it exists already, with other content')
  expect(rules(after)).toEqual(['compression-due'])
  expect(logs.names()).toEqual(['app.log', 'app.log.1.gz', 'app.log.2', 'app.log.2.gz'])
  expect(logs.content('app.log.2.gz')).toBe('something else')
  expect(existsSync(logs.path('app.log.1'))).toBe(false)
})
