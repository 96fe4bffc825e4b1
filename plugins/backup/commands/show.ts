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
import { readContents } from '../restore/contents.ts'
import { compileSelection } from '../restore/name.ts'
import { textOption } from './arguments.ts'
import { chainOf, choose, type Located, locateOptions, locatePermissions, withBackups } from './locate.ts'
import { openChosen, timeOption, whichOptions } from './open.ts'
import { describeEntry, LISTED_ENTRIES } from './print.ts'
import { signerOptions, signerPaths } from './signer.ts'
import { secretsOf, unlockerOf, unlockOptions } from './unlock.ts'

export const show: Command<BackupConfig> = {
  summary: 'Show one backup: what is recorded of it, and with a key the entries that it holds',
  usage:
    '[--job NAME | --from DIR|FILE|URL] [--at TIME | --backup NAME] [--key FILE] [--passphrase REF] [PATTERN…]',
  options: { ...locateOptions, ...whichOptions, ...unlockOptions, ...signerOptions },
  job: 'optional',
  paths: [...fromPaths, 'key', 'signer'],
  permissions: (config, args) =>
    joinPermissions([
      locatePermissions(config, args),
      {
        read: [textOption(args, 'key') ?? [], signerPaths(args)].flat(),
        secrets: secretsOf(config, args),
        capabilities: ['CAP_DAC_READ_SEARCH'],
      },
    ]),
  run: (ctx) => withBackups(ctx, (located) => showOne(ctx, located)),
}

async function showOne(ctx: CommandContext<BackupConfig>, located: Located): Promise<CommandResult> {
  const { args } = ctx
  const chosen = choose(located, textOption(args, 'backup'), timeOption(textOption(args, 'at')))
  const { record } = chosen
  const chain = chainOf(located, chosen)
  const lines = [
    chosen.name,
    `  restored from: ${chain.map(({ name, bytes }) => `${name} (${formatBytes(bytes ?? 0)})`).join(', then ')}`,
  ]
  if (record) {
    lines.push(`  made: ${record.createdAt}`)
    for (const { destination, provenAt, failure } of record.copies) {
      lines.push(`  in ${destination}: ${failure ?? (provenAt ? `proven ${provenAt}` : 'not proven')}`)
    }
    lines.push(
      `  decrypted by: ${[...record.recipients, ...(record.hasPassphrase ? ['the passphrase'] : [])].join(', ')}`,
    )
    for (const { path, reason } of record.summary?.problems.first ?? []) {
      lines.push(`  not as it should be: ${printablePath(path)}: ${reason}`)
    }
  }
  const json = {
    backup: chosen.name,
    chain: chain.map(({ name }) => name),
    record: record ? { ...record } : null,
  }
  if (!(await unlockerOf(ctx))) {
    lines.push('What it holds is encrypted: --key FILE or --passphrase REF shows it')
    return { exitCode: 0, text: lines.join('\n'), json: { ...json, entries: null } }
  }
  const opened = await openChosen(ctx, located, chosen)
  const contents = await readContents(opened.layers, opened.unlock, compileSelection(args.positionals))
  const shown = [...contents].slice(0, LISTED_ENTRIES)
  lines.push(...shown.map(([name, entry]) => describeEntry(name, entry)))
  if (contents.size > shown.length)
    lines.push(`… ${contents.size - shown.length} more; a PATTERN shows fewer`)
  const bytes = [...contents.values()].reduce((sum, { size }) => sum + size, 0)
  lines.push(`${contents.size} entries, ${formatBytes(bytes)}`)
  const entries = shown.map(([name, { mtimeNs, sha256 = null, ...entry }]) => ({
    name,
    ...entry,
    sha256,
    mtimeNs: String(mtimeNs),
  }))
  return { exitCode: 0, text: lines.join('\n'), json: { ...json, entries, entryCount: contents.size, bytes } }
}
