import { expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { bytesOf, compareBytes, textOf } from '../../../../plugins/log-rotation/program/bytes.ts'
import { splitPath } from '../../../../plugins/log-rotation/program/files.ts'
import { nameMatcher } from '../../../../plugins/log-rotation/program/fnmatch.ts'
import { glob, globLogs } from '../../../../plugins/log-rotation/program/glob.ts'
import { startable } from '../../../../plugins/log-rotation/program/run-program.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'

test('textOf() keeps any bytes, and bytesOf() gives them back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect([...bytesOf(textOf(bytes))]).toEqual([...bytes])
    }),
    { numRuns: 500, seed: 3 },
  )
  expect(textOf(Buffer.from('é€😀'))).toBe('é€😀')
})

test('compareBytes() sorts as the C locale does', () => {
  const names = ['b', 'a', 'Z', 'é', textOf(Buffer.from([0xff])), '😀', '\uffee', 'a.1']
  expect(names.sort(compareBytes)).toEqual([...names].sort((a, b) => Buffer.compare(bytesOf(a), bytesOf(b))))
})

test.each([
  ['/a/b.log', '/a', 'b.log'],
  ['b.log', '.', 'b.log'],
  ['/b', '/', 'b'],
  ['/a//b', '/a', 'b'],
  ['/a/b/', '/a', 'b'],
  ['a/b', 'a', 'b'],
])('splitPath() of %s is %s and %s', (path, directory, name) => {
  expect(splitPath(path)).toEqual({ directory, name })
})

test.each([
  ['*', 'a.log', true],
  ['*', '.hidden', false],
  ['.*', '.hidden', true],
  ['?.log', 'ab.log', false],
  ['[!a]*', 'b', true],
  ['[^a]*', 'a', false],
  ['[]x]', ']', true],
  ['[a-c-]z', '-z', true],
  ['[[:digit:]]x', '5x', true],
  ['[[:digit:]x', '[', false],
  ['[', '[', true],
  ['a\\*', 'a*', true],
  ['a\\*', 'ab', false],
  ['*.[z-a]', 'x.y', false],
  ['a|b(c)+{1}$', 'a|b(c)+{1}$', true],
  ['*,v', 'file,v', true],
])('nameMatcher() of "%s" for "%s" says %p', (pattern, name, expected) => {
  expect(nameMatcher(pattern)(name)).toBe(expected)
})

test('glob() finds in order, through links and past what is no directory; nothing else', () => {
  using directory = temporaryDirectory()
  const at = (name: string) => join(directory.path, name)
  for (const name of ['b', 'a', 'a/deep']) mkdirSync(at(name))
  symlinkSync('a', at('link'))
  symlinkSync('nowhere', at('broken'))
  for (const name of ['a/x.log', 'b/x.log', 'a/deep/y.log', 'file', '.dot', 'a[1]'])
    writeFileSync(at(name), '')
  const found = (pattern: string) =>
    glob(at(pattern), () => true).map((path) => path.slice(directory.path.length + 1))
  expect(glob(at('*/x.log'), (errno) => errno !== 'ENOTDIR' && errno !== 'ENOENT')).toHaveLength(3)
  expect(found('[ab]/x.log')).toEqual(['a/x.log', 'b/x.log'])
  expect(found('*/deep/z.log')).toEqual([])
  expect(found('a/d*/y.log')).toEqual(['a/deep/y.log'])
  expect(found('br*')).toEqual(['broken'])
  expect(found('a\\[1\\]')).toEqual(['a[1]'])
  expect(found('*o*')).toEqual(['broken'])
})

test('globLogs() gives the pattern back when nothing matches, and knows homes', () => {
  using directory = temporaryDirectory()
  writeFileSync(join(directory.path, 'a.log'), '')
  const home = (user?: string) => (user === undefined || user === 'me' ? directory.path : undefined)
  expect(globLogs('~/*.log', home)).toEqual({ paths: [join(directory.path, 'a.log')] })
  expect(globLogs('~me/a.log', home)).toEqual({ paths: [join(directory.path, 'a.log')] })
  expect(globLogs('~me/b.log', home)).toEqual({ paths: ['~me/b.log'] })
  expect(globLogs('~you/*.log', home)).toEqual({ paths: ['~you/*.log'] })
})

test('startable() hands on bytes that are no UTF-8, line ends at the end included', () => {
  const odd = textOf(Buffer.from([0x61, 0xff, 0x27, 0x24, 0x28, 0x0a, 0x0a]))
  const [file, args] = startable('/bin/sh', ['-c', 'printf "%s|" "$0" "$1" "$X"', odd, 'b'], { X: odd })
  const { stdout } = Bun.spawnSync([file, ...args])
  expect([...stdout]).toEqual([...bytesOf(`${odd}|b|${odd}|`)])
  expect(startable('/bin/true', ['é'])).toEqual(['/bin/true', ['é']])
})
