import { and, desc, eq, inArray, isNotNull } from 'drizzle-orm'
import type { Blind, Inapplicable } from '../contract/report.ts'
import type { Store } from './open.ts'
import { runs } from './schema.ts'

/** What the last run of a job that looked could not see, and what there was not to see. */
export interface Look {
  at: number
  blind: Blind[]
  inapplicable: Inapplicable[]
}

/** The last look of each job; jobs that never looked are missing. */
export function lastLooks(store: Store, jobs: Iterable<string>): Map<string, Look> {
  const result = new Map<string, Look>()
  for (const job of jobs) {
    const row = store.orm
      .select({ at: runs.startedAt, blind: runs.blind, inapplicable: runs.inapplicable })
      .from(runs)
      .where(
        and(
          eq(runs.job, job),
          inArray(runs.outcome, ['clean', 'findings', 'blind']),
          isNotNull(runs.finishedAt),
        ),
      )
      .orderBy(desc(runs.startedAt), desc(runs.id))
      .limit(1)
      .get()
    if (row) result.set(job, row)
  }
  return result
}
