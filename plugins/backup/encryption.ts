import type { PrivateKey, PublicKey } from 'openpgp'
import { encryptData } from './openpgp/encryptor.ts'
import { packetTag } from './openpgp/partial-body.ts'
import { decryptData, PROTECTED_DATA_TAG } from './openpgp/protected-data.ts'

// OpenPGP as every GnuPG since 2.0 reads it (RFC 4880): AES-256 with a modification detection code, whatever newer
// features a key claims, and no compression of its own: the content is compressed already. Keys and passphrases
// are the library's part; it is large, and only loaded when there is something to encrypt or decrypt.

/** Who can decrypt. */
export interface Addressees {
  publicKeys: PublicKey[]
  passphrase: string | undefined
  /** When the keys have to be valid. */
  now: Date
}

/** What opens a backup. */
export type Unlocker = { privateKeys: PrivateKey[] } | { passphrase: string }

/** An encrypted message of which the beginning has been read. */
export interface OpenedMessage {
  /** Key IDs, 16 hex digits, of the public keys that it is encrypted to. */
  keyIds: string[]
  /** The session keys that the unlocker gives; throws when there is none. */
  unlock(unlocker: Unlocker): Promise<Uint8Array[]>
  /**
   * The content. It is only known to be unchanged when the generator has come to its end without an error: nothing
   * of it may be used for good before.
   */
  decrypt(sessionKey: Uint8Array): AsyncGenerator<Uint8Array>
}

const ALGORITHM = 'aes256'
const SESSION_KEY_BYTES = 32
/** Session keys for that many addressees have room in it. */
const KEY_PACKETS_MAX_BYTES = 1_048_576
/** Packets that hold a session key, new format: for a public key, for a passphrase. */
const KEY_PACKET_TAGS = [packetTag(1), packetTag(3)]

export function newSessionKey(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(SESSION_KEY_BYTES))
}

/** Encrypts a stream, and keeps its chunks. What it yields is valid until the next piece is asked for. */
export async function* encrypt(
  content: AsyncIterable<Uint8Array>,
  sessionKey: Uint8Array,
  addressees: Addressees,
): AsyncGenerator<Uint8Array> {
  const { encryptSessionKey } = await import('openpgp')
  yield await encryptSessionKey({
    data: sessionKey,
    algorithm: ALGORITHM,
    encryptionKeys: addressees.publicKeys,
    date: addressees.now,
    ...(addressees.passphrase === undefined ? {} : { passwords: addressees.passphrase }),
    format: 'binary',
    config: { aeadProtect: false },
  })
  yield* encryptData(content, sessionKey)
}

/** Reads the beginning of an encrypted message. Throws when it is none. */
export async function openMessage(chunks: AsyncIterable<Uint8Array>): Promise<OpenedMessage> {
  const iterator = chunks[Symbol.asyncIterator]()
  const { keyPackets, rest } = await readKeyPackets(iterator)
  const { decryptSessionKeys, readMessage } = await import('openpgp')
  const message = await readMessage({ binaryMessage: keyPackets })
  return {
    keyIds: message.getEncryptionKeyIDs().map((id) => id.toHex()),
    async unlock(unlocker) {
      const keys = await decryptSessionKeys({
        message: await readMessage({ binaryMessage: keyPackets }),
        ...('passphrase' in unlocker
          ? { passwords: unlocker.passphrase }
          : { decryptionKeys: unlocker.privateKeys }),
      })
      return keys.flatMap(({ data, algorithm }) => (algorithm === ALGORITHM ? [data] : []))
    },
    decrypt: (sessionKey) => decryptData(withFirst(rest, iterator), sessionKey),
  }
}

/** The packets with session keys, and what has been read behind the tag of the encrypted data. */
async function readKeyPackets(
  iterator: AsyncIterator<Uint8Array>,
): Promise<{ keyPackets: Uint8Array; rest: Uint8Array }> {
  let buffer = Buffer.alloc(0)
  for (let offset = 0; ; ) {
    const tag = buffer[offset]
    if (tag === packetTag(PROTECTED_DATA_TAG) && offset > 0) {
      return { keyPackets: buffer.subarray(0, offset), rest: buffer.subarray(offset + 1) }
    }
    if (tag !== undefined && !KEY_PACKET_TAGS.includes(tag))
      throw new Error('it is no encrypted OpenPGP message')
    const length = packetBytes(buffer.subarray(offset + 1))
    if (length !== undefined && offset + length < buffer.length) {
      offset += length
      continue
    }
    const next = await iterator.next()
    if (next.done) throw new Error('it ends too early')
    if (buffer.length > KEY_PACKETS_MAX_BYTES) throw new Error('its beginning is too large')
    buffer = Buffer.concat([buffer, next.value])
  }
}

/** Bytes of a packet with its tag, from its length octets; undefined when more must be read. RFC 4880, section 4.2.2. */
function packetBytes(octets: Uint8Array): number | undefined {
  const [first, second] = octets
  if (first === undefined || second === undefined) return undefined
  if (first < 192) return 2 + first
  if (first < 224) return 3 + ((first - 192) << 8) + second + 192
  throw new Error('a packet with a session key is too large')
}

async function* withFirst(
  first: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield first
    for (;;) {
      const next = await iterator.next()
      if (next.done) return
      yield next.value
    }
  } finally {
    await iterator.return?.()
  }
}
