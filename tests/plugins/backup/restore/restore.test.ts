import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { extendedAttributes, setExtendedAttribute } from '../../../../agent/host/extended-attributes.ts'
import { ALL_GRANTS } from '../../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../../agent/host/writer.ts'
import { BlockPool } from '../../../../plugins/backup/archive/blocks.ts'
import type { ArchiveEntry } from '../../../../plugins/backup/archive/entry.ts'
import { ArchiveLog, type Member, writeArchive } from '../../../../plugins/backup/archive/writer.ts'
import { compress } from '../../../../plugins/backup/compression.ts'
import { encrypt, newSessionKey } from '../../../../plugins/backup/encryption.ts'
import { restore } from '../../../../plugins/backup/restore/restore.ts'
import { testWith } from '../../../kit/needs.ts'
import { asOrdinaryUser } from '../../../kit/ordinary-user.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'
import { plainEntry } from '../archive/arbitrary.ts'
import { BackupFixture, PASSPHRASE_REFERENCE, storedIn } from '../fixture.ts'

setDefaultTimeout(60_000)

/** A fixture with a proven backup of what `fill` made, and a directory to restore to. */
async function backedUp(
  fill: (fixture: BackupFixture) => void,
): Promise<{ fixture: BackupFixture; to: string }> {
  const fixture = new BackupFixture()
  fill(fixture)
  const { after } = await fixture.enforce()
  expect(after.findings).toEqual([])
  return { fixture, to: fixture.makeDirectory('to') }
}

const nanosecondsOf = (path: string) => lstatSync(path, { bigint: true }).mtimeNs

test('restore gives back content, modes, times, links and names that are no UTF-8', async () => {
  const odd = Buffer.concat([Buffer.from('odd-'), Buffer.of(0xff, 0x0a)])
  const { fixture, to } = await backedUp((f) => {
    mkdirSync(join(f.source, 'closed'))
    writeFileSync(join(f.source, 'closed', 'file'), 'in a closed directory')
    writeFileSync(join(f.source, 'tool'), '#!/bin/sh\n', { mode: 0o755 })
    chmodSync(join(f.source, 'tool'), 0o4755)
    linkSync(join(f.source, 'tool'), join(f.source, 'same-tool'))
    symlinkSync('../nowhere', join(f.source, 'dangling'))
    lutimesSync(join(f.source, 'dangling'), 86_400, 86_400)
    writeFileSync(Buffer.concat([Buffer.from(`${f.source}/`), odd]), 'odd')
    utimesSync(join(f.source, 'tool'), 1_700_000_000.123456, 1_700_000_000.123456)
    utimesSync(join(f.source, 'closed'), 1_600_000_000, 1_600_000_000)
    chmodSync(join(f.source, 'closed'), 0o500)
  })
  using _ = fixture
  const result = await fixture.command('restore', { values: { to } })
  expect(result.text).toContain('Restored 7 entries')
  expect(result.exitCode).toBe(0)
  const at = (name: string) => join(to, fixture.source, name)
  expect(readFileSync(at('closed/file'), 'utf8')).toBe('in a closed directory')
  expect(lstatSync(at('closed')).mode & 0o7777).toBe(0o500)
  expect(lstatSync(at('closed')).mtimeMs).toBe(1_600_000_000_000)
  expect(lstatSync(at('tool')).mode & 0o7777).toBe(0o4755)
  expect(lstatSync(at('tool')).ino).toBe(lstatSync(at('same-tool')).ino)
  expect(readlinkSync(at('dangling'))).toBe('../nowhere')
  expect(lstatSync(at('dangling')).mtimeMs).toBe(86_400_000)
  expect(readFileSync(Buffer.concat([Buffer.from(`${join(to, fixture.source)}/`), odd]), 'utf8')).toBe('odd')
  // The runtime sets times as floating-point seconds.
  const drift = nanosecondsOf(at('tool')) - nanosecondsOf(join(fixture.source, 'tool'))
  expect(Math.abs(Number(drift))).toBeLessThan(500)
  expect(readdirSync(to)).toEqual(['tmp'])
  chmodSync(join(fixture.source, 'closed'), 0o700)
  chmodSync(at('closed'), 0o700)
})

