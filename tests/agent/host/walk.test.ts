import { describe, expect, test } from 'bun:test'
import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { Entry, WalkOptions } from '../../../agent/contract/mod.ts'
import { compareTreeOrder } from '../../../agent/contract/mod.ts'
import { ALL_GRANTS, toGrants } from '../../../agent/host/grants.ts'
import { toSystemPath } from '../../../agent/host/names.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { asOrdinaryUser, isRoot } from '../../kit/ordinary-user.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = new LocalHostReader('/', ALL_GRANTS)

async function walk(start: string, options: Partial<WalkOptions> = {}, reader = host) {
  const entries: Entry[] = []
  const blind: [string, string][] = []
  const batches: number[] = []
  const onBlind = (path: string, reason: string) => blind.push([path, reason])
  for await (const batch of reader.walk(start, { onBlind, ...options })) {
    entries.push(...batch)
    batches.push(batch.length)
  }
  return { entries, paths: entries.map((entry) => entry.path), blind, batches }
}

test('walk() gives every entry once, in tree order, with what lstat says', async () => {
  using directory = temporaryDirectory()
  const top = directory.path
  mkdirSync(`${top}/a/b`, { recursive: true })
  mkdirSync(`${top}/a-b`)
  writeFileSync(`${top}/a/b/c`, 'text', { mode: 0o640 })
  writeFileSync(`${top}/a.b`, '')
  symlinkSync('a', `${top}/link`)
  const { entries, paths, blind } = await walk(top)
  expect(paths).toEqual(['', '/a', '/a/b', '/a/b/c', '/a-b', '/a.b', '/link'].map((path) => top + path))
  expect(paths).toEqual([...paths].sort(compareTreeOrder))
  expect(blind).toEqual([])
  for (const entry of entries) {
    const { ino, mode, size, uid, gid, nlink, dev, mtimeMs } = lstatSync(entry.path)
    expect(entry).toMatchObject({ ino, mode: mode & 0o7777, size, uid, gid, nlink, dev, mtimeMs })
  }
  expect(entries.map((entry) => entry.type)).toEqual([
    'directory',
    'directory',
    'directory',
    'file',
    'directory',
    'file',
    'symlink',
  ])
})

test('walk() does not follow links, in a loop or to the outside', async () => {
  using directory = temporaryDirectory()
  mkdirSync(`${directory.path}/a`)
  symlinkSync('..', `${directory.path}/a/up`)
  symlinkSync('self', `${directory.path}/self`)
  symlinkSync('/', `${directory.path}/root`)
  const { paths } = await walk(directory.path)
  expect(paths).toHaveLength(5)
})

test('walk() leaves out what is excluded, with all below it', async () => {
  using directory = temporaryDirectory()
  mkdirSync(`${directory.path}/keep/cache`, { recursive: true })
  writeFileSync(`${directory.path}/keep/cache/x`, '')
  writeFileSync(`${directory.path}/keep/y`, '')
  const { paths } = await walk(directory.path, { exclude: (_, name) => name === 'cache' })
  expect(paths).toEqual(['', '/keep', '/keep/y'].map((path) => directory.path + path))
})

test('walk() is blind where a directory may not be read, and goes on', async () => {
  using directory = temporaryDirectory()
  const top = directory.path
  for (const name of ['a', 'closed', 'z']) mkdirSync(`${top}/${name}`)
  writeFileSync(`${top}/closed/secret`, '')
  chmodSync(`${top}/closed`, 0)
  chmodSync(top, 0o755)
  const { paths, blind } = await asOrdinaryUser(() => walk(top))
  chmodSync(`${top}/closed`, 0o700)
  expect(paths).toEqual(['', '/a', '/closed', '/z'].map((path) => top + path))
  expect(blind).toEqual([[`${top}/closed`, 'permission denied']])
})

test('walk() is blind on entries of a directory that may be listed but not searched', async () => {
  using directory = temporaryDirectory()
  const top = directory.path
  mkdirSync(`${top}/listed`)
  writeFileSync(`${top}/listed/x`, '')
  chmodSync(`${top}/listed`, 0o444)
  chmodSync(top, 0o755)
  const { paths, blind } = await asOrdinaryUser(() => walk(top))
  chmodSync(`${top}/listed`, 0o700)
  expect(paths).toEqual([top, `${top}/listed`])
  expect(blind).toEqual([[`${top}/listed/x`, 'permission denied']])
})

test('walk() is blind on a start that is missing, once', async () => {
  const { entries, blind } = await walk('/nonexistent/here')
  expect(entries).toEqual([])
  expect(blind).toEqual([['/nonexistent/here', 'no such file or directory']])
})

test('walk() gives a file that it is started on', async () => {
  using directory = temporaryDirectory()
  writeFileSync(`${directory.path}/file`, '')
  expect((await walk(`${directory.path}/file`)).paths).toEqual([`${directory.path}/file`])
})

test('walk() passes over what vanishes on its way', async () => {
  using directory = temporaryDirectory()
  const top = directory.path
  for (const name of ['a', 'b', 'c']) mkdirSync(`${top}/${name}/deep`, { recursive: true })
  const { paths, blind } = await walk(top, {
    exclude: (path) => {
      // While the walk is in "a", "b" goes, and "c" goes when its name has been read already.
      if (path === `${top}/a/deep`) rmSync(`${top}/b`, { recursive: true })
      if (path === `${top}/c/deep`) rmSync(`${top}/c`, { recursive: true })
      return false
    },
  })
  expect(paths).toEqual(['', '/a', '/a/deep', '/c'].map((path) => top + path))
  expect(blind).toEqual([])
})

