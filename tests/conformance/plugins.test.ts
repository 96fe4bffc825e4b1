import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { jobSchema } from '../../agent/config/schema.ts'
import { PERMISSION_KEYS, type Permissions } from '../../agent/contract/permissions.ts'
import { type Finding, type Report, SEVERITIES } from '../../agent/contract/report.ts'
import { isHealthRule } from '../../agent/engine/reconcile.ts'
import { CAPABILITIES } from '../../agent/worker/capabilities.ts'
import { landlockAbi } from '../../agent/worker/landlock.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { testWith } from '../kit/needs.ts'
import { treeOf } from '../kit/phase.ts'
import type { MakeFixture } from './fixture.ts'
import { comparable, Subject } from './subject.ts'

// What every plugin has to keep to, whatever it does. A new plugin is picked up from the registry, and needs
// fixtures/NAME.ts beside this file.

setDefaultTimeout(60_000)

const abi = landlockAbi()
const jailTest = testWith({ reason: abi < 3 ? `needs Landlock ABI 3, this kernel has ${abi}` : undefined })
const traceTest = testWith({
  programs: ['strace'],
  reason: !tracing() ? 'this machine lets nothing be traced' : abi < 3 ? `needs Landlock ABI 3` : undefined,
})
const TOLD_AFTER_MS = 400
const PROMPTLY_MS = 2500

const registry = await builtInPlugins.load(builtInPlugins.names)

test('every folder of plugins is in the registry, under the name that the plugin gives itself', () => {
  const folders = readdirSync(join(import.meta.dir, '../../plugins'), { withFileTypes: true })
  expect(
    folders
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual([...registry.keys()].toSorted())
  expect([...registry.keys()].toSorted()).toEqual([...builtInPlugins.names].toSorted())
})

/** Every field of a configuration, with its path; alternatives of a union too. */
function fieldsOf(
  schema: z.core.JSONSchema.JSONSchema,
  path: string[] = [],
): { path: string; described: boolean }[] {
  const inner = [
    ...Object.entries(schema.properties ?? {}).map(([key, value]) => [key, value] as const),
    ...[schema.items, schema.additionalProperties, ...(schema.prefixItems ?? [])].map(
      (value) => ['*', value] as const,
    ),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].map(
      (value) => ['', value] as const,
    ),
  ]
  return inner.flatMap(([key, value]) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
    const here = key === '' ? path : [...path, key]
    const isField = key !== '' && key !== '*'
    return [
      ...(isField ? [{ path: here.join('.'), described: Boolean(value.description) }] : []),
      ...fieldsOf(value, here),
    ]
  })
}

for (const [name, spec] of registry) {
  test(`${name} says what each of its rules means, and how grave it is`, () => {
    expect(Object.keys(spec.rules).length).toBeGreaterThan(0)
    for (const [rule, { means, severity }] of Object.entries(spec.rules)) {
      expect(rule).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      expect([rule, means.length > 10, means.endsWith('.')]).toEqual([rule, true, false])
      expect(SEVERITIES).toContain(severity)
      // The engine's own findings about a job must not be resolved by a plugin.
      expect([rule, isHealthRule(rule)]).toEqual([rule, false])
    }
  })

  test(`${name} describes every setting, and takes none that it does not know`, () => {
    const schema = z.toJSONSchema(spec.config, { io: 'input', unrepresentable: 'any' })
    const fields = fieldsOf(schema)
    expect(fields.length).toBeGreaterThan(0)
    expect(fields.filter(({ described }) => !described).map(({ path }) => path)).toEqual([])
    const wrong = spec.config.safeParse({ 'no-such-setting': 1 })
    expect(JSON.stringify(wrong.error?.issues)).toContain('"unrecognized_keys"')
  })

  test(`${name} has a sample that is a valid configuration`, () => {
    const path = join(import.meta.dir, '../../plugins', name, 'sample.yaml')
    const jobs = z.record(z.string(), jobSchema).parse(parse(readFileSync(path, 'utf8')))
    expect(Object.keys(jobs).length).toBeGreaterThan(0)
    for (const job of Object.values(jobs)) {
      expect(job.plugin).toBe(name)
      if (job.mode === 'enforce') expect(spec.apply).toBeDefined()
      const permissions = spec.permissions(spec.config.parse(job.config))
      expectSound(permissions.check)
      expectSound(permissions.apply ?? {})
      // Of the configuration alone: the same every time.
      expect(spec.permissions(spec.config.parse(job.config))).toEqual(permissions)
      expect('write' in permissions.check ? permissions.check.write : undefined).toBeUndefined()
    }
  })

  const file = join(import.meta.dir, 'fixtures', `${name}.ts`)
  test(`${name} has a fixture`, () => expect([file, existsSync(file)]).toEqual([file, true]))
  const makers: MakeFixture[] = existsSync(file) ? (await import(file)).default : []
  for (const make of makers) conformance(`${name} (${make.name})`, () => new Subject(spec, make))
}

