import type { Store } from './open.ts'

const NEWEST = 'SELECT max(id) FROM runs GROUP BY job'
/** What the state of a job is read from; it may be long ago, with runs since that were missed or skipped. */
const NEWEST_STARTED = "SELECT max(id) FROM runs WHERE outcome NOT IN ('missed', 'skipped') GROUP BY job"

/**
 * Removes what is older than the retention (milliseconds): runs but for the newest of each job (and the newest
 * that really started), their artifacts, resolved findings, delivered and dead alerts, audit entries, silences.
 */
export function prune(store: Store, retention: { runs: number; findings: number }, now: number): void {
  const before = now - retention.runs
  store.transaction(() => {
    const run = (sql: string, time: number) => store.sqlite.prepare(sql).run(time)
    run(
      `DELETE FROM runs WHERE started_at < ? AND id NOT IN (${NEWEST}) AND id NOT IN (${NEWEST_STARTED})`,
      before,
    )
    run('DELETE FROM artifacts WHERE created_at < ?', before)
    run('DELETE FROM audit WHERE at < ?', before)
    run('DELETE FROM silences WHERE until < ?', before)
    run("DELETE FROM outbox WHERE state <> 'pending' AND created_at < ?", before)
    run("DELETE FROM findings WHERE state = 'resolved' AND resolved_at < ?", now - retention.findings)
  })
}