testWith({ root: true })('restore gives back owners, pipes and devices', async () => {
  const { fixture, to } = await backedUp(({ source }) => {
    writeFileSync(join(source, 'owned'), 'x')
    chownSync(join(source, 'owned'), 1234, 4321)
    chmodSync(join(source, 'owned'), 0o6711)
    symlinkSync('owned', join(source, 'link'))
    Bun.spawnSync(['chown', '-h', '1234:4321', join(source, 'link')])
    Bun.spawnSync(['mkfifo', '-m', '0640', join(source, 'pipe')])
    Bun.spawnSync(['mknod', '-m', '0600', join(source, 'null'), 'c', '1', '3'])
  })
  using _ = fixture
  expect((await fixture.command('restore', { values: { to } })).exitCode).toBe(0)
  const at = (name: string) => lstatSync(join(to, fixture.source, name))
  expect([at('owned').uid, at('owned').gid, at('owned').mode & 0o7777]).toEqual([1234, 4321, 0o6711])
  expect([at('link').uid, at('link').gid]).toEqual([1234, 4321])
  expect([at('pipe').isFIFO(), at('pipe').mode & 0o777]).toEqual([true, 0o640])
  expect([at('null').isCharacterDevice(), at('null').rdev]).toEqual([true, lstatSync('/dev/null').rdev])
})

test('restore takes names and patterns, and says when nothing matches', async () => {
  const { fixture, to } = await backedUp((f) => {
    f.write('etc/app.conf', 'a')
    f.write('etc/sub/other.conf', 'b')
    f.write('data/file', 'c')
  })
  using _ = fixture
  const pattern = `${fixture.source}/etc/*.conf`
  expect((await fixture.command('restore', { values: { to }, positionals: [pattern] })).text).toContain(
    'Restored 1 ',
  )
  expect(readdirSync(join(to, fixture.source))).toEqual(['etc'])
  expect(readdirSync(join(to, fixture.source, 'etc'))).toEqual(['app.conf'])
  const nothing = fixture.command('restore', { values: { to }, positionals: ['no/such'] })
  await expect(nothing).rejects.toThrow('nothing in it matches no/such')
})

test('restore never overwrites without being told, and says what it left', async () => {
  const { fixture, to } = await backedUp((f) => {
    f.write('kept', 'from the backup')
    f.write('sub/new', 'new')
    f.write('sub/there', 'from the backup')
    f.write('blocked/below', 'x')
  })
  using _ = fixture
  const at = (name: string) => join(to, fixture.source, name)
  mkdirSync(at('sub'), { recursive: true })
  chmodSync(at('sub'), 0o711)
  writeFileSync(at('kept'), 'mine')
  writeFileSync(at('sub/there'), 'mine')
  writeFileSync(at('blocked'), 'a file where a directory should be')
  const first = await fixture.command('restore', { values: { to } })
  expect(first.exitCode).toBe(3)
  expect(first.json).toMatchObject({ restored: 3, notRestoredCount: 4 })
  expect(readFileSync(at('kept'), 'utf8')).toBe('mine')
  expect(readFileSync(at('sub/there'), 'utf8')).toBe('mine')
  expect(readFileSync(at('sub/new'), 'utf8')).toBe('new')
  expect(lstatSync(at('sub')).mode & 0o777).toBe(0o711)
  const second = await fixture.command('restore', { values: { to, overwrite: true } })
  expect(second.text).toContain('a file is in its place')
  expect(readFileSync(at('kept'), 'utf8')).toBe('from the backup')
  expect(readFileSync(at('blocked'), 'utf8')).toBe('a file where a directory should be')
})

