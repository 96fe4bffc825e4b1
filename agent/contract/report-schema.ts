import { z } from 'zod'
import { type Json, MAX_FINDINGS, type Report, type Scalar, SEVERITIES } from './report.ts'

// Apart from the types: who only names them (a worker, a start without a run) does not pay for building this.

// A report has thousands of these: told apart by hand, each takes a fraction of what a schema of its own would.

const scalars = z.custom<Record<string, Scalar>>(
  isScalars,
  'it maps names of at most 100 characters to numbers, true, false, null, or texts of at most 4096',
)

function isScalars(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.entries(value).every(([name, item]) => name.length <= 100 && isScalar(item))
}

function isScalar(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= 4096
  return value === null || typeof value === 'boolean' || Number.isFinite(value)
}

function isJson(value: unknown): boolean {
  if (typeof value !== 'object') {
    return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
  }
  return value === null || Object.values(value).every(isJson)
}

const subject = z.string().min(1).max(4096)
const ruleId = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'a rule is lower-case words joined by "-"')

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
        evidence: scalars.optional(),
        fixable: z.boolean().optional(),
        references: z.array(z.string().max(500)).max(50).optional(),
      }),
    )
    .max(MAX_FINDINGS),
  blind: z
    .array(
      z.strictObject({
        subject,
        reason: z.string().min(1).max(4000),
        rules: z.array(ruleId).min(1).max(200).optional(),
      }),
    )
    .max(MAX_FINDINGS)
    .optional(),
  inapplicable: z
    .array(z.strictObject({ rule: ruleId, reason: z.string().min(1).max(1000) }))
    .max(500)
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
    .array(z.strictObject({ kind: ruleId, subject, data: scalars }))
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
        data: scalars.optional(),
      }),
    )
    .max(20_000)
    .optional(),
  coverage: z
    .strictObject({ examined: z.number().nonnegative(), skipped: z.number().nonnegative() })
    .optional(),
  memory: z.custom<Json>(isJson, 'it is no JSON').optional(),
})
