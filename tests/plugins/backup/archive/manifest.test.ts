import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { FileSource } from '../../../../agent/contract/mod.ts'
import { BlockPool } from '../../../../plugins/backup/archive/blocks.ts'
import { encodeEnd, encodeHeader } from '../../../../plugins/backup/archive/header.ts'
import {
  type ArchiveSummary,
  endLine,
  ManifestLines,
  manifestName,
} from '../../../../plugins/backup/archive/manifest.ts'
import { ArchiveReader } from '../../../../plugins/backup/archive/reader.ts'
import { ArchiveLog, type Member, writeArchive } from '../../../../plugins/backup/archive/writer.ts'
import { plainEntry } from './arbitrary.ts'

const MTIME = plainEntry().mtimeNs

/** A file in memory. `now` is what it is when it was read. */
function fileOf(
  name: string,
  content: string,
  now: { size?: number; mtimeNs?: bigint; readable?: number } = {},
): Member {
  const bytes = Buffer.from(content)
  const stat = {
    type: 'file' as const,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtimeMs: 0,
    ctimeMs: 0,
    ino: 1,
    dev: 1,
    nlink: 1,
    mtimeNs: MTIME,
    storedBytes: bytes.length,
    deviceMajor: 0,
    deviceMinor: 0,
  }
  const source: FileSource = {
    stat,
    read(buffer, position) {
      const end = now.readable ?? bytes.length
      if (now.readable !== undefined && position >= end) throw new Error('input/output error')
      return bytes.subarray(0, now.size ?? end).copy(buffer, 0, position)
    },
    exactStat: () => ({
      ...stat,
      size: now.size ?? bytes.length,
      mtimeNs: now.mtimeNs ?? MTIME,
    }),
    extendedAttributes: () => new Map(),
    contentRanges: () => undefined,
    close: () => {},
  }
  return { entry: plainEntry({ name, size: bytes.length }), path: `/${name}`, source }
}

async function archiveOf(members: Member[]): Promise<{ bytes: Buffer; log: ArchiveLog }> {
  const log = new ArchiveLog()
  async function* each() {
    yield members
  }
  const blocks: Buffer[] = []
  const pool = new BlockPool(4096)
  for await (const block of writeArchive(each(), log, pool)) {
    blocks.push(Buffer.from(block))
    pool.give(block)
  }
  return { bytes: Buffer.concat(blocks), log }
}

function read(bytes: Uint8Array): ArchiveSummary {
  const reader = new ArchiveReader()
  reader.push(bytes)
  return reader.finish()
}

test('ArchiveReader agrees with what writeArchive() wrote', async () => {
  const { bytes, log } = await archiveOf([
    { entry: plainEntry({ name: 'd', type: 'directory' }), path: '/d' },
    fileOf('d/a', 'first'),
    fileOf('d/empty', ''),
    fileOf('d/large', 'x'.repeat(10_000)),
    { entry: plainEntry({ name: 'd/link', type: 'symlink', linkName: '../x\udcff' }), path: '/d/link' },
  ])
  expect(read(bytes)).toEqual(log.summary as ArchiveSummary)
  expect(log.summary).toMatchObject({ entries: 5, contentBytes: 10_005, problems: { count: 0, first: [] } })
})

test('writeArchive() begins a new part of the manifest when one is full', async () => {
  const members = Array.from({ length: 6000 }, (_, index) => ({
    entry: plainEntry({ name: `directory/${String(index).padStart(100, '0')}`, type: 'directory' }),
    path: '/',
  }))
  const { bytes, log } = await archiveOf(members)
  expect(bytes.includes(manifestName(2))).toBe(true)
  expect(read(bytes)).toEqual(log.summary as ArchiveSummary)
})

test('writeArchive() fills up a file that became shorter, and says so', async () => {
  const { bytes, log } = await archiveOf([
    fileOf('shrunk', 'ten bytes!', { size: 4 }),
    fileOf('next', 'next'),
  ])
  expect(read(bytes).entries).toBe(2)
  expect(bytes.includes('ten \0\0\0\0\0\0')).toBe(true)
  expect(log.summary?.problems).toEqual({
    count: 1,
    first: [
      { path: '/shrunk', kind: 'changed', reason: 'it became shorter while it was read; the rest is zeros' },
    ],
  })
})

