import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { testWith } from '../../../kit/needs.ts'
import { factsOf } from '../attributes.ts'
import { BackupFixture, DAY_MS, rulesOf } from '../fixture.ts'
import { GnuPg } from '../gnupg.ts'

setDefaultTimeout(60_000)

let gnuPg: GnuPg | undefined
const home = () => (gnuPg ??= new GnuPg())
afterAll(() => gnuPg?.[Symbol.dispose]())

const withTools = testWith({ programs: ['gpg', 'zstd', 'tar'] })

function incremental(policy: { maxChain?: number; fullEvery?: string } = {}): BackupFixture {
  const fingerprint = gnuPg?.fingerprintOf('Chain') ?? home().makeKey('Chain')
  const file = join(home().home, 'public.asc')
  home().exportPublic(file, ['Chain'], { armor: true })
  return new BackupFixture({ recipients: [{ file, fingerprint }], incremental: policy })
}

/** Makes a backup, a day after the last one; its name. */
async function backUp(fixture: BackupFixture): Promise<string> {
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  expect(rulesOf((await fixture.enforce()).after)).toEqual([])
  return backupsOf(fixture).at(-1) ?? ''
}

function backupsOf(fixture: BackupFixture): string[] {
  return readdirSync(fixture.destination)
    .filter((name) => name.endsWith('.tar.zst.gpg'))
    .sort()
}

/** By hand, as the manual says: one after the other, the full one first. */
function restoreByHand(fixture: BackupFixture, names: string[], to: string): string {
  mkdirSync(to)
  for (const name of names) {
    const command =
      'gpg --batch --quiet --decrypt "$1" | zstd -q -d | tar -x --incremental --numeric-owner -C "$2"'
    const argv = ['sh', '-c', command, 'sh', join(fixture.destination, name), to]
    const result = Bun.spawnSync(argv, { env: home().env })
    expect([name, result.stderr.toString()]).toEqual([name, ''])
  }
  return join(to, fixture.source)
}

/** Names in a backup, without the manifest, and without directories: fresh ones are backed up once more. */
function filesOf(fixture: BackupFixture, name: string): string[] {
  const command = 'gpg --batch --quiet --decrypt "$1" | zstd -q -d | tar -t --quoting-style=literal'
  const argv = ['sh', '-c', command, 'sh', join(fixture.destination, name)]
  const list = Bun.spawnSync(argv, { env: home().env }).stdout.toString().split('\n')
  return list.filter((entry) => entry !== '' && !/^\.reeve-manifest\/|\/$/.test(entry))
}

withTools('a chain is restored by gpg, zstd and tar alone, to each of its days', async () => {
  using fixture = incremental()
  const at = (name: string) => join(fixture.source, name)
  fixture.write('stays', 'the same')
  fixture.write('grows', 'one')
  fixture.write('goes', 'away')
  fixture.write('tree/a/deep', 'deep')
  fixture.write('tree/b', 'b')
  fixture.write('was a file', 'x')
  fixture.write('was a directory/x', 'x')
  fixture.write('was a link', 'x')
  fixture.write('moves/from', 'moved')
  linkSync(at('stays'), at('another name'))
  const days: { backup: string; facts: Record<string, string> }[] = []
  const endOfDay = async () => {
    const backup = await backUp(fixture)
    days.push({ backup, facts: factsOf(fixture.source) })
  }
  await endOfDay()

  fixture.write('grows', 'one and two')
  fixture.write('new/file', 'new')
  rmSync(at('goes'))
  rmSync(at('tree'), { recursive: true })
  rmSync(at('was a file'))
  mkdirSync(at('was a file'))
  fixture.write('was a file/now in it', 'y')
  rmSync(at('was a directory'), { recursive: true })
  fixture.write('was a directory', 'now a file')
  rmSync(at('was a link'))
  symlinkSync('stays', at('was a link'))
  renameSync(at('moves/from'), at('moves/to'))
  await endOfDay()

  chmodSync(at('grows'), 0o600)
  utimesSync(at('new'), 1000, 2000)
  linkSync(at('stays'), at('third name'))
  await endOfDay()

  rmSync(at('new'), { recursive: true })
  rmSync(at('another name'))
  fixture.write('tree/again', 'again')
  await endOfDay()

  expect(days.map(({ backup }) => backup.replace(/\d{8}T\d{6}Z/g, 'T'))).toEqual([
    'backup-T-full.tar.zst.gpg',
    'backup-T-inc001-T.tar.zst.gpg',
    'backup-T-inc002-T.tar.zst.gpg',
    'backup-T-inc003-T.tar.zst.gpg',
  ])
  for (const [day, { facts }] of days.entries()) {
    const names = days.slice(0, day + 1).map(({ backup }) => backup)
    expect(factsOf(restoreByHand(fixture, names, join(fixture.path, `day ${day}`)))).toEqual(facts)
  }
})

