import {
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
  UserError,
} from '../../../agent/contract/mod.ts'
import { hashObject } from '../check.ts'
import type { BackupConfig } from '../config.ts'
import type { DestinationReader } from '../destination.ts'
import type { Unlocker } from '../encryption.ts'
import { readBackup } from '../read.ts'
import { provenAt } from '../records.ts'
import { textOption } from './arguments.ts'
import { choose, type LocatedBackup, locate, pathsOf } from './locate.ts'
import { openWith, secretsOf, unlockerOf, unlockOptions } from './unlock.ts'

export const verify: Command<BackupConfig> = {
  summary:
    'Read stored backups again: that not one byte has changed, and with a key that all of it can be restored',
  usage: '[--job NAME | --from DIR|FILE] [--key FILE] [--passphrase REF] [BACKUP…]',
  options: {
    from: { type: 'string', means: 'A backup or a directory of backups; needs --key or --passphrase' },
    ...unlockOptions,
  },
  job: 'optional',
  paths: ['from', 'key'],
  permissions: (config, args) => ({
    read: [...pathsOf(config, args), ...[textOption(args, 'key') ?? []].flat()],
    secrets: secretsOf(config, args),
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }),
  run,
}

interface Verdict {
  name: string
  ok: boolean
  /** What was found. */
  result: string
}

async function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  const place = await locate(ctx)
  const unlocker = await unlockerOf(ctx)
  const { positionals } = ctx.args
  const chosen =
    positionals.length > 0
      ? positionals.map((name) => choose(place, name))
      : place.backups.filter(({ record }) => !record || provenAt(record, place.reader.location))
  if (chosen.length === 0)
    throw new UserError(`Cannot verify: there are no backups in "${place.reader.location}"`)
  const verdicts: Verdict[] = []
  for (const [index, backup] of chosen.entries()) {
    ctx.signal.throwIfAborted()
    ctx.progress(index, chosen.length, backup.name)
    verdicts.push(await judge(place.reader, backup, unlocker, ctx.signal))
  }
  const bad = verdicts.filter(({ ok }) => !ok).length
  const lines = verdicts.map(({ name, ok, result }) => `${ok ? 'ok ' : 'BAD'}  ${name}  ${result}`)
  return {
    exitCode: bad > 0 ? 3 : 0,
    text: [...lines, `${verdicts.length - bad} of ${verdicts.length} backups are as they should be`].join(
      '\n',
    ),
    json: { backups: verdicts.map((verdict) => ({ ...verdict })), bad },
  }
}

async function judge(
  reader: DestinationReader,
  { name, record }: LocatedBackup,
  unlocker: Unlocker | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  const stored = record?.stored
  if (!stored && !unlocker) {
    throw new UserError(
      `Cannot verify "${name}": this host has no record of it. Give --key FILE or --passphrase REF to read it`,
    )
  }
  try {
    if (!unlocker) {
      const isSame = (await hashObject(reader, name, signal)) === stored?.sha256
      return isSame
        ? { name, ok: true, result: 'every byte is as it was written' }
        : { name, ok: false, result: 'it is not what was written: its SHA-256 differs' }
    }
    const found = await readBackup(reader.read(name), (message) => openWith(unlocker, message))
    if (stored && found.sha256 !== stored.sha256) {
      return { name, ok: false, result: 'it is whole, but not the one that was written' }
    }
    return { name, ok: true, result: `decrypted, ${found.summary.entries} entries agree with the manifest` }
  } catch (error) {
    return { name, ok: false, result: describeError(error) }
  }
}
