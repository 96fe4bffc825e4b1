import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { toGrants } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { listArchive, UNPACKERS } from '../../../plugins/backup-presence/contents.ts'
import { HEAD_BYTES, type Packing, sniff } from '../../../plugins/backup-presence/format.ts'
import { TarNames } from '../../../plugins/backup-presence/tar-names.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const work = temporaryDirectory()
afterAll(() => work[Symbol.dispose]())
const long = `${'directory-'.repeat(9)}/${'name-'.repeat(30)}`
const NAMES = ['wal/0001.wal', 'snapshots/index.json', '.env', 'ä/ö', long]
for (const name of NAMES) {
  const path = `${work.path}/data/${name}`
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true })
  writeFileSync(path, name.repeat(300))
}

const host = new LocalHostReader(
  '/',
  toGrants(
    {
      read: [work.path],
      run: Object.values(UNPACKERS).map(([program, ...words]) => [program, ...words, '…']),
    },
    work.path,
    (path) => [path],
  ),
)
const tar = (name: string, ...words: string[]) => {
  const path = `${work.path}/${name}`
  const { exitCode, stderr } = Bun.spawnSync(['tar', '-C', `${work.path}/data`, ...words, '-cf', path, '.'])
  if (exitCode !== 0) throw new Error(stderr.toString())
  return path
}
const list = (path: string, maxBytes = 1e9, wanted = (_: string) => true) => {
  const head = readFileSync(path).subarray(0, HEAD_BYTES)
  const format = sniff(head, head.length)
  const packing: Packing = format.kind === 'plain' && format.packing ? format.packing : 'none'
  return listArchive(host, path, packing, wanted, { maxBytes, signal: new AbortController().signal })
}
const listed = (path: string) =>
  Bun.spawnSync(['tar', '--quoting-style=literal', '-tf', path])
    .stdout.toString()
    .trim()
    .split('\n')
    .toSorted()

const forms: [name: string, words: string[], program?: string][] = [
  ['a.tar', ['--format=gnu']],
  ['b.tar', ['--format=pax']],
  ['c.tar', ['--format=ustar', '--exclude=directory-*']],
  ['d.tar.gz', ['-z']],
  ['e.tar.zst', ['--zstd'], 'zstd'],
  ['f.tar.xz', ['-J'], 'xz'],
  ['g.tar.bz2', ['-j'], 'bzip2'],
]
for (const [name, words, program] of forms) {
  testWith({ programs: program ? [program] : [] })(
    `listArchive() has the names that tar has of ${name} (${words[0]})`,
    async () => {
      const path = tar(name, ...words)
      const contents = await list(path)
      expect([contents?.names.toSorted(), contents?.isCut]).toEqual([listed(path), false])
    },
  )
}

test('listArchive() says when there is more than it may unpack', async () => {
  expect(await list(tar('h.tar.gz', '-z'), 2000)).toMatchObject({ isCut: true })
})

test('listArchive() of what is packed and no archive is undefined', async () => {
  const path = `${work.path}/dump.gz`
  writeFileSync(path, Bun.gzipSync(Buffer.from('CREATE TABLE a;\n'.repeat(100))))
  expect(await list(path)).toBeUndefined()
})

test.each([
  ['i.tar', ['--format=gnu']],
  ['j.tar.gz', ['-z']],
  ['k.tar.zst', ['--zstd']],
  ['l.tar.xz', ['-J']],
])('listArchive() throws for %s that is cut', async (name, words) => {
  const path = tar(name, ...words)
  truncateSync(path, Math.floor(readFileSync(path).length / 2) - 7)
  expect(list(path)).rejects.toThrow()
})

test('TarNames reads the same whatever the size of the chunks', () => {
  const bytes = readFileSync(tar('m.tar', '--format=gnu'))
  const named = (size: number) => {
    const names: string[] = []
    const reader = new TarNames((name) => names.push(name))
    for (let at = 0; at < bytes.length; at += size) reader.add(bytes.subarray(at, at + size))
    reader.end()
    return names
  }
  expect(named(7)).toEqual(named(100_000))
  expect(named(513)).toEqual(named(512))
})

test('TarNames refuses what is no archive', () => {
  expect(() => new TarNames(() => {}).add(new Uint8Array(1024).fill(65))).toThrow('no tar archive')
})
