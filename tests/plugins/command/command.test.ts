import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { z } from 'zod'
import type { Json, Report } from '../../../agent/contract/mod.ts'
import { judgeDue } from '../../../plugins/command/action.ts'
import { configSchema } from '../../../plugins/command/config.ts'
import { commandLine } from '../../../plugins/command/judge.ts'
import plugin from '../../../plugins/command/plugin.ts'
import { type PluginRun, pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

type Input = z.input<typeof configSchema>

/** A real program in a directory of its own. */
function programFixture(script: string) {
  const directory = temporaryDirectory('reeve-command')
  const path = `${directory.path}/program`
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return {
    path,
    directory: directory.path,
    job: (config: Partial<Input> = {}, run: Partial<PluginRun> = {}) =>
      pluginUnderTest(plugin, { argv: [path], ...config }, { stateDir: `${directory.path}/state`, ...run }),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  }
}

const metricValue = (report: Report, name: string) =>
  report.metrics?.find((metric) => metric.name === name)?.value

test('exit code 0 is clean, with metrics and a fact', async () => {
  using program = programFixture('echo "PING OK - RTA 12 ms | rta=12ms;100;200;0"')
  const report = await program.job({ subject: 'gateway' }).check()
  expect(report).toMatchObject({ findings: [], blind: [] })
  expect(report.facts).toEqual([
    {
      kind: 'command',
      subject: 'gateway',
      data: { program: program.path, state: 'ok', exitCode: 0, summary: 'PING OK - RTA 12 ms' },
    },
  ])
  expect(metricValue(report, 'command_state')).toBe(0)
  expect(metricValue(report, 'command_value_seconds')).toBe(0.012)
})

test.each([
  [1, 'command-warning', 'warning'],
  [2, 'command-critical', 'critical'],
] as const)('exit code %d is a finding', async (code, rule, severity) => {
  using program = programFixture(
    `echo "LOAD BAD | load=9"; echo "details here"; echo "an error" >&2; exit ${code}`,
  )
  const report = await program.job().check()
  expect(report.blind).toEqual([])
  expect(report.findings).toEqual([
    {
      rule,
      subject: 'command',
      severity,
      summary: 'LOAD BAD',
      remedy: `To see it again: ${program.path}`,
      evidence: { exitCode: code, output: 'details here', errors: 'an error' },
    },
  ])
  expect(metricValue(report, 'command_value')).toBe(9)
})

test.each([
  ['exit code 3', 'echo "UNKNOWN - no route | a=1"; exit 3', 'cannot tell: UNKNOWN - no route'],
  ['another exit code', 'echo oops >&2; exit 17', 'exit code 17, which is no state: oops'],
  ['a program that is not there for its shell', 'no-such-program-anywhere', 'exit code 127'],
  ['a signal', 'kill -SEGV $$', 'was ended by SIGSEGV'],
  ['too long', 'sleep 20', 'took longer than 200ms and was killed'],
])('%s is blind, never clean', async (_, script, reason) => {
  using program = programFixture(script)
  const report = await program.job({ timeout: '200ms' }).check()
  expect(report.findings).toEqual([])
  expect(report.blind).toHaveLength(1)
  expect(report.blind?.[0]?.reason).toContain(reason)
  expect(metricValue(report, 'command_state')).toBe(3)
  expect(metricValue(report, 'command_value')).toBeUndefined()
})

test('a missing program fails the run', async () => {
  using program = programFixture('')
  const missing = `${program.directory}/missing`
  await expect(program.job({ argv: [missing] }).check()).rejects.toThrow(
    `Cannot run "${missing}": no such program`,
  )
})

test('an aborted run ends promptly and says nothing', async () => {
  using program = programFixture('sleep 20')
  const abort = new AbortController()
  const started = performance.now()
  const running = program.job({}, { signal: abort.signal }).check()
  abort.abort(new Error('the run was ended'))
  await expect(running).rejects.toThrow('the run was ended')
  expect(performance.now() - started).toBeLessThan(5000)
})

test('output is bounded, with its head and its tail', async () => {
  using program = programFixture('echo first; seq 1 200000; echo "last | a=1"; exit 1')
  const report = await program.job().check()
  const output = String(report.findings[0]?.evidence?.output)
  expect(output.length).toBeLessThanOrEqual(4096)
  expect(output.startsWith('1\n2\n')).toBe(true)
  expect(output.endsWith('last | a=1')).toBe(true)
  expect(report.findings[0]?.evidence?.outputCut).toBe(true)
})

test('a program that says nothing is told by its exit code', async () => {
  using program = programFixture('exit 2')
  const report = await program.job().check()
  expect(report.findings[0]?.summary).toBe(
    `${program.path} ended with exit code 2 (critical) and said nothing`,
  )
})

test('arguments reach the program as they are, without a shell', async () => {
  using program = programFixture('printf "%s|" "$@"; exit 1')
  const report = await program.job({ argv: [program.path, 'a b', '$HOME', '`id`', ''] }).check()
  expect(report.findings[0]?.summary).toBe('a b')
  expect(report.findings[0]?.remedy).toBe(`To see it again: ${program.path} 'a b' '$HOME' '\`id\`' ''`)
})

test('the environment is PATH, LANG, TMPDIR and what is declared', async () => {
  using program = programFixture(
    'env | cut -d= -f1 | sort | tr "\\n" " "; test "$PASSWORD" = "a canary of a secret" || exit 2',
  )
  const job = program.job(
    {
      environment: { MODE: 'fast' },
      secretEnvironment: { PASSWORD: 'env:SECRET' },
      permissions: { env: ['HOME'] },
    },
    { secrets: { 'env:SECRET': 'a canary of a secret' } },
  )
  expect(job.permissions.check).toMatchObject({
    env: ['HOME'],
    secrets: ['env:SECRET'],
    run: [[program.path]],
  })
  const summary = 'HOME LANG MODE PASSWORD PATH PWD TMPDIR'
  expect((await job.check()).facts?.[0]?.data).toMatchObject({ state: 'ok', summary })
})

/** Runs as the engine does: check, apply where something is fixable, check; with one time and one memory. */
async function enforce(
  program: ReturnType<typeof programFixture>,
  config: Partial<Input>,
  nowMs: number,
  memory: Json | undefined,
) {
  const job = program.job({ kind: 'action', ...config }, { now: new Date(nowMs) })
  const before = await job.check(memory)
  const fixable = before.findings.filter((finding) => finding.fixable)
  const applied = fixable.length > 0 ? await job.apply(fixable, memory) : undefined
  const kept = applied?.memory ?? memory
  return { before, after: await job.check(kept), memory: kept, ran: applied !== undefined }
}

const DAY_MS = 86_400_000
const START_MS = Date.parse('2026-07-31T04:00:00Z')

test('an action runs once in every run, and is then silent', async () => {
  using program = programFixture('echo x >>"$(dirname "$0")/ran"; echo "freed 3 GB"')
  const first = await enforce(program, {}, START_MS, undefined)
  expect(first.before.findings).toMatchObject([{ rule: 'action-due', severity: 'info', fixable: true }])
  expect(first.after.findings).toEqual([])
  expect(first.after.facts).toMatchObject([
    { kind: 'action', data: { exitCode: 0, lastSuccess: '2026-07-31T04:00:00.000Z' } },
  ])
  const second = await enforce(program, {}, START_MS + 1, first.memory)
  expect(second.ran).toBe(true)
  expect(readFileSync(`${program.directory}/ran`, 'utf8')).toBe('x\nx\n')
})

test('an action in observe mode is due and not done', async () => {
  using program = programFixture('touch "$(dirname "$0")/ran"')
  const report = await program.job({ kind: 'action' }).check()
  expect(report.findings.map(({ rule }) => rule)).toEqual(['action-due'])
  expect(() => readFileSync(`${program.directory}/ran`)).toThrow('ENOENT')
})

test('an action with "every" waits for it, from its last success', async () => {
  using program = programFixture('true')
  const first = await enforce(program, { every: '7d' }, START_MS, undefined)
  const early = await enforce(program, { every: '7d' }, START_MS + 7 * DAY_MS - 1, first.memory)
  expect(early).toMatchObject({ ran: false, before: { findings: [] } })
  const due = await enforce(program, { every: '7d' }, START_MS + 7 * DAY_MS, early.memory)
  expect(due.ran).toBe(true)
})

test('a failing action is a finding until it succeeds, and is tried at every run', async () => {
  using program = programFixture(
    'test -e "$(dirname "$0")/repaired" || { echo "daemon is down" >&2; exit 4; }',
  )
  const failed = await enforce(program, { every: '7d' }, START_MS, undefined)
  expect(failed.after.findings).toMatchObject([
    {
      rule: 'action-failed',
      subject: 'command',
      severity: 'warning',
      evidence: { exitCode: 4, output: 'daemon is down' },
    },
  ])
  expect(failed.after.findings[0]?.summary).toContain('ended with exit code 4: daemon is down')
  const again = await enforce(program, { every: '7d' }, START_MS + DAY_MS, failed.memory)
  expect(again.before.findings.map(({ rule }) => rule)).toEqual(['action-failed', 'action-due'])
  expect(again.after.findings.map(({ rule }) => rule)).toEqual(['action-failed'])
  writeFileSync(`${program.directory}/repaired`, '')
  const repaired = await enforce(program, { every: '7d' }, START_MS + 2 * DAY_MS, again.memory)
  expect(repaired.after.findings).toEqual([])
})

test('an action that takes too long has failed', async () => {
  using program = programFixture('sleep 20')
  const { after } = await enforce(program, { timeout: '100ms' }, START_MS, undefined)
  expect(after.findings[0]?.summary).toContain('took longer than 100ms and was killed')
})

test.each([
  ['never run', undefined, undefined, true],
  ['run in this very run', undefined, { ranMs: START_MS }, false],
  ['run before', undefined, { ranMs: START_MS - 1 }, true],
  ['failed in this very run', 1000, { ranMs: START_MS, succeededMs: null }, false],
  ['never succeeded', 1000, { ranMs: START_MS - 1, succeededMs: null }, true],
  ['succeeded a moment ago', 1000, { ranMs: START_MS - 999, succeededMs: START_MS - 999 }, false],
  ['succeeded long enough ago', 1000, { ranMs: START_MS - 1000, succeededMs: START_MS - 1000 }, true],
  ['succeeded in the future', 1000, { ranMs: START_MS + 5, succeededMs: START_MS + 5 }, true],
])('judgeDue() of an action that has %s', (_, every, memory, expected) => {
  const whole = memory && { succeededMs: memory.ranMs, exitCode: 0, failure: null, output: '', ...memory }
  expect(judgeDue(every, whole, START_MS) !== undefined).toBe(expected)
})

test('permissions() gives a check no write, and an action all of its rights in apply only', () => {
  const needs = { read: ['/proc'], net: ['unix:/run/docker.sock'], run: [['/usr/bin/id'] as [string]] }
  const check = plugin.permissions(configSchema.parse({ argv: ['/bin/a', '-x'], permissions: needs }))
  expect(check).toEqual({
    check: {
      read: ['/proc'],
      net: ['unix:/run/docker.sock'],
      run: [['/bin/a', '-x'], ['/usr/bin/id']],
      secrets: [],
    },
  })
  const action = plugin.permissions(
    configSchema.parse({ kind: 'action', argv: ['/bin/a'], permissions: { ...needs, write: ['/srv'] } }),
  )
  expect(action.check).toEqual({})
  expect(action.apply).toMatchObject({ write: ['/srv'], run: [['/bin/a'], ['/usr/bin/id']] })
})

test.each([
  [{ argv: ['check_disk'] }, 'argv.0'],
  [{ argv: [] }, 'argv'],
  [{ argv: '/bin/df -h' }, 'argv'],
  [{ argv: ['/bin/df'], permissions: { write: ['/srv'] } }, 'a check may change nothing'],
  [{ argv: ['/bin/df'], every: '1d' }, 'only an action has "every"'],
  [{ argv: ['/bin/df'], secretEnvironment: { TOKEN: 'plain text' } }, 'secretEnvironment.TOKEN'],
  [{ argv: ['/bin/df'], environment: { 'A B': 'x' } }, 'environment'],
])('a wrong config is refused: %p', (wrong, expected) => {
  const issues = configSchema.safeParse(wrong).error?.issues ?? []
  expect(issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n')).toContain(expected)
})

test('the sample has valid jobs', () => {
  const sample: Record<string, { plugin: string; config: unknown }> = parse(
    readFileSync('plugins/command/sample.yaml', 'utf8'),
  )
  for (const job of Object.values(sample)) {
    expect(job.plugin).toBe(plugin.name)
    expect(configSchema.safeParse(job.config).error).toBeUndefined()
  }
})

test('commandLine() quotes what a shell would take apart', () => {
  expect(commandLine(['/bin/a', '-x=1', "it's", 'a b'])).toBe(`/bin/a -x=1 'it'\\''s' 'a b'`)
})
