import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  createMessage,
  decrypt,
  encrypt as encryptByLibrary,
  readKeys,
  readMessage,
  readPrivateKeys,
} from 'openpgp'
import { encrypt, newSessionKey, openMessage } from '../../../plugins/backup/encryption.ts'
import { encryptData } from '../../../plugins/backup/openpgp/encryptor.ts'
import { PIECE_BYTES, SMALLEST_PIECE_BYTES } from '../../../plugins/backup/openpgp/partial-body.ts'
import { testWith } from '../../kit/needs.ts'
import { GnuPg } from './gnupg.ts'
import { collect, pieces } from './streams.ts'

const PASSPHRASE = 'correct horse battery staple'
const NOW = new Date('2026-11-23T03:15:00Z')
setDefaultTimeout(60_000)
const withGpg = testWith({ programs: ['gpg'] })
let gnupg: GnuPg | undefined
beforeAll(() => {
  if (!Bun.which('gpg')) return
  gnupg = new GnuPg()
  gnupg.makeKey('Curve <curve@example.org>')
  gnupg.makeKey('Rsa <rsa@example.org>', { algorithm: 'rsa2048', subkey: 'rsa2048' })
})
afterAll(() => gnupg?.[Symbol.dispose]())

function home(): GnuPg {
  if (!gnupg) throw new Error('there is no gpg')
  return gnupg
}

async function publicKeys(...userIds: string[]) {
  const path = join(home().home, 'public')
  home().exportPublic(path, userIds)
  return readKeys({ binaryKeys: readFileSync(path) })
}

const sizes = [
  0,
  1,
  191,
  192,
  511,
  512,
  SMALLEST_PIECE_BYTES - 7,
  SMALLEST_PIECE_BYTES,
  8383,
  8384,
  70_000,
  PIECE_BYTES - 6,
  PIECE_BYTES - 1,
  PIECE_BYTES,
  3 * PIECE_BYTES + 5,
]

function contentOf(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 31) & 0xff))
}

async function byPassphrase(content: Uint8Array): Promise<Buffer> {
  return collect(
    encrypt(pieces(content, 50_000), newSessionKey(), { publicKeys: [], passphrase: PASSPHRASE, now: NOW }),
  )
}

async function decryptByPassphrase(bytes: Uint8Array, pieceBytes = bytes.length): Promise<Buffer> {
  const message = await openMessage(pieces(bytes, pieceBytes))
  const [key = new Uint8Array(32)] = await message.unlock({ passphrase: PASSPHRASE })
  return collect(message.decrypt(key))
}

test('decrypt() gives back what encrypt() was given, whatever its size', async () => {
  for (const size of sizes) {
    const content = contentOf(size)
    const bytes = await byPassphrase(content)
    expect((await decryptByPassphrase(bytes, 999)).equals(content)).toBe(true)
  }
})

test('decrypt() gives back any content in any pieces', async () => {
  const sessionKey = newSessionKey()
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 20_000 }),
      fc.integer({ min: 1, max: 5000 }),
      async (content, pieceBytes) => {
        const bytes = await collect(
          encrypt(pieces(content, pieceBytes), sessionKey, {
            publicKeys: [],
            passphrase: PASSPHRASE,
            now: NOW,
          }),
        )
        const message = await openMessage(pieces(bytes, pieceBytes))
        expect((await collect(message.decrypt(sessionKey))).equals(content)).toBe(true)
      },
    ),
    { seed: 4, numRuns: 25 },
  )
})

/** More than is encrypted without a thread. */
const LONG = contentOf(6_000_001)

/** Whole pieces of memory, as the compression gives them. */
async function* longContent(pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < LONG.length; start += pieceBytes) {
    yield new Uint8Array(LONG.subarray(start, start + pieceBytes))
  }
}

test.each([70_001, 1_500_000, LONG.length])(
  'decrypt() gives back what encrypt() was given, %d bytes of a long stream at a time',
  async (pieceBytes) => {
    const sessionKey = newSessionKey()
    const addressees = { publicKeys: [], passphrase: PASSPHRASE, now: NOW }
    const bytes = await collect(encrypt(longContent(pieceBytes), sessionKey, addressees))
    expect((await decryptByPassphrase(bytes, 262_144)).equals(LONG)).toBe(true)
  },
)

test('encrypt() ends with the error of its source, also in the middle of a long stream', async () => {
  async function* broken() {
    yield* longContent(1_000_000)
    throw new Error('the disk is gone')
  }
  const addressees = { publicKeys: [], passphrase: PASSPHRASE, now: NOW }
  expect(collect(encrypt(broken(), newSessionKey(), addressees))).rejects.toThrow('the disk is gone')
})

test('encryptData() says why when its thread cannot encrypt', async () => {
  const tooShort = newSessionKey().slice(1)
  expect(collect(encryptData(longContent(1_000_000), tooShort))).rejects.toThrow(
    /^Cannot encrypt: Invalid key length/,
  )
})

test('the OpenPGP library decrypts what encrypt() wrote', async () => {
  for (const size of sizes) {
    const message = await readMessage({ binaryMessage: new Uint8Array(await byPassphrase(contentOf(size))) })
    const { data } = await decrypt({ message, passwords: PASSPHRASE, format: 'binary' })
    expect(Buffer.from(data).equals(contentOf(size))).toBe(true)
  }
})

