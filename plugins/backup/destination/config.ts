import { absolutePath, byteSize, secretReference, z } from '../../../agent/contract/mod.ts'

const count = z.number().int().nonnegative().max(10_000)

export const retentionSchema = z
  .strictObject({
    keepLast: count.min(1).default(7).describe('The newest backups, whatever their age'),
    hourly: count.default(0).describe('The newest of each of so many hours (UTC)'),
    daily: count.default(0).describe('The newest of each of so many days (UTC)'),
    weekly: count.default(0).describe('The newest of each of so many ISO weeks'),
    monthly: count.default(0).describe('The newest of each of so many months'),
    yearly: count.default(0).describe('The newest of each of so many years'),
  })
  .describe('What is kept. Only proven backups count, and the newest proven one always stays')

const host = z.string().regex(/^(?!-)[A-Za-z0-9.:-]{1,253}$/, { message: 'wanted a host name or an address' })
const port = z.number().int().min(1).max(65_535)

const common = {
  name: z
    .string()
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, { message: 'wanted lower-case words joined by "-"' })
    .max(60)
    .describe('A short name for it, in metrics and on the command line'),
  retention: retentionSchema.optional().describe('What is kept there. Default: the retention of the job'),
  bandwidth: byteSize
    .refine((bytes) => bytes >= 1024, { message: 'wanted at least 1k' })
    .optional()
    .describe('At most so many bytes a second are sent there. Default: as fast as it goes'),
}

const directory = z.strictObject({
  type: z.literal('directory').describe('A directory of this host, perhaps of another disk'),
  ...common,
  directory: absolutePath.describe('It must exist: a missing mount is noticed'),
  mountUuid: z
    .string()
    .regex(/^[0-9A-Fa-f]{4,16}(-[0-9A-Fa-f]{4,12})*$/, {
      message: 'wanted the UUID of a file system, as "lsblk -o NAME,UUID" shows it',
    })
    .optional()
    .describe('UUID of the file system that must be mounted there. Nothing is written to any other'),
})

const sftp = z.strictObject({
  type: z.literal('sftp').describe("A directory of another host, reached by this host's ssh"),
  ...common,
  host: host.describe('Name or address of the server'),
  port: port.default(22).describe('TCP port of the server'),
  user: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/, { message: 'wanted the name of a user' })
    .describe('User on the server'),
  directory: z
    .string()
    .min(1)
    .max(1024)
    .refine((path) => !path.includes('\0') && !path.split('/').includes('..'), {
      message: 'wanted a path without ".."',
    })
    .describe(
      'Directory on the server; it must exist. Without a leading "/" it is below the login directory',
    ),
  identityFile: absolutePath.describe('Private key without a passphrase, for this purpose only'),
  knownHosts: absolutePath.describe(
    'File with the host key of the server, in the form of known_hosts. A server with another key is refused',
  ),
})

const s3 = z.strictObject({
  type: z.literal('s3').describe('A bucket of an S3-compatible object store'),
  ...common,
  endpoint: z
    .url({ protocol: /^https?$/, error: 'wanted https://host or http://127.0.0.1:port' })
    .refine((url) => new URL(url).pathname === '/' && new URL(url).search === '', {
      message: 'wanted an address without a path',
    })
    .refine((url) => new URL(url).protocol === 'https:' || isLoopback(new URL(url).hostname), {
      message: 'wanted https: http is for this host itself only',
    })
    .describe('Address of the service, such as https://s3.eu-central-1.amazonaws.com'),
  region: z.string().min(1).max(64).default('us-east-1').describe('Region that requests are signed for'),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { message: 'wanted the name of a bucket' })
    .describe('Name of the bucket; it must exist'),
  prefix: z
    .string()
    .regex(/^([A-Za-z0-9._-]+\/)*$/, { message: 'wanted a prefix that ends with "/", such as web1/' })
    .max(512)
    .default('')
    .describe('Put before the name of every object'),
  accessKeyId: secretReference.describe('Where the access key ID is'),
  secretAccessKey: secretReference.describe('Where the secret access key is'),
  objectLock: z
    .strictObject({
      mode: z
        .enum(['governance', 'compliance'])
        .describe('Who may shorten it: those with a special permission, or nobody'),
      days: z.number().int().min(1).max(36_500).describe('How long no one can delete or replace a backup'),
    })
    .optional()
    .describe('Each backup is locked by the store, whose bucket must have object lock'),
})

export const destinationSchema = z.discriminatedUnion('type', [directory, sftp, s3])

export type DestinationConfig = z.output<typeof destinationSchema>
export type DirectoryConfig = z.output<typeof directory>
export type RetentionPolicy = z.output<typeof retentionSchema>

/**
 * Where it is, for people: "/srv/backup", "sftp://user@host:22/path", "s3://bucket/prefix/". The records know a
 * destination by it: what is in one place says nothing about another one.
 */
export function locationOf(config: DestinationConfig): string {
  if (config.type === 'directory') return config.directory
  if (config.type === 's3') return `s3://${config.bucket}/${config.prefix}`
  const address = config.host.includes(':') ? `[${config.host}]` : config.host
  const path = config.directory.startsWith('/') ? config.directory : `/~/${config.directory}`
  return `sftp://${config.user}@${address}:${config.port}${path}`
}

/** A name in a place, such as "s3://bucket/web1/etc-….tar.zst.gpg". */
export function pathIn(location: string, name: string): string {
  return location.endsWith('/') ? `${location}${name}` : `${location}/${name}`
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}
