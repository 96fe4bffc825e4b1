import type { WaiverConfig } from '../config/schema.ts'
import type { OwnAction } from '../contract/plugin.ts'
import type { Json, Report } from '../contract/report.ts'
import { describeError } from '../lib/errors.ts'
import { type PacedProgress, type Progress, ProgressMeter } from '../lib/progress.ts'
import type { Redactor } from '../lib/redact.ts'
import type { Store } from '../store/open.ts'
import { lastStart } from '../store/read-runs.ts'
import {
  beginRun,
  closeInterrupted,
  type KnownFinding,
  knownFindings,
  memoryOf,
  recordFindings,
  recordFinished,
  recordUnstarted,
} from '../store/record.ts'
import type { Outcome, Trigger } from '../store/schema.ts'
import { activeSilences } from '../store/silences.ts'
import type { Transition } from '../store/transitions.ts'
import type { Job } from './job.ts'
import { combine, healthFindings, type RunResult, unfinished } from './outcome.ts'
import { ownActions } from './own-actions.ts'
import { isExamined, isHealthRule, reconcile } from './reconcile.ts'
import { silenceFor, waiverFor } from './waiver.ts'

export interface PhaseInput {
  kind: 'check' | 'apply'
  job: Job
  now: number
  memory: Json | undefined
  actions: OwnAction[]
  findings: Report['findings']
  timeoutMs: number
  signal: AbortSignal
  onProgress: (progress: Progress) => void
}

/** How a phase ended; the engine does not know how it is run. */
export type PhaseOutput = { sandbox: string | null } & (
  | { status: 'done'; answer: unknown }
  | { status: 'failed' | 'timeout' | 'ended'; reason: string }
)

export interface RunnerParts {
  store: Store
  version: string
  redactor: Redactor
  /** Runs one phase in a process of its own. Never rejects. */
  execute(input: PhaseInput): Promise<PhaseOutput>
  /** Takes the lock of a job among all processes on this host; undefined when another one holds it. */
  lock(job: string): { release(): void } | undefined
  waivers(): WaiverConfig[]
  /** The jobs of the configuration, for what those that act may touch. Default: none is known. */
  jobs?(): readonly Job[]
  /** Puts alerts for the transitions into the outbox; called inside of the run's transaction. */
  alert(transitions: Transition[]): void
  /** After the transaction: alerts may be waiting. */
  onFinished(job: string): void
  now(): number
  log(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, Json>): void
}

export interface LiveRun {
  job: string
  runId: number
  startedAt: number
  progress: PacedProgress | null
  done: Promise<FinishedSummary>
}

export interface FinishedSummary {
  runId: number
  outcome: Outcome
  reason: string | null
  findingCount: number
}

export type StartResult =
  | { started: LiveRun }
  | { refused: 'running' | 'locked' | 'disabled' | 'not-permitted'; reason: string }

/** Runs jobs, one run of a job at a time, and writes what came of it. */
export class Runner {
  private readonly live = new Map<string, LiveRun>()
  private readonly abort = new AbortController()

  constructor(private readonly parts: RunnerParts) {}

  running(): LiveRun[] {
    return [...this.live.values()]
  }

  /** Whether this or any other process runs the job now. */
  isRunning(job: string): boolean {
    if (this.live.has(job)) return true
    const lock = this.parts.lock(job)
    lock?.release()
    return lock === undefined
  }

  /** Gives the job's last run the end that it did not get, when the process that ran it is gone. */
  closeCutOff(job: string): void {
    if (this.live.has(job) || lastStart(this.parts.store, job)?.finishedAt !== null) return
    const lock = this.parts.lock(job)
    if (!lock) return
    try {
      closeInterrupted(this.parts.store, job, this.parts.now())
    } finally {
      lock.release()
    }
  }

  /** Ends all that runs, and waits for it. */
  async stop(): Promise<void> {
    this.abort.abort()
    await Promise.all(this.running().map((run) => run.done))
  }

  /** Waits, at most `timeoutMs`, for what runs to end by itself. */
  async drain(timeoutMs: number): Promise<void> {
    await Promise.race([Promise.all(this.running().map((run) => run.done)), Bun.sleep(timeoutMs)])
  }

