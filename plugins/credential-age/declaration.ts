import { absolutePath, duration, fileMode, secretReference, z } from '../../agent/contract/mod.ts'
import { rotation } from './rotation/config.ts'

export const maxAge = z.union([duration, z.literal('never')])
export const reminders = z
  .union([duration, z.array(duration).min(1).max(10)])
  .transform((value) => (Array.isArray(value) ? value : [value]).toSorted((a, b) => b - a))

const instant = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })])
  .transform((text) => ({ atMs: Date.parse(text), text }))

const note = z.string().min(1).max(200)

/** For all kinds. */
const about = {
  name: note
    .optional()
    .describe('What people call it: shown beside the place, and what `reeve credentials rotate` takes'),
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
  service: note
    .optional()
    .describe('The systemd unit that uses it: it must have started after the last change'),
  reloads: z
    .boolean()
    .default(false)
    .describe('`true`: the service reads it again without a restart, so its start tells nothing'),
  runbook: note.optional().describe('Where the steps are written down'),
}

/** For what lies in a file. */
const common = {
  path: absolutePath.describe('File, or a pattern such as /home/*/.ssh/authorized_keys'),
  ...about,
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

const hostName = z
  .string()
  .regex(/^[A-Za-z0-9*]([A-Za-z0-9._-]{0,252})$|^[0-9a-fA-F:]{2,39}$/, 'wanted a host name or an address')

const trust = {
  hostNames: z
    .array(hostName)
    .min(1)
    .max(100)
    .optional()
    .describe('Names and addresses that the certificate must be for'),
  authority: absolutePath
    .optional()
    .describe(
      'PEM file with the authorities that must have issued it, such as /etc/ssl/certs/ca-certificates.crt. Default: the chain must only hold together',
    ),
  selfSignedOk: z
    .boolean()
    .default(false)
    .describe('`true`: those who connect know this very certificate, it needs no authority'),
}

export const declarationSchema = z.discriminatedUnion('kind', [
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
    rotation: rotation.optional(),
  }),
  z.strictObject({
    kind: z
      .literal('token-file')
      .describe('A token or its hash per line; a comment line above a token is its name'),
    ...common,
    form: z
      .enum(['any', 'sha256'])
      .default('any')
      .describe(
        '`sha256`: only hashes may stand there (64 lower-case hex digits); a token in plain is a leak',
      ),
    minLength,
    maxMode: maxMode('0640'),
    rotation: rotation.optional(),
  }),
  z.strictObject({
    kind: z.literal('settings-file').describe('Values of a YAML, JSON, TOML or INI file'),
    ...common,
    format: z
      .enum(['yaml', 'json', 'toml', 'ini'])
      .optional()
      .describe('Default: by the end of the name (.yaml .yml .json .toml; else INI)'),
    keys: z
      .array(z.string().min(1).max(200))
      .min(1)
      .optional()
      .describe(
        'Values that must be there, such as auth.session_secret. Default: all that look like a secret',
      ),
    minLength,
    maxMode: maxMode('0640'),
  }),
  z.strictObject({
    kind: z
      .literal('unit-file')
      .describe('systemd units: secrets in Environment= and SetCredential=, which every user can see'),
    ...common,
    minLength,
    maxMode: maxMode('0644'),
  }),
  z.strictObject({
    kind: z.literal('login-file').describe('Logins that programs keep for their user'),
    ...common,
    format: z
      .enum(['docker', 'git', 'netrc', 'pgpass'])
      .optional()
      .describe('Default: by the name (config.json, .git-credentials, .netrc, .pgpass)'),
    minLength: minLength.default(8).describe('A password with fewer characters is weak. Default 8'),
    maxMode: maxMode('0600'),
  }),
  z.strictObject({
    kind: z.literal('password-file').describe('Lines user:hash, as htpasswd writes them'),
    ...common,
    minBcryptCost: z
      .number()
      .int()
      .min(4)
      .max(31)
      .default(12)
      .describe('A bcrypt hash with a lower cost is weak. Default 12'),
    maxMode: maxMode('0640'),
  }),
  z.strictObject({
    kind: z
      .literal('account-passwords')
      .describe('Passwords of accounts in the form of shadow(5): their age, their hash'),
    ...common,
    path: absolutePath.default('/etc/shadow').describe('Default /etc/shadow'),
    minBcryptCost: z.number().int().min(4).max(31).default(12).describe('See password-file'),
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
    kind: z.literal('certificate').describe('X.509 certificates and chains, PEM, DER or PKCS#12'),
    ...common,
    ...trust,
    keyFile: z
      .union([
        absolutePath,
        z.string().regex(/^[\w.-]{1,200}$/, 'wanted a path, or a name in the same directory'),
      ])
      .optional()
      .describe('The private key that must belong to it, PEM or DER: a path, or a name in its directory'),
    password: secretReference.optional().describe('Password of a PKCS#12 store or of its private key'),
    minRsaBits: minRsaBits(2048),
    maxMode: maxMode('0640'),
    rotation: rotation.optional(),
  }),
  z.strictObject({
    kind: z.literal('private-key').describe('Private keys in PEM (PKCS#1, PKCS#8, SEC 1) or DER'),
    ...common,
    password: secretReference.optional().describe('Password of an encrypted key'),
    minRsaBits: minRsaBits(3072),
    maxMode: maxMode('0640'),
  }),
  z.strictObject({
    kind: z.literal('openpgp-key').describe('Exported OpenPGP keys, armored or binary'),
    ...common,
    minRsaBits: minRsaBits(3072),
    maxMode: maxMode('0600'),
  }),
  z.strictObject({
    kind: z.literal('tls-endpoint').describe('The certificate that a port really serves'),
    ...about,
    ...trust,
    host: hostName.describe('Name or address to connect to'),
    port: z.number().int().min(1).max(65_535).describe('TCP port'),
    serverName: hostName
      .optional()
      .describe('Name to ask for (SNI). Default: `host`, unless it is an address'),
    startTls: z
      .enum(['smtp', 'imap', 'postgres'])
      .optional()
      .describe('Begin in clear and ask for TLS. Default: TLS from the first byte'),
    timeout: duration.prefault('5s').describe('For connecting and the handshake together. Default 5s'),
    certificate: absolutePath
      .optional()
      .describe('The file whose first certificate must be the one that is served'),
    minRsaBits: minRsaBits(2048),
  }),
  z.strictObject({
    kind: z
      .literal('ssh-endpoint')
      .describe('The host keys that an SSH server really shows (by ssh-keyscan)'),
    ...about,
    maxAge: about.maxAge
      .default('never')
      .describe('Age at which a host key must be rotated. Default `never`'),
    host: hostName.describe('Name or address to connect to'),
    port: z.number().int().min(1).max(65_535).default(22).describe('TCP port. Default 22'),
    timeout: duration.prefault('5s').describe('For connecting, and for each kind of key. Default 5s'),
    hostKeys: absolutePath
      .optional()
      .describe('Files of the host keys that must be the ones shown, such as /etc/ssh/ssh_host_*_key'),
    minRsaBits: minRsaBits(3072),
  }),
  z.strictObject({
    kind: z.literal('reeve').describe('API tokens of reeve, and the key of this host'),
    ...about,
  }),
])

export type Declaration = z.output<typeof declarationSchema>
export type FileDeclaration = Exclude<Declaration, { kind: 'tls-endpoint' | 'ssh-endpoint' | 'reeve' }>
export type EndpointDeclaration = Extract<Declaration, { kind: 'tls-endpoint' }>
export type SshEndpointDeclaration = Extract<Declaration, { kind: 'ssh-endpoint' }>
export type CertificateDeclaration = Extract<Declaration, { kind: 'certificate' }>
