import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_GRANTS } from '../../../../agent/host/grants.ts'
import { startProgram } from '../../../../agent/host/program.ts'
import { PacketReader } from '../../../../plugins/backup/destination/sftp/packet.ts'
import { SftpSession } from '../../../../plugins/backup/destination/sftp/session.ts'
import { testWith } from '../../../kit/needs.ts'
import { SSH_PROGRAMS, SshServer } from '../../../kit/ssh-server.ts'
import { BackupFixture, DAY_MS, onDisk, rulesOf } from '../fixture.ts'
import { mountTmpfs, unmount, whyNoMount } from '../mount.ts'

setDefaultTimeout(60_000)
const hasSsh = SSH_PROGRAMS.every((program) => Bun.which(program, { PATH: `${process.env.PATH}:/usr/sbin` }))
const withSsh = testWith(hasSsh ? {} : { reason: 'not installed: OpenSSH' })

let running: SshServer | undefined
beforeAll(async () => {
  if (hasSsh) running = await SshServer.start()
})
afterAll(() => running?.[Symbol.dispose]())

function server(): SshServer {
  if (!running) throw new Error('there is no SSH server')
  return running
}

/** A job that keeps its backups on a disk and on a server, in a directory of its own there. */
class TwoPlaces extends BackupFixture {
  readonly remote: string

  constructor(
    changes: Record<string, unknown> = {},
    readonly ssh = server(),
  ) {
    const remote = join(ssh.home, crypto.randomUUID())
    mkdirSync(remote, { mode: 0o700 })
    const directory = join(ssh.home, `${crypto.randomUUID()}-disk`)
    mkdirSync(directory, { mode: 0o700 })
    super({
      destinations: [onDisk(directory), { ...ssh.destination(), directory: remote, ...changes }],
      retention: { keepLast: 2 },
    })
    this.remote = remote
    this.disk = directory
  }

  readonly disk: string

  nextDay() {
    this.now = new Date(this.now.getTime() + DAY_MS)
    return this.enforce()
  }
}

/** Without the seals beside the backups. */
const objects = (directory: string) =>
  readdirSync(directory)
    .filter((name) => !name.endsWith('.sha256.asc'))
    .sort()

withSsh('a backup is made once, and is the same, proven and private in both places', async () => {
  using fixture = new TwoPlaces()
  fixture.write('a', 'a')
  fixture.write('large', crypto.getRandomValues(new Uint8Array(5_000_000)))
  const { before, applied, after } = await fixture.enforce()
  expect(rulesOf(before)).toEqual(['backup-overdue', 'backup-overdue'])
  expect(applied.findings).toEqual([])
  expect(after.findings).toEqual([])
  const [name = ''] = objects(fixture.disk)
  expect(objects(fixture.remote)).toEqual([name])
  expect(readFileSync(join(fixture.remote, name)).equals(readFileSync(join(fixture.disk, name)))).toBe(true)
  expect(statSync(join(fixture.remote, name)).mode & 0o777).toBe(0o600)
  expect(applied.artifacts?.map(({ path }) => path)).toEqual([
    join(fixture.disk, name),
    `sftp://${fixture.ssh.destination().user}@127.0.0.1:${fixture.ssh.port}${fixture.remote}/${name}`,
  ])
  const proven = after.metrics?.filter((metric) => metric.name === 'backup_proven')
  expect(proven?.map(({ value, labels }) => [labels?.destination, value])).toEqual([
    ['disk', 1],
    ['offsite', 1],
  ])
})

withSsh('each place has its own retention', async () => {
  using fixture = new TwoPlaces({ retention: { keepLast: 1 } })
  fixture.write('a', 'a')
  await fixture.enforce()
  for (let day = 0; day < 2; day++) expect((await fixture.nextDay()).after.findings).toEqual([])
  expect([objects(fixture.disk).length, objects(fixture.remote).length]).toEqual([2, 1])
})

