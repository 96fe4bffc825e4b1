import { expect, test } from 'bun:test'
import { closeSync, fstatSync, lstatSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exactStatOf, toExactStat } from '../../../agent/host/exact-stat.ts'
import { toFileStat } from '../../../agent/host/files.ts'
import { walkTree } from '../../../agent/host/walk.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const TIMES = ['1969-12-31 23:59:58.25 UTC', '2001-02-03 04:05:06.123456789 UTC', '2040-01-01 UTC']

test.each(TIMES)('exactStatOf() says what the runtime does of a file of %s', (time) => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'file')
  writeFileSync(path, 'text', { mode: 0o640 })
  expect(Bun.spawnSync(['touch', '-d', time, path]).exitCode).toBe(0)
  for (const each of [path, '/dev/null', directory.path]) {
    const descriptor = openSync(each, 'r')
    const { birthtimeNs: _, ...expected } = toExactStat(fstatSync(descriptor, { bigint: true }))
    expect(exactStatOf(descriptor)).toMatchObject(expected)
    closeSync(descriptor)
  }
})

test('walkTree() says of every entry what lstat does', async () => {
  using directory = temporaryDirectory()
  for (const [index, time] of TIMES.entries()) {
    const path = join(directory.path, `ä ${index}`)
    writeFileSync(path, 'x'.repeat(index))
    Bun.spawnSync(['touch', '-d', time, path])
  }
  mkdirSync(join(directory.path, 'below'))
  symlinkSync('nowhere', join(directory.path, 'below', 'link'))
  let count = 0
  for await (const batch of walkTree('/', directory.path, { onBlind: () => {} })) {
    for (const entry of batch) {
      expect(entry).toEqual({ path: entry.path, ...toFileStat(lstatSync(entry.path)) })
      count++
    }
  }
  expect(count).toBe(6)
})
