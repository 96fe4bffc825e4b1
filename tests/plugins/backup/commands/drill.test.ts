import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ALL_GRANTS } from '../../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../../agent/host/reader.ts'
import { differenceOf } from '../../../../plugins/backup/restore/compare.ts'
import type { ContentEntry } from '../../../../plugins/backup/restore/contents.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { BackupFixture } from '../fixture.ts'

setDefaultTimeout(60_000)

async function backedUp() {
  const fixture = new BackupFixture()
  fixture.write('a', 'a')
  fixture.write('deep/b', 'b')
  symlinkSync('a', join(fixture.source, 'link'))
  await fixture.enforce()
  return fixture
}

test('drill restores all of it aside, compares, and leaves nothing', async () => {
  using fixture = await backedUp()
  const scratch = fixture.makeDirectory('scratch')
  const result = await fixture.command('drill', { values: { scratch } })
  expect([result.exitCode, result.json]).toMatchObject([
    0,
    { entries: 5, wrongCount: 0, spotCheck: { same: 2, changed: 0, wrong: [] } },
  ])
  expect(readdirSync(scratch)).toEqual([])
  expect((await fixture.command('drill')).exitCode).toBe(0)
  expect(readdirSync(fixture.stateDir).filter((name) => name.startsWith('drill-'))).toEqual([])
})

test('drill tells of a live file that has other content under the same times', async () => {
  using fixture = await backedUp()
  const path = join(fixture.source, 'a')
  const { mtime } = statSync(path)
  writeFileSync(path, 'x')
  utimesSync(path, mtime, mtime)
  fixture.write('deep/b', 'written to since')
  const result = await fixture.command('drill')
  // The runtime keeps times to less than the nanosecond: where it could not be put back, it counts as changed.
  const { spotCheck } = result.json as { spotCheck: { changed: number; wrong: string[] } }
  expect(spotCheck.changed + spotCheck.wrong.length).toBe(2)
  expect(result.exitCode).toBe(spotCheck.wrong.length > 0 ? 3 : 0)
})

test('drill of a damaged backup fails, and leaves nothing', async () => {
  using fixture = await backedUp()
  const [name = ''] = readdirSync(fixture.destination).filter((name) => name.endsWith('.gpg'))
  const path = join(fixture.destination, name)
  const bytes = readFileSync(path)
  bytes[bytes.length - 60] = (bytes[bytes.length - 60] ?? 0) ^ 1
  writeFileSync(path, bytes)
  const scratch = fixture.makeDirectory('scratch')
  await expect(fixture.command('drill', { values: { scratch } })).rejects.toThrow('nothing was restored')
  expect(readdirSync(scratch)).toEqual([])
  expect(existsSync(join(fixture.source, 'a'))).toBe(true)
})

test('drill refuses a sample that is no number', async () => {
  using fixture = await backedUp()
  await expect(fixture.command('drill', { values: { sample: 'some' } })).rejects.toThrow('wanted a number')
})

test('differenceOf() tells how an entry on the disk differs', () => {
  using directory = temporaryDirectory()
  writeFileSync(join(directory.path, 'a'), 'a', { mode: 0o644 })
  symlinkSync('a', join(directory.path, 'link'))
  const host = new LocalHostReader('/', ALL_GRANTS)
  const base: ContentEntry = {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 1,
    mtimeNs: 0n,
    linkName: '',
    sha256: new Bun.CryptoHasher('sha256').update('a').digest('hex'),
  }
  const look = (name: string, changes: Partial<ContentEntry>) =>
    differenceOf(host, directory.path, name, { ...base, ...changes })
  expect(look('a', {})).toBeUndefined()
  expect(look('b', {})).toBe('it is missing')
  expect(look('a', { type: 'directory' })).toBe('it is a file')
  expect(look('a', { mode: 0o600 })).toContain('mode')
  expect(look('a', { size: 2 })).toContain('bytes')
  expect(look('a', { sha256: 'other' })).toBe('its content differs')
  expect(look('link', { type: 'symlink', linkName: 'a' })).toBeUndefined()
  expect(look('link', { type: 'symlink', linkName: 'b' })).toBe('it points elsewhere')
  expect(look('a', { type: 'hard-link', linkName: 'a' })).toBeUndefined()
  expect(look('a', { type: 'hard-link', linkName: 'link' })).toContain('no other name')
})
