import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { ALL_GRANTS, toGrants } from '../../../agent/host/grants.ts'
import { toSystemPath } from '../../../agent/host/names.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { asOrdinaryUser } from '../../kit/ordinary-user.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = new LocalHostReader('/', ALL_GRANTS)

describe('read()', () => {
  test('read() gives the bytes of a file, also of one whose size is not told', () => {
    using directory = temporaryDirectory()
    const bytes = Buffer.from([0, 255, 10, 128])
    writeFileSync(`${directory.path}/a`, bytes)
    expect(Buffer.from(host.read(`${directory.path}/a`))).toEqual(bytes)
    expect(host.readText('/proc/self/status')).toContain('Name:')
    writeFileSync(`${directory.path}/empty`, '')
    expect(host.read(`${directory.path}/empty`)).toHaveLength(0)
  })

  test('read() refuses more than maxBytes, also where the size is not told', () => {
    using directory = temporaryDirectory()
    writeFileSync(`${directory.path}/a`, 'x'.repeat(100))
    expect(host.read(`${directory.path}/a`, { maxBytes: 100 })).toHaveLength(100)
    expect(() => host.read(`${directory.path}/a`, { maxBytes: 99 })).toThrow('100 bytes, at most 99 are read')
    expect(() => host.read('/proc/self/status', { maxBytes: 99 })).toThrow('more than 99 bytes')
    writeFileSync(`${directory.path}/large`, 'x'.repeat(1_048_577))
    expect(() => host.read(`${directory.path}/large`)).toThrow('at most 1048576')
  })

  test('read() follows a link only when it is told to', () => {
    using directory = temporaryDirectory()
    writeFileSync(`${directory.path}/a`, 'text')
    symlinkSync('a', `${directory.path}/link`)
    expect(() => host.read(`${directory.path}/link`)).toThrow('it is a symbolic link')
    expect(host.readText(`${directory.path}/link`, { follow: true })).toBe('text')
  })

  test('read() refuses what is no file, and does not wait for a pipe', () => {
    using directory = temporaryDirectory()
    Bun.spawnSync(['mkfifo', `${directory.path}/pipe`])
    expect(() => host.read(`${directory.path}/pipe`)).toThrow('it is a fifo, not a file')
    expect(() => host.read(directory.path)).toThrow('it is a directory, not a file')
    expect(() => host.read('/dev/null')).toThrow('it is a character-device, not a file')
  })

  test('read() says why it cannot, and keeps the errno', async () => {
    using directory = temporaryDirectory()
    chmodSync(directory.path, 0o755)
    writeFileSync(`${directory.path}/closed`, '', { mode: 0 })
    const missing = () => host.read(`${directory.path}/a\nb`)
    expect(missing).toThrow(`Cannot read "${directory.path}/a\\x0ab": no such file or directory`)
    expect(missing).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    await asOrdinaryUser(() => {
      expect(() => host.read(`${directory.path}/closed`)).toThrow('permission denied')
    })
  })
})

describe('open()', () => {
  test('open() reads in pieces from the file that it opened', () => {
    using directory = temporaryDirectory()
    writeFileSync(`${directory.path}/a`, 'abcdef')
    const source = host.open(`${directory.path}/a`)
    const buffer = new Uint8Array(4)
    expect(source.stat).toMatchObject({ type: 'file', size: 6 })
    expect(source.read(buffer, 0)).toBe(4)
    expect(source.read(buffer, 4)).toBe(2)
    expect(Buffer.from(buffer).toString()).toBe('efcd')
    expect(source.read(buffer, 6)).toBe(0)
    source.close()
  })
})

