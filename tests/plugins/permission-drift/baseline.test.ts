import { describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { compareTreeOrder, type Entry, type FileType } from '../../../agent/contract/mod.ts'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import {
  BaselineReader,
  BaselineWriter,
  baselineFile,
} from '../../../plugins/permission-drift/baseline/baseline-file.ts'
import {
  type BaselineEntry,
  decodeEntry,
  directoryOf,
  encodeEntry,
} from '../../../plugins/permission-drift/baseline/baseline-format.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = new LocalHostWriter('/', ALL_GRANTS)
const fingerprint = (value: string) => createHmac('sha256', 'key').update(value).digest('hex').slice(0, 32)

export function entry(path: string, rest: Partial<Entry> = {}): Entry {
  return {
    path,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeMs: 0,
    ctimeMs: 0,
    ino: 1,
    dev: 1,
    nlink: 1,
    ...rest,
  }
}

function write(path: string, entries: Entry[]) {
  const sink = host.create(path, { replace: true })
  const writer = new BaselineWriter(sink, { tree: '/t', generation: 3, madeAt: '2027-01-01T00:00:00.000Z' })
  for (const each of entries) writer.add(each)
  return writer.commit(fingerprint)
}

function read(path: string): BaselineEntry[] {
  const source = host.open(path)
  try {
    const found: BaselineEntry[] = []
    for (const reader = new BaselineReader(source, fingerprint); !reader.atEnd; reader.next()) {
      expect(reader.path()).toBe(reader.entry().path)
      found.push(reader.entry())
    }
    return found
  } finally {
    source.close()
  }
}

const kept = ({ path, type, mode, uid, gid, size }: Entry): BaselineEntry => ({
  path,
  type,
  mode,
  uid,
  gid,
  size,
})

describe('BaselineReader', () => {
  test('BaselineReader reads what BaselineWriter wrote, line for line', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/baseline`
    const entries = [
      entry('/t', { type: 'directory', mode: 0o755 }),
      entry('/t/a', { type: 'directory', mode: 0o1777 }),
      entry('/t/a/b c', { mode: 0o4755, uid: 1000, gid: 50, size: 12 }),
      entry('/t/a-b', { type: 'symlink', mode: 0o777, size: 3 }),
    ]
    const { entries: count, sha256 } = write(path, entries)
    expect(count).toBe(4)
    expect(read(path)).toEqual(entries.map(kept))
    const lines = readFileSync(path, 'utf8').split('\n')
    expect(lines.slice(1, -2)).toEqual([
      '/',
      'd0755 0 0 0 t',
      '/t/',
      'd1777 0 0 0 a',
      '/t/a/',
      'f4755 1000 50 12 b c',
      '/t/',
      'l0777 0 0 3 a-b',
    ])
    expect(lines.at(-2)).toBe(JSON.stringify({ entries: 4, sha256, fingerprint: fingerprint(sha256) }))
    expect(host.stat(path)?.mode).toBe(0o600)
  })

  test('BaselineReader keeps any entry, whatever its name', () => {
    using directory = temporaryDirectory()
    const byte = fc.integer({ min: 0xdc80, max: 0xdcff }).map((code) => String.fromCharCode(code))
    const character = fc.oneof(
      byte,
      fc.constantFrom('\n', '\\', ' ', '"', '{', 'a', 'é', '😀', '\r', '\u2028'),
    )
    const name = fc.array(character, { minLength: 1, maxLength: 5 }).map((characters) => characters.join(''))
    const types: FileType[] = [
      'file',
      'directory',
      'symlink',
      'socket',
      'fifo',
      'block-device',
      'character-device',
    ]
    const any = fc
      .record({
        path: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`),
        type: fc.constantFrom(...types),
        mode: fc.integer({ min: 0, max: 0o7777 }),
        uid: fc.integer({ min: 0, max: 4294967294 }),
        gid: fc.integer({ min: 0, max: 4294967294 }),
      })
      .map(({ path, ...rest }) => entry(path, rest))
    fc.assert(
      fc.property(fc.uniqueArray(any, { selector: ({ path }) => path, maxLength: 20 }), (entries) => {
        entries.sort((a, b) => compareTreeOrder(a.path, b.path))
        write(`${directory.path}/baseline`, entries)
        expect(read(`${directory.path}/baseline`)).toEqual(entries.map(kept))
      }),
      { seed: 8, numRuns: 100 },
    )
  })

  test('BaselineReader reads in pieces what is larger than one of them', () => {
    using directory = temporaryDirectory()
    const entries = Array.from({ length: 30_000 }, (_, index) =>
      entry(`/t/${String(index).padStart(8, '0')}-${'é'.repeat(index % 40)}`),
    )
    write(`${directory.path}/baseline`, entries)
    expect(host.stat(`${directory.path}/baseline`)?.size).toBeGreaterThan(1_000_000)
    expect(read(`${directory.path}/baseline`)).toEqual(entries.map(kept))
  })

  test.each([
    ['a changed mode', (text: string) => text.replace('f0644', 'f4755'), 'its contents were changed'],
    [
      'a line more',
      (text: string) => text.replace('/t/\n', '/t/\nf0644 0 0 0 planted\n'),
      'its contents were changed',
    ],
    [
      'another generation',
      (text: string) => text.replace('"generation":3', '"generation":9'),
      'its contents were changed',
    ],
    [
      'another digest',
      (text: string) => text.replace(/"sha256":"..../, '"sha256":"0000'),
      'not made with the key',
    ],
    [
      'another fingerprint',
      (text: string) => text.replace(/"fingerprint":"./, '"fingerprint":"_'),
      'not made with the key',
    ],
    [
      'a damaged digest',
      (text: string) => text.replace(/"sha256":"./, '"sha256":"_'),
      'its last line is damaged',
    ],
    ['no last line', (text: string) => text.slice(0, text.lastIndexOf('{')), 'its last line is damaged'],
    ['half a last line', (text: string) => text.slice(0, -5), 'it has no last line'],
    ['nothing', () => '', 'it has no last line'],
    ['one line', () => 'x\n', 'it has no last line'],
    ['something else', () => 'x\ny\n', 'its last line is damaged'],
  ])('BaselineReader refuses a file with %s', (_, change, reason) => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/baseline`
    write(path, [entry('/t', { type: 'directory' }), entry('/t/a')])
    const before = readFileSync(path, 'utf8')
    const after = change(before)
    expect(after).not.toBe(before)
    writeFileSync(path, after)
    expect(() => read(path)).toThrow(reason)
  })

  test('BaselineReader refuses a file that another key made', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/baseline`
    write(path, [entry('/t')])
    const source = host.open(path)
    expect(() => new BaselineReader(source, () => 'another')).toThrow('not made with the key of this host')
    source.close()
  })

  test('BaselineReader refuses a file that is cut off or added to while it is read', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/baseline`
    const entries = Array.from({ length: 30_000 }, (_, index) => entry(`/t/${index}`))
    write(path, entries)
    const source = host.open(path)
    const reader = new BaselineReader(source, fingerprint)
    truncateSync(path, 300_000)
    expect(() => {
      while (!reader.atEnd) reader.next()
    }).toThrow('it was cut off while it was read')
    source.close()
    write(path, entries)
    appendFileSync(path, 'more\n')
    expect(() => read(path)).toThrow('its last line is damaged')
  })
})

test('encodeEntry() leaves out sizes that say nothing', () => {
  expect(encodeEntry(entry('/d', { type: 'directory', size: 4096 }), 'd')).toBe('d0644 0 0 0 d')
  expect(encodeEntry(entry('/f', { size: 4096 }), 'f')).toBe('f0644 0 0 4096 f')
})

test.each(['', 'x', 'f0644 0 0 name', 'x0644 0 0 0 name', 'f0844 0 0 0 name', 'f0644 0 -1 0 name'])(
  'decodeEntry() refuses the line %p',
  (line) => {
    expect(() => decodeEntry('/', line)).toThrow('is no entry')
  },
)

test.each([
  ['/', '/'],
  ['/a', '/'],
  ['/a/b', '/a/'],
])('directoryOf(%p) is %p', (path, expected) => {
  expect(directoryOf(path)).toBe(expected)
})

test('baselineFile() gives each tree a name of its own that can be read', () => {
  const trees = [
    '/',
    '/etc',
    '/etc-',
    '/-etc',
    '/usr/local',
    '/usr-local',
    `/${'x'.repeat(300)}`,
    '/é',
    '/a\udcff',
  ]
  const files = trees.map((tree) => baselineFile('/state', tree))
  expect(new Set(files).size).toBe(trees.length)
  expect(files[1]).toMatch(/^\/state\/baseline-etc-[0-9a-f]{8}$/)
  for (const file of files) expect(file).toMatch(/^\/state\/baseline-[A-Za-z0-9-]{1,70}$/)
})
