import type { OwnAction } from '../contract/plugin.ts'
import type { Store } from '../store/open.ts'
import { actingRuns, subjectsOf } from '../store/read-actions.ts'
import type { Job } from './job.ts'

const HORIZON_MS = 14 * 86_400_000

/** What the other jobs, and this one, did in the last two weeks; of a run that still goes on, so far. */
export function ownActions(
  store: Store,
  jobs: readonly Job[],
  { job, now }: { job: string; now: number },
): OwnAction[] {
  const byName = new Map(jobs.map((one) => [one.name, one]))
  const subjects = new Map<string, string[]>()
  return actingRuns(store, now - HORIZON_MS).flatMap((run): OwnAction[] => {
    const apply = byName.get(run.job)?.permissions.apply
    if (!apply || (run.job === job && run.finishedAt === null)) return []
    const own = subjects.get(run.job) ?? subjectsOf(store, run.job)
    subjects.set(run.job, own)
    return [
      {
        job: run.job,
        plugin: run.plugin,
        runId: run.id,
        startedMs: run.startedAt,
        finishedMs: run.finishedAt,
        write: apply.write ?? [],
        attributes: apply.attributes ?? [],
        subjects: own,
      },
    ]
  })
}
