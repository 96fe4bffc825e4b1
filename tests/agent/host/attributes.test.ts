import { describe, expect, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { FileStat } from '../../../agent/contract/mod.ts'
import { ALL_GRANTS, toGrants } from '../../../agent/host/grants.ts'
import { toSystemPath } from '../../../agent/host/names.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import { asOrdinaryUser, isRoot } from '../../kit/ordinary-user.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = new LocalHostWriter('/', ALL_GRANTS)
const modeOf = (path: string) => lstatSync(path).mode & 0o7777

function statOf(path: string): FileStat {
  const stat = host.stat(path)
  if (!stat) throw new Error(`there is no ${path}`)
  return stat
}

describe('setMode()', () => {
  test('setMode() changes the mode and gives what the entry is then', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, 'text')
    expect(host.setMode(path, statOf(path), 0o640)).toMatchObject({ mode: 0o640, type: 'file', size: 4 })
    expect(modeOf(path)).toBe(0o640)
    expect(host.setMode(directory.path, statOf(directory.path), 0o1770)).toMatchObject({ mode: 0o1770 })
  })

  test('setMode() needs no permission on the entry: its owner may open a file with mode 0000 again', async () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    chmodSync(directory.path, 0o777)
    await asOrdinaryUser(() => {
      writeFileSync(path, 'x')
      chmodSync(path, 0)
      mkdirSync(`${path}.d`)
      chmodSync(`${path}.d`, 0)
      host.setMode(path, statOf(path), 0o600)
      host.setMode(`${path}.d`, statOf(`${path}.d`), 0o700)
    })
    expect([modeOf(path), modeOf(`${path}.d`)]).toEqual([0o600, 0o700])
  })

  test('setMode() neither waits for a pipe nor follows a link', () => {
    using directory = temporaryDirectory()
    const pipe = `${directory.path}/pipe`
    Bun.spawnSync(['mkfifo', '-m', '666', pipe])
    host.setMode(pipe, statOf(pipe), 0o600)
    expect(modeOf(pipe)).toBe(0o600)
    writeFileSync(`${directory.path}/target`, '', { mode: 0o644 })
    symlinkSync('target', `${directory.path}/link`)
    const link = `${directory.path}/link`
    expect(() => host.setMode(link, statOf(link), 0o600)).toThrow('a symbolic link has no mode of its own')
    expect(modeOf(`${directory.path}/target`)).toBe(0o644)
  })

  test('setMode() refuses a path with a link in it, even one that leads to the expected entry', () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/real`)
    writeFileSync(`${directory.path}/real/a`, '', { mode: 0o644 })
    symlinkSync('real', `${directory.path}/link`)
    const path = `${directory.path}/link/a`
    expect(() => host.setMode(path, statOf(path), 0o600)).toThrow('"link" in it is a link or no directory')
    expect(modeOf(`${directory.path}/real/a`)).toBe(0o644)
  })

  test('setMode() refuses an entry that was replaced, by a file or by a link', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, '')
    const looked = statOf(path)
    renameSync(path, `${directory.path}/old`)
    writeFileSync(path, '', { mode: 0o644 })
    expect(() => host.setMode(path, looked, 0o600)).toThrow('it was replaced since it was looked at')
    rmSync(path)
    symlinkSync('old', path)
    expect(() => host.setMode(path, looked, 0o600)).toThrow('it was replaced since it was looked at')
    rmSync(path)
    expect(() => host.setMode(path, looked, 0o600)).toThrow('no such file or directory')
  })

  test('setMode() refuses a file with further names where others can make names', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/shared/a`
    mkdirSync(`${directory.path}/shared`)
    writeFileSync(`${directory.path}/target`, '', { mode: 0o644 })
    linkSync(`${directory.path}/target`, path)
    chmodSync(`${directory.path}/shared`, 0o1777)
    expect(() => host.setMode(path, statOf(path), 0o600)).toThrow('it has 2 names (hard links)')
    chmodSync(`${directory.path}/shared`, 0o775)
    expect(() => host.setMode(path, statOf(path), 0o600)).toThrow('it has 2 names')
    expect(modeOf(path)).toBe(0o644)
    // Nobody else can have put it there.
    chmodSync(`${directory.path}/shared`, 0o755)
    host.setMode(path, statOf(path), 0o600)
    expect(modeOf(path)).toBe(0o600)
  })

  test.skipIf(!isRoot)('setMode() refuses a file with further names in a directory of somebody else', () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/home`, { mode: 0o700 })
    writeFileSync(`${directory.path}/target`, '', { mode: 0o644 })
    linkSync(`${directory.path}/target`, `${directory.path}/home/a`)
    chownSync(`${directory.path}/home`, 4711, 4711)
    const path = `${directory.path}/home/a`
    expect(() => host.setMode(path, statOf(path), 0o600)).toThrow('it has 2 names')
    expect(() => host.setOwner(path, statOf(path), 4711, 4711)).toThrow('it has 2 names')
    expect(lstatSync(`${directory.path}/target`)).toMatchObject({ uid: 0, gid: 0 })
  })

  test.skipIf(!isRoot)('setMode() says when the kernel drops a bit', async () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, '')
    chownSync(path, 65534, 4711)
    chmodSync(directory.path, 0o755)
    await asOrdinaryUser(() => {
      expect(() => host.setMode(path, statOf(path), 0o2755)).toThrow('the kernel did not keep the mode')
    })
  })

  test('setMode() takes a name that is no UTF-8', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/d\udcff/a\udcfe`
    mkdirSync(toSystemPath(`${directory.path}/d\udcff`))
    writeFileSync(toSystemPath(path), '')
    expect(host.setMode(path, statOf(path), 0o600).mode).toBe(0o600)
  })

  test('setMode() stays below the root directory, and reaches that itself', () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/etc`)
    const below = new LocalHostWriter(directory.path, ALL_GRANTS)
    for (const path of ['/', '/etc']) {
      const stat = below.stat(path)
      if (!stat) throw new Error('it was just made')
      below.setMode(path, stat, 0o710)
      expect(modeOf(directory.path + path)).toBe(0o710)
    }
  })

  test('setMode() needs the permission for attributes, and that is no permission to write', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, 'x')
    const limited = new LocalHostWriter(
      '/',
      toGrants({ attributes: [directory.path] }, '/state', (pattern) => [pattern]),
    )
    limited.setMode(path, statOf(path), 0o600)
    expect(() => limited.truncate(path)).toThrow('permissions.write')
    expect(() => limited.setMode('/etc/passwd', statOf('/etc/passwd'), 0o644)).toThrow(
      'permissions.attributes',
    )
  })

  test('setMode() through openDirectory() stays on that directory', () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/logs`)
    writeFileSync(`${directory.path}/logs/a`, '', { mode: 0o644 })
    const pinned = host.openDirectory(`${directory.path}/logs`)
    renameSync(`${directory.path}/logs`, `${directory.path}/moved`)
    const stat = pinned.stat(`${directory.path}/logs/a`)
    if (!stat) throw new Error('it was just made')
    pinned.setMode(`${directory.path}/logs/a`, stat, 0o600)
    pinned.close()
    expect(modeOf(`${directory.path}/moved/a`)).toBe(0o600)
  })
})

