import { describeError } from '../lib/errors.ts'
import { type AuditEntry, recordAudit } from '../store/audit.ts'
import type { ApiContext, ApiDeps } from './deps.ts'

/**
 * Appends to the audit log. A store that cannot be written (a full disk) does not keep anybody from looking:
 * the entry then goes to the log.
 */
export function leaveTrail(deps: ApiDeps, c: ApiContext, entry: Omit<AuditEntry, 'at' | 'remote'>): void {
  const whole = { ...entry, at: deps.now(), remote: c.env.remote ?? null }
  try {
    recordAudit(deps.store, whole)
  } catch (error) {
    const { detail: _detail, ...fields } = whole
    deps.log.warn('audit entry could not be stored', { ...fields, reason: describeError(error) })
  }
}