describe('stat()', () => {
  test('stat() looks at a link, statTarget() at what it leads to', () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/d`, { mode: 0o750 })
    chmodSync(`${directory.path}/d`, 0o2750)
    symlinkSync('d', `${directory.path}/link`)
    symlinkSync('nowhere', `${directory.path}/dangling`)
    expect(host.stat(`${directory.path}/link`)?.type).toBe('symlink')
    expect(host.statTarget(`${directory.path}/link`)).toMatchObject({ type: 'directory', mode: 0o2750 })
    expect(host.stat(`${directory.path}/dangling`)?.type).toBe('symlink')
    expect(host.statTarget(`${directory.path}/dangling`)).toBeUndefined()
    expect(host.readLink(`${directory.path}/link`)).toBe('d')
  })

  test('stat() gives nothing for what is missing, also below a file', () => {
    using directory = temporaryDirectory()
    writeFileSync(`${directory.path}/file`, '')
    expect(host.stat(`${directory.path}/missing`)).toBeUndefined()
    expect(host.stat(`${directory.path}/file/x`)).toBeUndefined()
  })

  test('stat() throws where it may not look: that is not the same as missing', async () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/closed`)
    chmodSync(`${directory.path}/closed`, 0)
    chmodSync(directory.path, 0o755)
    await asOrdinaryUser(() => {
      expect(() => host.stat(`${directory.path}/closed/x`)).toThrow('permission denied')
    })
    expect(() => host.stat(`/${'a'.repeat(5000)}`)).toThrow('4095 bytes')
  })

  test('readLink() keeps bytes that are no UTF-8', () => {
    using directory = temporaryDirectory()
    symlinkSync(toSystemPath('a\udcff'), `${directory.path}/link`)
    expect(host.readLink(`${directory.path}/link`)).toBe('a\udcff')
  })
})

test('userName() and its kin know the accounts below the root directory, and numbers', () => {
  using directory = temporaryDirectory()
  mkdirSync(`${directory.path}/etc`)
  writeFileSync(
    `${directory.path}/etc/passwd`,
    'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/toor:/bin/sh\nbroken\nodd:x:abc:0::/odd:\nana:x:1000:1000::/home/ana:\n',
  )
  writeFileSync(`${directory.path}/etc/group`, 'root:x:0:\nstaff:x:50:ana\n')
  const below = new LocalHostReader(directory.path, ALL_GRANTS)
  expect([0, 1000, 77].map((id) => below.userName(id))).toEqual(['root', 'ana', '77'])
  expect(
    ['root', 'toor', 'ana', 'odd', '42', 'nobody-here', '-1', ''].map((name) => below.userId(name)),
  ).toEqual([0, 0, 1000, undefined, 42, undefined, undefined, undefined])
  expect([below.groupName(50), below.groupName(51), below.groupId('staff'), below.groupId('x')]).toEqual([
    'staff',
    '51',
    50,
    undefined,
  ])
  expect(below.homes().get('ana')).toBe('/home/ana')
})

test('userName() gives numbers below a root directory without accounts', () => {
  using directory = temporaryDirectory()
  const below = new LocalHostReader(directory.path, ALL_GRANTS)
  expect([below.userName(0), below.groupName(5), below.userId('root')]).toEqual(['0', '5', undefined])
})

test('a reader without grants looks at metadata and nothing else', () => {
  using directory = temporaryDirectory()
  writeFileSync(`${directory.path}/a`, 'secret')
  const none = new LocalHostReader(
    '/',
    toGrants({}, '/state', (path) => [path]),
  )
  expect(none.stat(`${directory.path}/a`)?.size).toBe(6)
  expect(() => none.read(`${directory.path}/a`)).toThrow('permissions.read')
  expect(() => none.open(`${directory.path}/a`)).toThrow('permissions.read')
  expect(() => none.list(directory.path)).toThrow('permissions.list')
})

test('freeBytes() is what df says, roughly', () => {
  const [line] = Bun.spawnSync(['df', '--output=avail', '-B1', '/tmp'])
    .stdout.toString()
    .trim()
    .split('\n')
    .slice(-1)
  const available = Number(line)
  expect(Math.abs(host.freeBytes('/tmp') - available)).toBeLessThan(available * 0.1 + 1e9)
})
