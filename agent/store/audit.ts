import { and, count, desc, eq, gte } from 'drizzle-orm'
import type { Scalar } from '../contract/report.ts'
import type { Store } from './open.ts'
import { audit } from './schema.ts'

export interface AuditEntry {
  /** UTC milliseconds. */
  at: number
  /** A token's name, "socket", "cli:USER", or "anonymous" where nobody was recognised. */
  actor: string
  /** Address of the client; null for the unix socket and the command line. */
  remote: string | null
  /** A verb: "run", "sign-in", "authenticate", "token.new". */
  action: string
  /** What it was done to: a job, a token, a route. */
  object: string
  /** `denied`: the caller may not; `refused`: it could not be done now. */
  result: 'ok' | 'denied' | 'refused' | 'failed'
  detail?: Record<string, Scalar> | undefined
}

/** Appends to the audit log. Never put a secret, or what might be a mistyped one, into an entry. */
export function recordAudit(store: Store, entry: AuditEntry): void {
  store.orm
    .insert(audit)
    .values({ ...entry, detail: entry.detail ?? {} })
    .run()
}

/** How many entries since then say that somebody had no right; UTC milliseconds. */
export function countDenied(store: Store, since: number): number {
  const denied = and(eq(audit.result, 'denied'), gte(audit.at, since))
  return store.orm.select({ total: count() }).from(audit).where(denied).get()?.total ?? 0
}

/** The newest entries first. */
export function listAudit(store: Store, limit: number): (typeof audit.$inferSelect)[] {
  return store.orm.select().from(audit).orderBy(desc(audit.id)).limit(limit).all()
}
