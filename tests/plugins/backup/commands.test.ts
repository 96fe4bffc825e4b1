import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testWith } from '../../kit/needs.ts'
import { BackupFixture, DAY_MS, PASSPHRASE_REFERENCE, storedIn } from './fixture.ts'
import { GnuPg } from './gnupg.ts'

setDefaultTimeout(60_000)
const withGpg = testWith({ programs: ['gpg'] })
let gnupg: GnuPg | undefined
beforeAll(() => {
  if (!Bun.which('gpg')) return
  gnupg = new GnuPg()
  gnupg.makeKey('Backup <backup@example.org>')
  gnupg.makeKey('Other <other@example.org>')
})
afterAll(() => gnupg?.[Symbol.dispose]())

function home(): GnuPg {
  if (!gnupg) throw new Error('there is no gpg')
  return gnupg
}

async function twoBackups(fixture: BackupFixture): Promise<[string, string]> {
  fixture.write('a.txt', 'first')
  await fixture.enforce()
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  fixture.write('a.txt', 'second')
  await fixture.enforce()
  const [first = '', second = ''] = storedIn(fixture)
  return [first, second]
}

/** Flips one bit of a stored backup and leaves its size as it is. */
function flip(fixture: BackupFixture, name: string, at: number): void {
  const path = join(fixture.destination, name)
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x40
  writeFileSync(path, bytes)
}

test('list shows the backups of a job, and what became of them', async () => {
  using fixture = new BackupFixture()
  const [first, second] = await twoBackups(fixture)
  expect((await fixture.command('list')).exitCode).toBe(0)
  rmSync(join(fixture.destination, first))
  const { exitCode, json, text } = await fixture.command('list')
  expect(exitCode).toBe(3)
  expect(json).toMatchObject({
    backups: [
      { name: first, state: 'missing' },
      { name: second, state: 'proven' },
    ],
  })
  expect(text).toContain(second)
})

test('list shows the backups of a directory without a job, and of none when there are none', async () => {
  using fixture = new BackupFixture()
  const [first, second] = await twoBackups(fixture)
  writeFileSync(join(fixture.destination, 'notes.txt'), 'no backup')
  const listing = await fixture.command('list', { values: { from: fixture.destination }, job: false })
  expect(listing.json).toMatchObject({ backups: [{ name: first, state: 'not recorded' }, { name: second }] })
  const empty = await fixture.command('list', {
    values: { from: fixture.makeDirectory('empty') },
    job: false,
  })
  expect(empty.text).toContain('There are no backups')
  await expect(fixture.command('list', { job: false })).rejects.toThrow('--job NAME or --from DIR|FILE')
})

test('verify finds a flipped bit, and tells which backup has it', async () => {
  using fixture = new BackupFixture()
  const [first, second] = await twoBackups(fixture)
  expect((await fixture.command('verify')).exitCode).toBe(0)
  flip(fixture, first, 0)
  const { exitCode, json } = await fixture.command('verify')
  expect(exitCode).toBe(3)
  expect(json).toMatchObject({
    bad: 1,
    backups: [
      { name: first, ok: false },
      { name: second, ok: true },
    ],
  })
  expect((await fixture.command('verify', { positionals: [second] })).exitCode).toBe(0)
})

withGpg('verify without any key compares bytes; with one it reads every entry', async () => {
  const file = join(home().home, 'public.gpg')
  home().exportPublic(file, ['backup@example.org'])
  using fixture = new BackupFixture({ recipients: [{ file }] })
  const [first] = await twoBackups(fixture)
  expect((await fixture.command('verify')).text).toContain('every byte is as it was written')
  const key = join(home().home, 'secret.gpg')
  home().exportSecret(key, 'backup@example.org')
  expect((await fixture.command('verify', { values: { key } })).text).toContain('2 entries agree')
  flip(fixture, first, 300)
  expect((await fixture.command('verify')).exitCode).toBe(3)
  expect((await fixture.command('verify', { values: { key } })).exitCode).toBe(3)
  home().exportSecret(key, 'other@example.org')
  const wrong = await fixture.command('verify', { values: { key } })
  expect(wrong.text).toContain('the private key does not open it; it is encrypted to:')
})

withGpg('a private key that is protected opens with its passphrase, and says so without', async () => {
  const file = join(home().home, 'public.gpg')
  using locked = new GnuPg()
  locked.makeKey('Locked <locked@example.org>')
  locked.exportPublic(file, ['locked@example.org'])
  const key = join(locked.home, 'secret.asc')
  const protect = ['--passphrase', 'key passphrase', '--change-passphrase', 'locked@example.org']
  Bun.spawnSync(['gpg', '--batch', '--pinentry-mode', 'loopback', ...protect], { env: locked.env })
  const exported = Bun.spawnSync(
    [
      'gpg',
      '--batch',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      'key passphrase',
      '--armor',
      '--export-secret-keys',
    ],
    { env: locked.env },
  )
  writeFileSync(key, exported.stdout)
  using fixture = new BackupFixture({ recipients: [{ file }] })
  await twoBackups(fixture)
  await expect(fixture.command('verify', { values: { key } })).rejects.toThrow('--passphrase env:NAME')
  fixture.secrets['env:KEY'] = 'key passphrase'
  expect((await fixture.command('verify', { values: { key, passphrase: 'env:KEY' } })).exitCode).toBe(0)
  fixture.secrets['env:KEY'] = 'another passphrase'
  const wrong = fixture.command('verify', { values: { key, passphrase: 'env:KEY' } })
  await expect(wrong).rejects.toThrow('Cannot use the private key')
})

