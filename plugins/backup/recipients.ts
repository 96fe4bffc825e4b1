import type { PublicKey } from 'openpgp'
import { describeError, type HostReader, UserError } from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'

/** A public key that stands in a configured file. */
export interface Recipient {
  file: string
  /** 40 hex digits. */
  fingerprint: string
  userId: string
  /** Of the subkey that will be encrypted to, 16 hex digits as in the message. */
  encryptionKeyId: string
  /** When the key or its encryption subkey ceases to be valid; undefined when never. */
  expiresAt: Date | undefined
  key: PublicKey
}

/** Why a configured key file, or one key of it, must not be encrypted to. */
export interface RefusedRecipient {
  file: string
  reason: string
}

export interface Recipients {
  usable: Recipient[]
  refused: RefusedRecipient[]
}

/** Public key algorithms that GnuPG 2.2 can decrypt with (RFC 4880 section 9.1, RFC 6637): RSA, Elgamal, ECDH. */
const READABLE_ALGORITHMS = ['rsaEncryptSign', 'rsaEncrypt', 'elgamal', 'ecdh']
/** Keys are small; what is larger is no key file. */
const KEY_FILE_MAX_BYTES = 1_048_576

/** Reads and judges all configured keys. A file that cannot be used is a refusal, not an error. */
export async function loadRecipients(
  host: HostReader,
  config: Pick<BackupConfig, 'recipients'>,
  now: Date,
): Promise<Recipients> {
  const all: Recipients = { usable: [], refused: [] }
  for (const { file, fingerprint } of config.recipients) {
    try {
      const bytes = host.read(file, { maxBytes: KEY_FILE_MAX_BYTES, follow: true })
      all.usable.push(...(await judgeKeyFile(file, bytes, fingerprint, now)))
    } catch (error) {
      all.refused.push({ file, reason: describeError(error) })
    }
  }
  return all
}

/** The recipients of a key file. Throws with the reason when the file, or any key that it is to give, is unusable. */
export async function judgeKeyFile(
  file: string,
  bytes: Uint8Array,
  fingerprint: string | undefined,
  now: Date,
): Promise<Recipient[]> {
  const keys = await readKeyFile(bytes)
  const wanted = fingerprint === undefined ? keys : keys.filter((key) => key.getFingerprint() === fingerprint)
  if (wanted.length === 0) {
    throw new UserError(
      fingerprint === undefined
        ? 'it holds no key'
        : `it does not hold the key ${fingerprint}: was it replaced?`,
    )
  }
  return Promise.all(wanted.map((key) => judgeKey(file, key, now)))
}

async function readKeyFile(bytes: Uint8Array) {
  const { readKeys } = await import('openpgp')
  const text = Buffer.from(bytes).toString('latin1')
  try {
    return await (text.includes('-----BEGIN PGP')
      ? readKeys({ armoredKeys: text })
      : readKeys({ binaryKeys: bytes }))
  } catch (cause) {
    throw new UserError(`it cannot be read as OpenPGP keys (${describeError(cause)})`, { cause })
  }
}

async function judgeKey(file: string, key: PublicKey, now: Date): Promise<Recipient> {
  const fingerprint = key.getFingerprint()
  const refuse = (reason: string) => new UserError(`key ${fingerprint} ${reason}`)
  if (key.isPrivate()) {
    throw refuse('is a private key: with it this host could read all its backups. Export the public key only')
  }
  if (key.keyPacket.version !== 4) {
    throw refuse(
      `has version ${key.keyPacket.version}, which GnuPG 2.2 cannot use. Only version 4 is accepted`,
    )
  }
  await key.verifyPrimaryKey(now).catch((cause) => {
    throw refuse(`is not valid: ${plainReason(cause)}`)
  })
  const subkey = await key.getEncryptionKey(undefined, now).catch((cause) => {
    throw refuse(`cannot be encrypted to: ${plainReason(cause)}`)
  })
  const { algorithm } = subkey.getAlgorithmInfo()
  if (!READABLE_ALGORITHMS.includes(algorithm)) {
    throw refuse(`encrypts with ${algorithm}, which GnuPG 2.2 cannot decrypt`)
  }
  const ends = await Promise.all([
    key.getExpirationTime(),
    'mainKey' in subkey ? subkey.getExpirationTime(now) : null,
  ])
  const times = ends.flatMap((end) => (end instanceof Date ? [end.getTime()] : []))
  return {
    file,
    fingerprint,
    userId: key.getUserIDs()[0] ?? '',
    encryptionKeyId: subkey.getKeyID().toHex(),
    expiresAt: times.length > 0 ? new Date(Math.min(...times)) : undefined,
    key,
  }
}

/** The library's reason without what it says around it. */
function plainReason(error: unknown): string {
  const reason = describeError(error)
  return /^Could not find valid encryption key packet in key \w+$/.test(reason)
    ? 'it has no valid subkey for encryption'
    : reason.replace(/^Could not (?:find valid encryption key packet in key \w+|verify primary key): /, '')
}
