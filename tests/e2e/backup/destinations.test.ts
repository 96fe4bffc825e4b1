import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { reeveBinary } from '../../kit/binary.ts'
import { testWith } from '../../kit/needs.ts'
import { S3_CREDENTIALS as CLOUD, S3Server } from '../../kit/s3-server.ts'
import { SSH_PROGRAMS, SshServer } from '../../kit/ssh-server.ts'
import { waitUntil } from '../../kit/wait.ts'
import { Workspace } from '../../kit/workspace.ts'
import { factsOf } from '../../plugins/backup/attributes.ts'
import { GnuPg } from '../../plugins/backup/gnupg.ts'

setDefaultTimeout(120_000)
const programs = ['gpg', 'tar', 'zstd']
const hasSsh = SSH_PROGRAMS.every((program) => Bun.which(program, { PATH: `${process.env.PATH}:/usr/sbin` }))
const withAll = testWith(hasSsh ? { programs } : { reason: 'not installed: OpenSSH' })
const hex = () => crypto.getRandomValues(new Uint8Array(4)).toHex()

let servers: { ssh: SshServer; s3: S3Server; gpg: GnuPg; key: string; public: string } | undefined
beforeAll(async () => {
  if (!hasSsh || !Bun.which('gpg')) return
  const gpg = new GnuPg()
  gpg.makeKey('Backup <backup@example.org>')
  const [key, publicKey] = [join(gpg.home, 'secret.asc'), join(gpg.home, 'public.asc')]
  gpg.exportSecret(key, 'backup@example.org', { armor: true })
  gpg.exportPublic(publicKey, ['backup@example.org'], { armor: true })
  servers = { ssh: await SshServer.start(), s3: await S3Server.start(), gpg, key, public: publicKey }
})
afterAll(async () => {
  servers?.ssh[Symbol.dispose]()
  await servers?.s3[Symbol.asyncDispose]()
  servers?.gpg[Symbol.dispose]()
})

function started() {
  if (!servers) throw new Error('the servers are not there')
  return servers
}

interface Changes {
  offsite?: object
  config?: object
  timeout?: string
}

/** A host with a job that keeps its backups on a disk, on a server and in a store, each in a place of its own. */
class Host extends Workspace {
  readonly source = join(this.path, 'source')
  readonly disk = join(this.path, 'disk')
  readonly remote = join(started().ssh.home, hex())
  readonly prefix = `${hex()}/`

  constructor(changes: Changes = {}) {
    super()
    for (const directory of [this.source, this.disk, this.remote]) mkdirSync(directory, { mode: 0o700 })
    this.job(changes)
  }

  job({ offsite = {}, config = {}, timeout = '5m' }: Changes = {}): void {
    const { ssh, s3, public: file } = started()
    this.configure({
      jobs: {
        files: {
          plugin: 'backup',
          mode: 'enforce',
          timeout,
          config: {
            sources: { paths: [this.source] },
            recipients: [{ file }],
            incremental: {},
            // Not idle: tests that run beside it would starve it.
            priority: 'low',
            destinations: [
              { name: 'disk', type: 'directory', directory: this.disk },
              { ...ssh.destination(), directory: this.remote, ...offsite },
              s3.destination(this.prefix),
            ],
            ...config,
          },
        },
      },
    })
  }

  override reeve(args: string[], options: { env?: Record<string, string> } = {}) {
    return super.reeve(args, { ...options, env: { ...CLOUD, ...options.env } })
  }

  /** Without any configuration, as on a new machine. */
  async bare(args: string[]) {
    const child = this.start([reeveBinary(), ...args], { env: { ...CLOUD, XDG_CONFIG_HOME: this.path } })
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    return { exitCode: child.exitCode, stdout, stderr }
  }
}

/** Something of every kind that a tree may have. */
function fill(source: string): void {
  const at = (name: string) => join(source, name)
  writeFileSync(at('a'), 'a')
  writeFileSync(at('empty'), '')
  writeFileSync(at('random'), crypto.getRandomValues(new Uint8Array(2_000_000)))
  mkdirSync(at(`deep/${'n'.repeat(200)}`), { recursive: true })
  writeFileSync(at(`deep/${'n'.repeat(200)}/${'m'.repeat(200)}`), 'long')
  linkSync(at('a'), at('other name of a'))
  symlinkSync('a', at('link'))
  symlinkSync('/does/not/exist', at('dangling'))
  Bun.spawnSync(['mkfifo', at('pipe')])
  writeFileSync(Buffer.concat([Buffer.from(`${source}/latin1-`), Buffer.from([0xe9])]), 'no UTF-8')
  chmodSync(at('empty'), 0o4755)
  utimesSync(at('deep'), 1, 1_000_000.123)
}

