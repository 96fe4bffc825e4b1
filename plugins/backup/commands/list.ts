import {
  type Command,
  type CommandContext,
  type CommandResult,
  formatBytes,
  printablePath,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { fromPaths } from '../destination/from.ts'
import { joinPermissions } from '../destination/open.ts'
import { copyAt, provenAt } from '../records.ts'
import { type Located, type LocatedBackup, locateOptions, locatePermissions, withBackups } from './locate.ts'

export const list: Command<BackupConfig> = {
  summary: 'Show the backups of a job, or of a directory',
  usage: '[--job NAME [--destination NAME] | --from DIR|URL]',
  options: locateOptions,
  job: 'optional',
  paths: fromPaths,
  permissions: (config, args) =>
    joinPermissions([locatePermissions(config, args), { capabilities: ['CAP_DAC_READ_SEARCH'] }]),
  run,
}

function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  return withBackups(ctx, async (located) => present(located))
}

function present({ readers, unavailable, backups }: Located): CommandResult {
  const rows = backups.map((backup) => ({
    name: backup.name,
    destination: backup.reader.name,
    location: backup.reader.location,
    state: stateOf(backup),
    bytes: backup.bytes ?? backup.record?.stored?.bytes ?? null,
    createdAt: backup.record?.createdAt ?? null,
    provenAt: (backup.record && copyAt(backup.record, backup.reader.location)?.provenAt) ?? null,
    entries: backup.record?.summary?.entries ?? null,
    recipients: backup.record?.recipients ?? null,
  }))
  const lines = rows.map(({ name, destination, state, bytes, entries }) =>
    [
      printablePath(name),
      ...(readers.length + unavailable.length > 1 ? [destination] : []),
      bytes === null ? '-' : formatBytes(bytes),
      entries === null ? '-' : `${entries} entries`,
      state,
    ].join('  '),
  )
  const isBad = rows.some(({ state }) => state === 'missing' || state === 'damaged')
  if (lines.length === 0) {
    lines.push(`There are no backups in ${readers.map(({ location }) => `"${location}"`).join(', ')}`)
  }
  for (const { location, reason } of unavailable) lines.push(`Cannot look into "${location}": ${reason}`)
  return {
    exitCode: unavailable.length > 0 ? 4 : isBad ? 3 : 0,
    text: lines.join('\n'),
    json: { backups: rows, unavailable },
  }
}

/** What can be told without reading it. */
function stateOf({ bytes, record, reader }: LocatedBackup): string {
  if (!record) return 'not recorded'
  const { location } = reader
  if (copyAt(record, location)?.failure) return 'proof failed'
  const proven = provenAt(record, location)
  if (!proven) return 'not proven'
  if (bytes === undefined) return 'missing'
  return bytes === proven.record.stored.bytes ? 'proven' : 'damaged'
}