withSsh('a dead server does not stop the disk, is not green, and is brought up to date later', async () => {
  using ssh = await SshServer.start()
  using fixture = new TwoPlaces({}, ssh)
  fixture.write('a', 'a')
  ssh.stop()
  const { applied, after } = await fixture.enforce()
  expect(rulesOf(applied)).toEqual(['delivery-failed'])
  expect(applied.findings[0]?.summary).toContain('Connection refused')
  expect(rulesOf(after)).toEqual(['destination-unavailable', 'backup-overdue'])
  expect(after.findings[1]?.fixable).toBe(false)
  expect(objects(fixture.disk).length).toBe(1)

  await ssh.resume()
  const later = await fixture.enforce()
  expect(later.after.findings).toEqual([])
  // Not a new backup: a copy of the one that is there.
  expect(objects(fixture.remote)).toEqual(objects(fixture.disk))
})

withSsh('what an upload that was cut off has left is used by the next one', async () => {
  using fixture = new TwoPlaces()
  fixture.write('large', crypto.getRandomValues(new Uint8Array(4_000_000)))
  await fixture.enforce()
  const [name = ''] = objects(fixture.remote)
  const records = JSON.parse(readFileSync(join(fixture.stateDir, 'backups.json'), 'utf8'))
  const [record] = records.backups
  const copy = record.copies.find(({ destination }: { destination: string }) =>
    destination.startsWith('sftp'),
  )
  Object.assign(copy, { mtimeMs: null, provenAt: null })
  writeFileSync(join(fixture.stateDir, 'backups.json'), JSON.stringify(records))
  const part = `.reeve-backup-${records.owner}-${record.stored.sha256.slice(0, 24)}.part`
  Bun.spawnSync(['mv', join(fixture.remote, name), join(fixture.remote, part)])
  truncateSync(join(fixture.remote, part), 3_000_000)
  const inode = statSync(join(fixture.remote, part)).ino
  writeFileSync(join(fixture.remote, `.reeve-backup-${records.owner}-0123456789ab.part`), 'of another one')

  const { after } = await fixture.enforce()
  expect(after.findings).toEqual([])
  expect(objects(fixture.remote)).toEqual([name])
  expect(statSync(join(fixture.remote, name)).ino).toBe(inode)
})

withSsh(
  'what an upload has left, but is not the beginning of the backup, is noticed by the proof',
  async () => {
    using fixture = new TwoPlaces()
    fixture.write('large', crypto.getRandomValues(new Uint8Array(1_000_000)))
    await fixture.enforce()
    const records = JSON.parse(readFileSync(join(fixture.stateDir, 'backups.json'), 'utf8'))
    const [record] = records.backups
    const part = `.reeve-backup-${records.owner}-${record.stored.sha256.slice(0, 24)}.part`
    rmSync(join(fixture.remote, record.name))
    writeFileSync(join(fixture.remote, part), new Uint8Array(500_000))
    const first = await fixture.enforce()
    expect(rulesOf(first.after)).toEqual(['proof-failed', 'backup-overdue'])
    // The next run replaces what could not be proven.
    expect((await fixture.enforce()).after.findings).toEqual([])
  },
)

withSsh('a server with another key is refused, with what to do', async () => {
  using fixture = new TwoPlaces({ knownHosts: '/dev/null' })
  fixture.write('a', 'a')
  const { after } = await fixture.enforce()
  expect(rulesOf(after)).toEqual(['destination-unavailable', 'backup-overdue'])
  expect(after.findings[0]?.summary).toContain('ssh-keyscan')
})