withAll('one run brings a backup to three places; each of them restores it on a bare machine', async () => {
  await using host = new Host()
  fill(host.source)
  const run = await host.reeve(['run', 'files', '--json'])
  expect([run.exitCode, JSON.parse(run.stdout)]).toMatchObject([0, [{ outcome: 'clean', findings: 0 }]])
  writeFileSync(join(host.source, 'a'), 'changed')
  rmSync(join(host.source, 'link'))
  host.job({ config: { interval: '1ms' } })
  // With an interval that short the second check finds the next backup due: it looks at what is there all the same.
  await host.reeve(['run', 'files', '--json'])

  const { ssh, s3, key } = started()
  const names = readdirSync(host.disk)
    .filter((name) => name.endsWith('.gpg'))
    .sort()
  expect(names.length).toBe(2)
  expect(readdirSync(host.remote).sort()).toEqual(readdirSync(host.disk).sort())
  expect((await s3.keys(host.prefix)).map((name) => name.slice(host.prefix.length))).toEqual(
    readdirSync(host.disk).sort(),
  )
  const { user, identityFile, knownHosts } = ssh.destination()
  const places = {
    disk: [host.disk],
    offsite: [
      `sftp://${user}@127.0.0.1:${ssh.port}${host.remote}`,
      ...['--identity', identityFile, '--known-hosts', knownHosts],
    ],
    cloud: [
      `s3://backups/${host.prefix}`,
      ...['--endpoint', `http://127.0.0.1:${s3.port}`],
      ...['--access-key-id', 'env:S3_KEY_ID', '--secret-access-key', 'env:S3_KEY'],
    ],
  }
  for (const [place, from] of Object.entries(places)) {
    const to = join(host.path, `from ${place}`)
    const argv = ['backup', 'restore', '--from', ...from, '--key', key, '--to', to]
    const restored = await host.bare(argv)
    expect([place, restored.exitCode, restored.stderr]).toEqual([place, 0, ''])
    expect([place, factsOf(join(to, host.source))]).toEqual([place, factsOf(host.source)])
  }
  const verified = await host.reeve(['backup', 'verify', '--json'])
  expect([verified.exitCode, JSON.parse(verified.stdout).backups.length]).toEqual([0, 6])
  const drilled = await host.reeve(['backup', 'drill', '--key', key, '--json'])
  expect([drilled.exitCode, JSON.parse(drilled.stdout)]).toMatchObject([0, { wrongCount: 0 }])
})

withAll('a dead server and a dead store leave the disk with its backup; the run is not green', async () => {
  await using host = new Host({ offsite: { port: 1 }, config: {} })
  fill(host.source)
  const { s3 } = started()
  s3.intercept = () => ({ status: 403, code: 'AccessDenied' })
  try {
    const run = await host.run('files', { env: CLOUD })
    expect([run.exitCode, run.outcome, run.worst]).toEqual([3, 'findings', 'critical'])
    expect(readdirSync(host.disk).filter((name) => name.endsWith('.gpg')).length).toBe(1)
    const findings = await host.reeve(['findings', '--json'])
    expect(findings.stdout).toContain('destination-unavailable')
    expect(findings.stdout).toContain('Connection refused')
    expect(findings.stdout).not.toContain(CLOUD.S3_KEY)
  } finally {
    s3.intercept = () => undefined
  }
})

withAll(
  'a store that is slow gets its backup; one that does not answer costs only its own copy',
  async () => {
    await using host = new Host()
    fill(host.source)
    const { s3 } = started()
    const asked = s3.requests.length
    const answered = Promise.withResolvers<undefined>()
    try {
      s3.intercept = async () => {
        await Bun.sleep(100)
        return undefined
      }
      expect((await host.run('files', { env: CLOUD })).outcome).toBe('clean')
      expect(s3.requests.length - asked).toBeGreaterThan(3)

      // The lock is answered: the others are under way when the upload hangs.
      s3.intercept = ({ method, path }) =>
        method !== 'GET' && path.includes('.tar.zst.gpg') ? answered.promise : undefined
      host.job({ config: { interval: '1ms' }, timeout: '15s' })
      const run = await host.run('files', { env: CLOUD })
      expect([run.outcome, run.exitCode]).toEqual(['timeout', 4])
    } finally {
      answered.resolve(undefined)
      s3.intercept = () => undefined
    }
    const list = await host.reeve(['backup', 'list', '--json'])
    const { backups } = z
      .object({ backups: z.array(z.object({ destination: z.string(), state: z.string() })) })
      .parse(JSON.parse(list.stdout))
    const proven = (place: string) =>
      backups.filter(({ destination, state }) => destination === place && state === 'proven').length
    expect([proven('disk'), proven('offsite'), proven('cloud')]).toEqual([2, 2, 1])
  },
)

