import {
  type Command,
  type CommandContext,
  type CommandResult,
  describeError,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import { pathIn } from '../destination/config.ts'
import { joinPermissions } from '../destination/open.ts'
import type { Unlocker } from '../encryption.ts'
import { makeWay } from '../priority.ts'
import { hashObject, readBackup } from '../read.ts'
import { provenAt } from '../records.ts'
import { textOption } from './arguments.ts'
import {
  choose,
  type Located,
  type LocatedBackup,
  locateOptions,
  locatePermissions,
  withBackups,
} from './locate.ts'
import { sealOf, signerOf, signerOptions, signerPaths } from './signer.ts'
import { openWith, secretsOf, unlockerOf, unlockOptions } from './unlock.ts'

export const verify: Command<BackupConfig> = {
  summary:
    'Read stored backups again: that not one byte has changed, and with a key that all of it can be restored',
  usage:
    '[--job NAME [--destination NAME] | --from DIR|FILE] [--key FILE] [--passphrase REF] [--signer FILE] [BACKUP…]',
  options: {
    ...locateOptions,
    ...unlockOptions,
    ...signerOptions,
  },
  job: 'optional',
  paths: ['from', 'key', 'signer'],
  permissions: (config, args) =>
    joinPermissions([
      locatePermissions(config, args),
      {
        read: [textOption(args, 'key') ?? [], signerPaths(args)].flat(),
        secrets: secretsOf(config, args),
        capabilities: ['CAP_DAC_READ_SEARCH'],
      },
    ]),
  run,
}

interface Verdict {
  location: string
  name: string
  ok: boolean
  /** What was found. */
  result: string
}

function run(ctx: CommandContext<BackupConfig>): Promise<CommandResult> {
  makeWay(ctx)
  return withBackups(ctx, (located) => verifyAll(ctx, located))
}

async function verifyAll(ctx: CommandContext<BackupConfig>, located: Located): Promise<CommandResult> {
  const unlocker = await unlockerOf(ctx)
  const signer = await signerOf(ctx)
  const { positionals } = ctx.args
  const chosen =
    positionals.length > 0
      ? positionals.flatMap((name) => {
          const { name: found } = choose(located, name)
          return located.backups.filter((backup) => backup.name === found)
        })
      : located.backups.filter(({ record, reader }) => !record || provenAt(record, reader.location))
  if (chosen.length === 0) {
    const places = located.readers.map(({ location }) => `"${location}"`).join(', ')
    throw new UserError(`Cannot verify: there are no backups in ${places}`)
  }
  const verdicts: Verdict[] = []
  for (const [index, backup] of chosen.entries()) {
    ctx.signal.throwIfAborted()
    ctx.progress(index, chosen.length, backup.name)
    verdicts.push(await judge(backup, unlocker, signer, ctx.signal))
  }
  const bad = verdicts.filter(({ ok }) => !ok).length
  const { unavailable } = located
  const lines = verdicts.map(
    ({ location, name, ok, result }) => `${ok ? 'ok ' : 'BAD'}  ${pathIn(location, name)}  ${result}`,
  )
  lines.push(`${verdicts.length - bad} of ${verdicts.length} backups are as they should be`)
  for (const { location, reason } of unavailable) lines.push(`Cannot look into "${location}": ${reason}`)
  return {
    exitCode: bad > 0 ? 3 : unavailable.length > 0 ? 4 : 0,
    text: lines.join('\n'),
    json: { backups: verdicts.map((verdict) => ({ ...verdict })), bad, unavailable },
  }
}

async function judge(
  { name, record, reader }: LocatedBackup,
  unlocker: Unlocker | undefined,
  signer: string | undefined,
  signal: AbortSignal,
): Promise<Verdict> {
  const stored = record?.stored
  const { location } = reader
  if (!stored && !unlocker && signer === undefined) {
    throw new UserError(
      `Cannot verify "${name}": this host has no record of it. Give --key FILE or --passphrase REF to read it, or --signer FILE to see that its host made it`,
    )
  }
  try {
    const seal = signer === undefined ? undefined : await sealOf(reader, name, signer)
    if (seal && stored && seal.sha256 !== stored.sha256) {
      return { location, name, ok: false, result: 'its seal is of another one than was written' }
    }
    if (!unlocker) {
      const isSame = (await hashObject(reader.read(name), signal)) === (stored?.sha256 ?? seal?.sha256)
      return isSame
        ? { location, name, ok: true, result: 'every byte is as it was written' }
        : { location, name, ok: false, result: 'it is not what was written: its SHA-256 differs' }
    }
    const found = await readBackup(reader.read(name), (message) => openWith(unlocker, message))
    const sha256 = stored?.sha256 ?? seal?.sha256
    if (sha256 !== undefined && found.sha256 !== sha256) {
      return { location, name, ok: false, result: 'it is whole, but not the one that was written' }
    }
    return {
      location,
      name,
      ok: true,
      result: `decrypted, ${found.summary.entries} entries agree with the manifest`,
    }
  } catch (error) {
    return { location, name, ok: false, result: describeError(error) }
  }
}
