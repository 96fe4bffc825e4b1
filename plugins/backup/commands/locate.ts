import {
  type CommandArgs,
  type CommandContext,
  type HostReader,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import type { DestinationReader } from '../destination.ts'
import { DirectoryReader } from '../directory.ts'
import { parseBackupName } from '../object-name.ts'
import { type BackupRecord, provenAt, Records } from '../records.ts'
import { textOption } from './arguments.ts'

/** A stored backup, with its record where this host made it. */
export interface LocatedBackup {
  name: string
  /** Undefined when the object is gone. */
  bytes: number | undefined
  record: BackupRecord | undefined
}

export interface Place {
  reader: DestinationReader
  /** Oldest first. */
  backups: LocatedBackup[]
}

/** The paths that must be readable to locate and read the backups that the arguments are about. */
export function pathsOf(config: BackupConfig | undefined, args: CommandArgs): string[] {
  const from = textOption(args, 'from')
  if (from !== undefined) return [from]
  return config ? [config.destination.directory] : []
}

/** The backups of `--from FILE`, of `--from DIR`, or of the job. */
export async function locate(ctx: CommandContext<BackupConfig>): Promise<Place> {
  const from = textOption(ctx.args, 'from')
  if (from !== undefined) return locateFrom(ctx.host, from)
  if (!ctx.config)
    throw new UserError('Cannot find backups: say which ones with --job NAME or --from DIR|FILE')
  const { directory } = ctx.config.destination
  const reader = new DirectoryReader(ctx.host, directory)
  const records = Records.load(ctx.state, ctx.stateDir).at(directory)
  const backups: LocatedBackup[] = []
  for (const record of records) {
    const found = await reader.stat(record.name)
    backups.push({ name: record.name, bytes: found?.bytes, record })
  }
  return { reader, backups }
}

async function locateFrom(host: HostReader, from: string): Promise<Place> {
  const stat = host.statTarget(from)
  if (!stat) throw new UserError(`Cannot find backups in "${from}": there is no such file or directory`)
  if (stat.type === 'directory') {
    const reader = new DirectoryReader(host, from)
    const found = (await reader.list()).filter(({ name }) => parseBackupName(name))
    // By time, not by name: several jobs may share the directory.
    found.sort((a, b) => stampOf(a.name) - stampOf(b.name) || a.name.localeCompare(b.name))
    return { reader, backups: found.map(({ name, bytes }) => ({ name, bytes, record: undefined })) }
  }
  const slash = from.lastIndexOf('/')
  const reader = new DirectoryReader(host, from.slice(0, slash) || '/')
  return { reader, backups: [{ name: from.slice(slash + 1), bytes: stat.size, record: undefined }] }
}

function stampOf(name: string): number {
  return parseBackupName(name)?.createdAt.getTime() ?? 0
}

/** The one that was asked for by name, or the newest that can be hoped to restore. */
export function choose({ backups, reader }: Place, name: string | undefined): LocatedBackup {
  const chosen =
    name === undefined
      ? backups.findLast(
          ({ bytes, record }) =>
            bytes !== undefined && (record === undefined || provenAt(record, reader.location)),
        )
      : backups.find((backup) => backup.name === name)
  if (chosen) return chosen
  throw new UserError(
    name === undefined
      ? `Cannot restore: there is no proven backup in "${reader.location}"`
      : `Cannot find the backup "${name}" in "${reader.location}". See: reeve backup list`,
  )
}
