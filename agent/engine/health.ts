import type { Finding } from '../contract/report.ts'
import type { Store } from '../store/open.ts'
import { knownFindings, recordFindings } from '../store/record.ts'
import type { Transition } from '../store/transitions.ts'
import { HEALTH_RULES, type HealthRule, reconcile } from './reconcile.ts'

/** Job and plugin of findings about reeve itself. */
export const SELF = 'reeve'

/**
 * Opens or resolves one finding about a job, outside of any run: that it is late, that it may not run.
 * `summary` null means that all is well. One transaction with its alerts; writes nothing without a change.
 */
export function recordHealth(
  store: Store,
  job: { name: string; plugin: string },
  rule: HealthRule | 'configuration-refused',
  problem: { summary: string; remedy: string } | null,
  at: number,
  alert: (transitions: Transition[]) => void,
): void {
  const findings: Finding[] = problem
    ? [
        {
          rule,
          subject: job.name === SELF ? SELF : `job ${job.name}`,
          severity: rule === 'configuration-refused' ? 'critical' : HEALTH_RULES[rule].severity,
          ...problem,
        },
      ]
    : []
  recordOutsideOfRuns(store, job, [rule], findings, at, alert)
}

/**
 * Makes what is open of these rules be these findings, in one transaction with its alerts. Writes nothing where
 * there is nothing and was nothing.
 */
export function recordOutsideOfRuns(
  store: Store,
  job: { name: string; plugin: string },
  rules: string[],
  findings: Finding[],
  at: number,
  alert: (transitions: Transition[]) => void,
): void {
  const known = knownFindings(store, job.name).filter((finding) => rules.includes(finding.rule))
  if (findings.length === 0 && !known.some((finding) => finding.state === 'open')) return
  store.transaction(() => {
    const { seen, resolved } = reconcile(
      known,
      findings,
      () => true,
      () => false,
    )
    const source = { job: job.name, plugin: job.plugin, runId: null, at }
    alert(
      recordFindings(
        store,
        source,
        seen.map((row) => ({ ...row, waiver: null, silence: null })),
        resolved,
      ),
    )
  })
}
