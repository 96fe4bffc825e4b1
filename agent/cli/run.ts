import { SEVERITIES, type Severity } from '../contract/report.ts'
import type { Job } from '../engine/job.ts'
import type { FinishedSummary } from '../engine/runner.ts'
import { formatDuration } from '../lib/duration.ts'
import { UserError } from '../lib/errors.ts'
import { formatProgress, type PacedProgress } from '../lib/progress.ts'
import type { Outcome, Trigger } from '../store/schema.ts'
import { ApiClient } from './api-client.ts'
import { type CliCommand, EXIT, type Invocation, type Option, textOption } from './command.ts'
import { giveStateBack, type HostView, pickJobs, readHost } from './host.ts'
import { openOneShot } from './one-shot.ts'
import { paintState, print, printJson, progressLine, table } from './print.ts'

const OPTIONS: Record<string, Option> = {
  all: { type: 'boolean', means: 'Every enabled job, one after the other' },
  threshold: { type: 'string', value: 'LEVEL', means: 'Exit with 3 from this severity on; default warning' },
  verbose: { type: 'boolean', short: 'v', means: 'Log to standard error' },
  timer: { type: 'boolean', means: 'A systemd timer asks: note it as such' },
}

/** One finished run, for the exit code and the table. */
interface Result {
  job: string
  runId: number | null
  outcome: Outcome | 'locked' | 'refused'
  reason: string | null
  worst: Severity | null
  findings: number
  /** Subjects that could not be examined. */
  blind: number
  durationMs: number | null
}

export const run: CliCommand = {
  name: 'run',
  summary: 'Run jobs now; by the daemon where one runs, else in this process',
  usage: 'JOB… | --all',
  options: OPTIONS,
  json: true,
  run: (invocation) => runJobs(invocation, (job) => job),
}

export const check: CliCommand = {
  name: 'check',
  summary: 'Run jobs now in this process, looking only: nothing is put right',
  usage: 'JOB… | --all',
  options: OPTIONS,
  json: true,
  run: (invocation) => runJobs(invocation, (job) => ({ ...job, mode: 'observe' })),
}

/** Runs the named jobs, each as `prepare` makes it; what it changes runs in this process. */
export async function runJobs(invocation: Invocation, prepare: (job: Job) => Job): Promise<number> {
  const threshold = thresholdOf(invocation)
  const host = await readHost(invocation)
  const jobs = chosen(invocation, host.jobs)
  const looksOnly = prepare(jobs[0] as Job) !== jobs[0]
  // A timer's unit has just the permissions of its job: the run belongs into it.
  const isHere = looksOnly || invocation.values.timer === true
  const daemon = host.socket && !isHere ? new ApiClient(host.socket) : undefined
  const results =
    daemon && (await daemon.isThere())
      ? await byDaemon(daemon, jobs)
      : await here(host, jobs.map(prepare), invocation)
  if (invocation.json) printJson(results)
  else printResults(results)
  return Math.max(...results.map((result) => exitCode(result, threshold)))
}

function chosen({ values, positionals }: Invocation, jobs: Job[]): Job[] {
  if (values.all && positionals.length > 0) throw new UserError('Give names of jobs or --all, not both')
  const wanted = values.all ? jobs.filter((job) => job.enabled) : pickJobs(jobs, positionals)
  if (wanted.length === 0) {
    throw new UserError(
      values.all
        ? 'There is no enabled job in the configuration'
        : `Which job? Known are ${jobs.map((job) => job.name).join(', ') || 'none'}; --all runs every one`,
    )
  }
  return wanted
}

async function here(host: HostView, jobs: Job[], { values }: Invocation): Promise<Result[]> {
  const oneShot = openOneShot(host, values.verbose === true)
  const trigger: Trigger = values.timer ? 'timer' : 'manual'
  const stop = () => void oneShot.runner.stop()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const results: Result[] = []
  try {
    for (const job of jobs) {
      const start = oneShot.runner.start(job, trigger, `cli:${process.getuid?.() ?? 0}`)
      if ('refused' in start) {
        const outcome = start.refused === 'locked' ? 'locked' : 'refused'
        results.push({ ...NOTHING, job: job.name, outcome, reason: start.reason })
        continue
      }
      const ticker = setInterval(() => progressLine(progressText(job.name, start.started.progress)), 200)
      const summary = await start.started.done
      clearInterval(ticker)
      progressLine(null)
      results.push(resultOf(oneShot.store, job.name, summary))
      if (summary.outcome === 'interrupted') break
    }
  } finally {
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
    await oneShot.close()
    giveStateBack(host.stateDir)
  }
  return results
}