test('restore does not follow a link that stands in the target', async () => {
  const { fixture, to } = await backedUp((f) => f.write('sub/file', 'from the backup'))
  using _ = fixture
  const outside = fixture.makeDirectory('outside')
  mkdirSync(join(to, fixture.source), { recursive: true })
  symlinkSync(outside, join(to, fixture.source, 'sub'))
  const result = await fixture.command('restore', { values: { to, overwrite: true } })
  expect(result.exitCode).toBe(3)
  expect(readdirSync(outside)).toEqual([])
})

test('restore refuses a target that is missing, a link, or open to others', async () => {
  const { fixture, to } = await backedUp((f) => f.write('a', 'a'))
  using _ = fixture
  const into = (target: string) => fixture.command('restore', { values: { to: target } })
  await expect(into(join(to, 'missing'))).rejects.toThrow('there is no such directory')
  symlinkSync(to, join(fixture.path, 'link'))
  await expect(into(join(fixture.path, 'link'))).rejects.toThrow('there is no such directory')
  chmodSync(to, 0o777)
  await expect(into(to)).rejects.toThrow('nobody else may write in')
  expect(readdirSync(to)).toEqual([])
})

test('restore works on a machine without a configured job', async () => {
  const { fixture, to } = await backedUp((f) => f.write('a', 'a'))
  using _ = fixture
  const values = { from: fixture.destination, to, passphrase: PASSPHRASE_REFERENCE }
  expect((await fixture.command('restore', { values, job: false })).exitCode).toBe(0)
  expect(readFileSync(join(to, fixture.source, 'a'), 'utf8')).toBe('a')
})

test('restore of a damaged backup restores nothing', async () => {
  const { fixture, to } = await backedUp((f) => f.write('a', crypto.getRandomValues(new Uint8Array(50_000))))
  using _ = fixture
  const path = join(fixture.destination, storedIn(fixture)[0] ?? '')
  const bytes = readFileSync(path)
  bytes[bytes.length - 5000] = (bytes[bytes.length - 5000] ?? 0) ^ 1
  writeFileSync(path, bytes)
  await expect(fixture.command('restore', { values: { to } })).rejects.toThrow('nothing was restored')
  expect(readdirSync(to)).toEqual([])
})

/** A backup of hostile entries: well-formed, encrypted, with a manifest that agrees. */
async function* forgedBackup(entries: ArchiveEntry[], sessionKey: Uint8Array): AsyncGenerator<Uint8Array> {
  async function* members(): AsyncGenerator<[Member]> {
    for (const entry of entries) {
      if (entry.type !== 'file') yield [{ entry, path: '/' }]
      else yield [{ entry: { ...entry, size: 4 }, path: '/', source: evil }]
    }
  }
  const stat = {
    ...plainEntry(),
    type: 'file' as const,
    size: 4,
    mtimeMs: 0,
    ctimeMs: 0,
    ino: 1,
    dev: 1,
    nlink: 1,
    storedBytes: 4,
  }
  const evil = {
    stat,
    read: (buffer: Uint8Array, position: number) => Buffer.from('evil').subarray(position).copy(buffer),
    exactStat: () => stat,
    extendedAttributes: () => new Map(),
    contentRanges: () => undefined,
    close: () => {},
  }
  const pool = new BlockPool(65_536)
  const addressees = { publicKeys: [], passphrase: 'anything at all', now: new Date() }
  yield* encrypt(compress(writeArchive(members(), new ArchiveLog(), pool), 1, pool), sessionKey, addressees)
}

async function restoreForged(target: string, entries: ArchiveEntry[]) {
  const sessionKey = newSessionKey()
  const host = new LocalHostWriter('/', { ...ALL_GRANTS, run: [['/usr/bin/sync', '…']] })
  const options = { target, patterns: [], overwrite: true }
  const layers = [{ name: 'forged', stored: () => forgedBackup(entries, sessionKey) }]
  return (await restore(host, layers, async () => sessionKey, options)).outcome
}