test('verify of a file without a record needs a key', async () => {
  using fixture = new BackupFixture()
  const [first] = await twoBackups(fixture)
  const from = join(fixture.path, 'carried-away.gpg')
  copyFileSync(join(fixture.destination, first), from)
  await expect(fixture.command('verify', { values: { from }, job: false })).rejects.toThrow(
    'has no record of it',
  )
  const values = { from, passphrase: PASSPHRASE_REFERENCE }
  expect((await fixture.command('verify', { values, job: false })).exitCode).toBe(0)
})

test('a secret on the command line is refused, and not repeated', async () => {
  using fixture = new BackupFixture()
  await twoBackups(fixture)
  const given = fixture.command('verify', { values: { passphrase: 'my real passphrase' } })
  await expect(given).rejects.toThrow('never the secret itself')
  await given.catch((error) => expect(String(error)).not.toContain('my real'))
})

test('restore takes the newest proven backup, or the one that is named', async () => {
  using fixture = new BackupFixture()
  const [first, second] = await twoBackups(fixture)
  const restored = async (to: string, values: Record<string, string> = {}) => {
    await fixture.command('restore', { values: { to, ...values } })
    return readFileSync(join(to, fixture.source, 'a.txt'), 'utf8')
  }
  expect(await restored(fixture.makeDirectory('newest'))).toBe('second')
  expect(await restored(fixture.makeDirectory('named'), { backup: first })).toBe('first')
  rmSync(join(fixture.destination, second))
  expect(await restored(fixture.makeDirectory('left'))).toBe('first')
  await expect(restored(fixture.makeDirectory('none'), { backup: 'other' })).rejects.toThrow(
    'Cannot find the backup',
  )
})

test('restore says what it needs', async () => {
  using fixture = new BackupFixture()
  await twoBackups(fixture)
  await expect(fixture.command('restore')).rejects.toThrow('--to DIR')
  const values = { to: fixture.makeDirectory('to'), from: fixture.destination }
  await expect(fixture.command('restore', { values, job: false })).rejects.toThrow('--key FILE')
  fixture.secrets[PASSPHRASE_REFERENCE] = 'another passphrase'
  const wrong = fixture.command('restore', { values: { to: values.to } })
  await expect(wrong).rejects.toThrow('Cannot decrypt the backup: the passphrase does not open it')
})

test('restore tells what was not as it should be when the backup was made', async () => {
  using fixture = new BackupFixture()
  using partly = new BackupFixture({ sources: { paths: [fixture.source, '/does/not/exist'] } })
  fixture.write('a', 'a')
  await partly.enforce()
  const { text, exitCode } = await partly.command('restore', { values: { to: partly.makeDirectory('to') } })
  expect(text).toContain('not as it was when the backup was made: /does/not/exist')
  expect(exitCode).toBe(0)
})

test('forget drops records and leaves files, and refuses what it does not know', async () => {
  using fixture = new BackupFixture()
  const [first, second] = await twoBackups(fixture)
  await expect(fixture.command('forget')).rejects.toThrow('name the backups')
  await expect(fixture.command('forget', { positionals: ['other'] })).rejects.toThrow('no record of it')
  await fixture.command('forget', { positionals: [first] })
  expect((await fixture.command('list')).json).toMatchObject({ backups: [{ name: second }] })
  expect(readdirSync(fixture.destination)).toContain(first)
})

test('the permissions of commands are what their arguments name', async () => {
  using fixture = new BackupFixture()
  const { default: plugin } = await import('../../../plugins/backup/plugin.ts')
  const args = {
    values: { from: '/mnt/copy', to: '/srv', key: '/root/key.asc', passphrase: 'env:KEY' },
    positionals: [],
  }
  expect(plugin.commands?.restore?.permissions(fixture.subject.config, args)).toMatchObject({
    read: ['/mnt/copy', '/root/key.asc', '/proc/*/stat'],
    write: ['/srv'],
    secrets: ['env:KEY'],
  })
  expect(
    plugin.commands?.verify?.permissions(fixture.subject.config, { values: {}, positionals: [] }),
  ).toMatchObject({
    read: [fixture.destination],
    secrets: [PASSPHRASE_REFERENCE],
  })
  expect(plugin.commands?.forget?.permissions(undefined, args)).toEqual({})
})
