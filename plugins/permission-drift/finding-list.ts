import { createHash } from 'node:crypto'
import { type Blind, type Finding, printablePath, type Severity } from '../../agent/contract/mod.ts'

const MAX_CRITICAL = 2000
const MAX_BLIND = 1000
/** A subject may be 4096 characters long; escaping makes up to four of one. */
const MAX_SUBJECT = 4000

const MAX_REMEDY = 8000
const MAX_REASON = 2000

const RANK: Record<Severity, number> = { info: 0, warning: 1, critical: 2 }

interface Surplus {
  severity: Severity
  counts: Map<string, number>
}

/**
 * Findings and blind subjects of a run, bounded. What is more than a person can read is counted in one finding
 * for each area, a tree or "policy", with the severity of its worst: nothing is left out in silence.
 */
export class FindingList {
  private readonly findings: Finding[] = []
  private readonly blind = new Map<string, string>()
  private readonly surplus = new Map<string, Surplus>()
  private readonly surplusBlind = new Map<string, number>()
  private critical = 0

  constructor(private readonly max: number) {}

  add(area: string, finding: Finding): void {
    const isCritical = finding.severity === 'critical'
    const room = isCritical ? MAX_CRITICAL - this.critical : this.max - (this.findings.length - this.critical)
    if (room > 0) {
      // Half a command is worse than none.
      const isTooLong = (finding.remedy?.length ?? 0) > MAX_REMEDY
      this.findings.push(isTooLong ? { ...finding, remedy: undefined } : finding)
      if (isCritical) this.critical++
      return
    }
    const surplus = this.surplus.get(area) ?? { severity: finding.severity, counts: new Map() }
    this.surplus.set(area, surplus)
    if (RANK[finding.severity] > RANK[surplus.severity]) surplus.severity = finding.severity
    surplus.counts.set(finding.rule, (surplus.counts.get(finding.rule) ?? 0) + 1)
  }

  addBlind(area: string, path: string, reason: string): void {
    const subject = subjectOf(path)
    const before = this.blind.get(subject)
    if (before === undefined && this.blind.size >= MAX_BLIND) {
      this.surplusBlind.set(area, (this.surplusBlind.get(area) ?? 0) + 1)
      return
    }
    const both = before === undefined || before.includes(reason) ? (before ?? reason) : `${before}; ${reason}`
    this.blind.set(subject, both.slice(0, MAX_REASON))
  }

  result(): { findings: Finding[]; blind: Blind[] } {
    const summaries = [...this.surplus].map(([area, { severity, counts }]): Finding => {
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
      const parts = [...counts].map(([rule, count]) => `${count} ${rule}`)
      return {
        rule: 'more-findings',
        subject: area,
        severity,
        summary: `${total} more findings than are listed: ${parts.join(', ')}`,
        remedy: 'Put right, or accept, what is listed, or raise `maxFindings` of the job',
        evidence: Object.fromEntries(counts),
      }
    })
    const blind = [...this.blind].map(([subject, reason]) => ({ subject, reason }))
    for (const [area, count] of this.surplusBlind) {
      blind.push({ subject: area, reason: `${count} more places in it could not be looked at` })
    }
    return { findings: [...summaries, ...this.findings], blind }
  }
}

/** A path as the subject of a finding: on one line, never longer than a subject may be, and still its own. */
export function subjectOf(path: string): string {
  const subject = printablePath(path)
  if (subject.length <= MAX_SUBJECT) return subject
  return `${subject.slice(0, MAX_SUBJECT)}…${createHash('sha256').update(subject).digest('hex').slice(0, 16)}`
}
