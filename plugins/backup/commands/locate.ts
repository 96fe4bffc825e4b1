import {
  type CommandArgs,
  type CommandContext,
  describeError,
  type HostReader,
  type Permissions,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { type DestinationConfig, locationOf } from '../destination/config.ts'
import type { DestinationReader, StoredObject } from '../destination/destination.ts'
import { DirectoryReader } from '../destination/directory.ts'
import { fromOptions, type NamedPlace, parseFrom } from '../destination/from.ts'
import { joinPermissions, openReader, permissionsOf } from '../destination/open.ts'
import { parseBackupName } from '../object-name.ts'
import { type BackupRecord, provenAt, Records } from '../records.ts'
import { chainNames } from '../restore/chain.ts'
import { textOption } from './arguments.ts'

/** A stored backup in one place, with its record where this host made it. */
export interface LocatedBackup {
  name: string
  reader: DestinationReader
  /** Undefined when the object is gone. */
  bytes: number | undefined
  record: BackupRecord | undefined
}

export interface Located {
  /** Places that could be looked at. */
  readers: DestinationReader[]
  unavailable: { location: string; reason: string }[]
  /** Oldest first; of copies of one backup, in the order of the places. */
  backups: LocatedBackup[]
  /** The one that `--from` names. */
  only?: string | undefined
}

export const locateOptions = {
  ...fromOptions,
  destination: { type: 'string', means: 'Name of the one destination of the job that is meant' },
} as const

/** What locating and reading the backups that the arguments are about may touch. */
export function locatePermissions(config: BackupConfig | undefined, args: CommandArgs): Permissions {
  const from = textOption(args, 'from')
  const named = parseFrom(args)
  if (named) return permissionsOf(named.place, 'read')
  if (from !== undefined) {
    // What a backup builds upon stands beside it.
    const { directory, name } = splitPath(from)
    return { read: [parseBackupName(name) ? directory : from] }
  }
  const destinations = config ? wantedDestinations(config, args) : []
  return joinPermissions(destinations.map((destination) => permissionsOf(destination, 'read')))
}

/** The destinations of the job, or the one that was asked for. */
export function wantedDestinations(config: BackupConfig, args: CommandArgs): DestinationConfig[] {
  const name = textOption(args, 'destination')
  if (name === undefined) return config.destinations
  const found = config.destinations.filter((destination) => destination.name === name)
  if (found.length > 0) return found
  const known = config.destinations.map((destination) => destination.name).join(', ')
  throw new UserError(`Cannot find the destination "${name}": the job has ${known}`)
}

/** Calls `work` with the backups of `--from FILE|DIR`, or of the job; what was opened is closed after it. */
export async function withBackups<T>(
  ctx: CommandContext<BackupConfig>,
  work: (located: Located) => Promise<T>,
): Promise<T> {
  const located = await locate(ctx)
  try {
    return await work(located)
  } finally {
    await Promise.all(located.readers.map((reader) => reader.close()))
  }
}

async function locate(ctx: CommandContext<BackupConfig>): Promise<Located> {
  const from = textOption(ctx.args, 'from')
  const named = parseFrom(ctx.args)
  if (named) return locateNamed(ctx, named)
  if (from !== undefined) return locateFrom(ctx.host, from)
  const { config } = ctx
  if (!config)
    throw new UserError('Cannot find backups: say which ones with --job NAME or --from DIR|FILE|URL')
  const records = Records.load(ctx.state, ctx.stateDir)
  const located: Located = { readers: [], unavailable: [], backups: [] }
  for (const destination of wantedDestinations(config, ctx.args)) {
    const location = locationOf(destination)
    const mine = records.at(location)
    try {
      const reader = await openReader(destination, ctx.host, ctx)
      located.readers.push(reader)
      const objects = new Map((await reader.list()).map((object) => [object.name, object]))
      located.backups.push(
        ...mine.map((record) => ({
          name: record.name,
          reader,
          bytes: objects.get(record.name)?.bytes,
          record,
        })),
      )
    } catch (error) {
      ctx.signal.throwIfAborted()
      located.unavailable.push({ location, reason: describeError(error) })
    }
  }
  if (located.readers.length === 0) {
    const [{ location, reason } = { location: '', reason: '' }] = located.unavailable
    throw new UserError(`Cannot look into "${location}": ${reason}`)
  }
  located.backups.sort((a, b) => (a.record?.createdAt ?? '').localeCompare(b.record?.createdAt ?? ''))
  return located
}

async function locateNamed(ctx: CommandContext<BackupConfig>, { place, only }: NamedPlace): Promise<Located> {
  const reader = await openReader(place, ctx.host, ctx).catch((cause) => {
    throw new UserError(`Cannot look into "${locationOf(place)}": ${describeError(cause)}`, { cause })
  })
  const objects = await reader.list()
  // Beside the one that is meant stands what it builds upon.
  const chain = only === undefined ? undefined : parseBackupName(only)?.chain
  const wanted = objects.filter(({ name }) => chain === undefined || parseBackupName(name)?.chain === chain)
  return { readers: [reader], unavailable: [], only, backups: backupsOf(reader, wanted) }
}

async function locateFrom(host: HostReader, from: string): Promise<Located> {
  const stat = host.statTarget(from)
  if (!stat) throw new UserError(`Cannot find backups in "${from}": there is no such file or directory`)
  if (stat.type === 'directory') {
    const reader = new DirectoryReader(host, from)
    return { readers: [reader], unavailable: [], backups: backupsOf(reader, await reader.list()) }
  }
  const { directory, name } = splitPath(from)
  const reader = new DirectoryReader(host, directory)
  const chain = parseBackupName(name)?.chain
  if (chain === undefined) {
    const backup = { name, reader, bytes: stat.size, record: undefined }
    return { readers: [reader], unavailable: [], only: name, backups: [backup] }
  }
  const objects = (await reader.list()).filter((object) => parseBackupName(object.name)?.chain === chain)
  return { readers: [reader], unavailable: [], only: name, backups: backupsOf(reader, objects) }
}

function splitPath(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf('/')
  return { directory: path.slice(0, slash) || '/', name: path.slice(slash + 1) }
}

/** By time, not by name: several jobs may share a place. */
function backupsOf(reader: DestinationReader, objects: readonly StoredObject[]): LocatedBackup[] {
  return objects
    .filter(({ name }) => parseBackupName(name))
    .sort((a, b) => stampOf(a.name) - stampOf(b.name) || a.name.localeCompare(b.name))
    .map(({ name, bytes }) => ({ name, reader, bytes, record: undefined }))
}

function createdAt({ name, record }: Pick<LocatedBackup, 'name' | 'record'>): number {
  return record ? Date.parse(record.createdAt) : stampOf(name)
}

/** A backup and all that it builds upon, the full one first: from the same place if possible. */
export function chainOf(located: Located, { name, reader }: LocatedBackup): LocatedBackup[] {
  const links = located.backups.map((backup) => ({
    name: backup.name,
    previous: backup.record?.chain.previous,
  }))
  return chainNames(name, links).map((link) => {
    const copies = located.backups.filter((backup) => backup.name === link && backup.bytes !== undefined)
    const copy = copies.find((backup) => backup.reader === reader) ?? copies[0]
    if (copy) return copy
    throw new UserError(`Cannot restore "${name}": it builds upon "${link}", which is not there any more`)
  })
}

function stampOf(name: string): number {
  return parseBackupName(name)?.createdAt.getTime() ?? 0
}

/**
 * The one that was asked for by name, or the newest that can be hoped to restore, of those that were made at a time
 * or before it; of copies, the first.
 */
export function choose(
  { backups, readers, only }: Located,
  name: string | undefined,
  at?: Date,
): LocatedBackup {
  const canRestore = ({ name, bytes, record, reader }: LocatedBackup) =>
    bytes !== undefined &&
    (!record || provenAt(record, reader.location) !== undefined) &&
    (at === undefined || createdAt({ name, record }) <= at.getTime())
  const newest = name ?? only ?? backups.findLast(canRestore)?.name
  const copies = backups.filter((backup) => backup.name === newest)
  const chosen = copies.find(canRestore) ?? copies[0]
  if (chosen) return chosen
  const places = readers.map(({ location }) => `"${location}"`).join(', ')
  throw new UserError(
    name === undefined
      ? `Cannot restore: there is no proven backup ${at ? `from ${at.toISOString()} or before ` : ''}in ${places}`
      : `Cannot find the backup "${name}" in ${places}. See: reeve backup list`,
  )
}
