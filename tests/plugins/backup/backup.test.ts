import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
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
import type { Report } from '../../../agent/contract/mod.ts'
import { testWith } from '../../kit/needs.ts'
import { asOrdinaryUser } from '../../kit/ordinary-user.ts'
import { BackupFixture, DAY_MS, onDisk, PASSPHRASE, rulesOf, storedIn } from './fixture.ts'
import { GnuPg } from './gnupg.ts'
import { mountTmpfs, unmount, whyNoMount } from './mount.ts'

setDefaultTimeout(60_000)
const withGpg = testWith({ programs: ['gpg', 'zstd', 'tar'] })
let gnupg: GnuPg | undefined
beforeAll(() => {
  if (!Bun.which('gpg')) return
  gnupg = new GnuPg()
  gnupg.makeKey('Backup <backup@example.org>')
})
afterAll(() => gnupg?.[Symbol.dispose]())

function home(): GnuPg {
  if (!gnupg) throw new Error('there is no gpg')
  return gnupg
}

/** A fixture that encrypts to the public key of `backup@example.org`. */
function toPublicKey(): BackupFixture {
  const file = join(home().home, 'public.asc')
  home().exportPublic(file, ['backup@example.org'], { armor: true })
  return new BackupFixture({ recipients: [{ file }] })
}

/** The stored objects, oldest first. */
function stored(fixture: BackupFixture): string[] {
  return readdirSync(fixture.destination)
    .filter((name) => !name.endsWith('.sha256.asc'))
    .sort()
}

function pathOf(fixture: BackupFixture, index = -1): string {
  return join(fixture.destination, stored(fixture).at(index) ?? 'none')
}

/** Another backup, a day later. */
async function nextDay(fixture: BackupFixture): Promise<Report> {
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  return (await fixture.enforce()).after
}

function records(fixture: BackupFixture) {
  return JSON.parse(readFileSync(join(fixture.stateDir, 'backups.json'), 'utf8'))
}

test('a backup that is due is made, proven, private and then no longer due', async () => {
  using fixture = new BackupFixture()
  fixture.write('hello.txt', 'hello\n')
  const { before, applied, after } = await fixture.enforce()
  expect(rulesOf(before)).toEqual(['backup-overdue'])
  expect(after.findings).toEqual([])
  expect(stored(fixture)).toEqual(['backup-20261123T031500Z-full.tar.zst.gpg'])
  expect(statSync(pathOf(fixture)).mode & 0o777).toBe(0o600)
  expect(statSync(join(fixture.stateDir, 'backups.json')).mode & 0o777).toBe(0o600)
  const [artifact] = applied.artifacts ?? []
  expect(artifact?.bytes).toBe(statSync(pathOf(fixture)).size)
  expect(artifact?.sha256).toBe(
    new Bun.CryptoHasher('sha256').update(readFileSync(pathOf(fixture))).digest('hex'),
  )
  expect(after.facts).toMatchObject([
    { kind: 'backup', data: { entries: 2, problems: 0, hasPassphrase: true } },
  ])
  expect(after.metrics?.map(({ name }) => name)).toContain('backup_proven_age_seconds')
})

test('a second apply makes nothing when nothing is due', async () => {
  using fixture = new BackupFixture()
  fixture.write('hello.txt', 'hello\n')
  await fixture.enforce()
  expect((await fixture.enforce()).applied).toEqual({ findings: [] })
  expect(stored(fixture).length).toBe(1)
})

withGpg('gpg, zstd and tar restore it with the private key, byte for byte', async () => {
  using fixture = toPublicKey()
  fixture.write('a.txt', 'first\n')
  fixture.write('deep/er/b.bin', crypto.getRandomValues(new Uint8Array(3_000_000)))
  fixture.write(`long/${'n'.repeat(200)}/${'m'.repeat(200)}`, 'long')
  fixture.write('empty', '')
  symlinkSync('/etc/passwd', join(fixture.source, 'link'))
  await fixture.enforce()
  const to = fixture.makeDirectory('restored')
  const command = 'gpg --batch --quiet --decrypt "$1" | zstd -d | tar -x -C "$2"'
  const result = Bun.spawnSync(['sh', '-c', command, 'sh', pathOf(fixture), to], { env: home().env })
  expect(result.stderr.toString()).toBe('')
  const difference = Bun.spawnSync([
    'diff',
    '-r',
    '--no-dereference',
    fixture.source,
    join(to, fixture.source),
  ])
  expect(difference.stdout.toString()).toBe('')
})

