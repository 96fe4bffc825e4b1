import { and, count, desc, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Severity } from '../contract/report.ts'
import type { Store } from './open.ts'
import { findings, type Outcome, runs } from './schema.ts'

/** What the scheduler knows of a job, beside what the store knows. Times are UTC milliseconds. */
export interface PlannedJob {
  name: string
  plugin: string
  summary: string
  mode: 'observe' | 'enforce'
  /** As written, or "manual". */
  schedule: string
  timezone: string
  enabled: boolean
  /** Why it may not run, such as a permission that was not granted. */
  refused: string | null
  nextRunAt: number | null
  /** Its last run must have started after this, or it is late; null when nothing is expected of it. */
  expectedAfter: number | null
  /** How well its paths are watched for changes; null or undefined where they are not. */
  watch?: { state: 'watching' | 'partial' | 'off'; directories: number; reason: string | null } | null
  /** Its newest run has begun and has no end, but nothing runs it: reeve died in it, or could not store the end. */
  cutOff: boolean
}

/**
 * How a job is: `ok` only when its last run looked at everything in time and found nothing of weight.
 * In order of urgency; a job has the first that fits.
 */
export const JOB_STATES = [
  'refused',
  'failed',
  'late',
  'blind',
  'critical',
  'warning',
  'pending',
  'ok',
  'disabled',
] as const
export type JobState = (typeof JOB_STATES)[number]

export interface JobStatus extends PlannedJob {
  state: JobState
  /** Why, in words, where it is not ok. */
  reason: string | null
  lastRun: { id: number; outcome: Outcome; startedAt: number; durationMs: number | null } | null
  /** Start of the last run that was clean or had findings without anything blind. */
  lastGoodAt: number | null
  openFindings: Record<Severity, number>
}

export interface HostStatus {
  /** The most urgent state of all jobs; `pending` when there is none. */
  state: JobState
  jobs: Record<JobState, number>
  openFindings: Record<Severity, number>
  /** Start of the oldest "last good look" among the enabled jobs; null when one never had any. */
  goodSince: number | null
}

/** The state of each job from its last run, its open findings and the schedule. */
export function jobStatuses(store: Store, planned: PlannedJob[]): JobStatus[] {
  const names = planned.map((job) => job.name)
  const lastRuns = lastRunByJob(store, names)
  const lastGood = lastGoodByJob(store, names)
  const open = openFindingsByJob(store)
  return planned.map((job) => {
    const lastRun = lastRuns.get(job.name) ?? null
    const openFindings = open.get(job.name) ?? { info: 0, warning: 0, critical: 0 }
    return {
      ...job,
      ...judge(job, lastRun, openFindings),
      lastRun: lastRun && {
        id: lastRun.id,
        outcome: lastRun.outcome,
        startedAt: lastRun.startedAt,
        durationMs: lastRun.durationMs,
      },
      lastGoodAt: lastGood.get(job.name) ?? null,
      openFindings,
    }
  })
}

interface LastRun {
  id: number
  outcome: Outcome
  reason: string | null
  startedAt: number
  finishedAt: number | null
  durationMs: number | null
  blindCount: number
}