withSsh('a server that does not accept the key is told', async () => {
  using fixture = new TwoPlaces()
  const other = join(fixture.path, 'other')
  Bun.spawnSync(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', other])
  using refused = new TwoPlaces({ identityFile: other })
  refused.write('a', 'a')
  expect((await refused.check()).findings[0]?.summary).toContain('does not accept the key')
})

withSsh('a directory that is missing on the server is told, and is not made', async () => {
  using fixture = new TwoPlaces({ directory: '/does/not/exist' })
  fixture.write('a', 'a')
  expect((await fixture.enforce()).after.findings[0]?.summary).toContain('there is no directory')
})

testWith({ reason: hasSsh ? whyNoMount() : 'not installed: OpenSSH' })(
  'a server that is full is told, and what it has is intact',
  async () => {
    using fixture = new TwoPlaces()
    fixture.write('a', 'a')
    mountTmpfs(fixture.remote)
    try {
      expect((await fixture.enforce()).after.findings).toEqual([])
      const before = objects(fixture.remote)
      fixture.write('large', crypto.getRandomValues(new Uint8Array(3_000_000)))
      const { applied, after } = await fixture.nextDay()
      expect(applied.findings[0]?.summary).toContain('no space left on the server')
      expect(rulesOf(after)).toContain('backup-due')
      expect(objects(fixture.remote)).toEqual(expect.arrayContaining(before))
    } finally {
      unmount(fixture.remote)
    }
  },
)

withSsh('with servers only, the backup waits encrypted in the spool and leaves nothing there', async () => {
  const ssh = server()
  const remote = join(ssh.home, crypto.randomUUID())
  mkdirSync(remote, { mode: 0o700 })
  using fixture = new BackupFixture({ destinations: [{ ...ssh.destination(), directory: remote }] })
  fixture.write('a', 'a telling content')
  expect((await fixture.enforce()).after.findings).toEqual([])
  expect(objects(remote).length).toBe(1)
  expect(objects(join(fixture.stateDir, 'spool'))).toEqual([])
})

withSsh('a spool that is missing is told, and leaves no lock behind', async () => {
  const ssh = server()
  const remote = join(ssh.home, crypto.randomUUID())
  mkdirSync(remote, { mode: 0o700 })
  using fixture = new BackupFixture({
    destinations: [{ ...ssh.destination(), directory: remote }],
    spoolDirectory: '/does/not/exist',
  })
  fixture.write('a', 'a')
  await expect(fixture.enforce()).rejects.toThrow('Cannot use the spool "/does/not/exist"')
  expect(objects(remote)).toEqual([])
})

withSsh('commands find, verify and restore what is on the server', async () => {
  using fixture = new TwoPlaces()
  fixture.write('a', 'a')
  await fixture.enforce()
  rmSync(fixture.disk, { recursive: true })
  const listing = await fixture.command('list')
  expect(listing.exitCode).toBe(4)
  expect(listing.text).toContain('offsite')
  expect((await fixture.command('verify', { values: { destination: 'offsite' } })).exitCode).toBe(0)
  const to = fixture.makeDirectory('to')
  expect((await fixture.command('restore', { values: { to } })).exitCode).toBe(0)
  expect(readFileSync(join(to, fixture.source, 'a'), 'utf8')).toBe('a')
})

const session = (argv: [string, ...string[]], silenceMs?: number) =>
  SftpSession.open(
    startProgram({ ...ALL_GRANTS, run: [argv] }, argv, {}),
    (stderr) => `said ${stderr}`,
    silenceMs,
  )

test.each<[string, [string, ...string[]], string]>([
  ['ends at once', ['/bin/sh', '-c', 'echo no such host >&2'], 'said no such host'],
  ['greets with text', ['/bin/sh', '-c', 'echo "Welcome to this host"; cat'], 'not SFTP'],
  ['answers with bytes at random', ['/usr/bin/head', '-c', '100000', '/dev/urandom'], ''],
  ['answers what was not asked', ['/usr/bin/printf', '\\0\\0\\0\\5\\145\\0\\0\\0\\7'], 'not asked'],
  ['cuts its answer off', ['/usr/bin/printf', '\\0\\0\\0\\11\\2\\0\\0'], 'said'],
])('SftpSession.open() refuses a server that %s', async (_what, argv, message) => {
  await expect(session(argv)).rejects.toThrow(message)
})

test('SftpSession.open() gives up on a server that says nothing', async () => {
  await expect(session(['/bin/sleep', '100'], 100)).rejects.toThrow('has not answered')
})

test('PacketReader throws where a packet ends too early', () => {
  const reader = new PacketReader(Buffer.from([0, 0, 0, 9, 1]))
  expect(() => reader.data()).toThrow('ends too early')
})
