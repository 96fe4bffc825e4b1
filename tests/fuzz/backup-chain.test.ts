import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKey } from 'openpgp'
import { ALL_GRANTS } from '../../agent/host/grants.ts'
import { LocalHostWriter } from '../../agent/host/writer.ts'
import { HostKey } from '../../plugins/backup/seal/host-key.ts'
import { BackupFixture, DAY_MS, storedIn } from '../plugins/backup/fixture.ts'
import { RUNS as GIVEN_RUNS, mutate, randomNumbers, SEED } from './mutations.ts'

setDefaultTimeout(7_200_000)

/** The long form: REEVE_FUZZ_RUNS=10000 REEVE_FUZZ_SEED=7 bun test tests/fuzz/backup-chain.test.ts */
const RUNS = GIVEN_RUNS ?? 150

/** Two chains of a full backup and two of changes, with their seals, for a key pair. */
async function chains() {
  const { publicKey, privateKey } = await generateKey({
    type: 'ecc',
    curve: 'curve25519Legacy',
    userIDs: [{ name: 'fuzz' }],
    date: new Date('2026-01-01'),
    format: 'object',
  })
  const fixture = new BackupFixture()
  const key = join(fixture.path, 'private.asc')
  writeFileSync(key, privateKey.armor(), { mode: 0o600 })
  const file = join(fixture.path, 'public.asc')
  writeFileSync(file, publicKey.armor())
  fixture.change({
    recipients: [{ file, fingerprint: publicKey.getFingerprint().toUpperCase() }],
    incremental: { fullEvery: '3d' },
    interval: '12h',
  })
  for (let day = 0; day < 6; day++) {
    fixture.write('text', `some text of day ${day} `.repeat(100))
    fixture.write(`of-day-${day}`, crypto.getRandomValues(new Uint8Array(500)))
    fixture.write('same', 'never changed')
    if (day > 0) rmSync(join(fixture.source, `of-day-${day - 1}`))
    await fixture.enforce()
    fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  }
  const own = await HostKey.load(new LocalHostWriter('/', ALL_GRANTS), fixture.stateDir)
  const signer = join(fixture.path, 'signer.asc')
  writeFileSync(signer, own?.publicKey() ?? '')
  return { fixture, key, signer }
}

function contentOf(directory: string): string {
  return readdirSync(directory)
    .sort()
    .map((name) => `${name}\0${readFileSync(join(directory, name), 'latin1')}`)
    .join('\0\0')
}

test(`no damage to a chain of backups or to its seals restores wrong data (${RUNS} mutations, seed ${SEED})`, async () => {
  const { fixture, key, signer } = await chains()
  using _ = fixture
  const names = storedIn(fixture)
  expect(names.map((name) => /-(full|inc\d+)/.exec(name)?.[1])).toEqual([
    'full',
    'inc001',
    'inc002',
    'full',
    'inc001',
    'inc002',
  ])
  const newest = names.at(-1) ?? ''
  const chain = names.slice(3)
  const original = contentOf(fixture.source)
  const objects = readdirSync(fixture.destination).sort()
  const whole = new Map(objects.map((name) => [name, readFileSync(join(fixture.destination, name))]))
  const put = (name: string, bytes: Uint8Array) => writeFileSync(join(fixture.destination, name), bytes)
  const random = randomNumbers(SEED)
  const pick = (list: string[]) => list[random(list.length)] ?? ''
  const ofChain = objects.filter((name) =>
    chain.some((backup) => name.startsWith(backup.split('.')[0] ?? backup)),
  )
  const damage = (): { what: string; names: string[] } => {
    const name = pick(ofChain)
    const bytes = whole.get(name) ?? Buffer.alloc(0)
    const kind = random(10)
    if (kind === 0) {
      rmSync(join(fixture.destination, name))
      return { what: 'removed', names: [name] }
    }
    if (kind <= 2) {
      const other = pick(objects.filter((candidate) => candidate !== name))
      put(name, whole.get(other) ?? Buffer.alloc(0))
      if (kind === 1) put(other, bytes)
      return { what: kind === 1 ? 'exchanged' : `replaced by ${other}`, names: [name, other] }
    }
    const { what, damaged } = mutate(bytes, random)
    put(name, damaged)
    return { what: damaged.equals(bytes) ? 'nothing' : what, names: [name] }
  }
  let detected = 0
  for (let run = 0; run < RUNS; run++) {
    const { what, names: touched } = damage()
    const to = join(fixture.path, 'to')
    mkdirSync(to, { mode: 0o700 })
    const values = { from: fixture.destination, signer, key, to, backup: newest }
    const isDetected = await fixture.command('restore', { job: false, values }).then(
      ({ exitCode }) => (exitCode ?? 0) !== 0,
      () => true,
    )
    if (isDetected) {
      detected++
      expect([what, touched, readdirSync(to)]).toEqual([what, touched, []])
    } else {
      // A blank line in a seal changes nothing of what it says: then all that is restored is right.
      const restored = join(to, fixture.source.slice(1))
      expect([what, touched, contentOf(restored) === original]).toEqual([what, touched, true])
      expect([what, touched, what === 'nothing' || touched.some((name) => name.endsWith('.asc'))]).toEqual([
        what,
        touched,
        true,
      ])
    }
    rmSync(to, { recursive: true })
    for (const name of touched) put(name, whole.get(name) ?? Buffer.alloc(0))
  }
  expect(detected).toBeGreaterThan(RUNS * 0.8)
})