withGpg('gpg decrypts what encrypt() wrote to public keys, with any of them', async () => {
  for (const size of sizes) {
    const keys = await publicKeys('curve@example.org', 'rsa@example.org')
    const path = join(home().home, 'message')
    writeFileSync(
      path,
      await collect(
        encrypt(pieces(contentOf(size), 77_777), newSessionKey(), {
          publicKeys: keys,
          passphrase: undefined,
          now: NOW,
        }),
      ),
    )
    expect(home().run(['--decrypt', path]).equals(contentOf(size))).toBe(true)
  }
})

withGpg('gpg sees AES-256 with a modification detection code, and no compression', async () => {
  const path = join(home().home, 'message')
  const keys = await publicKeys('curve@example.org', 'rsa@example.org')
  writeFileSync(
    path,
    await collect(
      encrypt(pieces(contentOf(1000), 100), newSessionKey(), {
        publicKeys: keys,
        passphrase: undefined,
        now: NOW,
      }),
    ),
  )
  const packets = home().packets(path)
  expect(packets.match(/:pubkey enc packet:/g)?.length).toBe(2)
  expect(packets).toContain('mdc_method: 2')
  expect(packets).toContain(':literal data packet:')
  expect(packets).not.toContain('compressed packet')
})

withGpg('gpg decrypts what encrypt() wrote for a passphrase beside a key it does not have', async () => {
  using other = new GnuPg()
  const path = join(other.home, 'message')
  const keys = await publicKeys('curve@example.org')
  writeFileSync(
    path,
    await collect(
      encrypt(pieces(contentOf(9000), 1000), newSessionKey(), {
        publicKeys: keys,
        passphrase: PASSPHRASE,
        now: NOW,
      }),
    ),
  )
  const result = Bun.spawnSync(
    [
      'gpg',
      '--batch',
      '--quiet',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      PASSPHRASE,
      '--decrypt',
      path,
    ],
    { env: other.env },
  )
  expect(result.stdout.equals(contentOf(9000))).toBe(true)
})

withGpg('unlock() gives the session key to the holder of a private key, and to nobody else', async () => {
  const keys = await publicKeys('rsa@example.org')
  const sessionKey = newSessionKey()
  const bytes = await collect(
    encrypt(pieces(contentOf(10), 10), sessionKey, { publicKeys: keys, passphrase: undefined, now: NOW }),
  )
  const message = await openMessage(pieces(bytes, 1))
  const secretOf = async (userId: string) => {
    const path = join(home().home, 'secret')
    home().exportSecret(path, userId)
    return { privateKeys: await readPrivateKeys({ binaryKeys: readFileSync(path) }) }
  }
  expect(await message.unlock(await secretOf('rsa@example.org'))).toEqual([sessionKey])
  await expect(message.unlock(await secretOf('curve@example.org'))).rejects.toThrow()
  await expect(message.unlock({ passphrase: PASSPHRASE })).rejects.toThrow()
  expect(message.keyIds).toEqual([(await keys[0]?.getEncryptionKey())?.getKeyID().toHex() ?? ''])
})

test('decrypt() refuses a message with any of its bytes changed, added or cut off', async () => {
  const bytes = await byPassphrase(contentOf(300))
  const damaged: Buffer[] = [
    bytes.subarray(0, -1),
    Buffer.concat([bytes, Buffer.of(0)]),
    Buffer.concat([bytes, bytes]),
  ]
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 0x10
    damaged.push(changed)
  }
  const key = await sessionKeyOf(bytes)
  let refused = 0
  for (const message of damaged) {
    // With the session key that belongs to the data, so that nothing is saved by a key packet that is broken.
    await openMessage(pieces(message, 100))
      .then((opened) => collect(opened.decrypt(key)))
      .catch(() => refused++)
  }
  // What a changed key packet says is known only to who uses it.
  const keyPacketBytes = 2 + (bytes[1] ?? 0)
  expect(refused).toBeGreaterThanOrEqual(damaged.length - keyPacketBytes)
})

async function sessionKeyOf(bytes: Uint8Array): Promise<Uint8Array> {
  const [key = new Uint8Array(32)] = await (await openMessage(pieces(bytes, 100))).unlock({
    passphrase: PASSPHRASE,
  })
  return key
}

test.each<[string, Uint8Array, string]>([
  ['text', Buffer.from('this is no backup'), 'no encrypted OpenPGP message'],
  ['nothing', Buffer.alloc(0), 'too early'],
  ['data without a key packet', Buffer.of(0xd2, 10), 'no encrypted OpenPGP message'],
])('openMessage() refuses %s', async (_what, bytes, reason) => {
  await expect(openMessage(pieces(bytes, 100))).rejects.toThrow(reason)
})

test('decrypt() refuses a message whose content the library has compressed', async () => {
  const message = await createMessage({ binary: new Uint8Array(contentOf(1000)) })
  const bytes = await encryptByLibrary({
    message,
    passwords: PASSPHRASE,
    format: 'binary',
    config: { preferredCompressionAlgorithm: 2 },
  })
  await expect(decryptByPassphrase(bytes)).rejects.toThrow('no literal data packet')
})
