import { and, desc, eq, gte, like } from 'drizzle-orm'
import type { Store } from './open.ts'
import { artifacts, facts, runs } from './schema.ts'

const MAX_RUNS = 500
const MAX_SUBJECTS = 1000

/** Runs that were allowed to act and began since a time, the newest first; at most 500. */
export function actingRuns(store: Store, sinceMs: number) {
  return store.orm
    .select({
      id: runs.id,
      job: runs.job,
      plugin: runs.plugin,
      startedAt: runs.startedAt,
      finishedAt: runs.finishedAt,
    })
    .from(runs)
    .where(and(eq(runs.mode, 'enforce'), gte(runs.startedAt, sinceMs)))
    .orderBy(desc(runs.startedAt))
    .limit(MAX_RUNS)
    .all()
}

/** Paths that a job looks after or has left: of its inventory, and of its newest artifacts. */
export function subjectsOf(store: Store, job: string): string[] {
  const inventory = store.orm
    .selectDistinct({ path: facts.subject })
    .from(facts)
    .where(and(eq(facts.job, job), like(facts.subject, '/%')))
    .limit(MAX_SUBJECTS)
    .all()
  const left = store.orm
    .selectDistinct({ path: artifacts.path })
    .from(artifacts)
    .where(eq(artifacts.job, job))
    .orderBy(desc(artifacts.id))
    .limit(MAX_SUBJECTS)
    .all()
  return [...new Set([...inventory, ...left].map(({ path }) => path))]
}