const NOTHING = { runId: null, worst: null, findings: 0, blind: 0, durationMs: null }

function resultOf(
  store: ReturnType<typeof openOneShot>['store'],
  job: string,
  summary: FinishedSummary,
): Result {
  const worst = store.sqlite
    .query<{ severity: Severity }, [string, number]>(
      "SELECT DISTINCT severity FROM findings WHERE job = ? AND last_run_id = ? AND state = 'open' AND waived IS NULL",
    )
    .all(job, summary.runId)
    .map((row) => row.severity)
  const row = store.sqlite
    .query<{ duration_ms: number | null; blind: number }, [number]>(
      'SELECT duration_ms, json_array_length(blind) AS blind FROM runs WHERE id = ?',
    )
    .get(summary.runId)
  return {
    job,
    runId: summary.runId,
    outcome: summary.outcome,
    reason: summary.reason,
    worst: SEVERITIES.findLast((severity) => worst.includes(severity)) ?? null,
    findings: summary.findingCount,
    blind: row?.blind ?? 0,
    durationMs: row?.duration_ms ?? null,
  }
}

interface ApiRun {
  outcome: Outcome | 'running'
  reason: string | null
  findingCount: number
  blindCount: number
  durationMs: number | null
  finishedAt: number | string | null
}

async function byDaemon(daemon: ApiClient, jobs: Job[]): Promise<Result[]> {
  const results: Result[] = []
  for (const { name } of jobs) {
    const path = `/v1/jobs/${encodeURIComponent(name)}`
    const started = await daemon.json<{ runId?: number; detail?: string }>(`${path}/run`, { method: 'POST' })
    const { runId, detail } = started.body
    if (runId === undefined) {
      const outcome = started.status === 409 ? 'locked' : 'refused'
      results.push({
        ...NOTHING,
        job: name,
        outcome,
        reason: detail ?? `the daemon answered ${started.status}`,
      })
      continue
    }
    const row = await finished(daemon, name, runId)
    const open = await daemon.json<{ items: { severity: Severity; waived: unknown }[] }>(
      `/v1/findings?job=${encodeURIComponent(name)}&state=open&limit=1000`,
    )
    const severities = (open.body.items ?? []).filter((row) => !row.waived).map((row) => row.severity)
    results.push({
      job: name,
      runId,
      outcome: row.outcome as Outcome,
      reason: row.reason,
      worst: SEVERITIES.findLast((severity) => severities.includes(severity)) ?? null,
      findings: row.findingCount,
      blind: row.blindCount,
      durationMs: row.durationMs,
    })
  }
  return results
}

const POLL_MS = 150

async function finished(daemon: ApiClient, job: string, runId: number): Promise<ApiRun> {
  for (;;) {
    const { body } = await daemon.json<ApiRun & { progress?: PacedProgress }>(`/v1/runs/${runId}`)
    if (body.finishedAt !== null && body.finishedAt !== undefined) {
      progressLine(null)
      return body
    }
    progressLine(progressText(job, body.progress ?? null))
    await Bun.sleep(POLL_MS)
  }
}

function progressText(job: string, progress: PacedProgress | null): string {
  return progress ? `${job}: ${formatProgress(progress)}` : `${job} …`
}

function printResults(results: Result[]): void {
  const rows = results.map((result) => [
    result.job,
    result.outcome,
    result.durationMs === null ? '-' : formatDuration(result.durationMs),
    result.findings === 0 ? '-' : `${result.findings} (${result.worst ?? 'waived'})`,
    result.reason ?? '',
  ])
  print(
    table(['job', 'outcome', 'took', 'findings', 'why'], rows, (cell, column) =>
      column === 1 ? paintState(cell) : cell,
    ),
  )
  if (results.some((result) => result.findings > 0)) print('\n"reeve findings" shows them, with what to do.')
}

function thresholdOf({ values }: Invocation): number {
  const name = textOption(values, 'threshold') ?? 'warning'
  const rank = (SEVERITIES as readonly string[]).indexOf(name)
  if (rank < 0) throw new UserError(`There is no severity "${name}"; known are ${SEVERITIES.join(', ')}`)
  return rank
}

/** 3 for findings at or above the threshold, 4 for what failed or could not see, 5 for what was locked. */
function exitCode(result: Result, threshold: number): number {
  switch (result.outcome) {
    case 'locked':
      return EXIT.locked
    case 'clean':
      return EXIT.clean
    case 'findings':
      if (result.worst !== null && SEVERITIES.indexOf(result.worst) >= threshold) return EXIT.findings
      return result.blind > 0 ? EXIT.failed : EXIT.clean
    case 'interrupted':
      return EXIT.interrupted
    default:
      return EXIT.failed
  }
}
