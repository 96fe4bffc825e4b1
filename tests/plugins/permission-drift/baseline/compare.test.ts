import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  encodeRaw,
  encodeRecord,
  NAME_OFFSET,
  type RecordBlock,
  recordBlock,
  WORD,
  wordsOf,
} from '../../../../agent/contract/entry-record.ts'
import { type EntryState, isWithin } from '../../../../agent/contract/mod.ts'
import { ALL_GRANTS } from '../../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../../agent/host/writer.ts'
import { Comparison, type ComparisonOptions } from '../../../../plugins/permission-drift/baseline/compare.ts'
import { type Drift, Fold } from '../../../../plugins/permission-drift/baseline/fold.ts'
import { openRecords } from '../../../../plugins/permission-drift/baseline/record-reader.ts'
import { RecordWriter } from '../../../../plugins/permission-drift/baseline/record-writer.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { fingerprint, stateOf as make, treeOf as tree } from './states.ts'

const host = new LocalHostWriter('/', ALL_GRANTS)

/** The batch that a scan of these entries would give. */
function batchOf(states: EntryState[]): RecordBlock & { end: number; entries: number } {
  const parts = states.flatMap((state) => {
    const raw = encodeRaw(state.path)
    const path = Buffer.from(raw.slice(0, Math.max(1, raw.lastIndexOf('/'))), 'latin1')
    const { words, bytes } = recordBlock(NAME_OFFSET + wordsOf(path.length) * 4)
    words[WORD.length] = bytes.length
    words[WORD.nameLength] = path.length
    bytes.set(path, NAME_OFFSET)
    return [bytes, Buffer.from(encodeRecord(state))]
  })
  const block = recordBlock(parts.reduce((sum, { length }) => sum + length, 0))
  Buffer.concat(parts).copy(block.bytes)
  return { ...block, end: block.bytes.length / 4, entries: states.length }
}

async function compare(before: EntryState[], after: EntryState[], options: Partial<ComparisonOptions> = {}) {
  using directory = temporaryDirectory()
  const writer = new RecordWriter(host.create(`${directory.path}/b`), {
    tree: '/',
    generation: 1,
    madeAt: '2027-01-01T00:00:00.000Z',
    by: 'ana',
    attributes: ['mode', 'owner', 'group'],
  })
  for (const state of before) writer.add(state)
  writer.commit(fingerprint)
  const reader = openRecords(host, `${directory.path}/b`, fingerprint)
  const drifts: Drift[] = []
  const fold = new Fold((drift) => drifts.push(drift))
  const comparison = new Comparison(
    host,
    reader,
    {
      attributes: ['mode', 'owner', 'group'],
      isDue: () => false,
      isUnseen: () => false,
      onBlind: (path, reason) => {
        throw new Error(`${path}: ${reason}`)
      },
      onChange: (change) => fold.add(change),
      ...options,
    },
    new AbortController().signal,
  )
  await comparison.add(batchOf(after))
  await comparison.finish()
  fold.finish()
  reader.close()
  return { drifts, unseen: comparison.unseen, told: drifts.map(tell) }
}

function tell(drift: Drift): string {
  if (drift.kind === 'changed') return `changed ${drift.after.path} ${drift.attributes.join(',')}`
  if (drift.kind === 'renamed')
    return `renamed ${drift.before.path} ${drift.after.path}${drift.below > 0 ? ` +${drift.below}` : ''}`
  return `${drift.kind} ${drift.entry.path}${drift.below > 0 ? ` +${drift.below}` : ''}`
}

