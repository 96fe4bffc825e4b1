import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import type { EntryAttributes, FileMaker, MadeFile } from '../../../agent/contract/host.ts'
import { extendedAttributes } from '../../../agent/host/extended-attributes.ts'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { toSystemPath } from '../../../agent/host/names.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import { canMount, smallFileSystem } from '../../fault/small-file-system.ts'
import { testWith } from '../../kit/needs.ts'
import { asOrdinaryUser } from '../../kit/ordinary-user.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

setDefaultTimeout(60_000)

/** A thread takes part once there are more than 256; a batch has 1024 at most. */
const MANY = 1200
const PLAIN: EntryAttributes = { owner: undefined, mode: 0o644, extended: undefined, mtimeNs: 0n }

let directory: ReturnType<typeof temporaryDirectory>
let made: MadeFile[] = []
beforeEach(() => {
  directory = temporaryDirectory('reeve-file-maker')
  made = []
})
afterEach(() => directory[Symbol.dispose]())

function newMaker(grants = ALL_GRANTS): FileMaker {
  return new LocalHostWriter('/', grants).tree().makeFiles((file) => made.push(file))
}

function add(maker: FileMaker, path: string, content: string | Uint8Array, attributes = PLAIN): boolean {
  const bytes = Buffer.from(content)
  const isTaken = maker.add({ path, size: bytes.length, attributes })
  if (isTaken && bytes.length > 0) {
    maker.write(bytes.subarray(0, 1))
    maker.write(bytes.subarray(1))
  }
  return isTaken
}

const errorsOf = () => made.flatMap(({ path, error }) => (error ? [`${path}: ${error.message}`] : []))

test('LocalFileMaker makes many files with content, mode, time, attributes and names that are no UTF-8', () => {
  const maker = newMaker()
  const extended = new Map([['user.reeve', Buffer.of(0, 255, 10)]])
  const content = (index: number) => `${index} `.repeat(index)
  const path = (index: number) => `${directory.path}/d${index % 7}/ü-\udcff-${index}`
  for (let index = 0; index < 7; index++) mkdirSync(`${directory.path}/d${index}`)
  for (let index = 0; index < MANY; index++) {
    const mtimeNs = BigInt(index) * 1_000_000_007n - 1_000_000_000_001n
    const mode = index % 0o1000
    const attributes = { owner: undefined, mode, extended: index % 5 ? undefined : extended, mtimeNs }
    expect(add(maker, path(index), content(index), attributes)).toBe(true)
  }
  expect(maker.isPending(path(MANY - 1))).toBe(true)
  maker.finish()
  expect(maker.isPending(path(MANY - 1))).toBe(false)
  maker.close()
  expect(errorsOf()).toEqual([])
  expect(made.map(({ path }) => path).sort()).toEqual(Array.from({ length: MANY }, (_, i) => path(i)).sort())
  const canHaveAttributes = made.every(({ lost }) => lost.extended === 0)
  for (let index = 0; index < MANY; index++) {
    const real = toSystemPath(path(index))
    const stat = lstatSync(real, { bigint: true })
    const { mtimeNs } = stat
    const found = { mode: Number(stat.mode) & 0o7777, mtimeNs, isFile: stat.isFile() }
    const expectedNs = BigInt(index) * 1_000_000_007n - 1_000_000_000_001n
    expect(found).toEqual({ mode: index % 0o1000, mtimeNs: expectedNs, isFile: true })
    if (index % 5 === 0 && canHaveAttributes) {
      expect([...extendedAttributes(real)]).toEqual([['user.reeve', Uint8Array.of(0, 255, 10)]])
    }
    chmodSync(real, 0o600)
    expect(readFileSync(real, 'utf8')).toBe(content(index))
  }
})

testWith({ root: true })('LocalFileMaker gives owners, then the mode with all its bits', () => {
  const maker = newMaker()
  for (let index = 0; index < MANY; index++) {
    const owner = { uid: 100_000 + (index % 50), gid: 4_000_000_000 }
    add(maker, `${directory.path}/${index}`, 'x', { ...PLAIN, owner, mode: 0o6755 })
  }
  maker.finish()
  maker.close()
  expect(errorsOf()).toEqual([])
  for (let index = 0; index < MANY; index++) {
    const { uid, gid, mode } = lstatSync(`${directory.path}/${index}`)
    expect([uid, gid, mode & 0o7777]).toEqual([100_000 + (index % 50), 4_000_000_000, 0o6755])
  }
})

test('LocalFileMaker takes away the rights of an owner that it may not give', async () => {
  chmodSync(directory.path, 0o777)
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
  const extended = new Map([['security.capability', capability]])
  await asOrdinaryUser(() => {
    const maker = newMaker()
    for (let index = 0; index < MANY; index++) {
      const owner = { uid: 0, gid: index % 2 }
      add(maker, `${directory.path}/${index}`, 'x', { owner, mode: 0o7755, extended, mtimeNs: 0n })
    }
    maker.finish()
    maker.close()
  })
  expect(errorsOf()).toEqual([])
  expect(new Set(made.map(({ lost }) => `${lost.owners} ${lost.extended}`))).toEqual(new Set(['1 1']))
  for (const { path } of made) {
    expect(lstatSync(path).mode & 0o7777).toBe(0o1755)
    expect(extendedAttributes(path).size).toBe(0)
  }
})