withGpg('gpg, zstd and tar restore it with the passphrase', async () => {
  using fixture = new BackupFixture()
  fixture.write('a.txt', 'first\n')
  await fixture.enforce()
  const command =
    'gpg --batch --quiet --pinentry-mode loopback --passphrase-fd 3 --decrypt "$1" 3<"$2" | zstd -d | tar -xO --wildcards "*/a.txt"'
  writeFileSync(join(fixture.path, 'passphrase'), PASSPHRASE)
  const argv = ['sh', '-c', command, 'sh', pathOf(fixture), join(fixture.path, 'passphrase')]
  const result = Bun.spawnSync(argv, { env: home().env })
  expect(result.stdout.toString()).toBe('first\n')
})

test('nothing of the content, nor a name, is stored in the clear', async () => {
  using fixture = new BackupFixture({ compressionLevel: 1 })
  fixture.write('a-telling-name.txt', 'a telling content '.repeat(100))
  await fixture.enforce()
  for (const path of [pathOf(fixture), join(fixture.stateDir, 'backups.json')]) {
    expect(readFileSync(path).includes('telling')).toBe(false)
    expect(readFileSync(path).includes(PASSPHRASE)).toBe(false)
  }
})

test('exclude patterns, sockets and the destination itself are left out', async () => {
  using fixture = new BackupFixture()
  const inside = join(fixture.source, 'backups')
  mkdirSync(inside, { mode: 0o700 })
  using other = new BackupFixture({
    sources: { paths: [fixture.source], exclude: ['*.tmp', `${fixture.source}/cache/**`] },
    destinations: [onDisk(inside)],
  })
  for (const name of ['kept', 'left.tmp', 'cache/left', 'backups/other']) fixture.write(name, name)
  const server = Bun.listen({ unix: join(fixture.source, 'socket'), socket: { data() {} } })
  const { applied, after } = await other.enforce()
  server.stop()
  expect(after.findings).toEqual([])
  expect(applied.coverage).toEqual({ examined: 3, skipped: 4 })
  const to = other.makeDirectory('to')
  await other.command('restore', { values: { to } })
  expect(readdirSync(join(to, fixture.source)).sort()).toEqual(['cache', 'kept'])
})

test('a source that is missing is told, and the others are backed up', async () => {
  using fixture = new BackupFixture({ sources: { paths: ['/does/not/exist'] } })
  const { before } = await fixture.enforce()
  expect(before.findings.map(({ rule, fixable }) => [rule, fixable])).toEqual([
    ['source-missing', undefined],
    ['backup-overdue', false],
  ])
  using partly = new BackupFixture({ sources: { paths: [fixture.source, '/does/not/exist'] } })
  fixture.write('a', 'a')
  expect(rulesOf((await partly.enforce()).after)).toEqual(['source-missing', 'source-unreadable'])
})

testWith({ root: true })('what may not be read is told, on every check until a backup has it', async () => {
  using fixture = new BackupFixture()
  chmodSync(fixture.path, 0o777)
  for (const path of [fixture.destination, fixture.stateDir]) chmodSync(path, 0o777)
  fixture.write('readable', 'yes')
  chmodSync(fixture.write('secret', 'no'), 0o600)
  mkdirSync(join(fixture.source, 'closed'), { mode: 0o700 })
  await asOrdinaryUser(async () => {
    const { after } = await fixture.enforce()
    expect(after.findings.map(({ rule, subject }) => [rule, subject])).toEqual([
      ['destination-exposed', fixture.destination],
      ['source-unreadable', join(fixture.source, 'closed')],
      ['source-unreadable', join(fixture.source, 'secret')],
    ])
    expect(rulesOf(await fixture.check())).toContain('source-unreadable')
  })
  chmodSync(join(fixture.source, 'secret'), 0o644)
  chmodSync(join(fixture.source, 'closed'), 0o755)
  await asOrdinaryUser(async () => {
    expect(rulesOf(await nextDay(fixture))).toEqual(['destination-exposed'])
  })
})

