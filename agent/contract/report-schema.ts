import { z } from 'zod'
import { MAX_FINDINGS, type Report, type Scalar, SEVERITIES } from './report.ts'

// Apart from the types: who only names them (a worker, a start without a run) does not pay for building this.

const scalar: z.ZodType<Scalar> = z.union([z.string().max(4096), z.number(), z.boolean(), z.null()])
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
        evidence: z.record(z.string().max(100), scalar).optional(),
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
