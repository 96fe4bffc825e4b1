import type { Scalar, Severity } from '../contract/report.ts'
import type { TransitionKind } from './schema.ts'

/**
 * A change in the life of one finding: what the engine's reconciliation hands to the store and to the
 * alerts. The texts are those of the finding as it is after the change, already redacted.
 */
export interface Transition {
  kind: TransitionKind
  /** UTC milliseconds. */
  at: number
  /** The run that brought it to light; null where reeve itself did (a late job). */
  runId: number | null
  findingId: number
  job: string
  plugin: string
  rule: string
  subject: string
  severity: Severity
  summary: string
  remedy: string | null
  evidence: Record<string, Scalar>
  /** UTC milliseconds at which this episode began: the last `opened` or `regressed`. */
  openedAt: number
  /** Whether a waiver accepts it or somebody silenced it; such a finding raises no alert. */
  muted: boolean
}