describe('Comparison', () => {
  const base = tree('/', '/a/', '/a/x', '/a/y', '/a-b', '/b/', '/b/c/', '/b/c/z')

  test('tells nothing of a tree that is the same', async () => {
    expect((await compare(base, base)).told).toEqual([])
    expect((await compare([], [])).told).toEqual([])
  })

  test.each([
    ['mode', { mode: 0o600 }],
    ['owner', { uid: 5 }],
    ['group', { gid: 5 }],
    ['mode,owner', { mode: 0o600, uid: 5 }],
    ['type', { type: 'fifo' as const }],
  ])('tells a change of %s', async (attributes, change) => {
    const after = base.map((entry) => (entry.path === '/a/x' ? { ...entry, ...change } : entry))
    expect((await compare(base, after)).told).toEqual([`changed /a/x ${attributes}`])
  })

  test('tells a change of size only where it is asked for, and only of files and links', async () => {
    const after = base.map((entry) => ({ ...entry, size: 9 }))
    expect((await compare(base, after)).told).toEqual([])
    expect((await compare(base, after, { attributes: ['size'] })).told).toEqual([
      'changed /a/x size',
      'changed /a/y size',
      'changed /a-b size',
      'changed /b/c/z size',
    ])
  })

  test('tells only what is asked for', async () => {
    const after = base.map((entry) => (entry.path === '/a/x' ? { ...entry, mode: 0, uid: 5 } : entry))
    expect((await compare(base, after, { attributes: ['owner'] })).told).toEqual(['changed /a/x owner'])
    expect((await compare(base, after, { attributes: ['group'] })).told).toEqual([])
  })

  test('tells what is new and what is gone, in the middle and at both ends', async () => {
    const after = tree('/', '/0', '/a/', '/a/x', '/a/y2', '/a-b', '/b/', '/b/c/', '/zz')
    expect((await compare(base, after)).told).toEqual([
      'new /0',
      'removed /a/y',
      'new /a/y2',
      'removed /b/c/z',
      'new /zz',
    ])
    expect((await compare(after, base)).told).toEqual([
      'removed /0',
      'new /a/y',
      'removed /a/y2',
      'new /b/c/z',
      'removed /zz',
    ])
  })

  test('tells a directory that is new or gone once, with the number of entries below', async () => {
    const without = base.filter(({ path }) => !isWithin('/b', path))
    expect((await compare(base, without)).told).toEqual(['removed /b +2'])
    expect((await compare(without, base)).told).toEqual(['new /b +2'])
    expect((await compare(base, [])).told).toEqual(['removed / +7'])
    expect((await compare([], base)).told).toEqual(['new / +7'])
    const neighbours = tree('/', '/c/', '/c/x', '/c-d', '/d/', '/d/x')
    expect((await compare(tree('/'), neighbours)).told).toEqual(['new /c +1', 'new /c-d', 'new /d +1'])
  })

  test('tells a setuid program or a device in a new directory by itself', async () => {
    const after = tree(
      '/',
      '/n/',
      '/n/a',
      make('/n/su', { mode: 0o4755 }),
      make('/n/sg', { mode: 0o2755 }),
      make('/n/sda', { type: 'block-device' }),
    )
    expect((await compare(tree('/'), after)).told).toEqual([
      'new /n +4',
      'new /n/sda',
      'new /n/sg',
      'new /n/su',
    ])
  })

  test('tells a file that became a directory, and what is in it', async () => {
    expect((await compare(tree('/', '/a'), tree('/', '/a/', '/a/x'))).told).toEqual([
      'changed /a type',
      'new /a/x',
    ])
    expect((await compare(tree('/', '/a/', '/a/x'), tree('/', '/a'))).told).toEqual([
      'changed /a type',
      'removed /a/x',
    ])
  })

  test('tells what was renamed, a directory with all below it', async () => {
    const before = tree('/', '/a/', '/a/x', '/a/y', make('/f', { ino: 7, mtimeNs: 3n }))
    const moved = (path: string, ino: number, rest = {}) => make(path, { ino, ...rest })
    const ino = (path: string) => before.find((each) => each.path === path)?.ino ?? 0
    const after = tree(
      '/',
      moved('/b', ino('/a'), { type: 'directory' }),
      moved('/b/x', ino('/a/x')),
      moved('/b/y', ino('/a/y')),
      moved('/g', 7, { mtimeNs: 3n }),
    )
    expect((await compare(before, after)).told).toEqual(['renamed /a /b +2', 'renamed /f /g'])
    // The inode was given to another file.
    const other = tree('/', '/a/', '/a/x', '/a/y', moved('/g', 7, { mtimeNs: 4n }))
    expect((await compare(before, other)).told).toEqual(['removed /f', 'new /g'])
  })

  test('does not take for gone what could not be looked at', async () => {
    const without = base.filter(({ path }) => path !== '/a/x' && path !== '/b/c/z')
    const { told, unseen } = await compare(base, without, { isUnseen: (path) => isWithin('/b/c', path) })
    expect(told).toEqual(['removed /a/x'])
    expect(unseen).toBe(1)
  })

  test('finds exactly the differences of any two trees', async () => {
    const name = fc.constantFrom('a', 'b', 'a-b', 'a.b', 'A', 'é', '😀', '\udcff', '\ue000', '\n')
    const trees = fc
      .array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.constantFrom(0o600, 0o644)), {
        maxLength: 25,
      })
      .map((paths) => {
        const modes = new Map(paths.map(([names, mode]) => [`/${names.join('/')}`, mode]))
        return tree(...[...modes].map(([path, mode]) => make(path, { mode })))
      })
    await fc.assert(
      fc.asyncProperty(trees, trees, async (before, after) => {
        const modeBefore = new Map(before.map(({ path, mode }) => [path, mode]))
        const modeAfter = new Map(after.map(({ path, mode }) => [path, mode]))
        const expected = [
          ...before.filter(({ path }) => !modeAfter.has(path)).map(({ path }) => `removed ${path}`),
          ...after.filter(({ path }) => !modeBefore.has(path)).map(({ path }) => `new ${path}`),
          ...after
            .filter(({ path, mode }) => modeBefore.has(path) && modeBefore.get(path) !== mode)
            .map(({ path }) => `changed ${path} mode`),
        ]
        expect((await compare(before, after)).told.sort()).toEqual(expected.sort())
      }),
      { seed: 9, numRuns: 100 },
    )
  })
})
