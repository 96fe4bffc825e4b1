import { type Blind, type Finding, SEVERITIES } from '../contract/report.ts'
import { findingFingerprint } from '../lib/fingerprint.ts'
import { isAtOrIn } from '../lib/path.ts'
import type { KnownFinding } from '../store/record.ts'
import type { TransitionKind } from '../store/schema.ts'

export interface SeenFinding {
  finding: Finding
  fingerprint: string
  /** Null when it is new. */
  known: KnownFinding | null
  transition: Exclude<TransitionKind, 'resolved'> | null
}

export interface Reconciliation {
  seen: SeenFinding[]
  resolved: KnownFinding[]
}

/**
 * What changed between what was known and what is seen now. Pure.
 *
 * `speaksFor` says for which known findings the absence of a finding means that it is gone: a run that
 * failed speaks for none of the host's, and none speaks for a subject that it could not examine.
 */
export function reconcile(
  known: KnownFinding[],
  now: Finding[],
  speaksFor: (finding: KnownFinding) => boolean,
  isMuted: (finding: Finding) => boolean,
): Reconciliation {
  const byFingerprint = new Map(known.map((finding) => [finding.fingerprint, finding]))
  const seen = new Map<string, SeenFinding>()
  for (const finding of now) {
    const fingerprint = findingFingerprint(finding.rule, finding.subject)
    // Two findings with one identity in one report: the first, as reports are ordered.
    if (seen.has(fingerprint)) continue
    const before = byFingerprint.get(fingerprint) ?? null
    seen.set(fingerprint, {
      finding,
      fingerprint,
      known: before,
      transition: change(before, finding, isMuted(finding)),
    })
  }
  const resolved = known.filter(
    (finding) => finding.state === 'open' && !seen.has(finding.fingerprint) && speaksFor(finding),
  )
  return { seen: [...seen.values()], resolved }
}

function change(before: KnownFinding | null, now: Finding, mutedNow: boolean): SeenFinding['transition'] {
  if (!before) return 'opened'
  if (before.state === 'resolved') return 'regressed'
  // It became worse, or what kept it quiet (a waiver, a silence) ended: news for whoever was told of it.
  const isGraver = SEVERITIES.indexOf(now.severity) > SEVERITIES.indexOf(before.severity)
  if (isGraver || (before.muted && !mutedNow)) return 'regressed'
  const reminder = now.evidence?.reminder ?? null
  return reminder !== null && reminder !== before.reminder ? 'reminded' : null
}

/** Rules about the jobs themselves, which reeve adds to those of the plugins. */
export const HEALTH_RULES = {
  'job-failed': { means: 'The last run of a job could not do its work', severity: 'critical' },
  'job-blind': { means: 'The last run of a job could not examine everything', severity: 'warning' },
  'job-late': { means: 'A scheduled run of a job did not start in time', severity: 'critical' },
  'job-refused': {
    means: 'A job may not run: it asks for permissions that are not granted',
    severity: 'critical',
  },
  'watch-incomplete': {
    means: 'Changes on some paths of a job go unseen until its next scheduled run',
    severity: 'warning',
  },
} as const
export type HealthRule = keyof typeof HEALTH_RULES

export function isHealthRule(rule: string): rule is HealthRule {
  return rule in HEALTH_RULES
}

/** Whether a run that looked, but was blind on some subjects, speaks for a finding. */
export function isExamined(finding: Pick<KnownFinding, 'subject'>, blind: Blind[]): boolean {
  // Subjects that are no paths are parts of each other in the same way: "docker" has "docker/web".
  return !blind.some(({ subject }) => isAtOrIn(subject, finding.subject))
}
