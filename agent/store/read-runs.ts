import { and, asc, desc, eq, gte, isNotNull, notInArray, sql } from 'drizzle-orm'
import type { Severity } from '../contract/report.ts'
import type { Store } from './open.ts'
import { findingEvents, findings, type Outcome, runs, type TransitionKind } from './schema.ts'

export type Run = typeof runs.$inferSelect

export interface RunFilter {
  job?: string | undefined
  outcome?: Outcome | undefined
  /** Started at or after; UTC milliseconds. */
  since?: number | undefined
  /** Only runs that began before the one of this id: the last of the page before. */
  before?: number | undefined
  limit: number
}

/** Runs by their start, the newest first: the order of the indexes, so that a long history costs nothing. */
export function listRuns(store: Store, filter: RunFilter): Run[] {
  const before = filter.before === undefined ? undefined : findRun(store, filter.before)
  // It was removed, and with it all that is older.
  if (filter.before !== undefined && !before) return []
  return store.orm
    .select()
    .from(runs)
    .where(
      and(
        filter.job === undefined ? undefined : eq(runs.job, filter.job),
        filter.outcome === undefined ? undefined : eq(runs.outcome, filter.outcome),
        filter.since === undefined ? undefined : gte(runs.startedAt, filter.since),
        before && sql`(${runs.startedAt}, ${runs.id}) < (${before.startedAt}, ${before.id})`,
      ),
    )
    .orderBy(desc(runs.startedAt), desc(runs.id))
    .limit(filter.limit)
    .all()
}

export function findRun(store: Store, id: number): Run | undefined {
  return store.orm.select().from(runs).where(eq(runs.id, id)).get()
}

/** A change of one finding's state that a run brought about. */
export interface RunTransition {
  kind: TransitionKind
  rule: string
  subject: string
  severity: Severity
}

/** What opened, came back or was resolved with a run, in order. */
export function listTransitions(store: Store, runId: number, limit: number): RunTransition[] {
  return store.orm
    .select({
      kind: findingEvents.kind,
      rule: findings.rule,
      subject: findings.subject,
      severity: findings.severity,
    })
    .from(findingEvents)
    .innerJoin(findings, eq(findings.id, findingEvents.findingId))
    .where(eq(findingEvents.runId, runId))
    .orderBy(findingEvents.id)
    .limit(limit)
    .all()
}

/** What kept the newest started run of each job to its permissions; jobs without such a run are missing. */
export function lastSandboxes(store: Store, jobs: string[]): Map<string, string> {
  const result = new Map<string, string>()
  for (const job of jobs) {
    const row = store.orm
      .select({ sandbox: runs.sandbox })
      .from(runs)
      .where(and(eq(runs.job, job), isNotNull(runs.sandbox)))
      .orderBy(desc(runs.startedAt))
      .limit(1)
      .get()
    if (row?.sandbox) result.set(job, row.sandbox)
  }
  return result
}

/** The newest run of a job that really started; `finishedAt` null while it goes on, or when it was cut off. */
export function lastStart(store: Store, job: string) {
  return store.orm
    .select({ startedAt: runs.startedAt, finishedAt: runs.finishedAt, outcome: runs.outcome })
    .from(runs)
    .where(and(eq(runs.job, job), notInArray(runs.outcome, ['missed', 'skipped'])))
    .orderBy(desc(runs.startedAt), desc(runs.id))
    .limit(1)
    .get()
}

/** When the first run of a job that is still kept began, or should have. */
export function firstStart(store: Store, job: string): number | undefined {
  return store.orm
    .select({ at: runs.startedAt })
    .from(runs)
    .where(eq(runs.job, job))
    .orderBy(asc(runs.startedAt))
    .limit(1)
    .get()?.at
}
