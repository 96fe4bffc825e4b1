import { describe, expect, test } from 'bun:test'
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { decodeRecord, rawName, WORD } from '../../../agent/contract/entry-record.ts'
import type { EntryState, SkipReason } from '../../../agent/contract/mod.ts'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { judgeMounts, parseMountInfo } from '../../../agent/host/mounts.ts'
import { toSystemPath } from '../../../agent/host/names.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { asOrdinaryUser } from '../../kit/ordinary-user.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = new LocalHostReader('/', ALL_GRANTS)

async function scan(start: string, options: Parameters<typeof host.scan>[1] | object = {}) {
  const states: EntryState[] = []
  const blind: [string, string][] = []
  const skipped: [string, SkipReason][] = []
  let directory = ''
  const on = {
    onBlind: (path: string, reason: string) => void blind.push([path, reason]),
    onSkip: (path: string, reason: SkipReason) => void skipped.push([path, reason]),
  }
  for await (const batch of host.scan(start, { ...on, ...options })) {
    for (let at = 0; at < batch.end; at += (batch.words[at] ?? 0) / 4) {
      if ((batch.words[at + WORD.mode] ?? 0) === 0) directory = rawName(batch, at)
      else states.push(decodeRecord(batch, at, directory))
    }
  }
  return { states, paths: states.map(({ path }) => path), blind, skipped }
}

describe('scan()', () => {
  test('scan() tells what lstat does, in tree order by bytes, names that are no UTF-8 and of 255 bytes too', async () => {
    using work = temporaryDirectory()
    const { path } = work
    const long = 'x'.repeat(255)
    for (const name of ['b', 'a-b', 'é', '😀', '\udcff', '\n', long, '\ue000']) {
      writeFileSync(toSystemPath(`${path}/${name}`), name)
    }
    mkdirSync(`${path}/a/deep`, { recursive: true })
    symlinkSync('nowhere', `${path}/a/link`)
    linkSync(`${path}/b`, `${path}/a/hard`)
    Bun.spawnSync(['mkfifo', `${path}/a/pipe`])
    const { states, paths, blind } = await scan(path)
    expect(blind).toEqual([])
    expect(paths.map((each) => each.slice(path.length))).toEqual([
      '',
      '/\n',
      '/a',
      '/a/deep',
      '/a/hard',
      '/a/link',
      '/a/pipe',
      '/a-b',
      '/b',
      `/${long}`,
      '/é',
      '/\ue000',
      '/😀',
      '/\udcff',
    ])
    for (const state of states) {
      const {
        birthtimeNs: _,
        storedBytes: __,
        mtimeMs: ___,
        ctimeMs: ____,
        ...exact
      } = exactOrThrow(state.path)
      expect(state).toMatchObject({ ...exact, flags: [] })
    }
  })

  test('scan() goes a thousand directories deep, past the longest path of a system call', async () => {
    using work = temporaryDirectory()
    makeDeep(work.path, 'd'.repeat(200), 1000)
    const { states, blind } = await scan(work.path)
    expect(blind).toEqual([])
    expect(states).toHaveLength(1002)
    const end = states.at(-1)
    expect(end?.path.length).toBeGreaterThan(200_000)
    expect(end).toMatchObject({ size: 2, mtimeMs: 7000 })
    const [details] = await host.readDetails([{ ...stateOrThrow(end), wanted: ['sha256', 'acl'] }])
    expect(details).toEqual({ sha256: new Bun.CryptoHasher('sha256').update('x\n').digest('hex'), acl: '' })
    expect(await host.examine(stateOrThrow(end).path, ['sha256'])).toMatchObject({ size: 2 })
    Bun.spawnSync(['rm', '-rf', work.path])
    mkdirSync(work.path)
  })

  test('scan() gives as many batches as it takes for a large directory', async () => {
    using work = temporaryDirectory()
    const names = Array.from({ length: 5000 }, (_, index) => `${work.path}/${String(index).padStart(5, '0')}`)
    writeFileSync(`${work.path}/00000`, '')
    for (const name of names.slice(1)) linkSync(`${work.path}/00000`, name)
    const { paths } = await scan(work.path)
    expect(paths).toEqual([work.path, ...names])
  })

  test('scan() says what it could not look into, and what it left out', async () => {
    using work = temporaryDirectory()
    chmodSync(work.path, 0o755)
    mkdirSync(`${work.path}/closed`, { mode: 0 })
    mkdirSync(`${work.path}/out/below`, { recursive: true })
    mkdirSync(`${work.path}/swp/below`, { recursive: true })
    const { paths, blind, skipped } = await asOrdinaryUser(() =>
      scan(work.path, {
        leaveOut: [`${work.path}/out`],
        exclude: (path: string) => path.endsWith('/swp'),
      }),
    )
    chmodSync(`${work.path}/closed`, 0o700)
    expect(paths).toEqual([work.path, `${work.path}/closed`])
    expect(blind).toEqual([[`${work.path}/closed`, 'permission denied']])
    expect(skipped).toEqual([
      [`${work.path}/out`, 'excluded'],
      [`${work.path}/swp`, 'excluded'],
    ])
  })

  test('scan() is blind on a start that is not there', async () => {
    expect(await scan('/nowhere')).toMatchObject({
      states: [],
      blind: [['/nowhere', 'no such file or directory']],
    })
  })

  test('scan() takes for never there what vanishes on its way', async () => {
    using work = temporaryDirectory()
    writeFileSync(`${work.path}/00000`, '')
    for (let index = 1; index < 5000; index++) {
      linkSync(`${work.path}/00000`, `${work.path}/${String(index).padStart(5, '0')}`)
    }
    mkdirSync(`${work.path}/z/below`, { recursive: true })
    let seen = 0
    for await (const batch of host.scan(work.path, {
      onBlind: expect.unreachable,
      onSkip: expect.unreachable,
    })) {
      if (seen === 0) {
        rmSync(`${work.path}/04900`)
        rmSync(`${work.path}/z`, { recursive: true })
      }
      seen += batch.entries
    }
    expect(seen).toBe(5000)
  })

  test('scan() ends when it is told to', async () => {
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    expect(scan('/usr', { signal: abort.signal })).rejects.toThrow('enough')
  })
})

