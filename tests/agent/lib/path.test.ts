import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  baseName,
  compareTreeOrder,
  directoryName,
  globBase,
  isNormalPath,
  isWithin,
  parsePrintablePath,
  printablePath,
  shellWord,
} from '../../../agent/lib/path.ts'

test.each([
  ['/var/log', '/var/log', true],
  ['/var/log', '/var/log/a', true],
  ['/var/log', '/var/logs', false],
  ['/var/log', '/var', false],
  ['/', '/var', true],
  ['/', '/', true],
])('isWithin(%p, %p) is %p', (parent, path, expected) => {
  expect(isWithin(parent, path)).toBe(expected)
})

test.each([
  ['/', true],
  ['/a/b', true],
  ['/a/..b/.c/...', true],
  ['', false],
  ['a', false],
  ['/a/', false],
  ['//a', false],
  ['/a//b', false],
  ['/a/./b', false],
  ['/a/.', false],
  ['/a/../b', false],
  ['/..', false],
  ['/a\0b', false],
])('isNormalPath(%p) is %p', (path, expected) => {
  expect(isNormalPath(path)).toBe(expected)
})

test.each([
  ['/a/b', '/a', 'b'],
  ['/a', '/', 'a'],
  ['/', '/', ''],
  ['/a\udcff/b\udcfe', '/a\udcff', 'b\udcfe'],
])('directoryName() and baseName() of %p are %p and %p', (path, directory, name) => {
  expect([directoryName(path), baseName(path)]).toEqual([directory, name])
})

test.each([
  ['/home/*/.ssh', '/home'],
  ['/*', '/'],
  ['/a/b', '/a/b'],
  ['/a/{b,c}/d', '/a'],
])('globBase(%p) is %p', (pattern, expected) => {
  expect(globBase(pattern)).toBe(expected)
})

test('compareTreeOrder() puts a directory before all in it, and all in it before the next', () => {
  const paths = ['/a', '/a-b', '/a-b/c', '/a/b', '/a/b/c', '/a.b', '/', '/b']
  expect(paths.sort(compareTreeOrder)).toEqual(['/', '/a', '/a/b', '/a/b/c', '/a-b', '/a-b/c', '/a.b', '/b'])
})

test.each([
  ['/plain path/é😀', '/plain path/é😀'],
  ['/a\nb', '/a\\x0ab'],
  ['/a\\x0ab', '/a\\\\x0ab'],
  ['/a\x1b[31m', '/a\\x1b[31m'],
  ['/a\udcff', '/a\\xff'],
  ['/a\u0085', '/a\\u0085'],
  ['/a\u202egpj.exe', '/a\\u202egpj.exe'],
  ['/a\u{e0001}', '/a\\U000e0001'],
])('printablePath(%p) is %p', (path, expected) => {
  expect(printablePath(path)).toBe(expected)
})

test('printablePath() and parsePrintablePath() lose nothing', () => {
  const character = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((text) => text.isWellFormed()),
    fc.integer({ min: 0xdc80, max: 0xdcff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom('\\', 'x', 'u', 'U', '0', 'a', '\n', "'"),
  )
  fc.assert(
    fc.property(fc.array(character), (characters) => {
      const path = characters.join('')
      return parsePrintablePath(printablePath(path)) === path
    }),
    { seed: 2, numRuns: 2000 },
  )
})

describe('shellWord()', () => {
  test.each([
    ['/etc/ssh', '/etc/ssh'],
    ['/a b', "'/a b'"],
    ["/it's", `'/it'\\''s'`],
    ['/$(id)', "'/$(id)'"],
    ['/a\nb', "$'/a\\x0ab'"],
  ])('shellWord(%p) is %p', (path, expected) => {
    expect(shellWord(path)).toBe(expected)
  })

  test('shellWord() is read back by bash as the very bytes', () => {
    for (const path of ["/it's \\ \n \x07", '/a\udcff\udc80', '/é😀', '/a\u202eb', '/\u0085', "/'\n'"]) {
      const { stdout } = Bun.spawnSync(['bash', '-c', `printf %s ${shellWord(path)}`], {
        env: { LC_ALL: 'C.UTF-8' },
      })
      const bytes = Buffer.concat(
        [...path].map((character) => {
          const code = character.codePointAt(0) ?? 0
          return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character)
        }),
      )
      expect(stdout).toEqual(bytes)
    }
  })
})
