import { Database } from 'bun:sqlite'
import { expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { reeveBinary } from '../../kit/binary.ts'
import { testWith } from '../../kit/needs.ts'
import { Workspace } from '../../kit/workspace.ts'
import { mountTmpfs, unmount, whyNoMount } from '../../plugins/backup/mount.ts'

setDefaultTimeout(120_000)
const PASSPHRASE = { BACKUP_PASSPHRASE: 'for tests only' }

/** A host with a job that keeps backups of these sources in a directory. */
class Host extends Workspace {
  readonly disk = join(this.path, 'disk')

  constructor() {
    super()
    mkdirSync(this.disk, { mode: 0o700 })
  }

  job(config: object): void {
    this.configure({
      jobs: {
        data: {
          plugin: 'backup',
          mode: 'enforce',
          config: {
            passphrase: 'env:BACKUP_PASSPHRASE',
            destinations: [{ name: 'disk', type: 'directory', directory: this.disk }],
            ...config,
          },
        },
      },
    })
  }

  backUp() {
    return this.run('data', { env: PASSPHRASE })
  }

  /** Restores everything with nothing but the files and the passphrase; returns where it is. */
  async restored(): Promise<string> {
    const to = join(this.path, 'restored')
    const argv = [
      'backup',
      'restore',
      '--from',
      this.disk,
      '--passphrase',
      'env:BACKUP_PASSPHRASE',
      '--to',
      to,
    ]
    const child = this.start([reeveBinary(), ...argv], { env: { ...PASSPHRASE, XDG_CONFIG_HOME: this.path } })
    const [stderr] = await Promise.all([child.stderr.text(), child.stdout.text(), child.exited])
    expect([child.exitCode, stderr]).toEqual([0, ''])
    return to
  }
}

const [CHRT, IONICE] = [Bun.which('chrt') ?? '', Bun.which('ionice') ?? '']
testWith({ programs: ['chrt', 'ionice'] })(
  'a backup, and the programs that it runs, take only what nobody else wants; or stand behind others',
  async () => {
    const dumps = [
      { name: 'processor', command: [CHRT, '-p', '0'] },
      { name: 'disk', command: [IONICE] },
    ]
    const expected = { idle: ['SCHED_IDLE', 'idle'], low: ['SCHED_OTHER', 'best-effort: prio 7'] }
    for (const [priority, [processor = '', disk = '']] of Object.entries(expected)) {
      await using host = new Host()
      host.job({ sources: { dumps }, ...(priority === 'low' && { priority }) })
      const run = await host.backUp()
      expect([run.outcome, (await host.reeve(['findings'])).stdout]).toEqual(['clean', 'No findings.\n'])
      const to = await host.restored()
      expect(readFileSync(join(to, 'reeve-dumps/processor'), 'utf8')).toContain(processor)
      expect(readFileSync(join(to, 'reeve-dumps/disk'), 'utf8').trim()).toBe(disk)
    }
  },
)

test('a live database is restored as it was at a commit, row for row, while its program goes on', async () => {
  await using host = new Host()
  const path = host.write('data/app.db', '')
  using live = new Database(path)
  live.run('PRAGMA journal_mode = wal')
  live.run('CREATE TABLE entries (id INTEGER PRIMARY KEY, content BLOB)')
  const add = live.prepare('INSERT INTO entries (content) VALUES (randomblob(4000))')
  for (let row = 0; row < 500; row++) add.run()
  const rows = (database: Database) =>
    database.query('SELECT id, hex(content) AS content FROM entries ORDER BY id').all()
  const committed = rows(live)
  // What is in the log only counts, what is not committed does not; and writing goes on.
  live.run('BEGIN')
  for (let row = 0; row < 500; row++) add.run()
  host.job({ sources: { databases: [path] } })
  expect((await host.backUp()).outcome).toBe('clean')
  live.run('COMMIT')

  const to = await host.restored()
  const restored = join(to, path)
  expect(readdirSync(dirname(restored))).toEqual(['app.db'])
  using copy = new Database(restored)
  expect(copy.query('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  expect(rows(copy)).toEqual(committed)
  expect(rows(live).length).toBe(1000)
})

test('a dump is restored byte for byte; one whose program fails is not green, and says what the program said', async () => {
  await using host = new Host()
  const program = (name: string, end: string) =>
    host.write(name, `#!/bin/sh\nprintf 'one\\000two\\377\\n'\n${end}\n`, 0o700)
  const [good, bad] = [program('good', 'exit 0'), program('bad', 'echo "connection lost" >&2; exit 3')]
  host.job({ sources: { dumps: [{ name: 'app.sql', command: [good] }] } })
  expect((await host.backUp()).outcome).toBe('clean')
  const dump = readFileSync(join(await host.restored(), 'reeve-dumps/app.sql'))
  expect(dump).toEqual(Buffer.from('one\0two\xff\n', 'latin1'))

  await using other = new Host()
  other.job({ sources: { dumps: [{ name: 'app.sql', command: [bad] }] } })
  const run = await other.backUp()
  expect([run.outcome, run.exitCode]).toEqual(['findings', 3])
  const { stdout } = await other.reeve(['findings', '--json'])
  expect(stdout).toContain('it ended with 3: connection lost')
})

testWith({ root: true, reason: whyNoMount() })(
  'a destination that can only be read is not green, keeps what it has, and is used again when it can be written',
  async () => {
    await using host = new Host()
    mountTmpfs(host.disk, '20m')
    try {
      chmodSync(host.disk, 0o700)
      const file = host.write('data/file', 'content')
      const job = { sources: { paths: [file] }, interval: '1ms' }
      host.job(job)
      await host.backUp()
      const before = readdirSync(host.disk).sort()
      expect(before.length).toBeGreaterThan(0)
      const remount = (mode: string) => Bun.spawnSync(['mount', '-o', `remount,${mode}`, host.disk]).exitCode
      expect(remount('ro')).toBe(0)
      const run = await host.backUp()
      expect(run.outcome).not.toBe('clean')
      expect(run.exitCode).not.toBe(0)
      expect(run.reason).toContain('read-only file system')
      expect(readdirSync(host.disk).sort()).toEqual(before)
      expect(remount('rw')).toBe(0)
      host.job({ ...job, interval: '20h' })
      expect((await host.backUp()).outcome).toBe('clean')
    } finally {
      unmount(host.disk)
    }
  },
)
