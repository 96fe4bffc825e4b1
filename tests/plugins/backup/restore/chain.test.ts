import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
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
import { chainNames } from '../../../../plugins/backup/restore/chain.ts'
import { factsOf } from '../attributes.ts'
import { BackupFixture, DAY_MS, PASSPHRASE_REFERENCE, rulesOf } from '../fixture.ts'

setDefaultTimeout(60_000)

/** Three days of changes, each with a backup; what the source was like on each. */
async function threeDays() {
  const fixture = new BackupFixture({ incremental: {} })
  const at = (name: string) => join(fixture.source, name)
  const facts: Record<string, string>[] = []
  const endOfDay = async () => {
    expect(rulesOf((await fixture.enforce()).after)).toEqual([])
    facts.push(factsOf(fixture.source))
    fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  }
  fixture.write('stays', 'the same')
  fixture.write('grows', 'one')
  fixture.write('goes', 'away')
  fixture.write('tree/a/deep', 'deep')
  fixture.write('was a file', 'x')
  fixture.write('was a directory/deep/x', 'x')
  fixture.write('was a link', 'x')
  symlinkSync('stays', at('link'))
  await endOfDay()

  fixture.write('grows', 'one and two')
  fixture.write('new/file', 'new')
  rmSync(at('goes'))
  rmSync(at('tree'), { recursive: true })
  rmSync(at('was a file'))
  mkdirSync(at('was a file'))
  fixture.write('was a file/in it', 'y')
  rmSync(at('was a directory'), { recursive: true })
  fixture.write('was a directory', 'now a file')
  rmSync(at('was a link'))
  symlinkSync('/etc', at('was a link'))
  linkSync(at('stays'), at('other name'))
  await endOfDay()

  chmodSync(at('grows'), 0o600)
  utimesSync(at('new'), 1000, 2000)
  rmSync(at('was a link'))
  mkdirSync(at('was a link'))
  fixture.write('was a link/passwd', 'of mine')
  renameSync(at('was a directory'), at('moved'))
  rmSync(at('link'))
  await endOfDay()
  return { fixture, facts }
}

test('restore of a chain gives each day back, entry by entry', async () => {
  const { fixture, facts } = await threeDays()
  using _ = fixture
  for (const [day, wanted] of facts.entries()) {
    const to = fixture.makeDirectory(`day-${day}`)
    const time = new Date(fixture.now.getTime() + (day - 3) * DAY_MS + 3_600_000).toISOString()
    for (const values of [
      { to, at: time, 'dry-run': true },
      { to, at: time },
    ]) {
      const result = await fixture.command('restore', { values })
      expect([result.exitCode, result.text.includes('not restored')]).toEqual([0, false])
    }
    expect(factsOf(join(to, fixture.source))).toEqual(wanted)
  }
})

test('restore of a chain counts what is there at its end', async () => {
  const { fixture, facts } = await threeDays()
  using _ = fixture
  const result = await fixture.command('restore', { values: { to: fixture.makeDirectory('to') } })
  expect(result.json).toMatchObject({ restored: Object.keys(facts[2] ?? {}).length, notRestoredCount: 0 })
})

test('restore of a part of a chain gives that part', async () => {
  const { fixture } = await threeDays()
  using _ = fixture
  const to = fixture.makeDirectory('to')
  await fixture.command('restore', { values: { to }, positionals: [`${fixture.source}/was*`, '**/grows'] })
  expect(readdirSync(join(to, fixture.source)).sort()).toEqual(['grows', 'was a file', 'was a link'])
})

test('restore from a directory finds the chain by its names, and refuses one with a gap', async () => {
  const { fixture, facts } = await threeDays()
  using _ = fixture
  const names = readdirSync(fixture.destination)
    .filter((name) => name.endsWith('.gpg'))
    .sort()
  const values = (to: string) => ({
    from: join(fixture.destination, names[2] ?? ''),
    to: fixture.makeDirectory(to),
    passphrase: PASSPHRASE_REFERENCE,
  })
  const whole = values('whole')
  expect((await fixture.command('restore', { values: whole, job: false })).exitCode).toBe(0)
  expect(factsOf(join(whole.to, fixture.source))).toEqual(facts[2] ?? {})
  rmSync(join(fixture.destination, names[1] ?? ''))
  const gap = values('gap')
  await expect(fixture.command('restore', { values: gap, job: false })).rejects.toThrow(
    'number 1 of its chain',
  )
  expect(readdirSync(gap.to)).toEqual([])
})