test('a key that cannot be used stops the backup before anything is written', async () => {
  using fixture = new BackupFixture({ recipients: [{ file: '/does/not/exist.asc' }] })
  fixture.write('a', 'a')
  const { before, after } = await fixture.enforce()
  expect(before.findings.map(({ rule, fixable }) => [rule, fixable])).toEqual([
    ['recipient-unusable', undefined],
    ['backup-overdue', false],
  ])
  await expect(fixture.subject.apply([{ ...before.findings[1], fixable: true } as never])).rejects.toThrow(
    'Cannot encrypt to "/does/not/exist.asc"',
  )
  expect(stored(fixture)).toEqual([])
  expect(rulesOf(after)).toEqual(rulesOf(before))
})

test('check finds a file that was written to while it was backed up, until a backup has it at rest', async () => {
  using fixture = new BackupFixture()
  fixture.write('quiet', 'quiet')
  // What cannot be compressed is read as slowly as it is written: the timer has its turn meanwhile.
  const busy = fixture.write('busy', crypto.getRandomValues(new Uint8Array(32_000_000)))
  const writing = setInterval(() => appendFileSync(busy, 'x'), 1)
  try {
    expect((await fixture.enforce()).after.findings).toMatchObject([
      {
        rule: 'source-changed',
        subject: busy,
        severity: 'warning',
        summary: expect.stringContaining('it was written to while it was read'),
        evidence: { backup: stored(fixture)[0] },
      },
    ])
  } finally {
    clearInterval(writing)
  }
  expect((await nextDay(fixture)).findings).toEqual([])
})

withGpg(
  'check finds a key that expires within 30 days, until one is exported that was extended',
  async () => {
    const userId = 'Expires <expires@example.org>'
    const fingerprint = home().makeKey(userId, { expire: '2026-12-20' })
    const file = join(home().home, 'expires.asc')
    const at = ['--faked-system-time', '20261120T000000']
    home().exportPublic(file, [userId], { armor: true })
    using fixture = new BackupFixture({ recipients: [{ file }] })
    fixture.write('a', 'a')
    const { findings } = (await fixture.enforce()).after
    expect(findings).toMatchObject([
      { rule: 'recipient-expiring', subject: fingerprint, severity: 'warning' },
    ])
    expect(findings[0]?.summary).toBe(`The key ${fingerprint} of ${userId} expires on 2026-12-20`)
    expect(findings[0]?.evidence).toMatchObject({ file })
    // The key itself, and then its subkeys: gpg extends either without the other.
    for (const subkeys of [[], ['*']])
      home().run([...at, '--quick-set-expire', fingerprint, '1y', ...subkeys])
    home().exportPublic(file, [userId], { armor: true })
    expect((await fixture.check()).findings).toEqual([])
  },
)

testWith({ reason: whyNoMount() })(
  'check finds a destination in which the next backup has hardly room, until room is made',
  async () => {
    using fixture = new BackupFixture()
    mountTmpfs(fixture.destination)
    try {
      fixture.write('a', crypto.getRandomValues(new Uint8Array(300_000)))
      expect((await fixture.enforce()).after.findings).toEqual([])
      const ballast = join(fixture.destination, 'ballast')
      writeFileSync(ballast, new Uint8Array(500_000))
      const { findings } = await fixture.check()
      expect(findings).toMatchObject([
        {
          rule: 'destination-full',
          subject: fixture.destination,
          severity: 'warning',
          evidence: { lastBackupBytes: statSync(join(fixture.destination, storedIn(fixture)[0] ?? '')).size },
        },
      ])
      expect(Number(findings[0]?.evidence?.freeBytes)).toBeWithin(1, 300_000)
      rmSync(ballast)
      expect((await fixture.check()).findings).toEqual([])
    } finally {
      unmount(fixture.destination)
    }
  },
)

