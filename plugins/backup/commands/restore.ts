import {
  ANY_ARGUMENTS,
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
  printablePath,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { joinPermissions } from '../destination/open.ts'
import type { Restored } from '../restore/restore.ts'
import { RESTORE_PROGRAMS } from '../restore/stage.ts'
import { textOption } from './arguments.ts'
import { choose, type Located, locateOptions, locatePermissions, withBackups } from './locate.ts'
import { sealOf, signerOf, signerOptions, signerPaths } from './signer.ts'
import { openWith, secretsOf, unlockerOf, unlockOptions } from './unlock.ts'

export const restore: Command<BackupConfig> = {
  summary: 'Restore a backup, or parts of it, into a directory',
  usage:
    '[--job NAME | --from DIR|FILE] --to DIR [--backup NAME] [--key FILE] [--passphrase REF] [--signer FILE] [--overwrite] [PATTERN…]',
  options: {
    to: { type: 'string', means: 'Directory to restore into, made if it is missing. "/" restores in place' },
    ...locateOptions,
    backup: { type: 'string', means: 'Name of the backup, as "reeve backup list" shows it; else the newest' },
    overwrite: { type: 'boolean', means: 'Replace files that are there already' },
    ...unlockOptions,
    ...signerOptions,
  },
  job: 'optional',
  paths: ['to', 'from', 'key', 'signer'],
  makes: ['to'],
  permissions: (config, args) =>
    joinPermissions([
      locatePermissions(config, args),
      {
        read: [textOption(args, 'key') ?? [], signerPaths(args)].flat(),
        write: [textOption(args, 'to') ?? []].flat(),
        run: RESTORE_PROGRAMS.map((program): [string, ...string[]] => [program, ANY_ARGUMENTS]),
        secrets: secretsOf(config, args),
        // Files go back to their owners, and into directories of others.
        capabilities: [
          'CAP_CHOWN',
          'CAP_DAC_OVERRIDE',
          'CAP_DAC_READ_SEARCH',
          'CAP_FOWNER',
          'CAP_FSETID',
          'CAP_MKNOD',
        ],
      },
    ]),
  run,
}

function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  return withBackups(ctx, (located) => restoreOne(ctx, located))
}

async function restoreOne(ctx: CommandContext<BackupConfig>, located: Located): Promise<CommandResult> {
  const target = textOption(ctx.args, 'to')
  if (target === undefined) throw new UserError('Cannot restore: say where to with --to DIR')
  const { name, reader } = choose(located, textOption(ctx.args, 'backup'))
  const unlocker = await unlockerOf(ctx)
  if (!unlocker) {
    throw new UserError(
      'Cannot restore: give the private key (--key FILE), or where the passphrase is (--passphrase env:NAME)',
    )
  }
  const signer = await signerOf(ctx)
  const seal = signer === undefined ? undefined : await sealOf(reader, name, signer)
  const options = {
    target,
    sha256: seal?.sha256,
    patterns: ctx.args.positionals,
    overwrite: ctx.args.values.overwrite === true,
  }
  const { restore } = await import('../restore/restore.ts')
  const restored = await restore(
    ctx.host,
    reader.read(name),
    (message) => openWith(unlocker, message),
    options,
  ).catch((cause) => {
    if (cause instanceof UserError) throw cause
    const other = 'Another one may do: reeve backup list, then --backup NAME'
    throw new Error(`Cannot restore "${name}": ${describeError(cause)}. ${other}`, { cause })
  })
  return report(name, target, ctx.args.positionals, restored, seal !== undefined)
}

function report(
  name: string,
  target: string,
  patterns: string[],
  { outcome, summary }: Restored,
  isSealed: boolean,
): CommandResult {
  const { restored, notRestored, notRestoredCount, ownersLost } = outcome
  if (restored === 0 && notRestoredCount === 0 && patterns.length > 0) {
    throw new UserError(`Cannot restore from "${name}": nothing in it matches ${patterns.join(' ')}`)
  }
  const lines = [`Restored ${restored} entries of "${name}" to "${target}"`]
  for (const { name: entry, reason } of notRestored)
    lines.push(`not restored: ${printablePath(entry)}: ${reason}`)
  if (notRestoredCount > notRestored.length) lines.push(`${notRestoredCount} entries are not restored in all`)
  if (ownersLost > 0) {
    lines.push(`${ownersLost} entries could not be given to their owners: restore as root to keep owners`)
  }
  if (!isSealed) {
    lines.push(
      'who made it was not looked at: --signer FILE takes the public key of the host that signs its backups',
    )
  }
  const { problems } = summary
  for (const { path, reason } of problems.first) {
    lines.push(`not as it was when the backup was made: ${printablePath(path)}: ${reason}`)
  }
  return {
    exitCode: notRestoredCount > 0 || ownersLost > 0 ? 3 : 0,
    text: lines.join('\n'),
    json: {
      backup: name,
      target,
      restored,
      notRestored: notRestored.map((entry) => ({ ...entry })),
      notRestoredCount,
      ownersLost,
      problems: problems.first.map((problem) => ({ ...problem })),
    },
  }
}