test('restore of a chain whose archives were exchanged restores nothing', async () => {
  const { fixture } = await threeDays()
  using _ = fixture
  const names = readdirSync(fixture.destination)
    .filter((name) => name.endsWith('.gpg'))
    .sort()
  const [one, two] = [join(fixture.destination, names[1] ?? ''), join(fixture.destination, names[2] ?? '')]
  renameSync(one, `${one}.kept`)
  renameSync(two, one)
  renameSync(`${one}.kept`, two)
  const to = fixture.makeDirectory('to')
  const values = { from: fixture.destination, to, passphrase: PASSPHRASE_REFERENCE }
  await expect(fixture.command('restore', { values, job: false })).rejects.toThrow('nothing was restored')
  expect(readdirSync(to)).toEqual([])
})

test('a restore that was cut off is gone on with, and what it had built aside is removed', async () => {
  const { fixture, facts } = await threeDays()
  using _ = fixture
  const to = fixture.makeDirectory('to')
  await fixture.command('restore', { values: { to } })
  // As it is when the process is killed while it puts things into their place.
  rmSync(join(to, fixture.source, 'grows'))
  const dead = Bun.spawnSync(['true']).pid
  mkdirSync(join(to, `.reeve-restore-${dead}-0123456789ab`))
  const inode = statSync(join(to, fixture.source, 'moved')).ino
  const again = await fixture.command('restore', { values: { to } })
  expect([again.exitCode, again.json]).toMatchObject([0, { notRestoredCount: 0 }])
  // Of a directory that was there the time is its own.
  expect(factsOf(join(to, fixture.source))).toEqual({ ...facts[2], '': expect.any(String) })
  expect(statSync(join(to, fixture.source, 'moved')).ino).toBe(inode)
  expect(readdirSync(to).filter((name) => name.startsWith('.reeve'))).toEqual([])
})

test('a file with the same times but other content is not taken for the restored one', async () => {
  using fixture = new BackupFixture()
  const path = fixture.write('a', 'right')
  utimesSync(path, 1000, 1000)
  await fixture.enforce()
  const to = fixture.makeDirectory('to')
  await fixture.command('restore', { values: { to } })
  const there = join(to, fixture.source, 'a')
  writeFileSync(there, 'wrong')
  utimesSync(there, 1000, 1000)
  const again = await fixture.command('restore', { values: { to } })
  expect(again.exitCode).toBe(3)
  expect(readFileSync(there, 'utf8')).toBe('wrong')
  await fixture.command('restore', { values: { to, overwrite: true } })
  expect(readFileSync(there, 'utf8')).toBe('right')
})

test('--dry-run writes nothing and says what is in the way', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  const to = fixture.makeDirectory('to')
  const result = await fixture.command('restore', { values: { to: '/', 'dry-run': true } })
  expect(result.text).toContain('is there already')
  expect(result.json).toMatchObject({ inTheWay: 1 })
  await fixture.command('restore', { values: { to, 'dry-run': true } })
  expect(readdirSync(to)).toEqual([])
  expect(existsSync(join(fixture.source, 'a'))).toBe(true)
})

const FULL = 'etc-20261120T000000Z-full.tar.zst.gpg'
const inc = (index: number, day: number) =>
  `etc-20261120T000000Z-inc00${index}-202611${day}T000000Z.tar.zst.gpg`
const names = (...all: string[]) => all.map((name) => ({ name }))

test.each<[string, string, { name: string; previous?: string | null }[], string[]]>([
  ['a full one', FULL, names(FULL), [FULL]],
  ['a name of its own', 'mine.gpg', [], ['mine.gpg']],
  ['the second change', inc(2, 22), names(inc(2, 22), FULL, inc(1, 21)), [FULL, inc(1, 21), inc(2, 22)]],
  [
    'one of which a number is there twice',
    inc(2, 23),
    names(FULL, inc(1, 21), inc(1, 22), inc(1, 24), inc(2, 23)),
    [FULL, inc(1, 22), inc(2, 23)],
  ],
  [
    'one of which the records tell',
    inc(2, 23),
    [
      { name: FULL, previous: null },
      { name: inc(1, 21), previous: FULL },
      { name: inc(1, 22), previous: FULL },
      { name: inc(2, 23), previous: inc(1, 21) },
    ],
    [FULL, inc(1, 21), inc(2, 23)],
  ],
])('chainNames() of %s', (_what, name, known, wanted) => {
  expect(chainNames(name, known)).toEqual(wanted)
})

test.each([
  ['its full backup is missing', names(inc(1, 21)), 'full'],
  ['a number is missing', names(FULL, inc(2, 22)), 'inc001'],
  ['a record names what is not there', [{ name: inc(1, 21), previous: FULL }], FULL],
  [
    'records run in a circle',
    [
      { name: inc(1, 21), previous: inc(2, 22) },
      { name: inc(2, 22), previous: inc(1, 21) },
    ],
    'circle',
  ],
])('chainNames() refuses a chain when %s', (_what, known, message) => {
  const last = known.at(-1)?.name ?? ''
  expect(() => chainNames(last, known)).toThrow(message)
})
