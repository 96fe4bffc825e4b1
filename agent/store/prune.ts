import type { Store } from './open.ts'

/**
 * Removes what is older than the retention (milliseconds): runs but for the newest of each job, their
 * artifacts, resolved findings, delivered and dead alerts, audit entries.
 */
export function prune(store: Store, retention: { runs: number; findings: number }, now: number): void {
  const before = now - retention.runs
  store.transaction(() => {
    const run = (sql: string, time: number) => store.sqlite.prepare(sql).run(time)
    run('DELETE FROM runs WHERE started_at < ? AND id NOT IN (SELECT max(id) FROM runs GROUP BY job)', before)
    run('DELETE FROM artifacts WHERE created_at < ?', before)
    run('DELETE FROM audit WHERE at < ?', before)
    run("DELETE FROM outbox WHERE state <> 'pending' AND created_at < ?", before)
    run("DELETE FROM findings WHERE state = 'resolved' AND resolved_at < ?", now - retention.findings)
  })
}
