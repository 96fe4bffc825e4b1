import { join } from 'node:path'
import type { Report } from '../../../agent/contract/report.ts'
import type { Job } from '../../../agent/engine/job.ts'
import { Runner, type RunnerParts } from '../../../agent/engine/runner.ts'
import { takeLock } from '../../../agent/host/lock.ts'
import { Redactor } from '../../../agent/lib/redact.ts'
import { openStore, type Store } from '../../../agent/store/open.ts'
import { findings, runs } from '../../../agent/store/schema.ts'
import type { Transition } from '../../../agent/store/transitions.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

export function job(more: Partial<Job> = {}): Job {
  return {
    name: 'watch',
    plugin: { name: 'command', summary: '', file: null, canApply: true },
    schedule: '0 * * * *',
    timezone: 'UTC',
    mode: 'observe',
    timeoutMs: 60_000,
    jitterMs: 0,
    runOnStart: false,
    catchUp: true,
    enabled: true,
    sandbox: 'always',
    config: {},
    permissions: { check: {} },
    watch: null,
    refused: null,
    configDigest: 'digest',
    ...more,
  }
}

type Execute = RunnerParts['execute']
type Answer = Report | Awaited<ReturnType<Execute>> | (() => ReturnType<Execute>)

/** An engine with a real store and real locks; phases are answered by the test instead of a worker. */
export class Engine implements Disposable {
  private readonly directory = temporaryDirectory()
  readonly path = this.directory.path
  readonly store: Store = openStore(join(this.path, 'reeve.db'))
  readonly clock = { now: Date.parse('2026-03-10T12:00:00Z') }
  readonly redactor = new Redactor()
  /** Phases that were asked for, in order. */
  readonly asked: Parameters<Execute>[0][] = []
  /** What the next phases answer; a clean report when nothing is left. */
  readonly answers: Answer[] = []
  readonly told: Transition[] = []
  readonly log: { message: string; fields: unknown }[] = []
  waivers: ReturnType<RunnerParts['waivers']> = []
  readonly parts: RunnerParts = {
    store: this.store,
    version: '1.2.3',
    redactor: this.redactor,
    execute: (input) => this.execute(input),
    lock: (name) => takeLock(join(this.path, `${name}.lock`)),
    waivers: () => this.waivers,
    alert: (transitions) => this.told.push(...transitions),
    onFinished: () => {},
    now: () => this.clock.now,
    log: (_level, message, fields) => this.log.push({ message, fields }),
  }
  readonly runner = new Runner(this.parts)

  private async execute(input: Parameters<Execute>[0]): ReturnType<Execute> {
    this.asked.push(input)
    const answer = this.answers.shift() ?? { findings: [] }
    if (typeof answer === 'function') return answer()
    if ('status' in answer) return answer
    return { status: 'done', sandbox: 'landlock-7+seccomp', answer }
  }

  /** One run to its end, a minute after the one before. */
  async run(of: Job, ...answers: Answer[]) {
    this.clock.now += 60_000
    this.answers.push(...answers)
    const result = this.runner.start(of, 'manual', 'test')
    if ('refused' in result) throw new Error(result.reason)
    return result.started.done
  }

  /** "opened wrong /a" since the last call. */
  news(): string[] {
    return this.told.splice(0).map(({ kind, rule, subject }) => `${kind} ${rule} ${subject}`)
  }

  findings() {
    return this.store.orm.select().from(findings).orderBy(findings.id).all()
  }

  runs() {
    return this.store.orm.select().from(runs).orderBy(runs.id).all()
  }

  [Symbol.dispose](): void {
    this.store.close()
    this.directory[Symbol.dispose]()
  }
}
