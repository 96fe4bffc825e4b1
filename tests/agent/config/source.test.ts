import { afterAll, expect, test } from 'bun:test'
import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readConfigFiles } from '../../../agent/config/files.ts'
import { readSource } from '../../../agent/config/source.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const directory = temporaryDirectory()
const main = join(directory.path, 'reeve.yaml')
const included = join(directory.path, 'conf.d')
afterAll(() => directory[Symbol.dispose]())

/** The source of a main file and of files in conf.d. */
function source(text: string, more: Record<string, string> = {}) {
  rmSync(included, { recursive: true, force: true })
  writeFileSync(main, text, { mode: 0o600 })
  if (Object.keys(more).length > 0) mkdirSync(included)
  for (const [name, content] of Object.entries(more))
    writeFileSync(join(included, name), content, { mode: 0o600 })
  return readSource(readConfigFiles(main))
}

/** "FILE:LINE:COLUMN KEY: MESSAGE" without the directory. */
const told = ({ problems }: ReturnType<typeof source>) =>
  problems.map(
    ({ file, line, column, keyPath, message }) =>
      `${file.slice(directory.path.length + 1)}:${line}:${column} ${keyPath}: ${message.replaceAll(`${directory.path}/`, '')}`,
  )

test('readSource() joins maps and appends lists, in the order of the names', () => {
  const joined = source('a: { x: 1 }\nlist: [1]\n', {
    '20-b.yaml': 'a: { z: { deep: 3 } }\nlist: [3]\n',
    '10-a.yml': 'a: { y: 2 }\nlist: [2]\nnew: true\n',
  })
  expect(joined.problems).toEqual([])
  expect(joined.value).toEqual({ a: { x: 1, y: 2, z: { deep: 3 } }, list: [1, 2, 3], new: true })
  expect(joined.files.map((file) => file.slice(directory.path.length + 1))).toEqual([
    'reeve.yaml',
    'conf.d/10-a.yml',
    'conf.d/20-b.yaml',
  ])
})

test('readSource() leaves other files in conf.d alone', () => {
  const joined = source('a: 1\n', {
    'b.json': '{',
    '.hidden.yaml': 'x: [',
    'c.yaml.bak': 'x: [',
    'd.YAML': 'x: [',
  })
  expect(joined.value).toEqual({ a: 1 })
  expect(joined.problems).toEqual([])
})

const doubled: [name: string, main: string, other: string, told: string[]][] = [
  ['a value', 'a: 1\n', 'a: 2\n', ['conf.d/x.yaml:1:1 a: it is set already in reeve.yaml:1']],
  ['the same value', 'a: 1\n', 'a: 1\n', ['conf.d/x.yaml:1:1 a: it is set already in reeve.yaml:1']],
  [
    'a deep value',
    'a:\n  b: 1\n',
    'a:\n  c: 1\n  b: 2\n',
    ['conf.d/x.yaml:3:3 a.b: it is set already in reeve.yaml:2'],
  ],
  [
    'a map and a list',
    'a: { b: 1 }\n',
    'a: [1]\n',
    ['conf.d/x.yaml:1:1 a: it is set already in reeve.yaml:1'],
  ],
  ['a list and a value', 'a: [1]\n', '\na: 1\n', ['conf.d/x.yaml:2:1 a: it is set already in reeve.yaml:1']],
]
for (const [name, first, second, expected] of doubled) {
  test(`readSource() tells both places when ${name} stands in two files`, () => {
    expect(told(source(first, { 'x.yaml': second }))).toEqual(expected)
  })
}

const invalid: [name: string, text: string, told: RegExp[]][] = [
  ['text that is no YAML', 'a: [1\nb: 2\n', [/^reeve\.yaml:\d+:\d+ : not valid YAML: /]],
  ['a key that stands twice', 'a: 1\nb: 2\na: 3\n', [/^reeve\.yaml:3:1 : not valid YAML: .*unique/]],
  ['a list at the top', '- a\n', [/^reeve\.yaml:1:1 : wanted a map of settings at the top$/]],
  ['a text at the top', 'hello\n', [/^reeve\.yaml:1:1 : wanted a map of settings at the top$/]],
  ['a tab as indentation', 'a:\n\tb: 1\n', [/not valid YAML/]],
]
for (const [name, text, expected] of invalid) {
  test(`readSource() tells the place of ${name}`, () => {
    const lines = told(source(text))
    expect(lines.length).toBeGreaterThanOrEqual(expected.length)
    for (const [index, pattern] of expected.entries()) expect(lines[index]).toMatch(pattern)
  })
}

test('readSource() takes an empty file, and one with comments only, as no settings', () => {
  for (const text of ['', '# nothing\n', '---\n']) {
    const empty = source(text)
    expect([empty.value, empty.problems]).toEqual([{}, []])
  }
})