test('a source without anything in it makes no backup', async () => {
  using fixture = new BackupFixture()
  rmSync(fixture.source, { recursive: true })
  writeFileSync(fixture.source, '')
  using empty = new BackupFixture({ sources: { paths: [fixture.source], exclude: [] } })
  const { before } = await empty.enforce()
  expect(rulesOf(before)).toEqual(['backup-overdue'])
  expect(stored(empty).length).toBe(1)
  rmSync(fixture.source)
  await expect(empty.subject.apply(before.findings)).rejects.toThrow('nothing in the sources can be read')
})

test('a source that is a link is told: nothing but the link is backed up', async () => {
  using fixture = new BackupFixture()
  const link = join(fixture.path, 'link')
  symlinkSync(fixture.source, link)
  using linked = new BackupFixture({ sources: { paths: [link] } })
  expect(rulesOf((await linked.enforce()).after)).toEqual(['source-is-link'])
})

test('a source within another one is archived once, and not left out by what leaves out others', async () => {
  using fixture = new BackupFixture()
  fixture.write('sub/inner/file', 'x')
  const paths = [fixture.source, join(fixture.source, 'sub/inner')]
  using nested = new BackupFixture({ sources: { paths, exclude: ['inner'] } })
  expect((await nested.enforce()).applied.coverage).toEqual({ examined: 4, skipped: 0 })
})

testWith({ reason: whyNoMount() })(
  'another file system below a source is told, or backed up where it is named or wanted',
  async () => {
    using fixture = new BackupFixture()
    fixture.write('near', 'near')
    const mounted = join(fixture.source, 'mounted')
    mkdirSync(mounted)
    mountTmpfs(mounted)
    try {
      writeFileSync(join(mounted, 'far'), 'far')
      const { after } = await fixture.enforce()
      expect(after.findings.map(({ rule, subject }) => [rule, subject])).toEqual([
        ['source-not-entered', mounted],
      ])
      const { source } = fixture
      for (const sources of [{ paths: [source, mounted] }, { paths: [source], oneFileSystem: false }]) {
        using other = new BackupFixture({ sources })
        const { applied, after } = await other.enforce()
        expect(after.findings).toEqual([])
        expect(applied.coverage?.examined).toBe(4)
      }
    } finally {
      unmount(mounted)
    }
  },
)

test('a destination that is missing is told, and is not made', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  rmSync(fixture.destination, { recursive: true })
  const { after } = await fixture.enforce()
  expect(rulesOf(after)).toEqual(['destination-unavailable', 'backup-overdue'])
  expect(existsSync(fixture.destination)).toBe(false)
})

test('a destination that goes away is told, and its backups are not taken for lost', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  renameSync(fixture.destination, `${fixture.destination}-unmounted`)
  expect(rulesOf(await fixture.check())).toEqual(['destination-unavailable'])
  renameSync(`${fixture.destination}-unmounted`, fixture.destination)
  expect(rulesOf(await fixture.check())).toEqual([])
})

test('retention keeps the newest and removes the others only after a newer one is proven', async () => {
  using fixture = new BackupFixture({ retention: { keepLast: 2 } })
  fixture.write('a', 'a')
  writeFileSync(join(fixture.destination, 'backup-20200101T000000Z.tar.zst.gpg'), 'of somebody else')
  await fixture.enforce()
  for (let day = 0; day < 3; day++) expect((await nextDay(fixture)).findings).toEqual([])
  expect(stored(fixture)).toEqual([
    'backup-20200101T000000Z.tar.zst.gpg',
    'backup-20261125T031500Z-full.tar.zst.gpg',
    'backup-20261126T031500Z-full.tar.zst.gpg',
  ])
})

test('a clock that once was two years ahead deletes nothing more than usual', async () => {
  using fixture = new BackupFixture({ retention: { keepLast: 2 } })
  fixture.write('a', 'a')
  const now = fixture.now
  fixture.now = new Date(now.getTime() + 730 * DAY_MS)
  await fixture.enforce()
  fixture.now = now
  expect(rulesOf(await fixture.check())).toEqual(['backup-due'])
  expect((await fixture.enforce()).after.findings).toEqual([])
  // As long as the jump is among the newest ones, nothing is removed at all.
  for (let day = 0; day < 2; day++) await nextDay(fixture)
  const days = () => stored(fixture).map((name) => name.slice(7, 15))
  expect(days()).toEqual(['20261123', '20261124', '20261125', '20281122'])
  expect((await nextDay(fixture)).findings).toEqual([])
  expect(days()).toEqual(['20261125', '20261126'])
})