  /** Starts a run. What is not started is recorded as skipped when the schedule asked for it. */
  start(job: Job, trigger: Trigger, actor: string | null = null): StartResult {
    const refusal = this.refusal(job)
    if (refusal) return this.refuse(job, trigger, actor, refusal)
    const lock = this.parts.lock(job.name)
    if (!lock) {
      return this.refuse(job, trigger, actor, {
        refused: 'locked',
        reason: 'another reeve process is running this job',
      })
    }
    const { store, now } = this.parts
    const startedAt = now()
    try {
      closeInterrupted(store, job.name, startedAt)
      const runId = beginRun(store, this.newRun(job, trigger, actor, startedAt))
      const run: LiveRun = {
        job: job.name,
        runId,
        startedAt,
        progress: null,
        done: Promise.withResolvers<FinishedSummary>().promise,
      }
      this.live.set(job.name, run)
      run.done = this.perform(job, run).finally(() => {
        this.live.delete(job.name)
        lock.release()
        this.parts.onFinished(job.name)
      })
      return { started: run }
    } catch (error) {
      lock.release()
      throw error
    }
  }

  private refusal(job: Job): Exclude<StartResult, { started: LiveRun }> | undefined {
    if (!job.enabled) return { refused: 'disabled', reason: 'the job is switched off in the configuration' }
    if (job.refused) return { refused: 'not-permitted', reason: job.refused }
    if (this.live.has(job.name)) return { refused: 'running', reason: 'the run before it still goes on' }
    return undefined
  }

  private refuse(
    job: Job,
    trigger: Trigger,
    actor: string | null,
    refusal: Exclude<StartResult, { started: LiveRun }>,
  ): StartResult {
    if (trigger === 'schedule' || trigger === 'timer') {
      const run = this.newRun(job, trigger, actor, this.parts.now())
      recordUnstarted(this.parts.store, run, 'skipped', refusal.reason)
    }
    this.parts.log('warn', 'run not started', { job: job.name, trigger, reason: refusal.reason })
    return refusal
  }

  private newRun(job: Job, trigger: Trigger, actor: string | null, startedAt: number) {
    return {
      job: job.name,
      plugin: job.plugin.name,
      trigger,
      mode: job.mode,
      startedAt,
      configDigest: job.configDigest,
      actor,
      version: this.parts.version,
    }
  }

  private async perform(job: Job, run: LiveRun): Promise<FinishedSummary> {
    const began = performance.now()
    const phases = new Phases(this.parts, job, run, this.abort.signal)
    let result: RunResult
    try {
      result = await phases.all(memoryOf(this.parts.store, job.name))
    } catch (error) {
      result = unfinished('failed', describeError(error))
    }
    result = this.parts.redactor.value(result)
    const durationMs = Math.round(performance.now() - began)
    try {
      this.record(job, run, result, phases.sandbox, durationMs)
    } catch (error) {
      // The row stays as it was begun, without an end. A full disk must not look like a finished run.
      const reason = `the result could not be stored: ${describeError(error)}`
      this.parts.log('error', 'run not recorded', { job: job.name, runId: run.runId, reason })
      return { runId: run.runId, outcome: 'failed', reason, findingCount: 0 }
    }
    this.parts.log(result.outcome === 'failed' ? 'error' : 'info', 'run finished', {
      job: job.name,
      runId: run.runId,
      outcome: result.outcome,
      findings: result.findings.length,
      durationMs,
      ...(result.reason && { reason: result.reason }),
    })
    return {
      runId: run.runId,
      outcome: result.outcome,
      reason: result.reason,
      findingCount: result.findings.length,
    }
  }

