import { and, desc, eq, getTableColumns, gt, lt, sql } from 'drizzle-orm'
import type { Store } from './open.ts'
import { artifacts, facts, metrics } from './schema.ts'

export type StoredArtifact = typeof artifacts.$inferSelect
export type StoredFact = typeof facts.$inferSelect
export type StoredMetric = typeof metrics.$inferSelect

export interface ArtifactFilter {
  job?: string | undefined
  kind?: string | undefined
  runId?: number | undefined
  /** Only artifacts before this id: the last one of the page before. */
  before?: number | undefined
  limit: number
}

/** Files that runs left, the newest first. Retention may have removed them from the host since. */
export function listArtifacts(store: Store, filter: ArtifactFilter): StoredArtifact[] {
  return store.orm
    .select()
    .from(artifacts)
    .where(
      and(
        filter.job === undefined ? undefined : eq(artifacts.job, filter.job),
        filter.kind === undefined ? undefined : eq(artifacts.kind, filter.kind),
        filter.runId === undefined ? undefined : eq(artifacts.runId, filter.runId),
        filter.before === undefined ? undefined : lt(artifacts.id, filter.before),
      ),
    )
    .orderBy(desc(artifacts.id))
    .limit(filter.limit)
    .all()
}

export interface FactFilter {
  job?: string | undefined
  kind?: string | undefined
  /** Only facts after this row: the last one of the page before. */
  after?: number | undefined
  limit: number
}

/** SQLite's own number of a row: its subject would be too long for a cursor. It stays while the fact does. */
const row = sql<number>`rowid`

/** Inventory, in the order in which it was first seen. */
export function listFacts(store: Store, filter: FactFilter): (StoredFact & { row: number })[] {
  return store.orm
    .select({ ...getTableColumns(facts), row })
    .from(facts)
    .where(
      and(
        filter.job === undefined ? undefined : eq(facts.job, filter.job),
        filter.kind === undefined ? undefined : eq(facts.kind, filter.kind),
        filter.after === undefined ? undefined : gt(row, filter.after),
      ),
    )
    .orderBy(row)
    .limit(filter.limit)
    .all()
}

/** The latest value of each metric, at most `limit` of each job. */
export function listMetrics(store: Store, job: string, limit: number): StoredMetric[] {
  return store.orm
    .select()
    .from(metrics)
    .where(eq(metrics.job, job))
    .orderBy(metrics.name, metrics.labels)
    .limit(limit)
    .all()
}
