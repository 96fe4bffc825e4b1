import { join } from 'node:path'
import type { z } from 'zod'
import type { Permissions } from '../../agent/contract/permissions.ts'
import type { PluginSpec } from '../../agent/contract/plugin.ts'
import type { Finding, Json, Report } from '../../agent/contract/report.ts'
import { type PhaseResult, type PhaseSettings, runPhase } from '../kit/phase.ts'
import { Workspace } from '../kit/workspace.ts'
import type { Fixture, MakeFixture } from './fixture.ts'

/** 2027-01-15T08:00:00Z: later than the files of any fixture, by less than a credential may be old. */
const NOW = Date.parse('2027-01-15T08:00:00Z')

/** A plugin on the host of one of its fixtures, phase by phase in the compiled binary. */
export class Subject implements AsyncDisposable {
  readonly host = new Workspace()
  readonly fixture: Fixture
  readonly stateDir = join(this.host.path, 'state/jobs/fixture')
  memory: Json | undefined
  /** Every report of every phase so far. */
  readonly reports: Report[] = []
  private readonly permissions: { check: Permissions; apply?: Permissions }

  constructor(
    readonly spec: PluginSpec<z.ZodObject>,
    make: MakeFixture,
  ) {
    this.fixture = make(this.host)
    this.permissions = spec.permissions(spec.config.parse(this.fixture.config))
  }

  /** The parts of the host that are not reeve's own. */
  get hostDirectory(): string {
    return join(this.host.path, 'srv')
  }

  permissionsOf(kind: 'check' | 'apply'): Permissions {
    return this.permissions[kind] ?? {}
  }

  async phase(kind: 'check' | 'apply', more: Partial<PhaseSettings> = {}): Promise<PhaseResult> {
    const { plugin, config, secrets = {} } = this.fixture
    const permissions = more.permissions ?? this.permissionsOf(kind)
    const granted = Object.entries(secrets).filter(([reference]) => permissions.secrets?.includes(reference))
    const result = await runPhase({
      plugin,
      kind,
      config,
      permissions,
      stateDir: this.stateDir,
      now: NOW,
      memory: this.memory,
      secrets: Object.fromEntries(granted),
      ...more,
    })
    if (result.report) this.reports.push(result.report)
    return result
  }

  /** A phase that has to give a report; its memory is kept. */
  async done(kind: 'check' | 'apply', findings: Finding[] = []): Promise<Report> {
    const { report, failure } = await this.phase(kind, { findings })
    if (!report) throw new Error(`${kind} of ${this.fixture.plugin} failed: ${failure}`)
    if (report.memory !== undefined) this.memory = report.memory
    return report
  }

  /** Runs the job as the engine does: check, and where it enforces apply and check again. */
  async run(): Promise<Report> {
    const first = await this.done('check')
    const fixable = first.findings.filter((finding) => finding.fixable)
    if (this.fixture.mode === 'observe' || fixable.length === 0) return first
    await this.done('apply', fixable)
    return this.done('check')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]()
  }
}

/** A report without what may differ between two looks at the same host: how long they took. */
export function comparable(report: Report, { isLively = false }: Pick<Fixture, 'isLively'> = {}): unknown {
  const metrics = (report.metrics ?? []).map((metric) =>
    metric.name.endsWith('_seconds') && metric.value < 60 ? { ...metric, value: 'a duration' } : metric,
  )
  if (!isLively) return { ...report, metrics }
  const facts = report.facts?.map(({ kind, subject }) => ({ kind, subject }))
  return { ...report, metrics, facts, coverage: null }
}
