import { z } from 'zod'
import { SEVERITIES } from '../contract/report.ts'
import type { PluginDescription } from './external.ts'

const texts = z.array(z.string().max(4096)).max(10_000).optional()

const permissions = z.strictObject({
  list: texts,
  read: texts,
  write: texts,
  attributes: texts,
  net: texts,
  run: z
    .array(z.tuple([z.string().max(4096)], z.string().max(4096)))
    .max(1000)
    .optional(),
  env: texts,
  secrets: texts,
  capabilities: texts,
})

/** Validates what a worker says of an external plugin: its code may have said it in the worker's place. */
export const descriptionSchema: z.ZodType<PluginDescription> = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
  summary: z.string().max(500),
  defaults: z.strictObject({ schedule: z.string().max(500), timeout: z.string().max(100) }),
  rules: z.record(
    z.string().max(200),
    z.strictObject({
      means: z.string().max(1000),
      severity: z.enum(SEVERITIES),
      references: z.array(z.string().max(500)).max(50).optional(),
    }),
  ),
  canApply: z.boolean(),
  jobs: z.record(
    z.string(),
    z.union([
      z.strictObject({ error: z.string().max(20_000) }),
      z
        .strictObject({ check: permissions, apply: permissions.optional() })
        .transform(({ check, apply }) => ({ check, ...(apply && { apply }) })),
    ]),
  ),
})
