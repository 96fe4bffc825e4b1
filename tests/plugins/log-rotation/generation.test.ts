import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { FileStat } from '../../../agent/contract/mod.ts'
import type { Compression } from '../../../plugins/log-rotation/format.ts'
import {
  type Generation,
  generationPath,
  leftoverPath,
  looksRotated,
  parseGenerationName,
  parseLeftoverName,
  planCompression,
  planRetention,
  planShifts,
  planUnlinks,
} from '../../../plugins/log-rotation/generation.ts'

const LOG = '/var/log/app.log'

function generation(
  index: number,
  compression: Compression = 'none',
  stat: Partial<FileStat> = {},
): Generation {
  const base = {
    type: 'file' as const,
    mode: 0o600,
    uid: 0,
    gid: 0,
    size: 1,
    mtimeMs: 0,
    ctimeMs: 0,
    dev: 1,
    nlink: 1,
  }
  return {
    path: generationPath(LOG, index, compression),
    index,
    compression,
    stat: { ...base, ino: index * 10 + compression.length, ...stat },
  }
}

test.each([
  ['app.log.1', { index: 1, compression: 'none' }],
  ['app.log.12.gz', { index: 12, compression: 'gzip' }],
  ['app.log.3.zst', { index: 3, compression: 'zstd' }],
  ['app.log', undefined],
  ['app.log.0', undefined],
  ['app.log.01', undefined],
  ['app.log.1.bak', undefined],
  ['app.log.1.gz.gz', undefined],
  ['app.log.-1', undefined],
  ['app.log.1000000000', undefined],
  ['app.logs.1', undefined],
  ['other.log.1', undefined],
] as const)('parseGenerationName() reads %s', (name, expected) => {
  expect(parseGenerationName('app.log', name)).toEqual(expected)
})

test('parseLeftoverName() knows its own temporary names, of its own log only', () => {
  const nameOf = (path: string) => path.slice('/var/log/'.length)
  expect(parseLeftoverName('app.log', nameOf(leftoverPath(LOG, 'new')))).toBe('new')
  expect(parseLeftoverName('app.log', nameOf(leftoverPath(LOG, 'copy')))).toBe('copy')
  expect(parseLeftoverName('app.log', nameOf(leftoverPath(`${LOG}.2.gz`, 'archive')))).toBe('archive')
  expect(parseLeftoverName('app.log', '.app.log.2.gz.reeve-new')).toBeUndefined()
  expect(parseLeftoverName('app.log', '.app.log.reeve-archive')).toBeUndefined()
  expect(parseLeftoverName('other.log', '.app.log.reeve-new')).toBeUndefined()
  expect(parseLeftoverName('app.log', '.app.log.tmp')).toBeUndefined()
})

test.each([
  ['app.log.1', true],
  ['app.log.gz', true],
  ['syslog-20260731', true],
  ['.app.log.reeve-copy', true],
  ['app.log', false],
  ['messages', false],
  ['app-v2.log', false],
])('looksRotated() judges %s', (name, expected) => {
  expect(looksRotated(name)).toBe(expected)
})

test('planShifts() moves the whole row, the oldest first', () => {
  expect(planShifts(LOG, [generation(1), generation(2, 'gzip'), generation(3, 'zstd')])).toEqual([
    { from: `${LOG}.3.zst`, to: `${LOG}.4.zst` },
    { from: `${LOG}.2.gz`, to: `${LOG}.3.gz` },
    { from: `${LOG}.1`, to: `${LOG}.2` },
  ])
})

test('planShifts() moves only up to the first gap', () => {
  expect(planShifts(LOG, [generation(2), generation(3)])).toEqual([])
  expect(planShifts(LOG, [generation(1), generation(3)])).toEqual([{ from: `${LOG}.1`, to: `${LOG}.2` }])
})

test('planShifts() after a cut at any step ends where an uncut plan ends', () => {
  const compressions = fc.constantFrom<Compression>('none', 'gzip', 'zstd')
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.record({ index: fc.integer({ min: 1, max: 12 }), compression: compressions }), {
        selector: ({ index }) => index,
      }),
      fc.nat(),
      (entries, cut) => {
        const files = new Map(
          entries.map((entry, content) => [generationPath(LOG, entry.index, entry.compression), content]),
        )
        const read = () =>
          [...files.keys()].map((path) => {
            const parsed = parseGenerationName(LOG, path)
            if (!parsed) throw new Error(`not a generation: ${path}`)
            return generation(parsed.index, parsed.compression)
          })
        const perform = (limit: number) => {
          const moves = planShifts(LOG, read())
          for (const { from, to } of moves.slice(0, limit)) {
            // A move never lands on a file.
            expect(files.has(to)).toBe(false)
            files.set(to, files.get(from) ?? -1)
            files.delete(from)
          }
          return moves.length
        }
        const start = new Map(files)
        perform(Number.POSITIVE_INFINITY)
        const whole = new Map(files)
        files.clear()
        for (const [path, content] of start) files.set(path, content)
        perform(cut % (planShifts(LOG, read()).length + 1))
        perform(Number.POSITIVE_INFINITY)
        expect(new Map([...files].sort())).toEqual(new Map([...whole].sort()))
        expect([...files.keys()].some((path) => parseGenerationName(LOG, path)?.index === 1)).toBe(false)
      },
    ),
    { seed: 20260731, numRuns: 300 },
  )
})

test('planUnlinks() removes the lower name of a generation with two', () => {
  const same = { ino: 77 }
  expect(
    planUnlinks([generation(1, 'gzip', same), generation(2, 'gzip', same), generation(3)]),
  ).toMatchObject([{ index: 1 }])
  expect(planUnlinks([generation(1), generation(2)])).toEqual([])
})

test('planRetention() keeps the newest, and counts generations rather than numbers', () => {
  const all = [generation(1), generation(3), generation(4, 'gzip'), generation(4, 'zstd')]
  expect(planRetention(all, { keep: 1 }, 0).map(({ generation: { index } }) => index)).toEqual([3, 4, 4])
  expect(planRetention(all, { keep: 2 }, 0).map(({ generation: { index } }) => index)).toEqual([4, 4])
  expect(planRetention(all, { keep: 3 }, 0)).toEqual([])
})

test('planRetention() removes what is older than maxAge, to the millisecond', () => {
  const at = (index: number, mtimeMs: number) => generation(index, 'gzip', { mtimeMs })
  const found = planRetention([at(1, 901), at(2, 900), at(3, 899)], { keep: 10, maxAge: 100 }, 1000)
  expect(found.map(({ generation: { index }, reason }) => [index, reason])).toEqual([[3, 'maxAge']])
})

test.each([
  ['gzip', false, [1, 2]],
  ['zstd', true, [2]],
  ['none', false, []],
] as const)('planCompression() with %s, delayed %p', (compress, delayCompress, expected) => {
  const all = [generation(1), generation(2), generation(3, 'gzip'), generation(4, 'zstd')]
  expect(planCompression(all, { compress, delayCompress }).map(({ index }) => index)).toEqual([...expected])
})
