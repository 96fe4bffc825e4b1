import { absolutePath, z } from '../../agent/contract/mod.ts'
import { declarationSchema, maxAge, reminders } from './declaration.ts'

const DAY_MS = 86_400_000

/** Rotation at least every 90 days (ofelia's guide, and most audits). */
const DEFAULT_MAX_AGE = '90d'
const DEFAULT_REMINDERS = ['30d', '15d', '7d', '1d']

export const configSchema = z.strictObject({
  maxAge: maxAge
    .prefault(DEFAULT_MAX_AGE)
    .describe(`Age at which a credential must be rotated, or \`never\`. Default ${DEFAULT_MAX_AGE}`),
  remindBefore: reminders
    .optional()
    .describe(
      `How long before it is due or expires a credential is reported, and reported again. Once due, daily. Default ${DEFAULT_REMINDERS.join(', ')}, without those longer than a third of its life`,
    ),
  exposure: z
    .strictObject({
      commandLines: z
        .boolean()
        .default(true)
        .describe('Look for the credentials in the command lines of all processes'),
      histories: z
        .array(absolutePath)
        .max(50)
        .default(['/root/.*_history', '/home/*/.*_history'])
        .describe('Shell histories in which the credentials are looked for'),
    })
    .prefault({})
    .describe('Where a credential must not show up'),
  use: z
    .strictObject({
      units: z
        .array(absolutePath)
        .max(50)
        .default([
          '/etc/systemd/system/**/*.{service,conf}',
          '/usr/lib/systemd/system/*.service',
          '/usr/local/lib/systemd/system/*.service',
        ])
        .describe('systemd units in which is looked for who uses a credential'),
      processes: z
        .boolean()
        .default(true)
        .describe(
          'Look at the processes of these units: since when they run, whether they can know the last change',
        ),
    })
    .prefault({})
    .describe('Which unit uses a credential'),
  credentials: z.array(declarationSchema).min(1).max(500).describe('Where credentials are'),
})

/** 30, 15, 7 and 1 days, in milliseconds. */
export const DEFAULT_REMINDERS_MS = [30 * DAY_MS, 15 * DAY_MS, 7 * DAY_MS, DAY_MS]

export type Config = z.output<typeof configSchema>
