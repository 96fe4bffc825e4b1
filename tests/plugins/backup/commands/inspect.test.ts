import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { compareContents } from '../../../../plugins/backup/commands/diff.ts'
import { timeOption } from '../../../../plugins/backup/commands/open.ts'
import type { ContentEntry } from '../../../../plugins/backup/restore/contents.ts'
import { BackupFixture, DAY_MS, onDisk } from '../fixture.ts'

setDefaultTimeout(60_000)

/** Two days with a backup of each. */
async function twoDays() {
  const fixture = new BackupFixture({ incremental: {} })
  fixture.write('stays', 'the same')
  fixture.write('grows', 'one')
  fixture.write('goes', 'away')
  symlinkSync('stays', join(fixture.source, 'link'))
  await fixture.enforce()
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  fixture.write('grows', 'one and two')
  fixture.write('new', 'new')
  rmSync(join(fixture.source, 'goes'))
  chmodSync(join(fixture.source, 'stays'), 0o600)
  await fixture.enforce()
  const { json } = await fixture.command('list')
  const { backups } = json as { backups: { name: string }[] }
  return { fixture, names: backups.map(({ name }) => name) }
}

test('show tells what is recorded, and with the passphrase what it holds', async () => {
  const { fixture, names } = await twoDays()
  using _ = fixture
  const result = await fixture.command('show', { positionals: [`${fixture.source}/grows`] })
  expect(result.text).toContain(`${names[0]} (`)
  expect(result.text).toContain('proven')
  expect(result.json).toMatchObject({
    backup: names[1],
    chain: names,
    entryCount: 1,
    entries: [
      { type: 'file', size: 11, sha256: new Bun.CryptoHasher('sha256').update('one and two').digest('hex') },
    ],
  })
})

test('show of an older time shows what was there then', async () => {
  const { fixture, names } = await twoDays()
  using _ = fixture
  const at = new Date(fixture.now.getTime() - DAY_MS / 2).toISOString()
  const { json, text } = await fixture.command('show', { values: { at } })
  expect(json).toMatchObject({ backup: names[0] })
  expect(text).toContain('/goes')
  await expect(fixture.command('show', { values: { at: '2020-01-01' } })).rejects.toThrow('2020-01-01')
})

test('show without a key says what is missing', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  const values = { from: fixture.destination }
  const result = await fixture.command('show', { values, job: false })
  expect([result.exitCode, result.json]).toMatchObject([0, { entries: null }])
  expect(result.text).toContain('--key FILE')
})

test('diff tells what was added, changed and removed', async () => {
  const { fixture, names } = await twoDays()
  using _ = fixture
  const { json } = await fixture.command('diff', { positionals: [names[0] ?? ''] })
  const base = fixture.source.slice(1)
  expect(json).toMatchObject({
    from: names[0],
    to: names[1],
    changes: [
      { kind: 'removed', name: `${base}/goes` },
      { kind: 'changed', name: `${base}/grows`, what: 'content' },
      { kind: 'added', name: `${base}/new` },
      { kind: 'changed', name: `${base}/stays`, what: 'mode' },
    ],
  })
  expect(
    (await fixture.command('diff', { positionals: [names[1] ?? '', names[1] ?? ''] })).json,
  ).toMatchObject({
    differences: 0,
  })
  await expect(fixture.command('diff')).rejects.toThrow('name one or two')
})

const entry = (changes: Partial<ContentEntry> = {}): ContentEntry => ({
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 1,
  mtimeNs: 1n,
  linkName: '',
  sha256: 'a',
  ...changes,
})

test.each<[string, Partial<ContentEntry>, Partial<ContentEntry>, string | undefined]>([
  ['nothing', {}, {}, undefined],
  ['the content', {}, { sha256: 'b', mtimeNs: 2n }, 'content'],
  ['only the time', {}, { mtimeNs: 2n }, 'time'],
  ['mode and owner', {}, { mode: 0o600, uid: 5 }, 'mode, owner'],
  ['the type', {}, { type: 'symlink', sha256: undefined }, 'was a file, is a symlink'],
  ['which name has the content', {}, { type: 'hard-link', sha256: undefined }, undefined],
  ['the target', { type: 'symlink', linkName: 'a' }, { type: 'symlink', linkName: 'b' }, 'target'],
  ['the time of a directory', { type: 'directory' }, { type: 'directory', mtimeNs: 2n }, undefined],
])('compareContents() where %s differs', (_what, before, after, what) => {
  const changes = compareContents(new Map([['a', entry(before)]]), new Map([['a', entry(after)]]))
  expect(changes.map((change) => change.what)).toEqual(what === undefined ? [] : [what])
})

test('estimate measures a full backup and the changes, and writes nothing', async () => {
  const { fixture } = await twoDays()
  using _ = fixture
  fixture.write('large', new Uint8Array(100_000))
  const { json, text, exitCode } = await fixture.command('estimate')
  expect(exitCode).toBe(0)
  expect(json).toMatchObject({
    full: { entries: 6, bytes: 100_000 + 8 + 11 + 3 },
    largest: [{ bytes: 100_000 }, {}, {}, {}],
  })
  const { changes } = json as { changes: { bytes: number } }
  expect(changes.bytes).toBe(100_000)
  expect(text).toContain('A full backup: 6 entries')
})

test('estimate leaves out what a backup leaves out, and tells what it cannot read', async () => {
  using fixture = new BackupFixture()
  using other = new BackupFixture({
    sources: { paths: [fixture.source, '/does/not/exist'], exclude: ['*.tmp'] },
    destinations: [onDisk(fixture.destination)],
  })
  fixture.write('a', 'a')
  fixture.write('b.tmp', 'b')
  expect(await other.command('estimate')).toMatchObject({ exitCode: 4, json: { skipped: 1, unreadable: 1 } })
})

test.each([
  ['2026-11-23T12:00Z', '2026-11-23T12:00:00.000Z'],
  ['2026-11-23T12:00:00+02:00', '2026-11-23T10:00:00.000Z'],
])('timeOption() of %s is %s', (text, time) => {
  expect(timeOption(text)?.toISOString()).toBe(time)
})

test.each(['yesterday', '2026-13-45', '5'])('timeOption() refuses %s', (text) => {
  expect(() => timeOption(text)).toThrow('wanted a time')
})
