import { describe, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { ALL_GRANTS, toGrants } from '../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = new LocalHostWriter('/', ALL_GRANTS)
const modeOf = (path: string) => (lstatSync(path).mode & 0o7777).toString(8)

describe('create()', () => {
  test('create() shows a file under its name only when it is whole', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    const sink = host.create(path)
    sink.write(Buffer.from('one '))
    sink.write(Buffer.from('two'))
    expect(readdirSync(directory.path).filter((name) => name === 'a')).toEqual([])
    expect(existsSync(sink.temporaryPath)).toBe(true)
    sink.commit()
    sink.abort()
    expect(readFileSync(path, 'utf8')).toBe('one two')
    expect(readdirSync(directory.path)).toEqual(['a'])
  })

  test('create() leaves nothing behind when it is given up', () => {
    using directory = temporaryDirectory()
    const sink = host.create(`${directory.path}/a`)
    sink.write(Buffer.from('x'))
    sink.abort()
    sink.abort()
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('create() replaces nothing unless it is told to, and says so', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, 'old')
    expect(() => host.writeFile(path, 'new')).toThrow('it exists already')
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(directory.path)).toEqual(['a'])
    host.writeFile(path, 'new', { replace: true })
    expect(readFileSync(path, 'utf8')).toBe('new')
  })

  test('create() replaces a link, not what it leads to', () => {
    using directory = temporaryDirectory()
    writeFileSync(`${directory.path}/target`, 'old')
    symlinkSync('target', `${directory.path}/link`)
    host.writeFile(`${directory.path}/link`, 'new', { replace: true })
    expect(lstatSync(`${directory.path}/link`).isFile()).toBe(true)
    expect(readFileSync(`${directory.path}/target`, 'utf8')).toBe('old')
  })

  test.each([0o600, 0o644, 0o640, 0o400])('create() gives the mode %p whatever the umask', (mode) => {
    using directory = temporaryDirectory()
    for (const umask of [0, 0o077]) {
      const before = process.umask(umask)
      host.writeFile(`${directory.path}/a`, '', { mode, replace: true })
      process.umask(before)
      expect(lstatSync(`${directory.path}/a`).mode & 0o7777).toBe(mode)
    }
  })

  test('create() takes a name that is no UTF-8', () => {
    using directory = temporaryDirectory()
    const below = new LocalHostWriter(directory.path, ALL_GRANTS)
    below.makeDirectory('/d\udcff', 0o700)
    below.writeFile('/d\udcff/a\udcfe', 'x')
    below.rename('/d\udcff/a\udcfe', '/b\udcfe')
    expect(below.list('/')).toEqual(['b\udcfe', 'd\udcff'])
    expect(below.readText('/b\udcfe')).toBe('x')
  })

  test('create() says where it cannot', () => {
    expect(() => host.create('/nonexistent/a')).toThrow(
      'Cannot write "/nonexistent/a": no such file or directory',
    )
  })

  test('create() stops on a full disk and leaves what was there', () => {
    using directory = temporaryDirectory()
    writeFileSync(`${directory.path}/a`, 'old')
    const script = `
      import { LocalHostWriter } from "${import.meta.dir}/../../../agent/host/writer.ts"
      import { ALL_GRANTS } from "${import.meta.dir}/../../../agent/host/grants.ts"
      const host = new LocalHostWriter("/", ALL_GRANTS)
      try { host.writeFile(process.argv[1], "x".repeat(3000000), { replace: true }) }
      catch (error) { console.log(error.message) }`
    // A limit on the size of files is a disk that is full for this process.
    const child = Bun.spawnSync([
      'sh',
      '-c',
      'trap "" XFSZ; ulimit -f 100; exec "$0" -e "$1" "$2"',
      process.execPath,
      script,
      `${directory.path}/a`,
    ])
    expect(child.stdout.toString()).toContain(`Cannot write "${directory.path}/a"`)
    expect(readFileSync(`${directory.path}/a`, 'utf8')).toBe('old')
    expect(readdirSync(directory.path)).toEqual(['a'])
  })
})

