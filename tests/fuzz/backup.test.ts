import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_GRANTS } from '../../agent/host/grants.ts'
import { LocalHostWriter } from '../../agent/host/writer.ts'
import { openMessage } from '../../plugins/backup/encryption.ts'
import { restore } from '../../plugins/backup/restore/restore.ts'
import { BackupFixture, PASSPHRASE, storedIn } from '../plugins/backup/fixture.ts'
import { pieces } from '../plugins/backup/streams.ts'

setDefaultTimeout(3_600_000)

/** The long form: REEVE_FUZZ_RUNS=10000 REEVE_FUZZ_SEED=7 bun test tests/fuzz/backup.test.ts */
const RUNS = Number(process.env.REEVE_FUZZ_RUNS ?? 1000)
const SEED = Number(process.env.REEVE_FUZZ_SEED ?? 20_261_123)

/** Marsaglia's xorshift32: small, and the same everywhere. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const MUTATIONS: Record<string, (bytes: Buffer, random: (below: number) => number) => Buffer> = {
  'a bit flipped': (bytes, random) => {
    const changed = Buffer.from(bytes)
    const at = random(bytes.length)
    changed[at] = (changed[at] ?? 0) ^ (1 << random(8))
    return changed
  },
  'the end cut off': (bytes, random) => bytes.subarray(0, random(bytes.length)),
  'the beginning cut off': (bytes, random) => bytes.subarray(1 + random(bytes.length - 1)),
  'bytes taken out': (bytes, random) => {
    const at = random(bytes.length - 1)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(50))])
  },
  'bytes put in': (bytes, random) => {
    const at = random(bytes.length + 1)
    const more = Buffer.from(Array.from({ length: 1 + random(50) }, () => random(256)))
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])
  },
  'bytes overwritten': (bytes, random) => {
    const changed = Buffer.from(bytes)
    const at = random(bytes.length)
    for (let index = at; index < Math.min(at + 1 + random(50), bytes.length); index++)
      changed[index] = random(256)
    return changed
  },
  'two parts exchanged': (bytes, random) => {
    const [a = 0, b = 0, c = 0] = [random(bytes.length), random(bytes.length), random(bytes.length)].sort(
      (x, y) => x - y,
    )
    return Buffer.concat([
      bytes.subarray(0, a),
      bytes.subarray(b, c),
      bytes.subarray(a, b),
      bytes.subarray(c),
    ])
  },
}

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
    const [what = '', mutate = (bytes: Buffer) => bytes] = Object.entries(MUTATIONS)[random(7)] ?? []
    const damaged = mutate(whole, random)
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