/** Pure: the state of one job. */
export function judge(
  job: PlannedJob,
  lastRun: Pick<LastRun, 'outcome' | 'reason' | 'startedAt' | 'finishedAt' | 'blindCount'> | null,
  open: Record<Severity, number>,
): { state: JobState; reason: string | null } {
  if (!job.enabled) return { state: 'disabled', reason: null }
  if (job.refused) return { state: 'refused', reason: job.refused }
  if (job.cutOff) {
    return { state: 'failed', reason: 'its last run was cut off, or what came of it could not be stored' }
  }
  if (
    lastRun &&
    ['failed', 'timeout', 'interrupted'].includes(lastRun.outcome) &&
    lastRun.finishedAt !== null
  ) {
    return { state: 'failed', reason: lastRun.reason ?? `the last run ended as ${lastRun.outcome}` }
  }
  if (job.expectedAfter !== null && (!lastRun || lastRun.startedAt < job.expectedAfter)) {
    return { state: 'late', reason: `no run has started since ${new Date(job.expectedAfter).toISOString()}` }
  }
  if (!lastRun) return { state: 'pending', reason: 'it has not run yet' }
  if (lastRun.blindCount > 0 || lastRun.outcome === 'blind') {
    return {
      state: 'blind',
      reason: lastRun.reason ?? `${counted(lastRun.blindCount, 'subject')} could not be examined`,
    }
  }
  if (open.critical > 0) return { state: 'critical', reason: counted(open.critical, 'critical finding') }
  if (open.warning > 0) return { state: 'warning', reason: counted(open.warning, 'warning') }
  return { state: 'ok', reason: null }
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** Open findings about reeve itself, which belong to no job of the configuration. */
export function ownFindings(store: Store): Record<Severity, number> {
  return openFindingsByJob(store).get('reeve') ?? { info: 0, warning: 0, critical: 0 }
}

/** Pure: the host from its jobs and from the findings about reeve itself. */
export function hostStatus(jobs: JobStatus[], own: Partial<Record<Severity, number>> = {}): HostStatus {
  const counts = Object.fromEntries(JOB_STATES.map((state) => [state, 0])) as Record<JobState, number>
  const openFindings = { info: 0, warning: 0, critical: 0, ...own }
  for (const job of jobs) {
    counts[job.state]++
    openFindings.info += job.openFindings.info
    openFindings.warning += job.openFindings.warning
    openFindings.critical += job.openFindings.critical
  }
  const enabled = jobs.filter((job) => job.enabled)
  const times = enabled.map((job) => job.lastGoodAt)
  return {
    state: mostUrgent(counts, own, enabled.length),
    jobs: counts,
    openFindings,
    goodSince:
      times.includes(null) || times.length === 0 ? null : Math.min(...times.map((time) => time ?? 0)),
  }
}

function mostUrgent(
  counts: Record<JobState, number>,
  own: Partial<Record<Severity, number>>,
  enabledJobs: number,
): JobState {
  const states = JOB_STATES.filter(
    (state) =>
      counts[state] > 0 || (state === 'critical' && own.critical) || (state === 'warning' && own.warning),
  )
  const [first = 'pending'] = states.filter((state) => state !== 'disabled')
  return enabledJobs === 0 && first === 'ok' ? 'pending' : first
}

/** The newest run that really started, for each job. A run that still goes on counts by the one before it. */
function lastRunByJob(store: Store, names: string[]): Map<string, LastRun> {
  const result = new Map<string, LastRun>()
  for (const name of names) {
    const row = store.orm
      .select({
        id: runs.id,
        outcome: runs.outcome,
        reason: runs.reason,
        startedAt: runs.startedAt,
        finishedAt: runs.finishedAt,
        durationMs: runs.durationMs,
        blindCount: sql<number>`json_array_length(${runs.blind})`,
      })
      .from(runs)
      .where(
        and(
          eq(runs.job, name),
          inArray(runs.outcome, ['clean', 'findings', 'blind', 'failed', 'timeout', 'interrupted']),
          sql`${runs.finishedAt} is not null`,
        ),
      )
      .orderBy(desc(runs.startedAt), desc(runs.id))
      .limit(1)
      .get()
    if (row) result.set(name, row)
  }
  return result
}

/** One look-up by index for each job: a scan of all runs would take half a second at 100,000 of them. */
function lastGoodByJob(store: Store, names: string[]): Map<string, number> {
  const result = new Map<string, number>()
  for (const name of names) {
    const row = store.orm
      .select({ at: runs.startedAt })
      .from(runs)
      .where(
        and(
          eq(runs.job, name),
          inArray(runs.outcome, ['clean', 'findings']),
          eq(sql`json_array_length(${runs.blind})`, 0),
        ),
      )
      .orderBy(desc(runs.startedAt), desc(runs.id))
      .limit(1)
      .get()
    if (row) result.set(name, row.at)
  }
  return result
}

function openFindingsByJob(store: Store): Map<string, Record<Severity, number>> {
  const rows = store.orm
    .select({ job: findings.job, severity: findings.severity, total: count() })
    .from(findings)
    .where(and(eq(findings.state, 'open'), isNull(findings.waived)))
    .groupBy(findings.job, findings.severity)
    .all()
  const result = new Map<string, Record<Severity, number>>()
  for (const row of rows) {
    const counts = result.get(row.job) ?? { info: 0, warning: 0, critical: 0 }
    counts[row.severity] += row.total
    result.set(row.job, counts)
  }
  return result
}
