import { z } from 'zod'
import { jobName } from './job-name.ts'

const parameterName = z
  .string()
  .regex(/^[a-z][A-Za-z0-9]{0,39}$/, 'wanted a name such as `user` or `dataDir`')
const parameterValue = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.array(z.union([z.string(), z.number()])),
])

/** As written: what it comes to is checked with the jobs of the configuration. */
const jobSettings = z.record(z.string(), z.unknown())

/** A checklist as data: what to run, and which items are judged by what these runs find. */
export const profileSchema = z.strictObject({
  name: jobName.describe('What `use` says'),
  title: z.string().min(1).max(200).describe('Heading of the checklist'),
  about: z.string().max(2000).optional().describe('What the profile is for'),
  parameters: z
    .record(
      parameterName,
      z.strictObject({
        means: z.string().min(1).describe('For the one who sets it'),
        default: parameterValue
          .optional()
          .describe('Value where the configuration gives none; without it the parameter is required'),
      }),
    )
    .default({})
    .describe(
      'Values that differ from host to host. A dollar sign and the name in braces stands for the value; a doubled dollar sign before a brace is a plain one',
    ),
  jobs: z
    .record(jobName, jobSettings)
    .describe('Jobs as in the configuration; the name of the profile is put before theirs'),
  items: z
    .array(
      z.strictObject({
        id: z
          .string()
          .regex(/^[a-z0-9][a-z0-9.-]{0,39}$/)
          .describe('Short name of the item, unique in the profile'),
        title: z.string().min(1).max(300).describe('What is asked for'),
        references: z
          .array(z.string().max(100))
          .default([])
          .describe('Ids in other catalogues: OWASP, CIS, NIST'),
        checks: z
          .array(
            z.strictObject({
              job: jobName.describe('A job of this profile'),
              rules: z
                .array(z.string())
                .min(1)
                .optional()
                .describe('Rules whose findings speak against it. Default: every rule of the job’s plugin'),
              subjects: z
                .array(z.string())
                .min(1)
                .optional()
                .describe('Patterns of subjects; findings about others do not count. Default: all'),
            }),
          )
          .min(1)
          .describe('All of these must be right'),
      }),
    )
    .min(1)
    .describe('The checklist'),
})

export type Profile = z.output<typeof profileSchema>

/** `profiles:` in the configuration. Further keys are the profile's parameters. */
export const profileUseSchema = z
  .object({
    use: jobName.describe('A built-in profile, or one of profiles.d: `reeve audit --list` shows them'),
    as: jobName.optional().describe('Name of the checklist and of its jobs. Default: that of the profile'),
    jobs: z
      .record(jobName, jobSettings)
      .default({})
      .describe('What its jobs have different: another schedule, `mode: enforce`, further `config`'),
  })
  .catchall(parameterValue)
  .describe('A checklist with its jobs')

export type ProfileUse = z.output<typeof profileUseSchema>

/** One checklist of this host: a profile with its values. */
export interface Checklist {
  name: string
  profile: string
  title: string
  items: ChecklistItem[]
}

export interface ChecklistItem {
  id: string
  title: string
  references: string[]
  checks: {
    /** Name of the job on this host. */
    job: string
    /** Null: every rule. */
    rules: string[] | null
    /** Patterns; null: every subject. */
    subjects: string[] | null
  }[]
}
