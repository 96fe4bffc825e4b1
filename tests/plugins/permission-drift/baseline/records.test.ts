import { describe, expect, test } from 'bun:test'
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import type { EntryState, FileType } from '../../../../agent/contract/mod.ts'
import { ALL_GRANTS } from '../../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../../agent/host/writer.ts'
import { filesOf } from '../../../../plugins/permission-drift/baseline/format.ts'
import { openRecords } from '../../../../plugins/permission-drift/baseline/record-reader.ts'
import { RecordWriter } from '../../../../plugins/permission-drift/baseline/record-writer.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { fingerprint, stateOf, treeOf } from './states.ts'

const host = new LocalHostWriter('/', ALL_GRANTS)

function write(path: string, states: EntryState[]) {
  const writer = new RecordWriter(host.create(path, { replace: true }), {
    tree: '/t',
    generation: 3,
    madeAt: '2027-01-01T00:00:00.000Z',
    by: 'ana',
    attributes: ['mode'],
  })
  for (const each of states) writer.add(each)
  return writer.commit(fingerprint)
}

function read(path: string): EntryState[] {
  const found: EntryState[] = []
  const reader = openRecords(host, path, fingerprint)
  for (; !reader.atEnd; reader.next()) found.push(reader.entry())
  reader.close()
  return found
}

describe('RecordReader', () => {
  test('RecordReader gives back what RecordWriter took, with every detail', () => {
    using directory = temporaryDirectory()
    const states = treeOf(
      '/',
      stateOf('/dev', {
        type: 'block-device',
        deviceMajor: 259,
        deviceMinor: 1_048_575,
        dev: 2 ** 45 + 5,
        ino: 2 ** 40 + 3,
        size: 2 ** 33 + 1,
        mtimeNs: -1n,
        mtimeMs: -1e-6,
        ctimeNs: 1_900_000_000_123_456_789n,
        ctimeMs: Number(1_900_000_000_123_456_789n) / 1e6,
        flags: ['append-only', 'immutable'],
      }),
      stateOf('/file', {
        mode: 0o6755,
        uid: 4_294_967_294,
        sha256: 'ab'.repeat(32),
        acl: 'user::rw-',
        capabilities: 'cap_chown=ep',
        xattrs: { 'user.a\udcff': '00ff' },
      }),
      stateOf('/link', { type: 'symlink', target: '\n\udcff' }),
    )
    expect(write(`${directory.path}/b`, states).entries).toBe(4)
    expect(read(`${directory.path}/b`)).toEqual(states)
  })

  test('RecordReader gives back any tree', () => {
    using directory = temporaryDirectory()
    const name = fc.constantFrom('a', 'a-b', '{', '#', '\n', '\udcff', '😀', 'é', ' ', 'x'.repeat(255))
    const state = fc.record({
      type: fc.constantFrom<FileType>('file', 'directory', 'symlink', 'socket', 'fifo'),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: fc.nat(4_294_967_295),
      size: fc.nat({ max: 2 ** 40 }),
    })
    const trees = fc
      .array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 5 }), state), { maxLength: 40 })
      .map((all) =>
        treeOf(
          ...new Map(all.map(([names, rest]) => [`/${names.join('/')}`, rest]))
            .entries()
            .map(([path, rest]) => stateOf(path, rest)),
        ),
      )
    fc.assert(
      fc.property(trees, (states) => {
        write(`${directory.path}/b`, states)
        expect(read(`${directory.path}/b`)).toEqual(states)
      }),
      { seed: 5, numRuns: 60 },
    )
  })

  test('RecordReader gives back more than its buffers hold, and a path longer than them', () => {
    using directory = temporaryDirectory()
    const deep = `/${'d'.repeat(250)}`.repeat(1200)
    const states = treeOf(
      ...Array.from({ length: 5000 }, (_, index) => `/${'f'.repeat(200)}-${index}`),
      stateOf(`${deep}/end`),
    )
    write(`${directory.path}/b`, states)
    expect(read(`${directory.path}/b`)).toEqual(states)
  })

  test.each([
    ['a byte is changed', (path: string) => flip(path, 300), 'its contents were changed'],
    ['the header is changed', (path: string) => flip(path, 10), 'its contents were changed'],
    ['something is added', (path: string) => appendFileSync(path, '{}\n'), 'its last line is damaged'],
    ['its end is cut off', (path: string) => truncateSync(path, 400), 'it has no last line'],
    ['it is empty', (path: string) => writeFileSync(path, ''), 'it has no last line'],
    ['it is something else', (path: string) => writeFileSync(path, 'a\nb\n'), 'its last line is damaged'],
  ])('RecordReader refuses a file when %s', (_, change, reason) => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/b`
    write(path, treeOf('/', '/a', '/b', '/c', '/d'))
    change(path)
    expect(() => read(path)).toThrow(reason)
  })

  test('RecordReader refuses a file that was made with another key', () => {
    using directory = temporaryDirectory()
    write(`${directory.path}/b`, treeOf('/'))
    expect(() => openRecords(host, `${directory.path}/b`, () => 'other')).toThrow(
      'it was not made with the key of this host',
    )
  })
})

function flip(path: string, index: number): void {
  const bytes = readFileSync(path)
  bytes[index] = (bytes[index] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

test('filesOf() gives each tree names of its own that can be read', () => {
  const { baseline, history } = filesOf('/state', '/srv/my app')
  expect(baseline).toMatch(/^\/state\/baseline-srv-my-app-[0-9a-f]{8}$/)
  expect(history).toMatch(/^\/state\/history-srv-my-app-[0-9a-f]{8}\.jsonl$/)
  expect(filesOf('/state', '/').baseline).toContain('/baseline-root-')
  expect(filesOf('/state', '/srv/my-app').baseline).not.toBe(baseline)
})
