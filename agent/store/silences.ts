import { and, desc, eq, gt, inArray, isNull } from 'drizzle-orm'
import type { Store } from './open.ts'
import { findings, silences } from './schema.ts'

export type Silence = typeof silences.$inferSelect
/** What is to hold for longer is a waiver, which stands in the configuration for all to see. */
export const MAX_SILENCE_MS = 90 * 86_400_000

export type NewSilence = Omit<typeof silences.$inferInsert, 'id' | 'endedAt'>

/** Those that hold at a time, the newest first. */
export function activeSilences(store: Store, now: number): Silence[] {
  return store.orm
    .select()
    .from(silences)
    .where(and(isNull(silences.endedAt), gt(silences.until, now)))
    .orderBy(desc(silences.id))
    .all()
}

/**
 * Keeps a silence, and marks the open findings that `concerns` says it is about, in one transaction. What
 * opens later is marked by the run that finds it. Returns its id and the number of findings.
 */
export function addSilence(
  store: Store,
  silence: NewSilence,
  concerns: (finding: { job: string; rule: string; subject: string }) => boolean,
): { id: number; findings: number } {
  return store.transaction(() => {
    const { id } = store.orm.insert(silences).values(silence).returning({ id: silences.id }).get()
    const ids = store.orm
      .select({ id: findings.id, job: findings.job, rule: findings.rule, subject: findings.subject })
      .from(findings)
      .where(eq(findings.state, 'open'))
      .all()
      .filter(concerns)
      .map((row) => row.id)
    const silenced = { owner: silence.owner, reason: silence.reason, until: silence.until }
    if (ids.length > 0) store.orm.update(findings).set({ silenced }).where(inArray(findings.id, ids)).run()
    return { id, findings: ids.length }
  })
}

/**
 * Ends a silence before its time, if it has not ended; the next run of a job alerts of what is still open.
 * False: there is none of that number.
 */
export function endSilence(store: Store, id: number, now: number): boolean {
  return store.transaction(() => {
    const { changes } = store.sqlite
      .prepare('UPDATE silences SET ended_at = coalesce(ended_at, min(until, ?)) WHERE id = ?')
      .run(now, id)
    return changes > 0
  })
}