test('walk() takes names that are no UTF-8, 255 bytes long, or full of signs', async () => {
  using directory = temporaryDirectory()
  const names = [
    '\n',
    '\\',
    'ÿ',
    'a\udcff',
    'd\udcfe',
    '😀',
    `${'x'.repeat(255)}`,
    `${'é'.repeat(127)}y`,
    '*[?',
  ]
  for (const name of names) mkdirSync(toSystemPath(`${directory.path}/${name}`))
  writeFileSync(toSystemPath(`${directory.path}/d\udcfe/in\udc80`), '')
  const { paths, blind } = await walk(directory.path)
  const expected = [...names, 'd\udcfe/in\udc80'].map((name) => `${directory.path}/${name}`)
  expect(paths.slice(1)).toEqual(expected.sort(compareTreeOrder))
  expect(blind).toEqual([])
})

test('walk() goes down a thousand levels', async () => {
  using directory = temporaryDirectory()
  const depth = 1000
  mkdirSync(directory.path + '/d'.repeat(depth), { recursive: true })
  const { paths, blind } = await walk(directory.path)
  expect(paths).toHaveLength(depth + 1)
  expect(blind).toEqual([])
  Bun.spawnSync(['rm', '-rf', `${directory.path}/d`])
})

test('walk() is blind where a path is longer than the kernel takes', async () => {
  using directory = temporaryDirectory()
  const name = 'n'.repeat(250)
  // Made from within: no path that the kernel takes reaches the last of them.
  const script = 'i=0; while [ $i -lt 20 ]; do mkdir "$1" && cd -P "$1" || exit 1; i=$((i+1)); done'
  expect(Bun.spawnSync(['sh', '-c', script, 'sh', name], { cwd: directory.path }).exitCode).toBe(0)
  const { paths, blind } = await walk(directory.path)
  expect(paths.length).toBeGreaterThan(14)
  expect(paths.length).toBeLessThan(20)
  expect(blind).toEqual([
    [`${paths.at(-1)}/${name}`, 'its path is longer than the 4095 bytes that the kernel takes'],
  ])
  Bun.spawnSync(['rm', '-rf', `${directory.path}/${name}`])
})

describe('walk() in batches', () => {
  // Every host has more than a few thousand files there.
  const large = '/usr'

  test('walk() yields a few thousand entries at a time', async () => {
    const sizes: number[] = []
    for await (const batch of host.walk(large, { onBlind: () => {} })) {
      sizes.push(batch.length)
      if (sizes.length === 2) break
    }
    expect(sizes[0]).toBe(4096)
    expect(sizes).toHaveLength(2)
  })

  test('walk() lets its signal be aborted meanwhile, and ends then', async () => {
    const abort = new AbortController()
    setImmediate(() => abort.abort(new Error('time is up')))
    const seen: number[] = []
    const run = async () => {
      const options = { onBlind: () => {}, signal: abort.signal }
      for await (const batch of host.walk(large, options)) seen.push(batch.length)
    }
    expect(await run().catch(String)).toBe('Error: time is up')
    expect(seen).toEqual([4096])
  })

  test('walk() does not begin when its signal is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('too late'))
    expect(await walk(large, { signal }).catch(String)).toBe('Error: too late')
  })
})

test('walk() stays below the root directory that it is given', async () => {
  using directory = temporaryDirectory()
  mkdirSync(`${directory.path}/etc/ssh`, { recursive: true })
  const below = new LocalHostReader(directory.path, ALL_GRANTS)
  expect((await walk('/etc', {}, below)).paths).toEqual(['/etc', '/etc/ssh'])
  expect((await walk('/', {}, below)).paths).toEqual(['/', '/etc', '/etc/ssh'])
})

test('walk() is refused where the job does not declare it', () => {
  const reader = new LocalHostReader(
    '/',
    toGrants({ list: ['/usr'] }, '/state', (path) => [path]),
  )
  expect(() => reader.walk('/etc', { onBlind: () => {} })).toThrow('permissions.list')
  expect(() => reader.walk('/usr/lib', { onBlind: () => {} })).not.toThrow()
})

const canMount = isRoot && Bun.spawnSync(['unshare', '-m', 'true']).exitCode === 0

test.skipIf(!canMount)('walk() stays on its file system unless it is told otherwise', async () => {
  using directory = temporaryDirectory()
  mkdirSync(`${directory.path}/mounted`)
  const script = `
    mount -t tmpfs none "$1/mounted" && touch "$1/mounted/x" && exec "$2" -e '
      import { LocalHostReader } from "${import.meta.dir}/../../../agent/host/reader.ts"
      import { ALL_GRANTS } from "${import.meta.dir}/../../../agent/host/grants.ts"
      const host = new LocalHostReader("/", ALL_GRANTS)
      for (const oneFileSystem of [true, false]) {
        const names = []
        for await (const batch of host.walk(process.argv[1], { oneFileSystem, onBlind: console.error }))
          names.push(...batch.map((entry) => entry.path.slice(process.argv[1].length)))
        console.log(JSON.stringify(names))
      }
    ' "$1"`
  const child = Bun.spawnSync(['unshare', '-m', 'sh', '-c', script, 'sh', directory.path, process.execPath])
  expect(
    child.stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    ['', '/mounted'],
    ['', '/mounted', '/mounted/x'],
  ])
})
