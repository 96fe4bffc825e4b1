import {
  type CommandArgs,
  type CommandContext,
  describeError,
  type HostReader,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { BackupConfig } from '../config.ts'
import type { OpenedMessage, Unlocker } from '../encryption.ts'
import { secretOption, textOption } from './arguments.ts'

const KEY_MAX_BYTES = 1_048_576

export const unlockOptions = {
  key: { type: 'string', means: 'File with the private key, armoured or binary (gpg --export-secret-keys)' },
  passphrase: {
    type: 'string',
    means: "Where the passphrase is (env:NAME, file:/path): the key's with --key, else the backup's",
  },
} as const

/** The secret that a command needs to read backups, if any. */
export function secretsOf(config: BackupConfig | undefined, args: CommandArgs): string[] {
  const reference = referenceOf(config, args)
  return reference === undefined ? [] : [reference]
}

function referenceOf(config: BackupConfig | undefined, args: CommandArgs): string | undefined {
  const given = secretOption(args, 'passphrase')
  return given ?? (textOption(args, 'key') === undefined ? config?.passphrase : undefined)
}

/** What the arguments, or the job, give to open a backup with; undefined when there is nothing. */
export async function unlockerOf(ctx: CommandContext<BackupConfig>): Promise<Unlocker | undefined> {
  const keyFile = textOption(ctx.args, 'key')
  const reference = referenceOf(ctx.config, ctx.args)
  const passphrase = reference === undefined ? undefined : ctx.secret(reference)
  if (keyFile !== undefined) return { privateKeys: await readPrivateKeys(ctx.host, keyFile, passphrase) }
  return passphrase === undefined ? undefined : { passphrase }
}

async function readPrivateKeys(host: HostReader, file: string, passphrase: string | undefined) {
  const { decryptKey, readPrivateKeys } = await import('openpgp')
  const bytes = host.read(file, { maxBytes: KEY_MAX_BYTES, follow: true })
  const text = Buffer.from(bytes).toString('latin1')
  try {
    const keys = await (text.includes('-----BEGIN PGP')
      ? readPrivateKeys({ armoredKeys: text })
      : readPrivateKeys({ binaryKeys: bytes }))
    if (keys.length === 0) throw new Error('it holds no private key')
    return await Promise.all(
      keys.map((privateKey) => {
        if (privateKey.isDecrypted()) return privateKey
        if (passphrase === undefined) {
          throw new Error('it is protected: say where its passphrase is with --passphrase env:NAME')
        }
        return decryptKey({ privateKey, passphrase })
      }),
    )
  } catch (cause) {
    throw new UserError(`Cannot use the private key "${file}": ${describeError(cause)}`, { cause })
  }
}

/** The session key of a message. Throws with what to do when the unlocker does not fit. */
export async function openWith(unlocker: Unlocker, message: OpenedMessage): Promise<Uint8Array> {
  // The library's own reason is always "decryption failed".
  const [key] = await message.unlock(unlocker).catch(() => [])
  if (key) return key
  throw new UserError(`Cannot decrypt the backup: ${explain(unlocker, message)}`)
}

function explain(unlocker: Unlocker, message: OpenedMessage): string {
  if ('passphrase' in unlocker) return 'the passphrase does not open it'
  const wanted = message.keyIds.join(', ')
  return wanted === ''
    ? 'it is encrypted to a passphrase only (--passphrase, without --key)'
    : `the private key does not open it; it is encrypted to: ${wanted}`
}