describe('setOwner()', () => {
  test.skipIf(!isRoot)('setOwner() changes user and group, of a link the own ones', () => {
    using directory = temporaryDirectory()
    const path = `${directory.path}/a`
    writeFileSync(path, '')
    symlinkSync('a', `${directory.path}/link`)
    expect(host.setOwner(path, statOf(path), 4711, 4712)).toMatchObject({ uid: 4711, gid: 4712 })
    const link = `${directory.path}/link`
    expect(host.setOwner(link, statOf(link), 99, 98)).toMatchObject({ uid: 99, gid: 98, type: 'symlink' })
    expect(lstatSync(path)).toMatchObject({ uid: 4711, gid: 4712 })
  })

  test('setOwner() says when it may not', async () => {
    using directory = temporaryDirectory()
    chmodSync(directory.path, 0o777)
    await asOrdinaryUser(() => {
      const path = `${directory.path}/a`
      writeFileSync(path, '')
      expect(() => host.setOwner(path, statOf(path), 0, 0)).toThrow('operation not permitted')
    })
  })
})

test.skipIf(!isRoot)(
  'setMode() never reaches outside while somebody swaps files for links all the time',
  async () => {
    using directory = temporaryDirectory()
    mkdirSync(`${directory.path}/home`)
    mkdirSync(`${directory.path}/outside`)
    writeFileSync(`${directory.path}/outside/a`, '', { mode: 0o644 })
    chmodSync(directory.path, 0o755)
    chownSync(`${directory.path}/home`, 4711, 4711)
    // The file is the swapper's own, so that it may link it; it must still not be reached by way of the home.
    writeFileSync(`${directory.path}/outside/own`, '', { mode: 0o644 })
    chownSync(`${directory.path}/outside/own`, 4711, 4711)
    const swapper = Bun.spawn(
      [
        ...['setpriv', '--reuid=4711', '--regid=4711', '--clear-groups'],
        'sh',
        '-c',
        `cd "$1" && while :; do
         mkdir home/d && : > home/d/a
         mv home/d home/e && ln -s ../outside home/d && rm home/d && mv home/e home/d
         ln -sf ../../outside/a home/d/a
         ln -f outside/a home/d/a; ln -f outside/own home/d/a
         rm -rf home/d
       done 2>/dev/null`,
        'sh',
        directory.path,
      ],
      { stdout: 'ignore', stderr: 'ignore' },
    )
    const path = `${directory.path}/home/d/a`
    let done = 0
    const until = performance.now() + 1500
    while (performance.now() < until) {
      try {
        const stat = host.stat(path)
        if (!stat) continue
        host.setMode(path, stat, 0o600)
        done++
      } catch {
        // refused: that is what it is for
      }
      if (done % 50 === 0) await Bun.sleep(0)
    }
    swapper.kill('SIGKILL')
    await swapper.exited
    expect(done).toBeGreaterThan(0)
    expect(modeOf(`${directory.path}/outside/a`)).toBe(0o644)
    expect(modeOf(`${directory.path}/outside/own`)).toBe(0o644)
  },
)
