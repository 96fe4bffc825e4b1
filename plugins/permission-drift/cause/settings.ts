import { absolutePath, duration, z } from '../../../agent/contract/mod.ts'

const instant = z.iso
  .datetime({ offset: true, error: 'wanted a time such as 2027-01-31T22:00:00+01:00 or …Z' })
  .transform((text) => Date.parse(text))
const reason = z.string().min(1).describe('Why, kept in the history of the baseline')

const once = z
  .strictObject({
    from: instant.describe('When it opens, with offset: `2027-01-31T22:00:00+01:00`'),
    to: instant.describe('When it closes'),
    reason,
  })
  .refine(({ from, to }) => from < to, { path: ['to'], error: 'it has to be later than `from`' })

const recurring = z.strictObject({
  schedule: z
    .string()
    .regex(/^(?:[-\d*,/A-Za-z#L]+ ){4}[-\d*,/A-Za-z#L]+$/, 'wanted a cron expression of five fields')
    .describe('When it opens: a cron expression of five fields, in the time zone of the host'),
  for: duration.describe('How long it is open'),
  reason,
})

export const windows = z
  .array(z.union([once, recurring], { error: 'wanted { from, to, reason } or { schedule, for, reason }' }))
  .default([])
  .describe(
    'Times in which changes are meant: what changes then is accepted. `reeve permission-drift window open` opens one ' +
      'by hand',
  )

export const explain = z
  .strictObject({
    packages: z
      .array(z.enum(['dpkg', 'rpm']))
      .default(['dpkg'])
      .describe(
        'Package managers whose work explains changes: `dpkg` by its database and log, `rpm` by asking the program',
      ),
    reeve: z.boolean().default(true).describe('What jobs of this reeve do: rotated logs, backups, repairs'),
    tmpfiles: z.boolean().default(true).describe('What systemd-tmpfiles makes and removes by tmpfiles.d'),
    certificates: z
      .array(absolutePath)
      .default([
        '/etc/letsencrypt/live/*/fullchain.pem',
        '/root/.acme.sh/*/fullchain.cer',
        '/etc/lego/certificates/*.crt',
      ])
      .describe(
        'Paths or patterns of certificates. One that is renewed (same names, later, of an issuer that is trusted or ' +
          'the same) explains itself, its chain, its key and the links to them, within trees',
      ),
  })
  .prefault({})
  .describe(
    'Causes that explain a change of a tree: it is accepted into the baseline then, and raises nothing',
  )
