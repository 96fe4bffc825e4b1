import { and, desc, eq, lt, sql } from 'drizzle-orm'
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

/** Identity of a fact, and the order in which facts are listed. */
export type FactKey = [job: string, kind: string, subject: string]

export interface FactFilter {
  job?: string | undefined
  kind?: string | undefined
  /** Only facts after this one: the last one of the page before. */
  after?: FactKey | undefined
  limit: number
}

/** Inventory, ordered by job, kind and subject. */
export function listFacts(store: Store, filter: FactFilter): StoredFact[] {
  const { after } = filter
  return store.orm
    .select()
    .from(facts)
    .where(
      and(
        filter.job === undefined ? undefined : eq(facts.job, filter.job),
        filter.kind === undefined ? undefined : eq(facts.kind, filter.kind),
        after &&
          sql`(${facts.job}, ${facts.kind}, ${facts.subject}) > (${after[0]}, ${after[1]}, ${after[2]})`,
      ),
    )
    .orderBy(facts.job, facts.kind, facts.subject)
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
