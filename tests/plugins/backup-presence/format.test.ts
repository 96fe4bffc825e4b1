import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { type Format, HEAD_BYTES, sniff } from '../../../plugins/backup-presence/format.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

setDefaultTimeout(60_000)

const work = temporaryDirectory()
afterAll(() => work[Symbol.dispose]())

function formatOf(path: string): Format {
  const bytes = readFileSync(path)
  return sniff(bytes.subarray(0, HEAD_BYTES), bytes.length)
}

const shown = (format: Format) =>
  format.kind === 'encrypted'
    ? `${format.by}${format.cipher ? ` ${format.cipher}` : ''}${format.weakness ? `; ${format.weakness}` : ''}`
    : format.kind === 'plain'
      ? format.what
      : `? ${format.why}`

const bytesOf = (...parts: (number[] | string)[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
const LUKS1 = bytesOf(
  'LUKS\xba\xbe',
  [0, 1],
  'aes'.padEnd(32, '\0'),
  'xts-plain64'.padEnd(32, '\0'),
  'sha256',
)

test.each<[string, Uint8Array, string]>([
  ['age', bytesOf('age-encryption.org/v1\n-> X25519 abc\n'), 'age ChaCha20-Poly1305'],
  ['age in armor', bytesOf('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n'), 'age ChaCha20-Poly1305'],
  ['LUKS 1', LUKS1, 'LUKS aes-xts-plain64'],
  ['LUKS 2', bytesOf('LUKS\xba\xbe', [0, 2]), 'LUKS'],
  ['a SQLite database', bytesOf('SQLite format 3\0', [0, 1]), 'a SQLite database'],
  ['a table', bytesOf('host,address\nweb1,10.0.0.1\n'), 'text'],
  ['UTF-8 that is cut', Buffer.from('ä'.repeat(HEAD_BYTES / 2 + 3)).subarray(0, HEAD_BYTES - 1), 'text'],
  ['zip', bytesOf('PK\x03\x04', [20, 0, 0, 0, 8, 0]), 'a zip archive'],
  [
    'zip with the old cipher',
    bytesOf('PK\x03\x04', [20, 0, 1, 0, 8, 0]),
    'zip ZipCrypto; ZipCrypto is broken',
  ],
  ['zip with AES', bytesOf('PK\x03\x04', [51, 0, 1, 0, 99, 0]), 'zip AES; the names in it are readable'],
  [
    'a marker before a message',
    bytesOf([0xca, 3], 'PGP', [0xc3, 4, 4, 9, 0, 2, 0xd2, 10, 1]),
    'OpenPGP AES-256',
  ],
  ['AEAD of RFC 9580', bytesOf([0xc3, 6, 6, 4, 9, 2, 0, 0, 0xd2, 40, 2, 9, 2]), 'OpenPGP AES-256'],
  [
    'without integrity protection',
    bytesOf([0xc3, 4, 4, 9, 0, 2, 0xc9, 10, 1]),
    'OpenPGP AES-256; a change of it would not be noticed (no integrity protection)',
  ],
  [
    'a message that is cut',
    bytesOf([0xc3, 4, 4, 9, 0, 2]),
    '? it begins like OpenPGP, and does not go on so',
  ],
  [
    'a key instead of a message',
    bytesOf('-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ\n'),
    'OpenPGP, but no message',
  ],
  ['noise', bytesOf([0, 1, 2, 0xff, 0x80, 0x90]), '? it is of no format that is known'],
  ['nothing', new Uint8Array(), '? it is empty'],
])('sniff() of %s', (_, head, expected) => expect(shown(sniff(head, head.length))).toBe(expected))

test('sniff() takes no noise for encrypted, and stands everything', () => {
  let encrypted = 0
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      if (sniff(bytes, bytes.length).kind === 'encrypted') encrypted++
    }),
    { seed: 11, numRuns: 20_000 },
  )
  expect(encrypted).toBeLessThan(20)
})

const home = `${work.path}/gnupg`
mkdirSync(home, { mode: 0o700 })
/** The key has no passphrase, and little is done to slow guessing down: both take seconds. */
const gpg = (...words: string[]) => {
  const passphrase = words.includes('--symmetric') ? 'x' : ''
  const common = [
    '--batch',
    '--yes',
    '--pinentry-mode',
    'loopback',
    '--s2k-count',
    '1024',
    '--passphrase',
    passphrase,
  ]
  return Bun.spawnSync(['gpg', '--homedir', home, ...common, ...words])
}
const source = `${work.path}/data`
writeFileSync(source, 'host,address\nweb1,10.0.0.1\n')
const path = `${work.path}/out`

testWith({ programs: ['gpg'] })('sniff() tells what gpg has made of a file', () => {
  const id = 'a@example.org'
  gpg('--quick-generate-key', id, 'future-default', 'default', 'never')
  const made = (...words: string[]) => {
    const { exitCode, stderr } = gpg('--output', path, ...words, source)
    if (exitCode !== 0) throw new Error(stderr.toString())
    return shown(formatOf(path))
  }
  expect(made('--symmetric', '--cipher-algo', 'AES256')).toBe('OpenPGP AES-256')
  expect(made('--symmetric', '--cipher-algo', 'AES128', '--armor')).toBe('OpenPGP AES-128')
  expect(made('--symmetric', '--cipher-algo', '3DES', '--force-mdc')).toContain(
    'TripleDES is not to be used any more',
  )
  expect(made('--encrypt', '--trust-model', 'always', '--recipient', id)).toBe('OpenPGP')
  expect(
    made('--encrypt', '--trust-model', 'always', '--recipient', id, '--armor', '--comment', 'a comment'),
  ).toBe('OpenPGP')
  expect(made('--encrypt', '--trust-model', 'always', '--recipient', id, '--symmetric')).toMatch(
    /^OpenPGP AES-/,
  )
  expect(made('--sign', '--local-user', id)).toMatch(/^OpenPGP, but only (packed|signed)$/)
  expect(made('--sign', '--local-user', id, '--compress-algo', 'none')).toBe('OpenPGP, but only signed')
  expect(made('--store')).toMatch(/^OpenPGP, but (not encrypted|only packed)$/)
  expect(made('--clear-sign', '--local-user', id)).toBe('OpenPGP, but no message')
  Bun.spawnSync(['gpgconf', '--homedir', home, '--kill', 'all'])
})

testWith({ programs: ['openssl'] })('sniff() tells what openssl enc has made of a file', () => {
  Bun.spawnSync(['openssl', 'enc', '-aes-256-cbc', '-pbkdf2', '-pass', 'pass:x', '-in', source, '-out', path])
  expect(shown(formatOf(path))).toBe('openssl enc; a change of it would not be noticed')
})