const file = (name: string) => plainEntry({ name, userName: '', groupName: '', uid: 0, gid: 0 })
const symlink = (name: string, linkName: string) => plainEntry({ ...file(name), type: 'symlink', linkName })
const hardLink = (name: string, linkName: string) =>
  plainEntry({ ...file(name), type: 'hard-link', linkName })

test.each<[string, ArchiveEntry[], string]>([
  ['climbs out of the target', [file('../outside/evil')], 'leads out of the target'],
  ['climbs out from below', [file('a/../../outside/evil')], 'leads out of the target'],
  ['is absolute', [file('/tmp/reeve-evil')], 'absolute'],
  ['goes through a link that comes before it', [symlink('way', '../outside'), file('way/evil')], 'twice'],
  [
    'replaces a link and then goes through it',
    [symlink('way', '../outside'), symlink('way', '.'), file('way/evil')],
    'twice',
  ],
  [
    'is a second name for something outside',
    [hardLink('name', '../outside/precious')],
    'leads out of the target',
  ],
  [
    'is a second name that goes through a link',
    [symlink('way', '../outside'), hardLink('name', 'way/precious')],
    'not restored',
  ],
  ['comes twice', [file('same'), file('same')], 'twice'],
  ['is in what is a file', [file('same'), file('same/below')], 'twice'],
])('restore is safe from an entry that %s', async (_what, entries, reason) => {
  using directory = temporaryDirectory('reeve-forged')
  const target = join(directory.path, 'target')
  const outside = join(directory.path, 'outside')
  mkdirSync(target, { mode: 0o700 })
  mkdirSync(outside)
  writeFileSync(join(outside, 'precious'), 'precious')
  const outcome = await restoreForged(target, entries)
  expect(outcome.notRestored.map((entry) => entry.reason).join()).toContain(reason)
  expect(readdirSync(outside)).toEqual(['precious'])
  expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('precious')
  expect(lstatSync(join(outside, 'precious')).nlink).toBe(1)
  expect(existsSync('/tmp/reeve-evil')).toBe(false)
})

test('restore takes away setuid where it cannot give the owner', async () => {
  using directory = temporaryDirectory('reeve-owner')
  chmodSync(directory.path, 0o777)
  const target = join(directory.path, 'target')
  await asOrdinaryUser(async () => {
    mkdirSync(target, { mode: 0o700 })
    const program = plainEntry({ ...file('program'), mode: 0o4755 })
    const outcome = await restoreForged(target, [program])
    expect(outcome.ownersLost).toBe(1)
    expect(lstatSync(join(target, 'program')).mode & 0o7777).toBe(0o755)
  })
})

/** More than are made before a thread takes part. */
const MANY = 1100

/** Type, mode, time and content of all that is in a directory, by name. */
function stateOf(base: string): Map<string, string> {
  const entries = readdirSync(base, { recursive: true, encoding: 'buffer' }).map((name) => {
    const path = Buffer.concat([Buffer.from(`${base}/`), name])
    const { mode, mtimeNs, uid, gid } = lstatSync(path, { bigint: true })
    const content = lstatSync(path).isFile() ? Bun.hash(readFileSync(path)) : ''
    return [name.toString('latin1'), [mode, mtimeNs, uid, gid, content].join()] as const
  })
  return new Map(entries)
}

