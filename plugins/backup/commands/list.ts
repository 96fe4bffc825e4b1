import {
  type Command,
  type CommandContext,
  type CommandResult,
  formatBytes,
  printablePath,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { copyAt, provenAt } from '../records.ts'
import { type LocatedBackup, locate, pathsOf } from './locate.ts'

export const list: Command<BackupConfig> = {
  summary: 'Show the backups of a job, or of a directory',
  usage: '[--job NAME | --from DIR]',
  options: { from: { type: 'string', means: 'Directory with backups; no job is needed then' } },
  job: 'optional',
  paths: ['from'],
  permissions: (config, args) => ({ read: pathsOf(config, args), capabilities: ['CAP_DAC_READ_SEARCH'] }),
  run,
}

async function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  const { reader, backups } = await locate(ctx)
  const rows = backups.map((backup) => ({
    name: backup.name,
    state: stateOf(backup, reader.location),
    bytes: backup.bytes ?? backup.record?.stored?.bytes ?? null,
    createdAt: backup.record?.createdAt ?? null,
    provenAt: (backup.record && copyAt(backup.record, reader.location)?.provenAt) ?? null,
    entries: backup.record?.summary?.entries ?? null,
    recipients: backup.record?.recipients ?? null,
  }))
  const lines = rows.map(({ name, state, bytes, entries }) =>
    [
      printablePath(name),
      bytes === null ? '-' : formatBytes(bytes),
      entries === null ? '-' : `${entries} entries`,
      state,
    ].join('  '),
  )
  const isBad = rows.some(({ state }) => state === 'missing' || state === 'damaged')
  return {
    exitCode: isBad ? 3 : 0,
    text: lines.length > 0 ? lines.join('\n') : `There are no backups in "${reader.location}"`,
    json: { location: reader.location, backups: rows },
  }
}

/** What can be told without reading it. */
function stateOf({ bytes, record }: LocatedBackup, location: string): string {
  if (!record) return 'not recorded'
  if (copyAt(record, location)?.failure) return 'proof failed'
  const proven = provenAt(record, location)
  if (!proven) return 'not proven'
  if (bytes === undefined) return 'missing'
  return bytes === proven.record.stored.bytes ? 'proven' : 'damaged'
}
