import { and, desc, eq, gte, lt, or, type SQL, sql } from 'drizzle-orm'
import type { Severity } from '../contract/report.ts'
import type { Store } from './open.ts'
import { findings } from './schema.ts'

export type StoredFinding = typeof findings.$inferSelect

export interface FindingFilter {
  state?: 'open' | 'resolved' | undefined
  severity?: Severity | undefined
  job?: string | undefined
  rule?: string | undefined
  /** Only findings before this id: the last one of the page before. */
  before?: number | undefined
  limit: number
}

/** Findings, the newest first. */
export function listFindings(store: Store, filter: FindingFilter): StoredFinding[] {
  return store.orm
    .select()
    .from(findings)
    .where(and(...conditions(filter)))
    .orderBy(desc(findings.id))
    .limit(filter.limit)
    .all()
}

export function findFinding(store: Store, id: number): StoredFinding | undefined {
  return store.orm.select().from(findings).where(eq(findings.id, id)).get()
}

/** Open findings, the gravest first, then the newest. Waived ones come last: they are accepted. */
export function listUrgentFindings(store: Store, filter: { job?: string; limit: number }): StoredFinding[] {
  return store.orm
    .select()
    .from(findings)
    .where(and(...conditions({ ...filter, state: 'open' })))
    .orderBy(
      sql`${findings.waived} is not null`,
      sql`case ${findings.severity} when 'critical' then 0 when 'warning' then 1 else 2 end`,
      desc(findings.openedAt),
      desc(findings.id),
    )
    .limit(filter.limit)
    .all()
}

/** Identities of what is open, or was until a moment. */
export function listRecentFindings(
  store: Store,
  since: number,
): Pick<StoredFinding, 'job' | 'rule' | 'subject'>[] {
  return store.orm
    .select({ job: findings.job, rule: findings.rule, subject: findings.subject })
    .from(findings)
    .where(or(eq(findings.state, 'open'), gte(findings.resolvedAt, since)))
    .all()
}

/** What was resolved at or after a moment, the newest first. */
export function listResolvedSince(store: Store, since: number, limit: number): StoredFinding[] {
  return store.orm
    .select()
    .from(findings)
    .where(and(eq(findings.state, 'resolved'), gte(findings.resolvedAt, since)))
    .orderBy(desc(findings.resolvedAt), desc(findings.id))
    .limit(limit)
    .all()
}

function conditions(filter: FindingFilter): (SQL | undefined)[] {
  return [
    filter.state === undefined ? undefined : eq(findings.state, filter.state),
    filter.severity === undefined ? undefined : eq(findings.severity, filter.severity),
    filter.job === undefined ? undefined : eq(findings.job, filter.job),
    filter.rule === undefined ? undefined : eq(findings.rule, filter.rule),
    filter.before === undefined ? undefined : lt(findings.id, filter.before),
  ]
}
