import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import { sealName } from '../../../plugins/backup/object-name.ts'
import { HostKey } from '../../../plugins/backup/seal/host-key.ts'
import { formatSeal, openSeal, parseSeal, type Seal } from '../../../plugins/backup/seal/seal.ts'
import { testWith } from '../../kit/needs.ts'
import { BackupFixture, DAY_MS, PASSPHRASE_REFERENCE, rulesOf, storedIn } from './fixture.ts'
import { GnuPg } from './gnupg.ts'

setDefaultTimeout(60_000)

let gnuPg: GnuPg | undefined
const home = () => (gnuPg ??= new GnuPg())
afterAll(() => gnuPg?.[Symbol.dispose]())

const SEAL: Seal = {
  job: 'etc',
  host: 'web-1',
  createdAt: '2026-11-23T03:15:00.000Z',
  full: 'etc-20261122T031500Z-full.tar.zst.gpg',
  index: 1,
  previous: { name: 'etc-20261122T031500Z-full.tar.zst.gpg', sha256: 'b'.repeat(64) },
  name: 'etc-20261122T031500Z-inc001-20261123T031500Z.tar.zst.gpg',
  bytes: 1234,
  sha256: 'a'.repeat(64),
}

test.each([SEAL, { ...SEAL, index: 0, previous: null }])(
  'parseSeal() reads what formatSeal() wrote',
  (seal) => {
    expect(parseSeal(formatSeal(seal))).toEqual(seal)
  },
)

test.each(['', 'anything', formatSeal(SEAL).replace('seal 1', 'seal 2'), `${formatSeal(SEAL)}\nmore`])(
  'parseSeal() refuses %p',
  (text) => {
    expect(() => parseSeal(text)).toThrow('no seal')
  },
)

/** Two backups, and the public key that they are signed with in a file. */
async function sealed(): Promise<{ fixture: BackupFixture; first: string; second: string; signer: string }> {
  const fixture = new BackupFixture()
  fixture.write('a', 'first')
  await fixture.enforce()
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  fixture.write('a', 'second')
  await fixture.enforce()
  const [first = '', second = ''] = storedIn(fixture)
  const key = await HostKey.load(new LocalHostWriter('/', ALL_GRANTS), fixture.stateDir)
  const signer = join(fixture.path, 'signer.asc')
  writeFileSync(signer, key?.publicKey() ?? '')
  return { fixture, first, second, signer }
}

testWith({ programs: ['gpg', 'sha256sum'] })('gpg and sha256sum check a seal by hand', async () => {
  const { fixture, first, signer } = await sealed()
  using _ = fixture
  home().run(['--import', signer])
  const command =
    'set -o pipefail; cd "$1" && gpg --batch --quiet --trust-model always -d "$2" | sha256sum -c --strict'
  const check = () =>
    Bun.spawnSync(['bash', '-c', command, 'bash', fixture.destination, sealName(first)], { env: home().env })
  expect(check().stdout.toString()).toBe(`${first}: OK\n`)
  expect(check().exitCode).toBe(0)
  writeFileSync(join(fixture.destination, first), 'forged')
  expect(check().exitCode).not.toBe(0)
})

test('the key that signs is private, and stays the same', async () => {
  const { fixture, first, second, signer } = await sealed()
  using _ = fixture
  expect(statSync(join(fixture.stateDir, 'signing-key.asc')).mode & 0o777).toBe(0o600)
  for (const name of [first, second]) {
    const text = readFileSync(join(fixture.destination, sealName(name)), 'utf8')
    expect((await openSeal(text, readFileSync(signer, 'utf8'))).name).toBe(name)
  }
})

test('a seal of somebody else is not believed', async () => {
  const [mine, other] = [await sealed(), await sealed()]
  using _a = mine.fixture
  using _b = other.fixture
  const text = readFileSync(join(other.fixture.destination, sealName(other.first)), 'utf8')
  await expect(openSeal(text, readFileSync(mine.signer, 'utf8'))).rejects.toThrow('not of the key')
  const changed = readFileSync(join(mine.fixture.destination, sealName(mine.first)), 'utf8').replace(
    '# bytes: ',
    '# bytes: 9',
  )
  await expect(openSeal(changed, readFileSync(mine.signer, 'utf8'))).rejects.toThrow('not of the key')
})

test('an older backup in the place of a newer one is noticed at restore, and by verify', async () => {
  const { fixture, first, second, signer } = await sealed()
  using _ = fixture
  for (const of of [(name: string) => name, sealName]) {
    copyFileSync(join(fixture.destination, of(first)), join(fixture.destination, of(second)))
  }
  const to = fixture.makeDirectory('to')
  const from = { from: fixture.destination, signer, passphrase: PASSPHRASE_REFERENCE }
  const restore = fixture.command('restore', { job: false, values: { ...from, to, backup: second } })
  await expect(restore).rejects.toThrow(`its seal is that of "${first}"`)
  expect(readdirSync(to)).toEqual([])
  expect(
    (await fixture.command('verify', { job: false, values: { from: fixture.destination, signer } })).text,
  ).toContain(`its seal is that of "${first}"`)
})

test('a forged backup under a good seal is noticed at restore', async () => {
  const { fixture, first, second, signer } = await sealed()
  using _ = fixture
  copyFileSync(join(fixture.destination, first), join(fixture.destination, second))
  const to = fixture.makeDirectory('to')
  const values = { from: fixture.destination, signer, passphrase: PASSPHRASE_REFERENCE, to, backup: second }
  await expect(fixture.command('restore', { job: false, values })).rejects.toThrow(
    'not what its host has signed',
  )
  expect(readdirSync(to)).toEqual([])
  await expect(fixture.command('restore', { values: { to, backup: second } })).rejects.toThrow('signed')
})

test('verify needs no private key where it has the public key of the host', async () => {
  const { fixture, first, signer } = await sealed()
  using _ = fixture
  const verify = () =>
    fixture.command('verify', { job: false, values: { from: fixture.destination, signer } })
  expect((await verify()).exitCode).toBe(0)
  const bytes = readFileSync(join(fixture.destination, first))
  bytes[100] = (bytes[100] ?? 0) ^ 1
  writeFileSync(join(fixture.destination, first), bytes)
  expect((await verify()).exitCode).toBe(3)
})

test('a seal that was taken away is told, refused at restore, and written again by the next run', async () => {
  const { fixture, second, signer } = await sealed()
  using _ = fixture
  rmSync(join(fixture.destination, sealName(second)))
  expect(rulesOf(await fixture.check())).toEqual(['seal-missing'])
  const to = fixture.makeDirectory('to')
  const values = { from: fixture.destination, signer, passphrase: PASSPHRASE_REFERENCE, to, backup: second }
  await expect(fixture.command('restore', { job: false, values })).rejects.toThrow('no seal')
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  expect(rulesOf((await fixture.enforce()).after)).toEqual([])
})

test('a key that signs and cannot be read stops the backup before anything is made', async () => {
  const { fixture } = await sealed()
  using _ = fixture
  renameSync(join(fixture.stateDir, 'signing-key.asc'), join(fixture.path, 'away'))
  writeFileSync(join(fixture.stateDir, 'signing-key.asc'), 'rubbish')
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  const before = storedIn(fixture)
  await expect(fixture.enforce()).rejects.toThrow('that signs the backups')
  expect(storedIn(fixture)).toEqual(before)
})
