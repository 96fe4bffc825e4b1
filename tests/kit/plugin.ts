import { createHmac } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import type {
  CommandArgs,
  CommandResult,
  Finding,
  Json,
  OwnToken,
  PluginSpec,
  Report,
} from '../../agent/contract/mod.ts'
import { reportSchema } from '../../agent/contract/report-schema.ts'
import { toGrants } from '../../agent/host/grants.ts'
import { SURVEYS, surveyProcesses } from '../../agent/host/process-survey.ts'
import { LocalHostReader } from '../../agent/host/reader.ts'
import { LocalHostWriter } from '../../agent/host/writer.ts'
import { recordCases, ruleCases } from './rule-cases.ts'

/** A directory of its own below the system's temporary one; removed by `using`. */
export function temporaryDirectory(name = 'reeve-test'): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), `${name}-`))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export interface PluginRun {
  /** A directory that stands for "/". Default "/": the config then holds real paths. */
  root?: string
  stateDir: string
  now?: Date
  memory?: Json
  secrets?: Record<string, string>
  signal?: AbortSignal
  ownTokens?: OwnToken[]
}

/** Runs the phases of a plugin in this process, with the real host layer and exactly its own permissions. */
export function pluginUnderTest<S extends z.ZodObject>(
  spec: PluginSpec<S>,
  config: z.input<S>,
  run: PluginRun,
) {
  const parsed = spec.config.parse(config)
  const root = run.root ?? '/'
  const permissions = spec.permissions(parsed)
  const expand = (pattern: string) => {
    const all = new LocalHostReader(
      root,
      toGrants({ list: ['/'] }, '/', (path) => [path]),
    )
    return pattern.includes('*') ? all.glob(pattern, () => {}).map((entry) => entry.path) : [pattern]
  }
  mkdirSync(root === '/' ? run.stateDir : join(root, run.stateDir), { recursive: true })
  const context = () => ({
    config: parsed,
    job: spec.name,
    now: run.now ?? new Date(),
    signal: run.signal ?? new AbortController().signal,
    log: { info: () => {}, warn: () => {} },
    stateDir: run.stateDir,
    memory: run.memory,
    secret: (reference: string) => {
      const value = run.secrets?.[reference]
      if (value === undefined) throw new Error(`no secret "${reference}" in this test`)
      return value
    },
    fingerprint: (value: string | Uint8Array) =>
      createHmac('sha256', 'a key for tests').update(value).digest('hex').slice(0, 32),
    progress: () => {},
    ...(run.ownTokens ? { ownTokens: run.ownTokens } : {}),
    lowerPriority: () => {},
    state: new LocalHostWriter(
      root,
      toGrants({}, run.stateDir, (path) => [path]),
    ),
  })
  const accept = (phase: 'check' | 'apply', report: Report): Report => {
    reportSchema.parse(report)
    for (const { rule } of report.findings) {
      if (!(rule in spec.rules)) throw new Error(`plugin ${spec.name} reported the undeclared rule "${rule}"`)
    }
    recordCases(ruleCases(spec.name, phase, Object.keys(spec.rules), report))
    return report
  }
  return {
    config: parsed,
    permissions,
    async check(memory = run.memory): Promise<Report> {
      const looks = SURVEYS.filter((one) => root === '/' && permissions.check.processes?.includes(one))
      const survey = looks.length > 0 ? surveyProcesses(looks) : undefined
      const grants = toGrants(permissions.check, run.stateDir, expand)
      const host = new LocalHostReader(root, grants, undefined, survey)
      return accept('check', await spec.check({ ...context(), memory, host }))
    },
    async apply(findings: Finding[], memory = run.memory): Promise<Report> {
      if (!spec.apply || !permissions.apply) throw new Error(`plugin ${spec.name} has no apply`)
      const host = new LocalHostWriter(root, toGrants(permissions.apply, run.stateDir, expand))
      return accept(
        'apply',
        await spec.apply({ ...context(), memory, host, findings: findings.filter((f) => f.fixable) }),
      )
    },
    /** A verb of its command line, with exactly the permissions that it declares. */
    async command(
      verb: string,
      args: Partial<CommandArgs> = {},
      memory = run.memory,
    ): Promise<CommandResult> {
      const command = spec.commands?.[verb]
      if (!command) throw new Error(`plugin ${spec.name} has no command "${verb}"`)
      const all = { values: {}, positionals: [], ...args }
      const host = new LocalHostWriter(root, toGrants(command.permissions(parsed, all), run.stateDir, expand))
      return command.run({ ...context(), memory, host, args: all })
    },
  }
}

/** A command of a plugin in this process, with exactly the permissions that it asks for. */
export function commandOf<S extends z.ZodObject>(
  spec: PluginSpec<S>,
  verb: string,
  config: z.input<S> | undefined,
  run: PluginRun,
) {
  const command = spec.commands?.[verb]
  if (!command) throw new Error(`plugin ${spec.name} has no command "${verb}"`)
  const parsed = config === undefined ? undefined : spec.config.parse(config)
  const root = run.root ?? '/'
  mkdirSync(root === '/' ? run.stateDir : join(root, run.stateDir), { recursive: true })
  return async (args: CommandArgs): Promise<CommandResult> => {
    const permissions = command.permissions(parsed, args)
    return await command.run({
      config: parsed,
      args,
      job: spec.name,
      now: run.now ?? new Date(),
      signal: run.signal ?? new AbortController().signal,
      log: { info: () => {}, warn: () => {} },
      stateDir: run.stateDir,
      memory: run.memory,
      secret: () => '',
      fingerprint: (value) =>
        createHmac('sha256', 'a key for tests').update(value).digest('hex').slice(0, 32),
      progress: () => {},
      host: new LocalHostWriter(
        root,
        toGrants(permissions, run.stateDir, (path) => [path]),
      ),
      state: new LocalHostWriter(
        root,
        toGrants({}, run.stateDir, (path) => [path]),
      ),
    })
  }
}
