import type { Rule } from '../contract/plugin.ts'
import type { Severity } from '../contract/report.ts'
import type { Audit } from '../engine/audit.ts'
import type { StoredFinding } from '../store/read-findings.ts'
import type { HostStatus, JobStatus } from '../store/status.ts'

/** What every form of a report is made of. */
export interface ReportModel {
  host: string
  version: string
  /** UTC milliseconds. */
  at: number
  /** Findings that opened from here on are new, and those that were resolved from here on are told. */
  since: number
  state: HostStatus['state']
  jobs: JobStatus[]
  /** Open ones, the gravest first and accepted ones last; then those resolved since. */
  findings: StoredFinding[]
  audits: Audit[]
  /** Of the plugins of these jobs, by "plugin/rule". */
  rules: ReadonlyMap<string, Rule>
}

export interface Format {
  means: string
  render(model: ReportModel): string
}

/** A job whose last run says nothing about the host, or not everything: no report may look good without it. */
export function isUnseen({ state }: JobStatus): boolean {
  return ['refused', 'failed', 'late', 'blind', 'pending', 'disabled'].includes(state)
}

export function open(model: ReportModel): StoredFinding[] {
  return model.findings.filter((finding) => finding.state === 'open')
}

export function counts(findings: StoredFinding[]): Record<Severity | 'waived', number> {
  const result = { critical: 0, warning: 0, info: 0, waived: 0 }
  for (const finding of findings) result[finding.waived ? 'waived' : finding.severity]++
  return result
}

export function day(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** The summary, with its subject where it does not name it. */
export function titleOf({ summary, subject }: StoredFinding): string {
  return summary.includes(subject) ? summary : `${subject}: ${summary}`
}
