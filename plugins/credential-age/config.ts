import { absolutePath, duration, fileMode, z } from '../../agent/contract/mod.ts'

const DAY_MS = 86_400_000

/** Rotation at least every 90 days (ofelia's guide, and most audits). */
const DEFAULT_MAX_AGE = '90d'
const DEFAULT_REMINDERS = ['30d', '15d', '7d', '1d']

const maxAge = z.union([duration, z.literal('never')])
const reminders = z
  .union([duration, z.array(duration).min(1).max(10)])
  .transform((value) => (Array.isArray(value) ? value : [value]).toSorted((a, b) => b - a))

const instant = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })])
  .transform((text) => ({ atMs: Date.parse(text), text }))

const note = z.string().min(1).max(200)

const common = {
  path: absolutePath.describe('File, or a pattern such as /home/*/.ssh/authorized_keys'),
  name: note.optional().describe('What people call it; shown beside the path'),
  maxAge: maxAge
    .optional()
    .describe(
      'Age at which it must be rotated, or `never`. Default: that of the job, for what has no expiry',
    ),
  remindBefore: reminders
    .optional()
    .describe('How long before it is due or expires it is reported. Default: that of the job'),
  rotatedAt: instant
    .optional()
    .describe('When it was last rotated, where nobody but you can know: 2027-03-31 or with a time and zone'),
  owner: note.optional().describe('Who rotates it'),
  service: note.optional().describe('The systemd unit to restart after a rotation'),
  runbook: note.optional().describe('Where the steps are written down'),
  missingOk: z
    .boolean()
    .default(false)
    .describe('`true`: it is no finding when the file, or one of its `keys`, is not there'),
}

const maxMode = (mode: string) =>
  fileMode
    .prefault(mode)
    .describe(`Permission bits that a file with a secret may have at most. Default "${mode}"`)

const minLength = z
  .number()
  .int()
  .min(8)
  .max(512)
  .default(32)
  .describe('A value with fewer characters is weak. Default 32')

const minRsaBits = (bits: number) =>
  z
    .number()
    .int()
    .min(2048)
    .max(16_384)
    .default(bits)
    .describe(`An RSA key with fewer bits is weak. Default ${bits}`)

const declarationSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('env-file').describe('Lines KEY=value, as systemd and shells read them'),
    ...common,
    keys: z
      .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'wanted the name of a variable'))
      .min(1)
      .optional()
      .describe('Variables that must be there. Default: all whose name or value looks like a secret'),
    minLength,
    maxMode: maxMode('0640'),
  }),
  z.strictObject({
    kind: z
      .literal('token-file')
      .describe('A token or its hash per line; a comment line above a token is its name'),
    ...common,
    minLength,
    maxMode: maxMode('0640'),
  }),
  z.strictObject({
    kind: z
      .literal('ssh-key')
      .describe('Private and public keys, certificates of OpenSSH, and authorized_keys files'),
    ...common,
    minRsaBits: minRsaBits(3072),
    maxMode: maxMode('0600'),
  }),
  z.strictObject({
    kind: z.literal('certificate').describe('X.509 certificates and chains, PEM or DER'),
    ...common,
    minRsaBits: minRsaBits(2048),
    maxMode: maxMode('0640'),
  }),
  z.strictObject({
    kind: z.literal('openpgp-key').describe('Exported OpenPGP keys, armored or binary'),
    ...common,
    minRsaBits: minRsaBits(3072),
    maxMode: maxMode('0600'),
  }),
])

export const configSchema = z.strictObject({
  maxAge: maxAge
    .prefault(DEFAULT_MAX_AGE)
    .describe(`Age at which a credential must be rotated, or \`never\`. Default ${DEFAULT_MAX_AGE}`),
  remindBefore: reminders
    .optional()
    .describe(
      `How long before it is due or expires a credential is reported. Default ${DEFAULT_REMINDERS.join(', ')}, without those longer than a third of its life`,
    ),
  credentials: z.array(declarationSchema).min(1).max(500).describe('Where credentials are'),
})

/** 30, 15, 7 and 1 days, in milliseconds. */
export const DEFAULT_REMINDERS_MS = [30 * DAY_MS, 15 * DAY_MS, 7 * DAY_MS, DAY_MS]

export type Config = z.output<typeof configSchema>
export type Declaration = Config['credentials'][number]
