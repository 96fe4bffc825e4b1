import {
  ANY_ARGUMENTS,
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
  formatBytes,
  printablePath,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { fromPaths } from '../destination/from.ts'
import { joinPermissions } from '../destination/open.ts'
import { PROCESS_STATES } from '../process.ts'
import { readContents } from '../restore/contents.ts'
import { compileSelection, refuseName } from '../restore/name.ts'
import type { Restored } from '../restore/restore.ts'
import { RESTORE_CAPABILITIES, RESTORE_PROGRAMS } from '../restore/stage.ts'
import { textOption } from './arguments.ts'
import { type Located, locateOptions, locatePermissions, withBackups } from './locate.ts'
import { type OpenedBackup, openBackup, whichOptions } from './open.ts'
import { describeEntry, LISTED_ENTRIES } from './print.ts'
import { signerOptions, signerPaths } from './signer.ts'
import { secretsOf, unlockOptions } from './unlock.ts'

export const restore: Command<BackupConfig> = {
  summary: 'Restore a backup, or parts of it, into a directory',
  usage:
    '[--job NAME | --from DIR|FILE|URL] --to DIR [--at TIME | --backup NAME] [--key FILE] [--passphrase REF] [--signer FILE] [--dry-run] [--overwrite] [PATTERN…]',
  options: {
    to: { type: 'string', means: 'Directory to restore into, made if it is missing. "/" restores in place' },
    ...locateOptions,
    ...whichOptions,
    'dry-run': {
      type: 'boolean',
      means: 'Read and check all of it, say what would be restored, write nothing',
    },
    overwrite: { type: 'boolean', means: 'Replace files that are there already' },
    ...unlockOptions,
    ...signerOptions,
  },
  job: 'optional',
  paths: [...fromPaths, 'to', 'key', 'signer'],
  makes: ['to'],
  permissions: (config, args) =>
    joinPermissions([
      locatePermissions(config, args),
      {
        read: [textOption(args, 'key') ?? [], signerPaths(args), PROCESS_STATES].flat(),
        write: [textOption(args, 'to') ?? []].flat(),
        run: RESTORE_PROGRAMS.map((program): [string, ...string[]] => [program, ANY_ARGUMENTS]),
        secrets: secretsOf(config, args),
        capabilities: RESTORE_CAPABILITIES,
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
  const opened = await openBackup(ctx, located)
  const patterns = ctx.args.positionals
  if (ctx.args.values['dry-run'] === true) return preview(ctx, opened, target)
  const options = { target, patterns, overwrite: ctx.args.values.overwrite === true }
  const { restore } = await import('../restore/restore.ts')
  const restored = await restore(ctx.host, opened.layers, opened.unlock, options).catch((cause) => {
    if (cause instanceof UserError) throw cause
    const other = 'Another one may do: reeve backup list, then --backup NAME'
    throw new Error(`Cannot restore "${opened.name}": ${describeError(cause)}. ${other}`, { cause })
  })
  return report(opened.name, target, patterns, restored, opened.isSealed)
}

/** What a restore would do, after all of it was read and found to be whole. */
async function preview(
  ctx: CommandContext<BackupConfig>,
  { name, layers, unlock }: OpenedBackup,
  target: string,
): Promise<CommandResult> {
  const contents = await readContents(layers, unlock, compileSelection(ctx.args.positionals))
  const base = target === '/' ? '' : target
  const lines: string[] = []
  let [bytes, inTheWay, refused] = [0, 0, 0]
  for (const [path, entry] of contents) {
    bytes += entry.size
    const refusal = refuseName(path)
    const there = refusal === undefined ? ctx.host.stat(`${base}/${path}`) : undefined
    if (refusal !== undefined) refused++
    else if (there && !(there.type === 'directory' && entry.type === 'directory')) inTheWay++
    if (lines.length < LISTED_ENTRIES) {
      const note = refusal ?? (there && there.type !== 'directory' ? 'is there already' : '')
      lines.push(`${describeEntry(path, entry)}${note && `  (${note})`}`)
    }
  }
  if (contents.size > lines.length) lines.push(`… ${contents.size - lines.length} more`)
  lines.push(
    `"${name}" is whole. ${contents.size - refused} entries, ${formatBytes(bytes)}, would be restored to "${target}"`,
  )
  if (inTheWay > 0) lines.push(`${inTheWay} of them are there already: only --overwrite replaces them`)
  if (refused > 0) lines.push(`${refused} entries have names that are refused`)
  return {
    exitCode: refused > 0 ? 3 : 0,
    text: lines.join('\n'),
    json: { backup: name, target, entries: contents.size, bytes, inTheWay, refused },
  }
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
