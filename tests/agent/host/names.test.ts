import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { listNames } from '../../../agent/host/files.ts'
import { decodeName, toSystemPath } from '../../../agent/host/names.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

test('decodeName() and toSystemPath() give back any bytes', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(bytes, (name) => Buffer.from(toSystemPath(decodeName(name))).equals(Buffer.from(name))),
    { seed: 3, numRuns: 5000 },
  )
})

test.each([
  [[0x61, 0xff, 0x62], 'a\udcffb'],
  [[0xc3, 0xa9], 'é'],
  [[0xf0, 0x9f, 0x98, 0x80], '😀'],
  [[0xf0, 0x9f, 0x98], '\udcf0\udc9f\udc98'],
  [[0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
  [[0xef, 0xbf, 0xbd], '\ufffd'],
  [[0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
  [[0xc0, 0x80], '\udcc0\udc80'],
])('decodeName(%p) is %p', (bytes, name) => {
  expect(decodeName(Uint8Array.from(bytes))).toBe(name)
})

test('decodeName() gives different names for different bytes', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(bytes, bytes, (a, b) => (decodeName(a) === decodeName(b)) === Buffer.from(a).equals(b)),
    { seed: 4, numRuns: 5000 },
  )
})

test('listNames() gives every name exactly and in order, with those that are no UTF-8', () => {
  using directory = temporaryDirectory()
  const names = ['b', 'a', 'é', '😀', '\ufffd', 'x\udcff', 'x\udcfe', 'a b', '-', '\ue000', '\n']
  for (const name of names) writeFileSync(toSystemPath(`${directory.path}/${name}`), '')
  expect(listNames(directory.path)).toEqual([...names].sort())
  mkdirSync(toSystemPath(`${directory.path}/d\udc80`))
  writeFileSync(toSystemPath(`${directory.path}/d\udc80/e\udc81`), '')
  expect(listNames(toSystemPath(`${directory.path}/d\udc80`))).toEqual(['e\udc81'])
})