withAll(
  'killed in the middle of an upload, what is there is counted truly, and the next run goes on',
  async () => {
    await using host = new Host({ offsite: { bandwidth: '1M' } })
    fill(host.source)
    const child = host.spawn(['run', 'files'], { env: CLOUD })
    const parts = () => readdirSync(host.remote).filter((name) => name.endsWith('.part'))
    await waitUntil('the upload has begun', 30_000, () => {
      const [part] = parts()
      return part !== undefined && Bun.file(join(host.remote, part)).size > 500_000
    })
    child.kill('SIGKILL')
    await child.exited
    await Bun.sleep(0)
    const list = await host.reeve(['backup', 'list', '--json'])
    const { backups } = z
      .object({ backups: z.array(z.object({ destination: z.string(), state: z.string() })) })
      .parse(JSON.parse(list.stdout))
    expect(backups.find(({ destination }) => destination === 'disk')?.state).toBe('proven')
    expect(
      backups.filter(({ destination, state }) => destination === 'offsite' && state === 'proven'),
    ).toEqual([])
    const [left = ''] = parts()
    const inode = Bun.spawnSync(['stat', '-c', '%i', join(host.remote, left)]).stdout.toString()

    host.job()
    expect((await host.run('files', { env: CLOUD })).outcome).toBe('clean')
    expect(parts()).toEqual([])
    const [name = ''] = readdirSync(host.remote).filter((file) => file.endsWith('.gpg'))
    expect(Bun.spawnSync(['stat', '-c', '%i', join(host.remote, name)]).stdout.toString()).toBe(inode)
    expect(readFileSync(join(host.remote, name)).equals(readFileSync(join(host.disk, name)))).toBe(true)
  },
)

withAll(
  'killed in the middle of a restore, nothing half stands in its place, and the next one completes it',
  async () => {
    await using host = new Host({ config: { incremental: {} } })
    fill(host.source)
    writeFileSync(join(host.source, 'large'), crypto.getRandomValues(new Uint8Array(40_000_000)))
    host.job({ config: { destinations: [{ name: 'disk', type: 'directory', directory: host.disk }] } })
    expect((await host.run('files')).outcome).toBe('clean')
    const to = join(host.path, 'to')
    const argv = ['backup', 'restore', '--from', host.disk, '--key', started().key, '--to', to]
    const child = host.start([reeveBinary(), ...argv], { env: { XDG_CONFIG_HOME: host.path } })
    await waitUntil('the restore has begun', 30_000, () => {
      try {
        return readdirSync(to).length > 0
      } catch {
        return false
      }
    })
    child.kill('SIGKILL')
    await child.exited
    expect(readdirSync(to).filter((name) => !name.startsWith('.reeve-restore-'))).toEqual([])
    const again = await host.bare(argv)
    expect([again.exitCode, again.stderr]).toEqual([0, ''])
    expect(factsOf(join(to, host.source))).toEqual(factsOf(host.source))
    expect(readdirSync(to).filter((name) => name.startsWith('.reeve'))).toEqual([])
  },
)

const liveProgress = z.object({
  done: z.number(),
  total: z.number(),
  label: z.string(),
  unit: z.string().optional(),
  ratePerSecond: z.number().optional(),
  remainingMs: z.number().optional(),
})

withAll('the API tells how far an upload is, how quickly it goes and how long it will take', async () => {
  await using host = new Host({ offsite: { bandwidth: '500k' } })
  fill(host.source)
  const daemon = await host.daemon({ env: CLOUD })
  await daemon.api('/v1/jobs/files/run', { method: 'POST' })
  const job = z.object({ running: z.object({ progress: liveProgress.nullable() }).nullable() })
  let seen: z.infer<typeof liveProgress> | undefined
  await waitUntil('the upload is told of', 30_000, async () => {
    const progress = (await daemon.ask('/v1/jobs/files', job)).running?.progress
    if (progress?.label === 'sending to offsite' && progress.remainingMs !== undefined) seen = progress
    return seen !== undefined
  })
  const { done = 0, total = 0, unit, ratePerSecond = 0, remainingMs = 0 } = seen ?? {}
  expect([unit, done > 0, total > done]).toEqual(['bytes', true, true])
  // It is held to 512,000 bytes a second, and may be slower here.
  expect(ratePerSecond).toBeGreaterThan(0)
  expect(ratePerSecond).toBeLessThan(800_000)
  expect(remainingMs / 1000).toBeCloseTo((total - done) / ratePerSecond, 0)
})

test('a place that cannot be, is refused before anything is done', async () => {
  await using host = new Workspace()
  const refused = await host.reeve(['backup', 'list', '--from', 'ftp://host/x'])
  expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('wanted a path, sftp://')])
})
