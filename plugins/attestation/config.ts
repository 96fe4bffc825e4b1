import { duration, z } from '../../agent/contract/mod.ts'

export const configSchema = z.strictObject({
  items: z
    .array(
      z.strictObject({
        name: z
          .string()
          .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'wanted a name of lower-case letters, digits and "-"')
          .describe('Its name: what `reeve attest` takes'),
        means: z.string().min(1).max(500).describe('What the person does and looks at'),
        every: duration.describe('How often it has to be done, such as 90d'),
        remindBefore: duration
          .prefault('14d')
          .describe('How long before it is due it is reported. Default 14d'),
        owner: z.string().min(1).max(200).optional().describe('Who has to do it'),
        runbook: z.string().min(1).max(200).optional().describe('Where the steps are written down'),
        evidence: z
          .enum(['none', 'wanted', 'required'])
          .default('wanted')
          .describe('Whether a file must come with the statement. `wanted`: it is asked for in the remedy'),
        since: z.iso
          .date({ error: 'wanted a day such as 2027-03-31' })
          .optional()
          .describe('When it was last done before reeve was told. Default: never, it is due at once'),
      }),
    )
    .min(1)
    .max(200)
    .refine((items) => new Set(items.map(({ name }) => name)).size === items.length, {
      message: 'wanted each name once',
    })
    .describe('What has to be stated, again and again'),
})

export type Config = z.output<typeof configSchema>
export type Item = Config['items'][number]