/** Permissions that mean something, and not everything. */
function expectSound(permissions: Permissions): void {
  expect([...PERMISSION_KEYS]).toEqual(expect.arrayContaining(Object.keys(permissions)))
  for (const key of ['list', 'read', 'write', 'attributes'] as const) {
    for (const path of permissions[key] ?? []) expect(path).toMatch(/^\/(?!.*\/\.\.?(\/|$))/)
  }
  for (const path of [...(permissions.write ?? []), ...(permissions.read ?? [])]) expect(path).not.toBe('/')
  for (const [program] of permissions.run ?? []) expect(program).toStartWith('/')
  for (const capability of permissions.capabilities ?? []) expect(CAPABILITIES).toContain(capability)
}

function conformance(name: string, create: () => Subject): void {
  jailTest(`${name}: a run ends clean, in the jail, with rules that are declared`, async () => {
    await using subject = create()
    const last = await subject.run()
    expect({ findings: last.findings, blind: last.blind ?? [] }).toEqual({ findings: [], blind: [] })
    expect(last.coverage?.examined ?? 0).toBeGreaterThan(0)
    const { sandbox } = await subject.phase('check')
    expect(sandbox).toBe(`landlock-${abi}+seccomp`)
    const rules = subject.reports.flatMap(({ findings }) => findings.map(({ rule }) => rule))
    expect(Object.keys(subject.spec.rules)).toEqual(expect.arrayContaining(rules))
  })

  jailTest(`${name}: a check changes nothing on the host, not even a time`, async () => {
    await using subject = create()
    const untouched = treeOf(subject.hostDirectory)
    await subject.done('check')
    expect(treeOf(subject.hostDirectory)).toBe(untouched)
    await subject.run()
    const after = treeOf(subject.hostDirectory)
    await subject.done('check')
    expect(treeOf(subject.hostDirectory)).toBe(after)
  })

  traceTest(`${name}: it tries nothing that it does not declare`, async () => {
    await using subject = create()
    const check = await refusals(subject, 'check')
    subject.memory = check.report.memory
    const fixable = check.report.findings.filter((finding) => finding.fixable)
    const apply = fixable.length > 0 ? await refusals(subject, 'apply', fixable) : { refused: [] }
    expect({ check: check.refused, apply: apply.refused }).toEqual({ check: [], apply: [] })
  })

  jailTest(`${name}: the same host gives the same report twice`, async () => {
    await using subject = create()
    await subject.run()
    const look = async () => comparable(await subject.done('check'), subject.fixture)
    let [first, second] = [await look(), await look()]
    for (let tries = subject.fixture.isShared ? 8 : 0; tries > 0 && !Bun.deepEquals(first, second); tries--) {
      ;[first, second] = [second, await look()]
    }
    expect(second).toEqual(first)
  })

  jailTest(`${name}: acting twice changes nothing more`, async () => {
    await using subject = create()
    await subject.run()
    const after = treeOf(subject.hostDirectory)
    const again = await subject.run()
    expect(again.findings).toEqual([])
    expect(treeOf(subject.hostDirectory)).toBe(after)
    // Even when it is told to act on what is settled.
    const [first] = subject.reports
    const fixable = first?.findings.filter((finding) => finding.fixable) ?? []
    if (subject.fixture.mode === 'enforce' && fixable.length > 0) {
      await subject.phase('apply', { findings: fixable })
      const check = await subject.done('check')
      expect(check.findings.filter(({ severity }) => severity !== 'info')).toEqual([])
    }
  })

  jailTest(`${name}: it is never green without one of its permissions`, async () => {
    await using subject = create()
    await subject.run()
    const permissions = subject.permissionsOf('check')
    const green: string[] = []
    for (const { what, rest } of withoutEach(permissions)) {
      if (subject.fixture.idle?.includes(what)) continue
      // Refused by the host layer and by the kernel; then by the kernel alone.
      const byKernel =
        what.startsWith('secrets') || subject.fixture.implied?.includes(what) ? [] : [{ jail: rest }]
      for (const reduced of [{ permissions: rest }, ...byKernel]) {
        subject.fixture.disturb?.()
        const { report } = await subject.phase('check', reduced)
        if (report && isGreen(report)) green.push(`${what} (${Object.keys(reduced)})`)
      }
    }
    expect(green).toEqual([])
  })

  jailTest(`${name}: it ends promptly when it is told to`, async () => {
    await using subject = create()
    const slow = subject.fixture.slow?.()
    if (!slow) return
    const { spec } = subject
    const permissions = spec.permissions(spec.config.parse(slow.config))
    const place = { config: slow.config, stateDir: `${subject.stateDir}-slow` }
    const phase = (kind: 'check' | 'apply', more: object) =>
      subject.phase(kind, { ...place, permissions: permissions[kind] ?? {}, memory: undefined, ...more })
    const abort = () => ({ signal: AbortSignal.timeout(TOLD_AFTER_MS) })
    const check = await phase('check', slow.kind === 'check' ? abort() : {})
    const findings = check.report?.findings.filter((finding) => finding.fixable) ?? []
    const result = slow.kind === 'check' ? check : await phase('apply', { findings, ...abort() })
    // Cut off it is no success.
    expect(result.report ? isGreen(result.report) : false).toBe(false)
    // It was at work when it was told.
    expect(result.afterSignalMs).toBeDefined()
    expect(result.afterSignalMs ?? 0).toBeLessThan(PROMPTLY_MS)
  })

  jailTest(`${name}: secrets of the host show nowhere`, async () => {
    await using subject = create()
    const { fixture, host } = subject
    const env: Record<string, string> = {}
    for (const [reference, value] of Object.entries(fixture.secrets ?? {})) {
      host.write(reference.replace(`file:${host.path}/`, ''), `${value}\n`)
    }
    host.configure({
      jobs: { fixture: { plugin: fixture.plugin, mode: fixture.mode, config: fixture.config } },
    })
    const said: string[] = []
    for (const command of [
      ['run', 'fixture', '--verbose', '--json'],
      ['run', 'fixture'],
      ['findings', '--all', '--json'],
      ['facts', '--json'],
      ['runs', '1', '--json'],
      ['config', 'show'],
    ]) {
      const { stdout, stderr } = await host.reeve(command, { env })
      said.push(stdout, stderr)
    }
    const daemon = await host.daemon()
    for (const path of ['/metrics', '/v1/facts', '/v1/findings', '/v1/runs', '/v1/jobs/fixture']) {
      said.push(await (await fetch(`http://localhost${path}`, { unix: host.socket })).text())
    }
    await daemon.stop()
    said.push(daemon.log)
    expect(said.join('').length).toBeGreaterThan(2000)
    for (const canary of fixture.canaries) {
      const bytes = Buffer.from(canary)
      for (const form of [canary, bytes.toString('base64').replace(/=+$/, ''), bytes.toString('hex')]) {
        expect(said.filter((text) => text.includes(form))).toEqual([])
        const { stdout } = Bun.spawnSync([
          'grep',
          '--recursive',
          '--text',
          '--fixed-strings',
          '--files-with-matches',
          form,
          host.stateDir,
        ])
        expect(stdout.toString()).toBe('')
      }
    }
  })
}

