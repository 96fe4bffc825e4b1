import type { Checklist, ChecklistItem } from '../config/profile-schema.ts'
import { globMatcher } from '../lib/glob.ts'
import { isAtOrIn } from '../lib/path.ts'
import { type Look, lastLooks } from '../store/looks.ts'
import type { Store } from '../store/open.ts'
import { listUrgentFindings, type StoredFinding } from '../store/read-findings.ts'
import { type JobStatus, jobStatuses, type PlannedJob } from '../store/status.ts'
import { isHealthRule } from './reconcile.ts'

/** In order of weight: an item has the first that one of its checks has. */
export const VERDICTS = ['fail', 'blind', 'waived', 'pass', 'attested', 'not-applicable'] as const
export type Verdict = (typeof VERDICTS)[number]

export interface AuditedItem {
  id: string
  title: string
  references: string[]
  verdict: Verdict
  /** Why, in words, where it is blind or not applicable. */
  reasons: string[]
  /** Open findings that speak against it, the gravest first; accepted ones last. */
  findings: StoredFinding[]
  /** Start of the oldest look that the verdict rests on; null where there was none. */
  lookedAt: number | null
}

export interface Audit {
  name: string
  profile: string
  title: string
  items: AuditedItem[]
  score: Score
}

/**
 * `passed` of `total` items that apply to this host. An item that nobody looked at, or that was accepted as it is,
 * is not among the passed: the score cannot rise by looking less.
 */
export interface Score {
  passed: number
  total: number
  verdicts: Record<Verdict, number>
}

/** What is known of a job. */
export interface Known {
  status: JobStatus
  look: Look | undefined
  /** Open findings, the gravest first. */
  findings: StoredFinding[]
}

/** Plugin of jobs whose findings are about what a person has to attest. */
const ATTESTATION = 'attestation'

/** Pure: the checklist as the last runs of its jobs left it. */
export function auditOf(checklist: Checklist, known: ReadonlyMap<string, Known>): Audit {
  const items = checklist.items.map((item) => judgeItem(item, known))
  const verdicts = Object.fromEntries(
    VERDICTS.map((verdict) => [verdict, items.filter((item) => item.verdict === verdict).length]),
  ) as Record<Verdict, number>
  const { name, profile, title } = checklist
  const score = {
    passed: verdicts.pass + verdicts.attested,
    total: items.length - verdicts['not-applicable'],
    verdicts,
  }
  return { name, profile, title, items, score }
}

interface CheckVerdict {
  verdict: Verdict
  reasons: string[]
  findings: StoredFinding[]
  lookedAt: number | null
}

function judgeItem(item: ChecklistItem, known: ReadonlyMap<string, Known>): AuditedItem {
  const checks = item.checks.map((check) => judgeCheck(check, known.get(check.job)))
  const verdict = VERDICTS.find((candidate) => checks.some((check) => check.verdict === candidate)) ?? 'blind'
  const looks = checks.map((check) => check.lookedAt)
  return {
    id: item.id,
    title: item.title,
    references: item.references,
    verdict,
    reasons: [
      ...new Set(
        checks
          .filter((check) => check.verdict === verdict || check.verdict === 'blind')
          .flatMap((check) => check.reasons),
      ),
    ],
    findings: checks.flatMap((check) => check.findings),
    lookedAt: looks.includes(null) ? null : Math.min(...looks.map((at) => at ?? 0)),
  }
}

function judgeCheck(check: ChecklistItem['checks'][number], known: Known | undefined): CheckVerdict {
  if (!known) {
    return { verdict: 'blind', reasons: [`there is no job ${check.job}`], findings: [], lookedAt: null }
  }
  const { status, look } = known
  const concernsSubject = check.subjects ? globMatcher(check.subjects) : () => true
  const findings = known.findings.filter(
    (finding) =>
      // Without a list of rules a note is no reason to fail.
      (check.rules ? check.rules.includes(finding.rule) : finding.severity !== 'info') &&
      concernsSubject(finding.subject) &&
      // That a job is blind or late is told by its state.
      !isHealthRule(finding.rule),
  )
  const judged = (verdict: Verdict, reasons: string[] = []): CheckVerdict => ({
    verdict,
    reasons,
    findings,
    lookedAt: look?.at ?? null,
  })
  if (findings.some((finding) => !finding.waived)) return judged('fail')
  if (!look || ['refused', 'failed', 'late', 'pending', 'disabled'].includes(status.state)) {
    const reason = status.state === 'disabled' ? 'it is switched off' : status.reason
    return judged('blind', [`${status.name}: ${reason ?? 'it has not looked yet'}`])
  }
  const dark = look.blind.filter(
    ({ subject, rules }) =>
      (!rules || !check.rules || rules.some((rule) => check.rules?.includes(rule))) &&
      mayConcern(subject, check.subjects, concernsSubject),
  )
  if (dark.length > 0)
    return judged(
      'blind',
      dark.slice(0, 5).map(({ subject, reason }) => `${subject}: ${reason}`),
    )
  const idle = new Map(look.inapplicable.map(({ rule, reason }) => [rule, reason]))
  if (check.rules?.every((rule) => idle.has(rule)))
    return judged('not-applicable', [...new Set(check.rules.map((rule) => idle.get(rule) ?? ''))])
  if (findings.length > 0)
    return judged(
      'waived',
      findings.map((finding) => finding.waived?.reason ?? ''),
    )
  return judged(status.plugin === ATTESTATION ? 'attested' : 'pass')
}

/** Whether what could not be examined may hold one of the subjects: itself, or below it. */
function mayConcern(
  dark: string,
  patterns: string[] | null,
  concernsSubject: (subject: string) => boolean,
): boolean {
  if (!patterns || !dark.startsWith('/')) return true
  return concernsSubject(dark) || patterns.some((pattern) => isAtOrIn(dark, pattern))
}

const MAX_FINDINGS_OF_A_JOB = 5000

/** Names of the jobs that any of the checklists asks. */
export function jobsOf(checklists: Checklist[]): Set<string> {
  return new Set(
    checklists.flatMap(({ items }) => items.flatMap(({ checks }) => checks.map(({ job }) => job))),
  )
}

/** The checklists as the store has them. */
export function audits(store: Store, checklists: Checklist[], planned: PlannedJob[]): Audit[] {
  const names = jobsOf(checklists)
  const looks = lastLooks(store, names)
  const known = jobStatuses(
    store,
    planned.filter(({ name }) => names.has(name)),
  ).map((status): [string, Known] => {
    const findings = listUrgentFindings(store, { job: status.name, limit: MAX_FINDINGS_OF_A_JOB })
    return [status.name, { status, look: looks.get(status.name), findings }]
  })
  return checklists.map((checklist) => auditOf(checklist, new Map(known)))
}
