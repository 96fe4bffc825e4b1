import { expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { sealName } from '../../plugins/backup/object-name.ts'
import { testWith } from '../kit/needs.ts'
import {
  BackupFixture,
  DAY_MS,
  onDisk,
  PASSPHRASE_REFERENCE,
  rulesOf,
  storedIn,
} from '../plugins/backup/fixture.ts'
import { mountTmpfs, unmount, whyNoMount } from '../plugins/backup/mount.ts'

setDefaultTimeout(600_000)

/** Every n-th step is tried. All of them: REEVE_FAULT_STRIDE=1 bun test tests/fault/backup.test.ts */
const STRIDE = Number(process.env.REEVE_FAULT_STRIDE ?? 3)

type Incremental = { fullEvery?: string } | undefined

/** A job with two proven backups, of which the next one will remove the older unless it is needed. */
async function withTwoBackups(incremental: Incremental): Promise<BackupFixture> {
  const fixture = new BackupFixture({ retention: { keepLast: 2 }, incremental })
  fixture.write('a', 'first')
  fixture.write('random', crypto.getRandomValues(new Uint8Array(700_000)))
  for (let day = 0; day < 2; day++) {
    await fixture.enforce()
    fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  }
  return fixture
}

/** Runs the next backup in a process of its own that dies before its `killBefore`-th step. */
function runChild(fixture: BackupFixture, killBefore: number, incremental: Incremental) {
  const request = {
    config: {
      sources: { paths: [fixture.source] },
      destinations: [onDisk(fixture.destination)],
      passphrase: PASSPHRASE_REFERENCE,
      retention: { keepLast: 2 },
      incremental,
    },
    stateDir: fixture.stateDir,
    now: fixture.now.toISOString(),
    secrets: fixture.secrets,
    killBefore,
  }
  const child = join(import.meta.dir, 'backup-child.ts')
  return Bun.spawnSync([process.execPath, child, JSON.stringify(request)], { stderr: 'inherit' })
}

test.each<[string, Incremental]>([
  ['full backups', undefined],
  ['chains', { fullEvery: '3d' }],
])(
  `SIGKILL at every ${STRIDE}. step leaves %s that are whole and records that are true`,
  async (_what, incremental) => {
    using undisturbed = await withTwoBackups(incremental)
    const total = Number(runChild(undisturbed, 0, incremental).stdout.toString())
    expect(total).toBeGreaterThan(10)
    expect((await undisturbed.check()).findings).toEqual([])

    for (let killBefore = 1; killBefore <= total; killBefore += STRIDE) {
      using fixture = await withTwoBackups(incremental)
      const proven = storedIn(fixture)
      const killed = runChild(fixture, killBefore, incremental)
      expect(killed.signalCode as string).toBe('SIGKILL')
      const at = `killed before step ${killBefore} of ${total}`

      // Before anything is put right: what is counted is whole, and nothing half is.
      const after = await fixture.check()
      const counted = (after.facts ?? []).map(({ subject }) => basename(subject))
      const isDone = counted.some((name) => !proven.includes(name))
      expect([at, rulesOf(after)]).toEqual([at, isDone ? [] : ['backup-due']])
      for (const name of counted) expect(readdirSync(fixture.destination)).toContain(name)
      expect((await fixture.command('verify')).exitCode).toBe(0)
      // The newest of the older ones is never touched before the new one is proven.
      expect(readdirSync(fixture.destination)).toContain(proven.at(-1) ?? '')

      // The next run, a day later, cleans up and goes on.
      fixture.now = new Date(fixture.now.getTime() + DAY_MS)
      expect([at, rulesOf((await fixture.enforce()).after)]).toEqual([at, []])
      const left = storedIn(fixture)
      // Nothing else is there, and each has its seal.
      expect([at, readdirSync(fixture.destination).sort()]).toEqual([
        at,
        [...left, ...left.map(sealName)].sort(),
      ])
      expect([at, readdirSync(fixture.stateDir).sort()]).toEqual([
        at,
        ['backups.json', ...(incremental ? ['index.zst'] : []), 'signing-key.asc'],
      ])
      const { backups } = JSON.parse(readFileSync(join(fixture.stateDir, 'backups.json'), 'utf8'))
      expect(left).toEqual(backups.map(({ name }: { name: string }) => name).sort())
      // What the newest builds upon is kept with it.
      expect(left.length).toBeLessThanOrEqual(incremental ? 4 : 2)
    }
  },
)

const mountable = testWith({ reason: whyNoMount() })

mountable('a full disk leaves older backups intact and is not green', async () => {
  using fixture = new BackupFixture()
  fixture.write('small', 'small')
  await fixture.enforce()
  const kept = fixture.makeDirectory('kept')
  cpSync(fixture.destination, kept, { recursive: true, preserveTimestamps: true })
  mountTmpfs(fixture.destination)
  try {
    cpSync(kept, fixture.destination, { recursive: true, preserveTimestamps: true })
    const before = readdirSync(fixture.destination)
    fixture.write('large', crypto.getRandomValues(new Uint8Array(3_000_000)))
    fixture.now = new Date(fixture.now.getTime() + DAY_MS)
    await expect(fixture.enforce()).rejects.toThrow('no space left on the device')
    expect(readdirSync(fixture.destination)).toEqual(before)
    expect((await fixture.check()).findings.map(({ rule, fixable }) => [rule, fixable])).toEqual([
      ['backup-due', true],
    ])
    expect((await fixture.command('verify')).exitCode).toBe(0)
  } finally {
    unmount(fixture.destination)
  }
})

mountable('a full disk stops a restore, and nothing half is left', async () => {
  using fixture = new BackupFixture()
  fixture.write('small', 'small')
  fixture.write('large', crypto.getRandomValues(new Uint8Array(3_000_000)))
  await fixture.enforce()
  const to = fixture.makeDirectory('to')
  mountTmpfs(to)
  try {
    await expect(fixture.command('restore', { values: { to } })).rejects.toThrow('nothing was restored')
    expect(readdirSync(to)).toEqual([])
  } finally {
    unmount(to)
  }
})
