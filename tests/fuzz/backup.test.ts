import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_GRANTS } from '../../agent/host/grants.ts'
import { LocalHostWriter } from '../../agent/host/writer.ts'
import { openMessage } from '../../plugins/backup/encryption.ts'
import { restore } from '../../plugins/backup/restore/restore.ts'
import { BackupFixture, PASSPHRASE, storedIn } from '../plugins/backup/fixture.ts'
import { pieces } from '../plugins/backup/streams.ts'
import { RUNS as GIVEN_RUNS, mutate, randomNumbers, SEED } from './mutations.ts'

setDefaultTimeout(3_600_000)

/** The long form: REEVE_FUZZ_RUNS=10000 REEVE_FUZZ_SEED=7 bun test tests/fuzz/backup.test.ts */
const RUNS = GIVEN_RUNS ?? 1000

/** Every file below a directory, with its content. */
function contentOf(directory: string): string {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return files
    .sort()
    .map((path) => `${path.slice(directory.length)}\0${readFileSync(path, 'latin1')}`)
    .join('\0\0')
}

test(`no damage to a stored backup restores wrong data (${RUNS} mutations, seed ${SEED})`, async () => {
  using fixture = new BackupFixture()
  fixture.write('text', 'some text that can be compressed '.repeat(200))
  fixture.write('random', crypto.getRandomValues(new Uint8Array(3000)))
  fixture.write('empty', '')
  await fixture.enforce()
  const path = join(fixture.destination, storedIn(fixture)[0] ?? '')
  const whole = readFileSync(path)
  const original = contentOf(fixture.source)
  const message = await openMessage(pieces(whole, 100))
  const [sessionKey = new Uint8Array(32)] = await message.unlock({ passphrase: PASSPHRASE })
  // One packet: its tag, its length, and what it says.
  const keyPackets = whole.subarray(0, 2 + (whole[1] ?? 0))
  const host = new LocalHostWriter('/', { ...ALL_GRANTS, run: [['/usr/bin/sync', '…']] })
  const target = fixture.makeDirectory('to')
  const random = randomNumbers(SEED)
  let detected = 0
  let harmless = 0
  for (let run = 0; run < RUNS; run++) {
    const { what, damaged } = mutate(whole, random)
    if (damaged.equals(whole)) continue
    // The passphrase takes long to try; it can only matter where the packet with the key was touched.
    const isKeyTouched = !damaged.subarray(0, keyPackets.length).equals(keyPackets)
    const unlock = async (opened: typeof message) =>
      isKeyTouched ? ((await opened.unlock({ passphrase: PASSPHRASE }))[0] ?? new Uint8Array(32)) : sessionKey
    const isDetected = await restore(host, [{ name: 'x', stored: () => pieces(damaged, 700) }], unlock, {
      target,
      patterns: [],
      overwrite: true,
    }).then(
      () => false,
      () => true,
    )
    if (isDetected) {
      detected++
      expect(readdirSync(target)).toEqual([])
    } else {
      // Only what is not needed to decrypt may differ, and then all that is restored is right.
      harmless++
      expect([what, isKeyTouched]).toEqual([what, true])
      expect(contentOf(join(target, fixture.source))).toBe(original)
      rmSync(target, { recursive: true })
      mkdirSync(target, { mode: 0o700 })
    }
    // What the record of this host says finds all of them.
    if (run % 50 === 0) {
      writeFileSync(path, damaged)
      expect((await fixture.command('verify')).exitCode).toBe(3)
      writeFileSync(path, whole)
    }
  }
  expect(detected).toBeGreaterThan(RUNS * 0.9)
  expect(detected + harmless).toBeGreaterThan(RUNS * 0.95)
})
