import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ArchiveEntry } from '../../../../plugins/backup/archive/entry.ts'
import { encodeEnd, encodeHeader, formatSeconds } from '../../../../plugins/backup/archive/header.ts'
import { ArchiveParser, parseSeconds } from '../../../../plugins/backup/archive/parser.ts'
import { testWith } from '../../../kit/needs.ts'
import { anyEntry, plainEntry } from './arbitrary.ts'

function parse(bytes: Uint8Array, pieceBytes = bytes.length): ArchiveEntry[] {
  const entries: ArchiveEntry[] = []
  const parser = new ArchiveParser({
    entry: (entry) => entries.push(entry),
    data: () => {},
    hole: () => {},
    entryEnd: () => {},
  })
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    parser.push(bytes.subarray(offset, offset + pieceBytes))
  }
  parser.finish()
  return entries
}

/** A copy: encodeHeader() gives the same bytes again. */
const headerOf = (entry: ArchiveEntry) => Buffer.from(encodeHeader(entry))

test('encodeHeader() keeps every fact of any entry', () => {
  fc.assert(
    fc.property(anyEntry, fc.integer({ min: 1, max: 2000 }), (entry, pieceBytes) => {
      expect(parse(Buffer.concat([encodeHeader(entry), encodeEnd()]), pieceBytes)).toEqual([entry])
    }),
    { seed: 4, numRuns: 500 },
  )
})

test('encodeHeader() needs no extended header for what ustar can say', () => {
  expect(encodeHeader(plainEntry()).length).toBe(512)
  expect(encodeHeader(plainEntry({ name: `${'d'.repeat(150)}/${'f'.repeat(100)}` })).length).toBe(512)
})

test.each([
  ['a time with nanoseconds', { mtimeNs: 1_700_000_000_123_456_789n }],
  ['a time before 1970', { mtimeNs: -1_000_000_000n }],
  ['a name of 300 bytes in one directory', { name: `a/${'x'.repeat(300)}` }],
  [
    'a directory whose name fits only without its slash',
    { type: 'directory' as const, name: 'd'.repeat(100) },
  ],
  ['a link to a long name', { type: 'symlink' as const, linkName: 'x'.repeat(101) }],
  ['a user id beyond seven octal digits', { uid: 2_097_152 }],
  ['a user name of 32 bytes', { userName: 'u'.repeat(32) }],
])('encodeHeader() uses an extended header for %s', (_what, changes) => {
  const entry = plainEntry(changes)
  const header = encodeHeader(entry)
  expect(header.length).toBeGreaterThan(512)
  expect(parse(Buffer.concat([header, encodeEnd()]))).toEqual([entry])
})

test('encodeHeader() tells sizes beyond 8 GiB', () => {
  const size = 20 * 1024 ** 3
  const entries: ArchiveEntry[] = []
  const parser = new ArchiveParser({
    entry: (entry) => entries.push(entry),
    data: () => {},
    hole: () => {},
    entryEnd: () => {},
  })
  parser.push(encodeHeader(plainEntry({ size })))
  expect(entries[0]?.size).toBe(size)
})

test('encodeHeader() refuses a device number that tar cannot hold', () => {
  const entry = plainEntry({ type: 'block-device', deviceMinor: 0o10000000 })
  expect(() => encodeHeader(entry)).toThrow('device number')
})

test.each([
  [0n, '0'],
  [1_500_000_000n, '1.5'],
  [-500_000_000n, '-0.5'],
  [-1_000_000_001n, '-1.000000001'],
  [1_700_000_000_123_456_789n, '1700000000.123456789'],
])('formatSeconds(%p) is %p, and parseSeconds() reads it back', (nanoseconds, text) => {
  expect(formatSeconds(nanoseconds)).toBe(text)
  expect(parseSeconds(text)).toBe(nanoseconds)
})

testWith({ programs: ['tar'] })('GNU tar lists what encodeHeader() wrote, to the nanosecond', () => {
  const archive = Buffer.concat([
    headerOf(plainEntry({ name: `deep/${'n'.repeat(200)}`, mtimeNs: 1_700_000_000_123_456_789n })),
    headerOf(plainEntry({ name: 'old', mtimeNs: -2_000_000_000n })),
    headerOf(plainEntry({ name: 'not-\udcff-utf8', type: 'directory', mode: 0o1777 })),
    headerOf(plainEntry({ name: 'link', type: 'symlink', linkName: `to/${'t'.repeat(150)}` })),
    headerOf(plainEntry({ name: 'hard', type: 'hard-link', linkName: 'old' })),
    headerOf(plainEntry({ name: 'pipe', type: 'fifo' })),
    headerOf(plainEntry({ name: 'disk', type: 'block-device', deviceMajor: 8, deviceMinor: 17 })),
    headerOf(
      plainEntry({
        name: 'tty',
        type: 'character-device',
        deviceMajor: 4,
        deviceMinor: 64,
        uid: 3_000_000,
        userName: '',
      }),
    ),
    encodeEnd(),
  ])
  const { stdout, stderr, exitCode } = Bun.spawnSync(['tar', 'tv', '--full-time', '--quoting-style=c'], {
    stdin: archive,
    env: { PATH: process.env.PATH ?? '', TZ: 'UTC', LANG: 'C' },
  })
  expect(stderr.toString()).toBe('')
  expect(exitCode).toBe(0)
  const lines = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.replace(/ +/g, ' '))
  expect(lines).toEqual([
    `-rw-r--r-- root/root 0 2023-11-14 22:13:20.123456789 "deep/${'n'.repeat(200)}"`,
    '-rw-r--r-- root/root 0 1969-12-31 23:59:58 "old"',
    'drwxrwxrwt root/root 0 2023-11-14 22:13:20 "not-\\377-utf8/"',
    `lrw-r--r-- root/root 0 2023-11-14 22:13:20 "link" -> "to/${'t'.repeat(150)}"`,
    'hrw-r--r-- root/root 0 2023-11-14 22:13:20 "hard" link to "old"',
    'prw-r--r-- root/root 0 2023-11-14 22:13:20 "pipe"',
    'brw-r--r-- root/root 8,17 2023-11-14 22:13:20 "disk"',
    'crw-r--r-- 3000000/root 4,64 2023-11-14 22:13:20 "tty"',
  ])
})