test('readSource() finds the position of a key, of an item, and of the nearest thing around what is not there', () => {
  const { locate } = source('jobs:\n  logs:\n    paths:\n      - /a\n      - /b\n', {
    'x.yaml': 'jobs:\n  other:\n    paths: [/c]\n',
  })
  const place = (keys: (string | number)[]) => {
    const { file, line, column } = locate(keys)
    return `${file.slice(directory.path.length + 1)}:${line}:${column}`
  }
  expect(place(['jobs', 'logs', 'paths'])).toBe('reeve.yaml:3:5')
  expect(place(['jobs', 'logs', 'paths', 1])).toBe('reeve.yaml:5:9')
  expect(place(['jobs', 'logs', 'missing', 'deeper'])).toBe('reeve.yaml:2:3')
  expect(place(['jobs', 'other', 'paths', 0])).toBe('conf.d/x.yaml:3:13')
  expect(place(['nothing'])).toMatch(/^reeve\.yaml:1:1$/)
})

test('readSource() numbers the items of a list over all files, for messages about them', () => {
  const { value, locate } = source('list: [{ a: 1 }]\n', { 'x.yaml': 'list:\n  - b: 2\n' })
  expect(value).toEqual({ list: [{ a: 1 }, { b: 2 }] })
  expect(locate(['list', 1, 'b'])).toMatchObject({ file: join(included, 'x.yaml'), line: 2, column: 5 })
})

test('readSource() follows anchors, and refuses the billion laughs', () => {
  expect(source('a: &x { b: 1 }\nc: *x\n').value).toEqual({ a: { b: 1 }, c: { b: 1 } })
  const levels = Array.from({ length: 12 }, (_, index) =>
    index === 0
      ? 'l0: &l0 [a,a,a,a,a,a,a,a,a]'
      : `l${index}: &l${index} [${Array(9)
          .fill(`*l${index - 1}`)
          .join(',')}]`,
  )
  expect(() => source(levels.join('\n'))).toThrow('too many nodes')
  expect(told(source('a: &a [1, [*a]]\n'))).toEqual(['reeve.yaml:1:12 a.1.0: "*a" is in what it stands for'])
})

test('readSource() gives no key a meaning in the language itself', () => {
  const { value } = source('__proto__: { polluted: true }\nconstructor: { x: 1 }\n')
  expect(Object.hasOwn(value, '__proto__')).toBe(true)
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})

test('readSource() keeps numbers, texts and nulls as YAML has them, and dates as text', () => {
  expect(source('a: 0640\nb: "0640"\nc: 2027-03-31\nd: ~\ne: 1e3\nf: yes\n').value).toEqual({
    a: 640,
    b: '0640',
    c: '2027-03-31',
    d: null,
    e: 1000,
    f: 'yes',
  })
})

// --- who may write and read the files -------------------------------------------------------------------------------

const modes: [mode: number, problem: RegExp | null][] = [
  [0o600, null],
  [0o400, null],
  [0o640, null],
  [0o440, null],
  [0o644, /everyone can read it \(mode 0644\); run: chmod o-rwx/],
  [0o604, /everyone can read it/],
  [0o660, /others can write it \(mode 0660\); run: chmod go-w/],
  [0o602, /others can write it/],
  [0o666, /others can write it/],
]
for (const [mode, problem] of modes) {
  test(`readConfigFiles() ${problem ? 'refuses' : 'takes'} a file of mode ${mode.toString(8).padStart(4, '0')}`, () => {
    source('a: 1\n')
    chmodSync(main, mode)
    const { files, problems } = readConfigFiles(main)
    expect(files).toHaveLength(problem ? 0 : 1)
    expect(problems.map(({ message }) => message).join()).toMatch(problem ?? /^$/)
    chmodSync(main, 0o600)
  })
}

test('readConfigFiles() uses the others and tells of the one in conf.d that others can write', () => {
  source('a: 1\n', { 'x.yaml': 'b: 2\n', 'y.yaml': 'c: 3\n' })
  chmodSync(join(included, 'x.yaml'), 0o666)
  const { files, problems } = readConfigFiles(main)
  expect(files.map(({ text }) => text)).toEqual(['a: 1\n', 'c: 3\n'])
  expect(problems).toMatchObject([{ file: join(included, 'x.yaml'), line: 0 }])
})

test('readConfigFiles() refuses a directory, and what is larger than a configuration can be', () => {
  expect(readConfigFiles(directory.path).problems).toMatchObject([{ message: 'it is no regular file' }])
  source(`# ${'x'.repeat(4 * 1024 * 1024)}`)
  expect(readConfigFiles(main).problems).toMatchObject([{ message: 'it is larger than 4194304 bytes' }])
  expect(() => readConfigFiles(join(directory.path, 'none.yaml'))).toThrow(
    'there is no such file; "reeve init" writes one',
  )
})

testWith({ root: true })('readConfigFiles() refuses a file of somebody else', () => {
  source('a: 1\n')
  chownSync(main, 65534, 65534)
  expect(readConfigFiles(main).problems).toMatchObject([
    { message: 'it belongs to user id 65534, wanted root or the user that reeve runs as' },
  ])
  rmSync(main)
})

test('readConfigFiles() judges what a link leads to', () => {
  source('a: 1\n')
  const link = join(directory.path, 'link.yaml')
  symlinkSync(main, link)
  expect(readConfigFiles(link).files).toHaveLength(1)
  chmodSync(main, 0o666)
  expect(readConfigFiles(link).problems).toHaveLength(1)
})
