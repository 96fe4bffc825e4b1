import type {
  Artifact,
  Blind,
  Fact,
  Finding,
  Inapplicable,
  Json,
  Metric,
  Report,
} from '../contract/report.ts'
import type { Outcome } from '../store/schema.ts'
import { HEALTH_RULES } from './reconcile.ts'

/** A run as a whole, from the reports of its phases. */
export interface RunResult {
  outcome: Outcome
  reason: string | null
  findings: Finding[]
  blind: Blind[]
  inapplicable: Inapplicable[]
  metrics: Metric[]
  facts: Fact[]
  artifacts: Artifact[]
  coverage: { examined: number; skipped: number }
  memory: Json | undefined
}

/**
 * Joins what the last check saw with what apply did. Only the check after it says what is still wrong;
 * what apply itself reports went wrong while it acted, and counts too. Pure.
 */
export function combine(check: Report, apply: Report | null, memory: Json | undefined): RunResult {
  const findings = [...check.findings, ...(apply?.findings ?? [])]
  const blind = [...(check.blind ?? []), ...(apply?.blind ?? [])]
  return {
    outcome: findings.length > 0 ? 'findings' : blind.length > 0 ? 'blind' : 'clean',
    reason: blind.length > 0 ? blindReason(blind) : null,
    findings,
    blind,
    inapplicable: check.inapplicable ?? [],
    metrics: [...(check.metrics ?? []), ...(apply?.metrics ?? [])],
    facts: check.facts ?? [],
    artifacts: [...(check.artifacts ?? []), ...(apply?.artifacts ?? [])],
    coverage: check.coverage ?? { examined: 0, skipped: 0 },
    memory,
  }
}

/** A run without a report: nothing of what was known is confirmed or withdrawn. */
export function unfinished(outcome: Outcome, reason: string, memory?: Json): RunResult {
  return {
    outcome,
    reason,
    findings: [],
    blind: [],
    inapplicable: [],
    metrics: [],
    facts: [],
    artifacts: [],
    coverage: { examined: 0, skipped: 0 },
    memory,
  }
}

function blindReason(blind: Blind[]): string {
  const first = blind[0]
  const more = blind.length > 1 ? `, and ${blind.length - 1} more` : ''
  return `could not examine ${first?.subject}: ${first?.reason}${more}`
}

/** What the run says about the job itself. Pure. */
export function healthFindings(job: string, run: Pick<RunResult, 'outcome' | 'reason' | 'blind'>): Finding[] {
  const subject = `job ${job}`
  if (run.outcome === 'failed' || run.outcome === 'timeout') {
    const how = run.outcome === 'timeout' ? 'took too long' : 'failed'
    return [
      {
        rule: 'job-failed',
        subject,
        severity: HEALTH_RULES['job-failed'].severity,
        summary: `The last run of ${job} ${how}: ${run.reason ?? 'no reason was given'}`.slice(0, 2000),
        remedy: `Run "reeve run ${job}" to see it again; "reeve runs --job ${job}" shows when it began`,
      },
    ]
  }
  if (run.blind.length === 0) return []
  return [
    {
      rule: 'job-blind',
      subject,
      severity: HEALTH_RULES['job-blind'].severity,
      summary: `${job} ${run.reason ?? 'could not examine everything'}`.slice(0, 2000),
      evidence: { subjects: run.blind.length },
      remedy:
        'Give the service the access it lacks ("reeve config unit" prints what its jobs need), or exclude the subject',
    },
  ]
}
