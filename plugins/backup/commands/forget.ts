import {
  type Command,
  type CommandContext,
  type CommandResult,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { Records } from '../records.ts'

export const forget: Command<BackupConfig> = {
  summary: 'Drop the records of backups that are gone or damaged on purpose; stored files are left alone',
  usage: '--job NAME BACKUP…',
  options: {},
  job: 'required',
  permissions: () => ({}),
  run,
}

async function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  const names = new Set(ctx.args.positionals)
  if (names.size === 0)
    throw new UserError('Cannot forget: name the backups, as "reeve backup list" shows them')
  const records = Records.load(ctx.state, ctx.stateDir)
  const known = new Set(records.all.map(({ name }) => name))
  const unknown = [...names].find((name) => !known.has(name))
  if (unknown !== undefined) throw new UserError(`Cannot forget "${unknown}": there is no record of it`)
  records.drop(names)
  return {
    exitCode: 0,
    text: `Forgot ${[...names].join(', ')}`,
    json: { forgotten: [...names] },
  }
}
