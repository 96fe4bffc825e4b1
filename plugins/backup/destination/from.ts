import { type CommandArgs, UserError } from '../../../agent/contract/mod.ts'
import { parseBackupName } from '../object-name.ts'
import { type DestinationConfig, destinationSchema } from './config.ts'

/** Options of commands for places that no job tells of. */
export const fromOptions = {
  from: {
    type: 'string',
    means:
      'A backup or a place with backups: DIR, sftp://USER@HOST[:PORT]/DIR or s3://BUCKET/PREFIX; needs no job',
  },
  identity: { type: 'string', means: 'For sftp://: file with the private key to log in with' },
  'known-hosts': { type: 'string', means: 'For sftp://: file with the host key of the server' },
  endpoint: { type: 'string', means: 'For s3://: address of the service, such as https://s3.example.org' },
  region: { type: 'string', means: 'For s3://: the region, if the service has any' },
  'access-key-id': {
    type: 'string',
    means: 'For s3://: where the access key ID is; else env:AWS_ACCESS_KEY_ID',
  },
  'secret-access-key': {
    type: 'string',
    means: 'For s3://: where the secret access key is; else env:AWS_SECRET_ACCESS_KEY',
  },
} as const

/** Those of them that are paths. A URL stays as it is. */
export const fromPaths = ['from', 'identity', 'known-hosts']

export interface NamedPlace {
  place: DestinationConfig
  /** The one backup that is meant; undefined for all that are there. */
  only: string | undefined
}

/** What `--from` means when it is a URL; undefined for a path of this host. */
export function parseFrom(args: CommandArgs): NamedPlace | undefined {
  const from = optionOf(args, 'from')
  if (from === undefined || !/^[a-z0-9]+:\/\//i.test(from)) return undefined
  const url = URL.parse(from)
  if (url?.protocol === 'sftp:') return sftpPlace(from, url, args)
  if (url?.protocol === 's3:') return s3Place(from, url, args)
  throw new UserError(
    `Cannot use --from "${from}": wanted a path, sftp://USER@HOST/DIR or s3://BUCKET/PREFIX`,
  )
}

function sftpPlace(from: string, url: URL, args: CommandArgs): NamedPlace {
  if (url.password !== '') {
    throw new UserError('Cannot use --from with a password in it: SFTP needs a key (--identity FILE)')
  }
  const identityFile = needed(args, 'identity', 'the private key to log in with')
  const knownHosts = needed(args, 'known-hosts', 'a file with the host key of the server')
  const { directory, only } = splitName(decodeURIComponent(url.pathname))
  return checked(from, only, {
    name: 'from',
    type: 'sftp',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    user: decodeURIComponent(url.username),
    directory: directory.startsWith('/~/') ? directory.slice(3) : directory,
    identityFile,
    knownHosts,
  })
}

function s3Place(from: string, url: URL, args: CommandArgs): NamedPlace {
  const endpoint = needed(args, 'endpoint', 'the address of the service')
  const region = optionOf(args, 'region')
  const { directory, only } = splitName(decodeURIComponent(url.pathname))
  const prefix = directory.replace(/^\/+|\/+$/g, '')
  return checked(from, only, {
    name: 'from',
    type: 's3',
    endpoint,
    ...(region === undefined ? {} : { region }),
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    accessKeyId: optionOf(args, 'access-key-id') ?? 'env:AWS_ACCESS_KEY_ID',
    secretAccessKey: optionOf(args, 'secret-access-key') ?? 'env:AWS_SECRET_ACCESS_KEY',
  })
}

/** The last part of a path may be the name of a backup. */
function splitName(path: string): { directory: string; only: string | undefined } {
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  if (!parseBackupName(name)) return { directory: path, only: undefined }
  return { directory: path.slice(0, slash) || '/', only: name }
}

function checked(from: string, only: string | undefined, config: unknown): NamedPlace {
  const { data, error } = destinationSchema.safeParse(config)
  if (data) return { place: data, only }
  const [issue] = error.issues
  throw new UserError(`Cannot use --from "${from}": ${issue?.path.join('.')}: ${issue?.message}`)
}

function needed(args: CommandArgs, name: string, what: string): string {
  const value = optionOf(args, name)
  if (value !== undefined) return value
  throw new UserError(`Cannot use --from: give ${what} with --${name}`)
}

function optionOf(args: CommandArgs, name: string): string | undefined {
  const value = args.values[name]
  return typeof value === 'string' ? value : undefined
}
