import { afterAll, beforeAll, expect, test } from 'bun:test'
import { lchownSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { followLinks } from '../../../agent/worker/follow-links.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const directory = temporaryDirectory()
const top = realpathSync(directory.path)
const anybody = () => true
const nobody = () => false

beforeAll(() => {
  mkdirSync(join(top, 'real/deep'), { recursive: true })
  writeFileSync(join(top, 'real/file'), '')
  for (const [name, target] of [
    ['to-file', 'real/file'],
    ['to-directory', 'real'],
    ['absolute', join(top, 'real')],
    ['chain', 'to-directory/deep'],
    ['up', 'real/deep/../../real/file'],
    ['real/out', '../../../../../../../../etc'],
    ['loop', 'loop'],
    ['ping', 'pong'],
    ['pong', 'ping'],
    ['dangling', 'nowhere'],
    ['to-top', '/'],
  ] as const) {
    symlinkSync(target, join(top, name))
  }
})
afterAll(() => directory[Symbol.dispose]())

const places: [path: string, expected: string][] = [
  ['real/file', 'real/file'],
  ['to-file', 'real/file'],
  ['to-directory/file', 'real/file'],
  ['absolute/deep', 'real/deep'],
  ['chain', 'real/deep'],
  ['up', 'real/file'],
  ['dangling', 'nowhere'],
  ['missing/below', 'missing/below'],
  ['real/file/below', 'real/file/below'],
]
for (const [path, expected] of places) {
  test(`followLinks() leads from ${path} to ${expected}`, () => {
    expect(followLinks(join(top, path), anybody)).toBe(join(top, expected))
  })
}

test('followLinks() leads where the kernel leads', () => {
  for (const path of [
    'to-file',
    'to-directory/deep',
    'chain',
    'up',
    'real/out',
    'to-top',
    'real/out/hostname',
  ]) {
    expect(followLinks(join(top, path), anybody)).toBe(realpathSync(join(top, path)))
  }
  expect(followLinks('/', anybody)).toBe('/')
})

test('followLinks() gives up on links that go round', () => {
  for (const path of ['loop', 'ping', 'ping/below'])
    expect(followLinks(join(top, path), anybody)).toBeUndefined()
})

test('followLinks() follows none when nobody is trusted, wherever on the path it is', () => {
  for (const path of ['to-file', 'to-directory/file', 'dangling']) {
    expect(followLinks(join(top, path), nobody)).toBeUndefined()
  }
  expect(followLinks(join(top, 'real/file'), nobody)).toBe(join(top, 'real/file'))
})

testWith({ root: true })('followLinks() follows the links of trusted users only', () => {
  symlinkSync('real/file', join(top, 'of-nobody'))
  lchownSync(join(top, 'of-nobody'), 65534, 65534)
  const root = (uid: number) => uid === 0
  expect(followLinks(join(top, 'of-nobody'), root)).toBeUndefined()
  expect(followLinks(join(top, 'to-file'), root)).toBe(join(top, 'real/file'))
})