test.each([
  ['grew', { size: 20 }],
  ['was written to', { mtimeNs: MTIME + 1n }],
])('writeArchive() tells of a file that %s while it was read', async (_what, now) => {
  const { bytes, log } = await archiveOf([fileOf('busy', 'ten bytes!', now)])
  expect(read(bytes).problems.first).toMatchObject([{ path: '/busy', kind: 'changed' }])
  expect(log.summary?.problems.count).toBe(1)
})

test('writeArchive() tells of a file that cannot be read to its end', async () => {
  const { bytes } = await archiveOf([fileOf('broken', 'ten bytes!', { readable: 3 })])
  expect(read(bytes).problems).toEqual({
    count: 1,
    first: [{ path: '/broken', kind: 'unreadable', reason: 'input/output error; the rest is zeros' }],
  })
})

test('writeArchive() lists the first 200 problems and counts all', async () => {
  const members = Array.from({ length: 250 }, (_, index) => fileOf(`f${index}`, 'ten bytes!', { size: 1 }))
  const { problems } = read((await archiveOf(members)).bytes)
  expect(problems.count).toBe(250)
  expect(problems.first.length).toBe(200)
})

/** An archive of one file with a manifest that is made for `said`. */
function lyingArchive(
  said: Partial<ArchiveSummary>,
  changes: Parameters<typeof plainEntry>[0] = {},
  content = 'content',
): Buffer {
  const lines = new ManifestLines()
  const entry = plainEntry({ size: 7 })
  const sha256 = createHash('sha256').update('content').digest('hex')
  lines.add(entry, sha256)
  const text = lines.takePart() + endLine({ ...lines.summary({ count: 0, first: [] }), ...said })
  const padded = (bytes: string) =>
    Buffer.concat([Buffer.from(bytes), Buffer.alloc((512 - (bytes.length % 512)) % 512)])
  return Buffer.concat([
    Buffer.from(encodeHeader({ ...entry, ...changes })),
    padded(content),
    Buffer.from(encodeHeader(plainEntry({ name: manifestName(1), mode: 0o600, size: text.length }))),
    padded(text),
    encodeEnd(),
  ])
}

test('ArchiveReader accepts a manifest that says the truth', () => {
  expect(read(lyingArchive({})).entries).toBe(1)
})

test.each<[string, Buffer, string]>([
  ['other content than the manifest says', lyingArchive({}, {}, 'CONTENT'), 'differ in "etc/hosts"'],
  ['another mode', lyingArchive({}, { mode: 0o4755 }), 'differ in "etc/hosts"'],
  ['another owner', lyingArchive({}, { uid: 1000 }), 'differ in "etc/hosts"'],
  ['another name', lyingArchive({}, { name: 'etc/shadow' }), 'differ in "etc/hosts"'],
  ['another time', lyingArchive({}, { mtimeNs: 0n }), 'differ in "etc/hosts"'],
  ['another number of entries', lyingArchive({ entries: 2 }), 'does not hold'],
  ['another digest', lyingArchive({ sha256: 'f'.repeat(64) }), 'does not hold'],
  ['an end that is malformed', lyingArchive({ entries: -1 }), 'malformed'],
])('ArchiveReader refuses an archive with %s', (_what, bytes, reason) => {
  expect(() => read(bytes)).toThrow(reason)
})

test('ArchiveReader refuses an archive without the end of its manifest', () => {
  expect(() => read(Buffer.concat([Buffer.from(encodeHeader(plainEntry())), encodeEnd()]))).toThrow('no end')
})

test('ArchiveReader refuses entries after the end of the manifest', () => {
  const whole = lyingArchive({})
  const more = Buffer.concat([
    whole.subarray(0, -1024),
    Buffer.from(encodeHeader(plainEntry({ name: 'x' }))),
    encodeEnd(),
  ])
  expect(() => read(more)).toThrow('follow the end')
})

test('ArchiveReader refuses a manifest whose parts are out of order', () => {
  const part = Buffer.from(encodeHeader(plainEntry({ name: manifestName(2) })))
  expect(() => read(Buffer.concat([part, encodeEnd()]))).toThrow('unexpected part')
})
