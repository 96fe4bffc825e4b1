import type { HostReader, HostWriter, Permissions } from '../../../agent/contract/mod.ts'
import { UserError } from '../../../agent/contract/mod.ts'
import type { DestinationConfig, DirectoryConfig } from './config.ts'
import type { Destination, DestinationReader } from './destination.ts'
import { DirectoryDestination, DirectoryReader, requireDirectory } from './directory.ts'
import { LOCK_FILES } from './lock.ts'
import { MOUNT_TABLE, refuseMount } from './mount.ts'
import { sshPermissions } from './sftp/ssh.ts'
import { UploadNotes } from './upload-notes.ts'

/** What a destination needs of a run. */
export interface Surroundings {
  /** Value of a secret reference. */
  secret(reference: string): string
  signal: AbortSignal
  state: HostWriter
  stateDir: string
}

/** Opens a place to look at it. Throws with the reason when it is not there, or not the one that is meant. */
export async function openReader(
  config: DestinationConfig,
  host: HostReader,
  surroundings: Surroundings,
): Promise<DestinationReader> {
  if (config.type !== 'directory') return openRemote(config, host, surroundings, '')
  requireIntended(host, config)
  return new DirectoryReader(host, config.directory, config.name)
}

/** Opens a place to keep backups in it. `owner` tells what this job left unfinished from the work of others. */
export async function openDestination(
  config: DestinationConfig,
  host: HostWriter,
  surroundings: Surroundings,
  owner: string,
): Promise<Destination> {
  if (config.type !== 'directory') return openRemote(config, host, surroundings, owner)
  requireIntended(host, config)
  return new DirectoryDestination(host, config.directory, owner, config.name)
}

async function openRemote(
  config: Exclude<DestinationConfig, DirectoryConfig>,
  host: HostReader,
  { signal, secret, state, stateDir }: Surroundings,
  owner: string,
): Promise<Destination> {
  if (config.type === 'sftp') {
    const { SftpDestination } = await import('./sftp/sftp.ts')
    return SftpDestination.open(host, config, owner, signal)
  }
  const { S3Destination } = await import('./s3/s3.ts')
  const credentials = {
    accessKeyId: secret(config.accessKeyId),
    secretAccessKey: secret(config.secretAccessKey),
  }
  const notes = owner === '' ? undefined : new UploadNotes(state, `${stateDir}/uploads.json`)
  return S3Destination.open(config, credentials, notes, signal)
}

function requireIntended(host: HostReader, { directory, mountUuid }: DirectoryConfig): void {
  requireDirectory(host, directory)
  const refusal = mountUuid === undefined ? undefined : refuseMount(host, directory, mountUuid)
  if (refusal !== undefined) throw new UserError(refusal)
}

/** What looking at the place (`read`) or writing to it may touch. */
export function permissionsOf(config: DestinationConfig, access: 'read' | 'write'): Permissions {
  const place = placePermissions(config, access)
  return access === 'read' ? place : joinPermissions([place, { read: LOCK_FILES }])
}

function placePermissions(config: DestinationConfig, access: 'read' | 'write'): Permissions {
  if (config.type === 'directory') {
    const table = config.mountUuid === undefined ? [] : [MOUNT_TABLE]
    return access === 'read'
      ? { read: [config.directory, ...table] }
      : { read: table, write: [config.directory] }
  }
  if (config.type === 'sftp') return sshPermissions(config)
  const { protocol, hostname, port } = new URL(config.endpoint)
  return {
    net: [`${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`],
    secrets: [config.accessKeyId, config.secretAccessKey],
  }
}

/** All that any of them lists; a list that would be empty is left out. */
export function joinPermissions(all: readonly Permissions[]): Permissions {
  const joined: Permissions = {}
  for (const key of ['read', 'write', 'net', 'secrets', 'capabilities'] as const) {
    const entries = [...new Set(all.flatMap((permissions) => permissions[key] ?? []))]
    if (entries.length > 0) joined[key] = entries
  }
  const run = all.flatMap((permissions) => permissions.run ?? [])
  if (run.length > 0) joined.run = run
  return joined
}