  private record(
    job: Job,
    run: LiveRun,
    result: RunResult,
    sandbox: string | null,
    durationMs: number,
  ): void {
    const { store } = this.parts
    const at = this.parts.now()
    const looked = ['clean', 'findings', 'blind'].includes(result.outcome)
    const health = healthFindings(job.name, result)
    const waivers = this.parts.waivers()
    const silences = activeSilences(store, at)
    const waiver = (finding: { rule: string; subject: string }) =>
      waiverFor(waivers, { job: job.name, ...finding }, at)
    const silence = (finding: { rule: string; subject: string }) =>
      silenceFor(silences, { job: job.name, ...finding })
    store.transaction(() => {
      const { seen, resolved } = reconcile(
        knownFindings(store, job.name),
        [...result.findings, ...health],
        (finding) => speaksFor(finding, looked, result),
        (finding) => waiver(finding) !== undefined || silence(finding) !== null,
      )
      const source = { job: job.name, plugin: job.plugin.name, runId: run.runId, at }
      const rows = seen.map((row) => {
        const accepted = waiver(row.finding)
        return {
          ...row,
          waiver: accepted
            ? { owner: accepted.owner, reason: accepted.reason, expires: accepted.expires }
            : null,
          silence: silence(row.finding),
        }
      })
      this.parts.alert(recordFindings(store, source, rows, resolved))
      recordFinished(store, {
        ...result,
        id: run.runId,
        job: job.name,
        at,
        durationMs,
        sandbox,
        findingCount: result.findings.length,
        complete: looked && result.blind.length === 0,
      })
    })
  }
}

/** A run that looked speaks for what it could examine; one that did not speaks only about the job itself. */
function speaksFor(finding: KnownFinding, looked: boolean, result: RunResult): boolean {
  if (finding.rule === 'job-refused') return true
  // Whoever watches knows, a run does not.
  if (finding.rule === 'watch-incomplete') return false
  if (isHealthRule(finding.rule))
    return result.outcome !== 'interrupted' && (looked || finding.rule === 'job-late')
  return looked && isExamined(finding, result.blind)
}

/** check, and where the job enforces and there is something to do: apply and check again. */
class Phases {
  sandbox: string | null = null
  private readonly meter = new ProgressMeter()
  private readonly deadline: number

  constructor(
    private readonly parts: RunnerParts,
    private readonly job: Job,
    private readonly run: LiveRun,
    private readonly signal: AbortSignal,
  ) {
    this.deadline = performance.now() + job.timeoutMs
  }

  async all(memory: Json | undefined): Promise<RunResult> {
    const first = await this.phase('check', memory, [])
    if ('outcome' in first) return first
    const fixable = first.findings.filter((finding) => finding.fixable)
    const checked = first.memory ?? memory
    if (this.job.mode === 'observe' || !this.job.plugin.canApply || fixable.length === 0) {
      return combine(first, null, first.memory)
    }
    const applied = await this.phase('apply', checked, fixable)
    if ('outcome' in applied) return { ...applied, findings: first.findings, memory: first.memory }
    const second = await this.phase('check', applied.memory ?? checked, [])
    const last = 'outcome' in second ? undefined : second.memory
    const kept = last ?? applied.memory ?? first.memory
    if ('outcome' in second) return { ...second, artifacts: applied.artifacts ?? [], memory: kept }
    return combine(second, applied, kept)
  }

  /** The report of a phase, or the result of the whole run when it gave none. */
  private async phase(
    kind: 'check' | 'apply',
    memory: Json | undefined,
    findings: Report['findings'],
  ): Promise<Report | RunResult> {
    const timeoutMs = Math.max(1, Math.round(this.deadline - performance.now()))
    const end = await this.parts.execute({
      kind,
      job: this.job,
      now: this.run.startedAt,
      memory,
      actions: this.job.plugin.seesActions
        ? ownActions(this.parts.store, this.parts.jobs?.() ?? [], {
            job: this.job.name,
            now: this.parts.now(),
          })
        : [],
      findings,
      timeoutMs,
      signal: this.signal,
      onProgress: (progress) => {
        this.run.progress = this.meter.note(progress, performance.now())
      },
    })
    this.sandbox = end.sandbox ?? this.sandbox
    if (end.status !== 'done') {
      const reason =
        end.status === 'timeout' ? `it took longer than ${this.job.timeoutMs} ms and was ended` : end.reason
      return unfinished(end.status === 'ended' ? 'interrupted' : end.status, `${kind}: ${reason}`)
    }
    // Loaded with the first run: a start does not need it.
    const { reportSchema } = await import('../contract/report-schema.ts')
    const report = reportSchema.safeParse(end.answer)
    if (report.success) return report.data
    const issue = report.error.issues[0]
    return unfinished(
      'failed',
      `${kind}: its report is not valid: ${issue?.path.join('.')}: ${issue?.message}`,
    )
  }
}
