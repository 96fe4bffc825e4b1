import { expect, test } from 'bun:test'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { allLines, DAY_MS, logFixture, rules } from './fixture.ts'

/** Writes its environment and its arguments to a file: a line for each time that it ran. */
function recorder(path: string): string[] {
  writeFileSync(`${path}.sh`, `#!/bin/sh\necho "$*" >>${path}\nenv >${path}.env\n`, { mode: 0o755 })
  return [`${path}.sh`]
}

test('afterRotate runs once for a set, with its arguments, after all of its logs were rotated', async () => {
  using logs = logFixture({ paths: ['*.log'], size: 1 })
  const [program = ''] = recorder(logs.path('ran'))
  Object.assign(logs.config.sets[0] ?? {}, { afterRotate: [program, 'a b', '$HOME'] })
  writeFileSync(logs.path('a.log'), 'x')
  writeFileSync(logs.path('b.log'), 'x')
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(readFileSync(logs.path('ran'), 'utf8')).toBe('a b $HOME\n')
  expect(readFileSync(logs.path('ran.env'), 'utf8')).not.toContain('HOME=')
  expect((await logs.enforce()).before.findings).toEqual([])
  expect(readFileSync(logs.path('ran'), 'utf8')).toBe('a b $HOME\n')
})

test('a failing afterRotate is found, keeps the generation uncompressed, and is tried again', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'daily' })
  const program = logs.path('reopen.sh')
  const flag = logs.path('broken')
  writeFileSync(program, `#!/bin/sh\ntest ! -e ${flag} || { echo "no such service" >&2; exit 7; }\n`, {
    mode: 0o755,
  })
  writeFileSync(flag, '')
  Object.assign(logs.config.sets[0] ?? {}, { afterRotate: [program] })
  writeFileSync(logs.path('app.log'), 'one\n')
  await logs.firstSight()
  const first = await logs.enforce()
  expect(first.after.findings).toMatchObject([
    { rule: 'after-rotate-failed', subject: 'app', severity: 'warning', fixable: true },
  ])
  expect(first.after.findings[0]?.summary).toContain('exit code 7: no such service')
  expect(first.applied.artifacts).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.1', 'broken', 'reopen.sh'])

  writeFileSync(logs.path('app.log'), 'two\n')
  logs.nowMs += DAY_MS
  // The writer may still hold the first generation: nothing more is moved until it was told.
  expect(rules((await logs.enforce()).after)).toEqual(['after-rotate-failed'])
  expect(logs.content('app.log.1')).toBe('one\n')

  rmSync(flag)
  const repaired = await logs.enforce()
  expect(repaired.applied.artifacts).toMatchObject([{ path: logs.path('app.log.1.zst') }])
  expect(rules(repaired.after)).toEqual(['rotation-due'])
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(allLines(logs.path('app.log'))).toEqual(['one', 'two'])
})

test('an afterRotate that cannot be started, or takes too long, is a failure', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, afterRotateTimeout: '100ms' })
  Object.assign(logs.config.sets[0] ?? {}, { afterRotate: [logs.path('missing')] })
  writeFileSync(logs.path('app.log'), 'x')
  expect((await logs.enforce()).after.findings[0]?.summary).toContain('no such program')
  Object.assign(logs.config.sets[0] ?? {}, { afterRotate: ['/bin/sleep', '20'] })
  expect((await logs.enforce()).after.findings[0]?.summary).toContain('it took longer than 100ms')
})

test('no line is lost while a writer keeps its file open and reopens it on SIGHUP', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, keep: 100 })
  const writer = Bun.spawn([process.execPath, `${import.meta.dir}/writer.ts`, logs.path('app.log')], {
    stdout: 'pipe',
    stdin: 'pipe',
  })
  const said = writer.stdout.getReader()
  await said.read() // it has written its first line
  Object.assign(logs.config.sets[0] ?? {}, { afterRotate: ['/bin/kill', '-HUP', String(writer.pid)] })
  for (let round = 0; round < 5; round++) {
    const { applied } = await logs.enforce()
    expect(applied.findings).toEqual([])
  }
  writer.stdin.end()
  const total = Number(new TextDecoder().decode((await said.read()).value))
  await writer.exited
  expect(total).toBeGreaterThan(100)
  const lines = allLines(logs.path('app.log'))
  expect(lines.length).toBe(total)
  expect(lines.findIndex((line, index) => line !== `line ${index}`)).toBe(-1)
  expect(existsSync(logs.path('app.log.5.zst'))).toBe(true)
})

test('a generation that a writer has open is neither compressed nor rotated away, until it reopens', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, keep: 1 })
  const writer = openSync(logs.path('app.log'), 'a')
  writeSync(writer, 'one\n')
  const { applied, after } = await logs.enforce()
  expect(applied.artifacts).toEqual([])
  expect(after.findings).toMatchObject([
    { rule: 'writer-not-reopened', subject: logs.path('app.log'), severity: 'warning', fixable: true },
  ])
  expect(logs.names()).toEqual(['app.log', 'app.log.1'])
  writeSync(writer, 'two\n')
  writeFileSync(logs.path('app.log'), 'three\n')
  expect(rules((await logs.enforce()).after)).toEqual(['writer-not-reopened'])
  closeSync(writer)
  const freed = await logs.enforce()
  expect(freed.applied.artifacts).toMatchObject([{ data: { bytesIn: 8, bytesArchived: 8 } }])
  expect(rules(freed.after)).toEqual(['rotation-due'])
  expect(allLines(logs.path('app.log'))).toEqual(['one', 'two', 'three'])
})

test('a writer that does not follow afterRotate within its time is reported', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, compress: 'none', reopenGrace: '50ms' })
  Object.assign(logs.config.sets[0] ?? {}, { afterRotate: ['/bin/true'] })
  const writer = openSync(logs.path('app.log'), 'a')
  writeSync(writer, 'one\n')
  expect(rules((await logs.enforce()).after)).toEqual(['writer-not-reopened'])
  closeSync(writer)
  const { applied, after } = await logs.enforce()
  expect(after.findings).toEqual([])
  expect(applied.artifacts).toMatchObject([{ path: logs.path('app.log.1'), bytes: 4 }])
})

test('an old generation that somebody has open is reported and not compressed', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'daily' })
  writeFileSync(logs.path('app.log'), 'x')
  const writer = openSync(logs.path('app.log.3'), 'a')
  const { applied, after } = await logs.enforce()
  expect(rules(applied)).toEqual(['writer-not-reopened'])
  expect(rules(after)).toEqual(['compression-due'])
  closeSync(writer)
  expect((await logs.enforce()).after.findings).toEqual([])
  expect(logs.names()).toEqual(['app.log', 'app.log.3.zst'])
})
