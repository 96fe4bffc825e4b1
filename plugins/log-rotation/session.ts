import {
  type ApplyContext,
  type Artifact,
  describeError,
  type Finding,
  type HostDirectory,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { LogPlan } from './plan.ts'
import { planLogs } from './plans.ts'
import type { KeptFile } from './records/judge.ts'
import { Records } from './records/records.ts'
import { pendingSets, readState, type State, writeState } from './state.ts'
import { type SurveyedLog, survey } from './survey.ts'

/** One apply: what it may do, what it did, and its durable state. */
export class Session {
  readonly findings: Finding[] = []
  readonly artifacts: Artifact[] = []
  /** Logs that this apply rotated or finished: all that follows from it is part of the same job. */
  readonly touched = new Set<string>()
  readonly state: State
  readonly records: Records
  private readonly wanted: Set<string>
  private readonly directories = new Map<string, HostDirectory>()
  private surveyed: SurveyedLog[] | undefined

  constructor(readonly ctx: ApplyContext<Config>) {
    this.state = readState(ctx.state, ctx.stateDir)
    this.records = Records.read(ctx.state, ctx.stateDir)
    this.wanted = new Set(ctx.findings.map(({ rule, subject }) => `${rule}\0${subject}`))
  }

  /** Whether the check before asked for it. */
  wants(rule: string, subject: string): boolean {
    return this.wanted.has(`${rule}\0${subject}`)
  }

  /** The plans of all logs as they are now. The host is looked at again only after something was done. */
  plans(now: number): LogPlan[] {
    const { host, config } = this.ctx
    this.surveyed ??= survey(host, config.sets, pendingSets(this.state)).logs
    return planLogs(host, config, this.surveyed, this.state, now)
  }

  /** Something was done of which this session does not know. */
  lookAgain(): void {
    this.surveyed = undefined
  }

  /** A directory by its handle, in which something is going to be changed. */
  directory(path: string): HostDirectory {
    this.lookAgain()
    return this.handleOf(path)
  }

  /** The same, to look only. */
  look(path: string): Pick<HostDirectory, 'stat' | 'open' | 'isOpenForWriting' | 'start'> {
    return this.handleOf(path)
  }

  private handleOf(path: string): HostDirectory {
    let directory = this.directories.get(path)
    if (!directory) {
      directory = this.ctx.host.openDirectory(path)
      this.directories.set(path, directory)
    }
    return directory
  }

  /** Removes a rotated log for good, and forgets its proof. */
  remove(log: string, file: KeptFile): void {
    this.ctx.signal.throwIfAborted()
    const { path } = file
    try {
      this.directory(path.slice(0, path.lastIndexOf('/')) || '/').remove(path)
      this.records.forget(log, file)
      this.ctx.log.info('removed a generation', { log, path })
    } catch (error) {
      const summary = `${path} was not removed: ${describeError(error)}`
      this.fail('removal-failed', path, summary, `Remove it: rm ${shellWord(path)}`)
    }
  }

  saveState(): void {
    this.records.save(this.ctx.state)
    writeState(this.ctx.state, this.ctx.stateDir, this.state)
  }

  fail(rule: string, subject: string, summary: string, remedy: string): void {
    this.findings.push({ rule, subject, severity: 'warning', summary: summary.slice(0, 2000), remedy })
    this.ctx.log.warn('could not finish a rotation', { rule, subject, summary })
  }

  close(): void {
    for (const directory of this.directories.values()) directory.close()
  }
}