withTools('a backup without changes holds no files', async () => {
  using fixture = incremental()
  fixture.write('a', 'a')
  fixture.write('deep/er/b', 'b')
  await backUp(fixture)
  await backUp(fixture)
  expect(filesOf(fixture, await backUp(fixture))).toEqual([])
})

withTools('a file that was touched and is the same otherwise is not backed up again', async () => {
  using fixture = incremental()
  const path = fixture.write('a', 'a')
  await backUp(fixture)
  const { mode } = statSync(path)
  chmodSync(path, 0o600)
  chmodSync(path, mode)
  expect(filesOf(fixture, await backUp(fixture))).toEqual([])
})

withTools('a change that keeps size and time is found', async () => {
  using fixture = incremental()
  const path = fixture.write('a', 'before')
  const { atime, mtime } = statSync(path)
  await backUp(fixture)
  writeFileSync(path, 'after!')
  utimesSync(path, atime, mtime)
  expect(filesOf(fixture, await backUp(fixture))).toEqual([path.slice(1)])
})

withTools('what was left out before stays when a chain is restored over it', async () => {
  using fixture = incremental()
  fixture.write('a', 'a')
  fixture.write('left-out.tmp', 'x')
  fixture.write('gone', 'x')
  const first = await backUp(fixture)
  rmSync(join(fixture.source, 'gone'))
  const second = await backUp(fixture)
  const to = join(fixture.path, 'to')
  const restored = restoreByHand(fixture, [first], to)
  writeFileSync(join(restored, 'not in the backup'), 'x')
  rmSync(join(fixture.path, 'over'), { recursive: true, force: true })
  renameSync(to, join(fixture.path, 'over'))
  const command = 'gpg --batch --quiet --decrypt "$1" | zstd -q -d | tar -x --incremental -C "$2"'
  Bun.spawnSync(['sh', '-c', command, 'sh', join(fixture.destination, second), join(fixture.path, 'over')], {
    env: home().env,
  })
  const names = readdirSync(join(fixture.path, 'over', fixture.source)).sort()
  expect(names).toEqual(['a', 'left-out.tmp'])
})

test('a chain is not longer than it may be', async () => {
  using fixture = incremental({ maxChain: 2 })
  fixture.write('a', 'a')
  const names: string[] = []
  for (let day = 0; day < 4; day++) names.push(await backUp(fixture))
  expect(names.map((name) => /full|inc\d+/.exec(name)?.[0])).toEqual(['full', 'inc001', 'inc002', 'full'])
})

test('a full backup is made when the last one is old, and when the settings have changed', async () => {
  using fixture = incremental({ fullEvery: '2d' })
  fixture.write('a', 'a')
  const names = [await backUp(fixture), await backUp(fixture), await backUp(fixture)]
  expect(names.map((name) => /full|inc\d+/.exec(name)?.[0])).toEqual(['full', 'inc001', 'full'])
  fixture.change({ sources: { paths: [fixture.source], exclude: ['*.tmp'] } })
  expect(await backUp(fixture)).toContain('-full')
})

test.each(['removed', 'damaged'])('a full backup is made when the index is %s', async (what) => {
  using fixture = incremental()
  fixture.write('a', 'a')
  await backUp(fixture)
  const path = join(fixture.stateDir, 'index.zst')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  if (what === 'removed') rmSync(path)
  else writeFileSync(path, readFileSync(path).subarray(0, 20))
  expect(await backUp(fixture)).toContain('-full')
})

test('a full backup is made when an object of the chain is gone', async () => {
  using fixture = incremental()
  fixture.write('a', 'a')
  const first = await backUp(fixture)
  await backUp(fixture)
  rmSync(join(fixture.destination, first))
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  await fixture.enforce()
  expect(backupsOf(fixture).at(-1)).toContain('-full')
})
