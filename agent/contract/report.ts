import { z } from 'zod'

export const SEVERITIES = ['info', 'warning', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

const scalar = z.union([z.string().max(4096), z.number(), z.boolean(), z.null()])
export type Scalar = z.infer<typeof scalar>

const subject = z.string().min(1).max(4096)
const ruleId = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'a rule is lower-case words joined by "-"')

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
  evidence?: Record<string, Scalar> | undefined
  /** `apply` can put it right. */
  fixable?: boolean | undefined
  references?: string[] | undefined
}

/** A subject that could not be examined. It never counts as good. */
export interface Blind {
  subject: string
  reason: string
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

/** Validates what a worker sends: the daemon trusts no plugin. */
export const reportSchema: z.ZodType<Report> = z.strictObject({
  findings: z
    .array(
      z.strictObject({
        rule: ruleId,
        subject,
        severity: z.enum(SEVERITIES),
        summary: z.string().min(1).max(2000),
        remedy: z.string().max(8000).optional(),
        evidence: z.record(z.string().max(100), scalar).optional(),
        fixable: z.boolean().optional(),
        references: z.array(z.string().max(500)).max(50).optional(),
      }),
    )
    .max(MAX_FINDINGS),
  blind: z
    .array(z.strictObject({ subject, reason: z.string().min(1).max(4000) }))
    .max(MAX_FINDINGS)
    .optional(),
  metrics: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z][a-z0-9_]{0,99}$/),
        value: z.number(),
        labels: z.record(z.string().regex(/^[a-z][a-z0-9_]*$/), z.string().max(1024)).optional(),
        help: z.string().max(500).optional(),
      }),
    )
    .max(10_000)
    .optional(),
  facts: z
    .array(z.strictObject({ kind: ruleId, subject, data: z.record(z.string().max(100), scalar) }))
    .max(20_000)
    .optional(),
  artifacts: z
    .array(
      z.strictObject({
        kind: ruleId,
        path: subject,
        bytes: z.number().nonnegative(),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .optional(),
        data: z.record(z.string().max(100), scalar).optional(),
      }),
    )
    .max(20_000)
    .optional(),
  coverage: z
    .strictObject({ examined: z.number().nonnegative(), skipped: z.number().nonnegative() })
    .optional(),
  memory: z.json().optional(),
})
