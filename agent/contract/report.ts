export const SEVERITIES = ['info', 'warning', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

export type Scalar = string | number | boolean | null

/** A rule that has nothing to judge here. */
export interface Inapplicable {
  rule: string
  /** What was looked for and is not on this host ("nginx is not installed"); never for want of access. */
  reason: string
}

/** Something wrong with the host. Rule and subject are its identity within a job. */
export interface Finding {
  rule: string
  /** What is wrong: a path, a unit, a credential's name. Stable over runs. */
  subject: string
  severity: Severity
  /** One sentence for the operator, without a period. */
  summary: string
  /** What to do, if possible the exact command for this host. */
  remedy?: string | undefined
  /** `reminder` in it is special: whenever its value changes, alerts tell of the open finding again. */
  evidence?: Record<string, Scalar> | undefined
  /** `apply` can put it right. */
  fixable?: boolean | undefined
  references?: string[] | undefined
}

/** A subject that could not be examined. It never counts as good. */
export interface Blind {
  subject: string
  reason: string
  /** The rules that could not be judged for it; missing: any of the plugin's. */
  rules?: string[] | undefined
}

/** A number about the host, a gauge. Name in snake_case with its base unit as suffix (`_seconds`, `_bytes`). */
export interface Metric {
  name: string
  value: number
  labels?: Record<string, string> | undefined
  help?: string | undefined
}

/** An item of inventory: a credential, a backup, a managed log. Kind and subject are its identity. */
export interface Fact {
  kind: string
  subject: string
  data: Record<string, Scalar>
}

/** A file that apply left on the host. */
export interface Artifact {
  kind: string
  path: string
  bytes: number
  sha256?: string | undefined
  data?: Record<string, Scalar> | undefined
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export interface Report {
  findings: Finding[]
  blind?: Blind[] | undefined
  inapplicable?: Inapplicable[] | undefined
  metrics?: Metric[] | undefined
  facts?: Fact[] | undefined
  artifacts?: Artifact[] | undefined
  /** How many subjects were looked at, and how many were left out on purpose (excluded by the config). */
  coverage?: { examined: number; skipped: number } | undefined
  /** Small state for the next run, stored in the same transaction as the run. At most 1 MiB as JSON. */
  memory?: Json | undefined
}

/** More findings than this in one run help nobody: the worker keeps the first and adds a `blind` with the count. */
export const MAX_FINDINGS = 5000
export const MAX_MEMORY_BYTES = 1_048_576