test('restore of many small files and the changes since gives them back, also after it was killed in the middle', async () => {
  using fixture = new BackupFixture({ incremental: { fullEvery: '9d' } })
  const name = (index: number) => `d${index % 40}/f${index}`
  for (let index = 0; index < MANY; index++) {
    const path = fixture.write(name(index), `${index} `.repeat(index % 1000))
    chmodSync(path, 0o400 + (index % 0o400))
  }
  const odd = Buffer.concat([Buffer.from(`${fixture.source}/d1/odd-`), Buffer.of(0xff, 0x0a)])
  writeFileSync(odd, 'odd')
  await fixture.enforce()
  fixture.now = new Date(fixture.now.getTime() + 86_400_000)
  for (let index = 0; index < MANY; index += 3) {
    const path = join(fixture.source, name(index))
    rmSync(path)
    if (index % 2) writeFileSync(path, `changed ${index}`)
  }
  rmSync(join(fixture.source, 'd7'), { recursive: true })
  rmSync(join(fixture.source, 'd8'), { recursive: true })
  writeFileSync(join(fixture.source, 'd8'), 'now a file')
  rmSync(join(fixture.source, name(9)))
  mkdirSync(join(fixture.source, name(9)))
  writeFileSync(join(fixture.source, name(9), 'below'), 'below what was a file')
  const { after } = await fixture.enforce()
  expect(after.findings).toEqual([])
  expect(storedIn(fixture)).toHaveLength(2)
  const expected = stateOf(fixture.source)

  const to = fixture.makeDirectory('to')
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'restore-child.ts'), fixture.destination, to],
    { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
  )
  // It is killed as soon as files are there that are still aside.
  const isUnderWay = () =>
    readdirSync(to).some((staging) => existsSync(join(to, staging, fixture.source.slice(1), 'd1')))
  while (child.exitCode === null && !isUnderWay()) await Bun.sleep(1)
  child.kill('SIGKILL')
  await child.exited
  expect(child.signalCode).toBe('SIGKILL')

  const result = await fixture.command('restore', { values: { to } })
  expect(result.exitCode).toBe(0)
  expect(readdirSync(to)).toEqual(['tmp'])
  expect(stateOf(join(to, fixture.source))).toEqual(expected)
  expect(result.json).toMatchObject({ notRestoredCount: 0, restored: expected.size + 1 })
})

testWith({ root: true })('restore of many small files gives back owners and attributes', async () => {
  const { fixture, to } = await backedUp(({ source }) => {
    for (let index = 0; index < MANY; index++) {
      const path = join(source, `f${index}`)
      writeFileSync(path, String(index))
      chownSync(path, 1000 + (index % 90), 2000)
      chmodSync(path, 0o4711)
      if (index % 100 === 0) setExtendedAttribute(path, 'user.reeve', Buffer.from(`${index}`))
    }
  })
  using _ = fixture
  const result = await fixture.command('restore', { values: { to } })
  expect(result.json).toMatchObject({ notRestoredCount: 0 })
  expect(stateOf(join(to, fixture.source))).toEqual(stateOf(fixture.source))
  for (let index = 0; index < MANY; index += 100) {
    const attribute = extendedAttributes(join(to, fixture.source, `f${index}`)).get('user.reeve')
    expect(Buffer.from(attribute ?? []).toString()).toBe(`${index}`)
  }
})

test.each<[string, ArchiveEntry[]]>([
  ['files', [file('x')]],
  ['a directory', [plainEntry({ ...file('x'), type: 'directory' })]],
  ['what is below', [file('x/below')]],
])('restore makes one of many files whose name is that of %s too, and says so', async (_what, again) => {
  using directory = temporaryDirectory('reeve-twice')
  const target = join(directory.path, 'target')
  mkdirSync(target, { mode: 0o700 })
  const many = Array.from({ length: MANY }, (_, index) => file(`f${index}`))
  const outcome = await restoreForged(target, [...many, file('x'), ...again])
  expect(outcome.notRestored).toMatchObject([{ reason: 'it is in the backup twice' }])
  expect(outcome.restored).toBe(MANY + 1)
  expect(readFileSync(join(target, 'x'), 'utf8')).toBe('evil')
  expect(readdirSync(target)).toHaveLength(MANY + 1)
})