/** A phase, and all calls in it that the jail refused but for those of the runtime, as strace saw them. */
async function refusals(subject: Subject, kind: 'check' | 'apply', findings: Finding[] = []) {
  const log = join(subject.host.path, 'trace')
  const wrap = [
    'strace',
    '-D',
    '-f',
    '-qq',
    '-o',
    log,
    '-e',
    'trace=%file,%network,%process,ioctl,kill,ptrace,landlock_restrict_self',
  ]
  const { report, failure } = await subject.phase(kind, { wrap, findings })
  if (!report) throw new Error(`${kind} failed: ${failure}`)
  const calls = wholeCalls(readFileSync(log, 'utf8').split('\n'))
  const jailed = calls.findIndex((call) => /landlock_restrict_self\(.* = 0$/.test(call))
  expect(jailed).toBeGreaterThan(0)
  const refused = calls.slice(jailed).filter((call) => / = -1 (EACCES|EPERM) /.test(call))
  // The runtime counts processors and memory, programs look for their language: neither needs an answer.
  const probe = /"\/(sys|proc|usr\/share\/locale)\//
  return { report, refused: refused.filter((call) => !probe.test(call)) }
}

/** Lines of strace, a call that another thread's line came between put together again. */
function wholeCalls(lines: string[]): string[] {
  const begun = new Map<string, string>()
  return lines.map((line) => {
    const [pid = ''] = line.split(' ')
    if (line.endsWith('<unfinished ...>')) begun.set(pid, line.replace('<unfinished ...>', ''))
    const resumed = /<\.\.\. \w+ resumed>(.*)$/.exec(line)
    return resumed ? `${begun.get(pid) ?? line}${resumed[1]}` : line
  })
}

function tracing(): boolean {
  return Bun.which('strace') !== null && Bun.spawnSync(['strace', '-o', '/dev/null', 'true']).exitCode === 0
}

function isGreen(report: Report): boolean {
  return report.findings.length === 0 && (report.blind ?? []).length === 0
}

/** The permissions without one entry, for each of them. */
function withoutEach(permissions: Permissions): { what: string; rest: Permissions }[] {
  return PERMISSION_KEYS.flatMap((key) =>
    // Capabilities open files of others; those of a fixture belong to whoever runs the test.
    (key === 'capabilities' ? [] : (permissions[key] ?? [])).map((entry, index, all) => ({
      what: `${key} ${Array.isArray(entry) ? entry.join(' ') : entry}`,
      rest: { ...permissions, [key]: all.filter((_, other) => other !== index) },
    })),
  )
}
