import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compareTreeOrder, type Entry, isWithin } from '../../../agent/contract/mod.ts'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import { BaselineReader, BaselineWriter } from '../../../plugins/permission-drift/baseline/baseline-file.ts'
import {
  Comparison,
  type ComparisonOptions,
  type Drift,
} from '../../../plugins/permission-drift/baseline/compare.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = new LocalHostWriter('/', ALL_GRANTS)
const fingerprint = () => 'key'

const make = (path: string, rest: Partial<Entry> = {}): Entry => ({
  path,
  type: path.endsWith('/') ? 'directory' : 'file',
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
})
/** "/a/" is a directory. */
const tree = (...entries: (string | Entry)[]): Entry[] =>
  entries
    .map((each) => (typeof each === 'string' ? make(each) : each))
    .map((each) => ({ ...each, path: each.path === '/' ? '/' : each.path.replace(/\/$/, '') }))
    .sort((a, b) => compareTreeOrder(a.path, b.path))

function compare(before: Entry[], after: Entry[], options: Partial<ComparisonOptions> = {}) {
  using directory = temporaryDirectory()
  const writer = new BaselineWriter(host.create(`${directory.path}/b`), {
    tree: '/',
    generation: 1,
    madeAt: '2027-01-01T00:00:00.000Z',
  })
  for (const entry of before) writer.add(entry)
  writer.commit(fingerprint)
  const source = host.open(`${directory.path}/b`)
  const drifts: Drift[] = []
  const comparison = new Comparison(new BaselineReader(source, fingerprint), {
    attributes: ['mode', 'owner', 'group'],
    isUnseen: () => false,
    onDrift: (drift) => drifts.push(drift),
    ...options,
  })
  for (const entry of after) comparison.add(entry)
  comparison.finish()
  source.close()
  return { drifts, unseen: comparison.unseen, told: drifts.map(tell) }
}

function tell(drift: Drift): string {
  if (drift.kind === 'changed') return `changed ${drift.after.path} ${drift.attributes.join(',')}`
  return `${drift.kind} ${drift.entry.path}${drift.below > 0 ? ` +${drift.below}` : ''}`
}

describe('Comparison', () => {
  const base = tree('/', '/a/', '/a/x', '/a/y', '/a-b', '/b/', '/b/c/', '/b/c/z')

  test('tells nothing of a tree that is the same', () => {
    expect(compare(base, base).told).toEqual([])
    expect(compare([], []).told).toEqual([])
  })

  test.each([
    ['mode', { mode: 0o600 }],
    ['owner', { uid: 5 }],
    ['group', { gid: 5 }],
    ['mode,owner', { mode: 0o600, uid: 5 }],
    ['type', { type: 'fifo' as const }],
  ])('tells a change of %s', (attributes, change) => {
    const after = base.map((entry) => (entry.path === '/a/x' ? { ...entry, ...change } : entry))
    expect(compare(base, after).told).toEqual([`changed /a/x ${attributes}`])
  })

  test('tells a change of size only where it is asked for, and only of files and links', () => {
    const after = base.map((entry) => ({ ...entry, size: 9 }))
    expect(compare(base, after).told).toEqual([])
    expect(compare(base, after, { attributes: ['size'] }).told).toEqual([
      'changed /a/x size',
      'changed /a/y size',
      'changed /a-b size',
      'changed /b/c/z size',
    ])
  })

  test('tells only what is asked for', () => {
    const after = base.map((entry) => (entry.path === '/a/x' ? { ...entry, mode: 0, uid: 5 } : entry))
    expect(compare(base, after, { attributes: ['owner'] }).told).toEqual(['changed /a/x owner'])
    expect(compare(base, after, { attributes: ['group'] }).told).toEqual([])
  })

  test('tells what is new and what is gone, in the middle and at both ends', () => {
    const after = tree('/', '/0', '/a/', '/a/x', '/a/y2', '/a-b', '/b/', '/b/c/', '/zz')
    expect(compare(base, after).told).toEqual([
      'new /0',
      'removed /a/y',
      'new /a/y2',
      'removed /b/c/z',
      'new /zz',
    ])
    expect(compare(after, base).told).toEqual([
      'removed /0',
      'new /a/y',
      'removed /a/y2',
      'new /b/c/z',
      'removed /zz',
    ])
  })

  test('tells a directory that is new or gone once, with the number of entries below', () => {
    const without = base.filter(({ path }) => !isWithin('/b', path))
    expect(compare(base, without).told).toEqual(['removed /b +2'])
    expect(compare(without, base).told).toEqual(['new /b +2'])
    expect(compare(base, []).told).toEqual(['removed / +7'])
    expect(compare([], base).told).toEqual(['new / +7'])
    const neighbours = tree('/', '/c/', '/c/x', '/c-d', '/d/', '/d/x')
    expect(compare(tree('/'), neighbours).told).toEqual(['new /c +1', 'new /c-d', 'new /d +1'])
  })

  test('tells a setuid program or a device in a new directory by itself', () => {
    const after = tree(
      '/',
      '/n/',
      '/n/a',
      make('/n/su', { mode: 0o4755 }),
      make('/n/sg', { mode: 0o2755 }),
      make('/n/sda', { type: 'block-device' }),
    )
    expect(compare(tree('/'), after).told).toEqual(['new /n/sda', 'new /n/sg', 'new /n/su', 'new /n +4'])
  })

  test('tells a file that became a directory, and what is in it', () => {
    expect(compare(tree('/', '/a'), tree('/', '/a/', '/a/x')).told).toEqual(['changed /a type', 'new /a/x'])
    expect(compare(tree('/', '/a/', '/a/x'), tree('/', '/a')).told).toEqual([
      'changed /a type',
      'removed /a/x',
    ])
  })

  test('does not take for gone what could not be looked at', () => {
    const without = base.filter(({ path }) => path !== '/a/x' && path !== '/b/c/z')
    const { told, unseen } = compare(base, without, { isUnseen: (path) => isWithin('/b/c', path) })
    expect(told).toEqual(['removed /a/x'])
    expect(unseen).toBe(1)
  })

  test('finds exactly the differences of any two trees', () => {
    const name = fc.constantFrom('a', 'b', 'a-b', 'a.b', 'A', 'é', '😀', '\udcff', '\ue000', '\n')
    const trees = fc
      .array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.constantFrom(0o600, 0o644)), {
        maxLength: 25,
      })
      .map((paths) => {
        const modes = new Map(paths.map(([names, mode]) => [`/${names.join('/')}`, mode]))
        return tree(...[...modes].map(([path, mode]) => make(path, { mode })))
      })
    fc.assert(
      fc.property(trees, trees, (before, after) => {
        const modeBefore = new Map(before.map(({ path, mode }) => [path, mode]))
        const modeAfter = new Map(after.map(({ path, mode }) => [path, mode]))
        const expected = [
          ...before.filter(({ path }) => !modeAfter.has(path)).map(({ path }) => `removed ${path}`),
          ...after.filter(({ path }) => !modeBefore.has(path)).map(({ path }) => `new ${path}`),
          ...after
            .filter(({ path, mode }) => modeBefore.has(path) && modeBefore.get(path) !== mode)
            .map(({ path }) => `changed ${path} mode`),
        ]
        expect(compare(before, after).told.sort()).toEqual(expected.sort())
      }),
      { seed: 9, numRuns: 100 },
    )
  })
})