test('a backup that is gone is told until it is forgotten, and a new one is made', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  const name = stored(fixture)[0] ?? ''
  rmSync(pathOf(fixture))
  expect(rulesOf(await fixture.check())).toEqual(['backup-missing', 'backup-overdue'])
  expect(rulesOf(await nextDay(fixture))).toEqual(['backup-missing'])
  await fixture.command('forget', { positionals: [name] })
  expect(rulesOf(await fixture.check())).toEqual([])
})

test.each<[string, (path: string) => void]>([
  ['cut off', (path) => writeFileSync(path, readFileSync(path).subarray(0, -1))],
  [
    'changed in one byte',
    (path) => {
      const bytes = readFileSync(path)
      bytes[100] = (bytes[100] ?? 0) ^ 1
      writeFileSync(path, bytes)
      utimesSync(path, 1, 1)
    },
  ],
])('a stored backup that is %s does not count and is never removed by retention', async (_what, damage) => {
  using fixture = new BackupFixture({ retention: { keepLast: 1 } })
  fixture.write('a', 'a')
  await fixture.enforce()
  damage(pathOf(fixture))
  expect(rulesOf(await fixture.check())).toEqual(['backup-damaged', 'backup-overdue'])
  expect(rulesOf(await nextDay(fixture))).toEqual(['backup-damaged'])
  expect(stored(fixture).length).toBe(2)
})

test('a stored backup that was copied back is known by its content', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  utimesSync(pathOf(fixture), 1, 1)
  expect((await fixture.check()).findings).toEqual([])
  expect(records(fixture).backups[0].copies[0].mtimeMs).toBe(1000)
})

test('what a run that died left is removed by the next one, and nothing else is', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  const { owner } = records(fixture)
  writeFileSync(join(fixture.destination, `.reeve-backup-${owner}-0123456789ab.tmp`), 'half')
  writeFileSync(
    join(fixture.destination, '.reeve-backup-0000000000000000-0123456789ab.tmp'),
    'of another job',
  )
  expect((await nextDay(fixture)).findings).toEqual([])
  expect(stored(fixture)[0]).toBe('.reeve-backup-0000000000000000-0123456789ab.tmp')
  expect(stored(fixture).length).toBe(3)
})

test('a run that is stopped leaves no half object and no record that counts', async () => {
  using fixture = new BackupFixture()
  fixture.write('large', new Uint8Array(8_000_000))
  await fixture.enforce()
  const before = stored(fixture)
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  fixture.signal = AbortSignal.abort(new Error('the run was ended'))
  const findings = [
    { rule: 'backup-due', subject: 'x', severity: 'warning' as const, summary: 'x', fixable: true },
  ]
  await expect(fixture.subject.apply(findings)).rejects.toThrow('the run was ended')
  expect(stored(fixture)).toEqual(before)
  fixture.signal = new AbortController().signal
  expect(rulesOf(await fixture.check())).toEqual(['backup-due'])
  expect((await fixture.enforce()).after.findings).toEqual([])
})

test('records that cannot be believed stop the check: nothing is green without them', async () => {
  using fixture = new BackupFixture()
  writeFileSync(join(fixture.stateDir, 'backups.json'), '{"version":2}')
  await expect(fixture.check()).rejects.toThrow('Cannot use the records')
})

test('a job with another destination counts only what is there', async () => {
  using fixture = new BackupFixture()
  fixture.write('a', 'a')
  await fixture.enforce()
  const elsewhere = fixture.makeDirectory('elsewhere')
  using moved = new BackupFixture({
    sources: { paths: [fixture.source] },
    destinations: [onDisk(elsewhere)],
  })
  cpSync(fixture.stateDir, moved.stateDir, { recursive: true })
  expect(rulesOf(await moved.check())).toEqual(['backup-overdue'])
})