test.each([
  ['an id that is none', 0xffffffff],
  ['an id beyond those of the kernel', 0x1_0000_0000],
])('LocalFileMaker takes %s for an owner that it may not give', (_what, uid) => {
  const maker = newMaker()
  add(maker, `${directory.path}/a`, 'x', { ...PLAIN, owner: { uid, gid: 0 }, mode: 0o4755 })
  maker.finish()
  expect(made).toMatchObject([{ lost: { owners: 1 }, error: undefined }])
  expect(lstatSync(`${directory.path}/a`).mode & 0o7777).toBe(0o755)
})

test('LocalFileMaker keeps what is there, and never writes through a link', () => {
  const maker = newMaker()
  const at = (name: string) => `${directory.path}/${name}`
  mkdirSync(at('outside'))
  symlinkSync('outside', at('link-to-directory'))
  symlinkSync('outside/new', at('link'))
  for (let index = 0; index < MANY; index++) add(maker, at(`f${index}`), 'first')
  for (let index = 0; index < MANY; index++) add(maker, at(`f${index}`), 'second')
  add(maker, at('link'), 'x')
  add(maker, at('link-to-directory/new'), 'x')
  add(maker, at('no-such/a'), 'x')
  add(maker, at('f0/below'), 'x')
  maker.finish()
  maker.close()
  const again = errorsOf().filter((error) => /\/f\d+: /.test(error))
  expect(again).toHaveLength(MANY)
  expect(again.every((error) => error.endsWith('": it exists already'))).toBe(true)
  const others = errorsOf().filter((error) => !again.includes(error))
  expect(others.map((error) => error.replace(/.*Cannot/, 'Cannot')).sort()).toEqual([
    `Cannot write "${at('f0/below')}": a component is not a directory`,
    `Cannot write "${at('link')}": it exists already`,
    `Cannot write "${at('link-to-directory/new')}": a component is not a directory`,
    `Cannot write "${at('no-such/a')}": no such file or directory`,
  ])
  for (let index = 0; index < MANY; index++) expect(readFileSync(at(`f${index}`), 'utf8')).toBe('first')
  expect(readdirSync(at('outside'))).toEqual([])
})

test('LocalFileMaker leaves large files and paths that are too long to others, and refuses what is not granted', () => {
  const maker = newMaker()
  expect(add(maker, `${directory.path}/large`, Buffer.alloc(262_145))).toBe(false)
  expect(add(maker, `${directory.path}/largest`, Buffer.alloc(262_144))).toBe(true)
  expect(add(maker, `${directory.path}/${'long/'.repeat(900)}a`, 'x')).toBe(false)
  const extended = new Map(Array.from({ length: 20 }, (_, i) => [`user.${i}`, Buffer.alloc(65_536)]))
  expect(add(maker, `${directory.path}/attributes`, 'x', { ...PLAIN, extended })).toBe(false)
  maker.finish()
  expect(made).toMatchObject([{ path: `${directory.path}/largest`, error: undefined }])
  expect(lstatSync(`${directory.path}/largest`).size).toBe(262_144)
  expect(readdirSync(directory.path)).toEqual(['largest'])
  const limited = newMaker({ ...ALL_GRANTS, write: ['/elsewhere'] })
  expect(() => add(limited, `${directory.path}/a`, 'x')).toThrow('does not declare it')
})

test('LocalFileMaker throws when a file has more content than it should, or less', () => {
  const maker = newMaker()
  maker.add({ path: `${directory.path}/a`, size: 2, attributes: PLAIN })
  expect(() => maker.write(Buffer.from('abc'))).toThrow('more content')
  maker.write(Buffer.from('a'))
  expect(() => add(maker, `${directory.path}/b`, 'x')).toThrow('1 bytes of a file are missing')
  expect(() => maker.finish()).toThrow('1 bytes of a file are missing')
  maker.close()
  expect(readdirSync(directory.path)).toEqual([])
})

testWith({ reason: canMount ? undefined : 'nothing can be mounted' })(
  'LocalFileMaker throws when the disk is full, of space or of inodes, and says so of one that is read-only',
  () => {
    for (const [options, code] of [
      ['size=2m', 'ENOSPC'],
      ['size=100m,nr_inodes=1000', 'ENOSPC'],
    ] as const) {
      const path = `${directory.path}/${options}`
      using _ = smallFileSystem(path, options)
      const maker = newMaker()
      const fill = () => {
        for (let index = 0; index < MANY; index++) add(maker, `${path}/${index}`, 'x'.repeat(5000))
        maker.finish()
      }
      expect(fill).toThrow(expect.objectContaining({ code }))
      maker.close()
      expect(errorsOf()).toEqual([])
    }
    const path = `${directory.path}/read-only`
    using _ = smallFileSystem(path, 'ro')
    const maker = newMaker()
    for (let index = 0; index < MANY; index++) add(maker, `${path}/${index}`, 'x')
    maker.finish()
    maker.close()
    expect(errorsOf()).toHaveLength(MANY)
    expect(errorsOf()[0]).toContain('read-only file system')
  },
)

test('LocalFileMaker makes nothing more once it is closed', () => {
  const maker = newMaker()
  for (let index = 0; index < 2 * MANY; index++) add(maker, `${directory.path}/${index}`, 'x'.repeat(1000))
  maker.close()
  maker.close()
  const there = readdirSync(directory.path).length
  expect(there).toBeLessThan(2 * MANY)
  for (let turn = 0; turn < 20; turn++) Bun.sleepSync(1)
  expect(readdirSync(directory.path).length).toBe(there)
  expect(existsSync(`${directory.path}/${2 * MANY - 1}`)).toBe(false)
})