describe('rename(), remove(), truncate(), makeDirectory()', () => {
  test('rename() never replaces unless it is told to', () => {
    using directory = temporaryDirectory()
    const [a, b, c] = ['a', 'b', 'c'].map((name) => `${directory.path}/${name}`) as [string, string, string]
    writeFileSync(a, 'a')
    writeFileSync(b, 'b')
    expect(() => host.rename(a, b)).toThrow('it exists already')
    expect([readFileSync(a, 'utf8'), readFileSync(b, 'utf8')]).toEqual(['a', 'b'])
    host.rename(a, c)
    expect(readdirSync(directory.path).sort()).toEqual(['b', 'c'])
    host.rename(c, b, { replace: true })
    expect(readFileSync(b, 'utf8')).toBe('a')
    expect(() => host.rename(a, c)).toThrow('no such file or directory')
  })

  test('rename() moves a directory, and does not replace one', () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/a/x`, { recursive: true })
    mkdirSync(`${directory.path}/b`)
    expect(() => host.rename(`${directory.path}/a`, `${directory.path}/b`)).toThrow('it exists already')
    host.rename(`${directory.path}/a`, `${directory.path}/c`)
    expect(readdirSync(`${directory.path}/c`)).toEqual(['x'])
  })

  test('remove() removes a link and not what it leads to, and no directory with something in it', () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/d/x`, { recursive: true })
    symlinkSync('d', `${directory.path}/link`)
    host.remove(`${directory.path}/link`)
    expect(() => host.remove(`${directory.path}/d`)).toThrow('the directory is not empty')
    host.remove(`${directory.path}/d/x`)
    host.remove(`${directory.path}/d`)
    expect(readdirSync(directory.path)).toEqual([])
    expect(() => host.remove(`${directory.path}/d`)).toThrow('no such file or directory')
  })

  test('truncate() empties a file and refuses links, pipes and directories', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, 'text')
    symlinkSync('a', `${directory.path}/link`)
    Bun.spawnSync(['mkfifo', `${directory.path}/pipe`])
    expect(() => host.truncate(`${directory.path}/link`)).toThrow('it is a symbolic link')
    expect(() => host.truncate(`${directory.path}/pipe`)).toThrow('Cannot truncate')
    expect(() => host.truncate(directory.path)).toThrow('it is a directory')
    expect(readFileSync(path, 'utf8')).toBe('text')
    expect(host.truncate(path)).toBe(true)
    expect(lstatSync(path).size).toBe(0)
  })

  test('truncate() leaves a file alone that is not the expected one, or has grown', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, 'text')
    const { dev, ino } = lstatSync(path)
    expect(host.truncate(path, { dev, ino, size: 3 })).toBe(false)
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'text')
    expect(() => host.truncate(path, { dev, ino, size: 4 })).toThrow('it was replaced since it was looked at')
    expect(readFileSync(path, 'utf8')).toBe('text')
  })

  test.each([0o700, 0o755, 0o2750])('makeDirectory() gives the mode %p whatever the umask', (mode) => {
    using directory = temporaryDirectory()
    const before = process.umask(0o077)
    host.makeDirectory(`${directory.path}/d`, mode)
    process.umask(before)
    expect(lstatSync(`${directory.path}/d`).mode & 0o7777).toBe(mode)
    expect(() => host.makeDirectory(`${directory.path}/d`, mode)).toThrow('it exists already')
  })
})

test('a writer does nothing beyond its grants', () => {
  using directory = temporaryDirectory()
  mkdirSync(`${directory.path}/mine`)
  writeFileSync(`${directory.path}/theirs`, 'x', { mode: 0o600 })
  const path = `${directory.path}/theirs`
  const limited = new LocalHostWriter(
    '/',
    toGrants({ write: [`${directory.path}/mine`], list: ['/'], read: ['/'] }, '/state', (pattern) => [
      pattern,
    ]),
  )
  const stat = limited.stat(path)
  if (!stat) throw new Error('it was just made')
  const acts: (() => unknown)[] = [
    () => limited.create(path),
    () => limited.writeFile(`${directory.path}/new`, ''),
    () => limited.rename(path, `${directory.path}/mine/x`),
    () => limited.rename(`${directory.path}/mine`, `${directory.path}/other`),
    () => limited.remove(path),
    () => limited.truncate(path),
    () => limited.makeDirectory(`${directory.path}/new`, 0o700),
    () => limited.link(path, `${directory.path}/mine/x`),
    () => limited.openDirectory(directory.path),
    () => limited.setMode(path, stat, 0o777),
    () => limited.setOwner(path, stat, 1, 1),
    () => limited.writeFile(`${directory.path}/mine/../new`, ''),
  ]
  for (const act of acts) expect(act).toThrow(/the job does not declare it|no absolute path/)
  expect(readdirSync(directory.path).sort()).toEqual(['mine', 'theirs'])
  expect(modeOf(path)).toBe('600')
  limited.writeFile(`${directory.path}/mine/x`, '')
  chmodSync(path, 0o600)
})