/** Directories in each other, and a file in the last. */
function makeDeep(path: string, name: string, depth: number): void {
  let descriptor = openSync(path, 'r')
  for (let level = 0; level < depth; level++) {
    const below = `/proc/self/fd/${descriptor}/${name}`
    mkdirSync(below)
    const next = openSync(below, 'r')
    closeSync(descriptor)
    descriptor = next
  }
  writeFileSync(`/proc/self/fd/${descriptor}/end`, 'x\n')
  utimesSync(`/proc/self/fd/${descriptor}/end`, 7, 7)
  closeSync(descriptor)
}

function exactOrThrow(path: string) {
  const exact = host.exactStat(path)
  if (!exact) throw new Error(`there is no ${path}`)
  return exact
}

function stateOrThrow(state: EntryState | undefined): EntryState {
  if (!state) throw new Error('there is none')
  return state
}

describe('judgeMounts()', () => {
  const line = (id: number, device: string, root: string, path: string, type: string) =>
    `${id} 1 ${device} ${root} ${path} rw,relatime shared:1 - ${type} source rw`
  const verdicts = (start: string, ...lines: string[]) =>
    Object.fromEntries(judgeMounts(parseMountInfo(lines.join('\n')), start))

  test('judgeMounts() enters disks, and neither what the kernel makes nor what is elsewhere', () => {
    expect(
      verdicts(
        '/',
        line(1, '8:1', '/', '/', 'ext4'),
        line(2, '8:2', '/', '/srv/my\\040data', 'xfs'),
        line(3, '0:5', '/', '/proc', 'proc'),
        line(4, '0:6', '/', '/home', 'nfs4'),
        line(5, '0:7', '/', '/mnt', 'fuse.sshfs'),
        line(6, '0:8', '/', '/tmp', 'tmpfs'),
        line(7, '0:9', '/', '/var/lib/docker/overlay2/x/merged', 'overlay'),
      ),
    ).toEqual({
      2: 'enter',
      3: 'pseudo-file-system',
      4: 'network-file-system',
      5: 'network-file-system',
      6: 'enter',
      7: 'enter',
    })
  })

  test('judgeMounts() enters what is mounted in several places once', () => {
    const root = line(1, '8:1', '/', '/', 'ext4')
    const bind = line(2, '8:1', '/srv/data', '/mnt/data', 'ext4')
    expect(verdicts('/', root, bind)).toEqual({ 2: 'bind-mount' })
    // From here only one of them is to be seen.
    expect(verdicts('/mnt', root, bind)).toEqual({ 2: 'enter' })
    expect(
      verdicts('/mnt', line(3, '8:9', '/', '/mnt/a', 'xfs'), line(4, '8:9', '/', '/mnt/b', 'xfs')),
    ).toEqual({
      3: 'enter',
      4: 'bind-mount',
    })
  })
})
