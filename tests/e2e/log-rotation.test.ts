import { expect, setDefaultTimeout, test } from 'bun:test'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { landlockAbi } from '../../agent/worker/landlock.ts'
import { testWith } from '../kit/needs.ts'
import { waitUntil } from '../kit/wait.ts'
import { Workspace } from '../kit/workspace.ts'
import { allLines } from '../plugins/log-rotation/fixture.ts'

// Logs of a Debian-like host in the compiled binary, in the real jail, with real writers.

setDefaultTimeout(60_000)

const abi = landlockAbi()
const jailed = abi < 3 ? `needs Landlock ABI 3, this kernel has ${abi}` : undefined
const jailTest = testWith({ reason: jailed })
const rootTest = testWith({ reason: jailed, root: true, programs: ['setpriv', 'unshare', 'mount'] })

const found = z.array(
  z.looseObject({ rule: z.string(), subject: z.string(), severity: z.string(), summary: z.string() }),
)
type Found = z.output<typeof found>

/** A host with `etc/logrotate.conf`, `log/` and one job. `@` stands for its directory. */
class LogHost extends Workspace {
  constructor(job: { config: Record<string, unknown>; schedule?: string }, files: Record<string, string>) {
    super()
    for (const [name, text] of Object.entries(files)) this.put(name, text)
    for (const directory of ['.', 'etc', 'log'])
      if (existsSync(this.at(directory))) chmodSync(this.at(directory), 0o755)
    const config = JSON.parse(JSON.stringify(job.config).replaceAll('@', this.path))
    this.configure({ jobs: { logs: { plugin: 'log-rotation', mode: 'enforce', ...job, config } } })
  }

  at(name: string): string {
    return join(this.path, name)
  }

  put(name: string, text: string): void {
    this.write(name, text.replaceAll('@', this.path), 0o644)
    chmodSync(join(this.path, name, '..'), 0o755)
  }

  async findings(): Promise<Found> {
    const all = found.parse(JSON.parse((await this.reeve(['findings', '--json'])).stdout))
    // Whether this very machine starts logrotate is not what is tested.
    return all.filter(({ rule }) => rule !== 'logrotate-still-active')
  }

  async rules(): Promise<string[]> {
    return (await this.findings()).map(({ rule }) => rule).sort()
  }

  /** A program that writes numbered lines, and reopens its log on HUP. */
  async writer(log: string, pidFile: string) {
    const program = join(import.meta.dir, '../plugins/log-rotation/writer.ts')
    const child = Bun.spawn([process.execPath, program, this.at(log)], { stdin: 'pipe', stdout: 'pipe' })
    this.put(pidFile, `${child.pid}\n`)
    await waitUntil(
      'the writer writes',
      20_000,
      () => existsSync(this.at(log)) && statSync(this.at(log)).size > 0,
    )
    const end = async () => {
      await child.stdin.end()
      await child.exited
      return Number((await child.stdout.text()).trim().split('\n').at(-1))
    }
    return { end, [Symbol.dispose]: () => child.kill('SIGKILL') }
  }
}

const adopts = {
  logrotate: ['@/etc/logrotate.conf'],
  logrotateIncludes: ['@/etc/logrotate.d'],
  logrotateDirectories: ['@/log'],
  logrotateScripts: { read: ['/etc', '/proc', '/usr', '@/run'] },
}

const DEBIAN = {
  'etc/logrotate.conf': 'weekly\nrotate 4\ncreate\ninclude @/etc/logrotate.d\n',
  'etc/logrotate.d/rsyslog': `@/log/syslog
@/log/auth.log
@/log/none.log
{
	rotate 9
	size 1k
	missingok
	notifempty
	compress
	delaycompress
	sharedscripts
	postrotate
		kill -HUP $(cat @/run/syslog.pid)
	endscript
}
`,
  'etc/logrotate.d/nginx': `@/log/nginx/*.log {
	daily
	maxsize 1k
	missingok
	rotate 14
	compress
	notifempty
	create 0640 root root
	sharedscripts
	prerotate
		if [ -d @/etc/httpd-prerotate ]; then run-parts @/etc/httpd-prerotate; fi
	endscript
	postrotate
		[ ! -f @/run/nginx.pid ] || kill -HUP \`cat @/run/nginx.pid\`
	endscript
}
`,
}

jailTest(
  "a host's own files of logrotate are followed in the jail, and no line of a writer is lost",
  async () => {
    await using host = new LogHost({ config: adopts }, { ...DEBIAN, 'log/auth.log': 'x'.repeat(2000) })
    host.put('log/nginx/.keep', '')
    using syslog = await host.writer('log/syslog', 'run/syslog.pid')
    using nginx = await host.writer('log/nginx/access.log', 'run/nginx.pid')
    for (let round = 0; round < 3; round++) {
      for (const log of ['log/syslog', 'log/nginx/access.log']) {
        await waitUntil('the log grew', 20_000, () => statSync(host.at(log)).size > 1024)
      }
      const { reason, outcome } = await host.run('logs')
      expect([outcome, reason]).toEqual([expect.stringMatching(/clean|findings/), null])
    }
    if (process.geteuid?.() === 0) {
      const { logs } = JSON.parse((await host.reeve(['logs', '--json', host.at('log/nginx')])).stdout)
      const pid = readFileSync(host.at('run/nginx.pid'), 'utf8').trim()
      expect(logs[0].generations[0].proof).toMatchObject({
        reopened: true,
        writers: expect.stringContaining(`[${pid}]`),
      })
    }
    // They go on writing: what is due by now is no fault.
    expect((await host.rules()).filter((rule) => rule !== 'rotation-due')).toEqual([])
    for (const [log, writer] of [
      ['log/syslog', syslog],
      ['log/nginx/access.log', nginx],
    ] as const) {
      const written = await writer.end()
      const lines = allLines(host.at(log))
      expect(lines.length).toBe(written)
      expect(lines.at(-1)).toBe(`line ${written - 1}`)
    }
    const kept = readdirSync(host.at('log')).filter((name) => name.startsWith('syslog'))
    expect(kept.sort()).toEqual(['syslog', 'syslog.1', 'syslog.2.gz', 'syslog.3.gz'])
    expect(readdirSync(host.at('log/nginx')).sort()).toEqual([
      '.keep',
      'access.log',
      'access.log.1.gz',
      'access.log.2.gz',
      'access.log.3.gz',
    ])
  },
)

jailTest('a writer that does not reopen is told, and its log waits for it', async () => {
  const block =
    '@/log/app.log {\n size 1k\n rotate 5\n compress\n create\n postrotate\n true\n endscript\n}\n'
  await using host = new LogHost({ config: adopts }, { 'etc/logrotate.conf': block, 'log/.keep': '' })
  host.put('etc/logrotate.d/.keep', '')
  using writer = await host.writer('log/app.log', 'run/pid')
  await waitUntil('the log grew', 20_000, () => statSync(host.at('log/app.log')).size > 1024)
  await host.run('logs')
  expect(await host.rules()).toEqual(['writer-not-reopened'])
  await host.run('logs')
  expect(await host.rules()).toEqual(['writer-not-reopened'])
  const written = await writer.end()
  await host.run('logs')
  expect(await host.rules()).toEqual([])
  expect(readdirSync(host.at('log')).sort()).toEqual(['.keep', 'app.log', 'app.log.1.gz'])
  expect(allLines(host.at('log/app.log'))).toHaveLength(written)
})

jailTest('what the job may not do is told with what to add, and nothing is green', async () => {
  const block =
    '@/log/app.log {\n size 1\n rotate 1\n postrotate\n echo x > @/elsewhere/told\n endscript\n}\n'
  await using host = new LogHost(
    { config: adopts },
    {
      'etc/logrotate.conf': `${block}include @/etc/more.conf\n@/srv/*.log {\n size 1\n rotate 1\n}\n`,
      'etc/more.conf': 'daily\n',
      'log/app.log': 'x',
      'srv/a.log': 'x',
      'elsewhere/keep': '',
    },
  )
  const { outcome, blind } = await host.run('logs')
  expect([outcome, blind]).toEqual(['findings', 2])
  expect(await host.rules()).toContain('script-failed')
  expect(existsSync(host.at('elsewhere/told'))).toBe(false)
  expect(readdirSync(host.at('srv'))).toEqual(['a.log'])
  const { stdout } = await host.reeve(['runs', '1', '--json'])
  expect(stdout).toContain('logrotateDirectories: [')
  expect(stdout).toContain('logrotateIncludes')
})

jailTest(
  'a run that is killed in the middle of a rotation is ended by the next one, and nothing is rotated twice',
  async () => {
    const script =
      'if [ ! -e @/log/cut ]; then touch @/log/cut; kill -9 $PPID; sleep 30; fi\necho ran >> @/log/ran'
    const block = `@/log/app.log {\n size 1\n rotate 5\n compress\n create\n postrotate\n${script}\n endscript\n}\n`
    await using host = new LogHost(
      { config: adopts },
      { 'etc/logrotate.conf': block, 'log/app.log': 'line\n' },
    )
    host.put('etc/logrotate.d/.keep', '')
    expect((await host.run('logs')).outcome).toBe('failed')
    expect(existsSync(host.at('log/ran'))).toBe(false)
    await host.run('logs')
    expect(await host.rules()).toEqual([])
    expect(readdirSync(host.at('log')).sort()).toEqual(['app.log', 'app.log.1.gz', 'cut', 'ran'])
    expect(allLines(host.at('log/app.log'))).toEqual(['line'])
    expect(readFileSync(host.at('log/ran'), 'utf8')).toBe('ran\n')
  },
)

jailTest('the daemon rotates a log soon after it has become too large', async () => {
  const config = { sets: [{ name: 'app', paths: ['@/log/app.log'], size: '1k', compress: 'gzip' }] }
  await using host = new LogHost({ config, schedule: '* * * * * *' }, { 'log/app.log': 'short\n' })
  await host.daemon()
  appendFileSync(host.at('log/app.log'), 'x'.repeat(2000))
  await waitUntil('the log is archived', 20_000, () => existsSync(host.at('log/app.log.1.gz')))
  await waitUntil('its source is gone', 20_000, () => !existsSync(host.at('log/app.log.1')))
  expect(statSync(host.at('log/app.log')).size).toBe(0)
})

jailTest('reeve logs shows every log, and reeve logs verify finds a flipped byte', async () => {
  const sets = [{ name: 'own', paths: ['@/own/*.log'], size: 4, compress: 'gzip', keep: 5 }]
  await using host = new LogHost(
    { config: { ...adopts, sets } },
    { ...DEBIAN, 'log/auth.log': 'x'.repeat(2000) },
  )
  host.put('run/syslog.pid', `${process.pid + 1_000_000_000}\n`)
  host.put('etc/logrotate.d/rsyslog', DEBIAN['etc/logrotate.d/rsyslog'].replace(/kill .*/, 'true'))
  host.put('own/a.log', 'a line\n')
  await host.run('logs')
  const { stdout, exitCode } = await host.reeve(['logs', '--json'])
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout).logs).toMatchObject([
    {
      log: host.at('own/a.log'),
      by: 'reeve',
      generations: [{ path: host.at('own/a.log.1.gz'), proof: { bytesIn: 7 } }],
    },
    {
      log: host.at('log/auth.log'),
      by: 'logrotate',
      generations: [{ proof: { bytesIn: 2000, bytesArchived: 2000 } }],
    },
  ])
  const text = (await host.reeve(['logs', host.at('own')])).stdout
  expect(text).toContain('NEXT ROTATION')
  expect(text).toContain('SHA-256 OF THE CONTENT')

  const whole = await host.reeve(['logs', 'verify'])
  expect([whole.exitCode, whole.stdout]).toEqual([0, expect.stringContaining('2 of 2 rotated logs')])
  const bytes = readFileSync(host.at('own/a.log.1.gz'))
  const { atime, mtime } = statSync(host.at('own/a.log.1.gz'))
  bytes[12] = (bytes[12] ?? 0) ^ 1
  writeFileSync(host.at('own/a.log.1.gz'), bytes)
  // Even where its time is as before.
  utimesSync(host.at('own/a.log.1.gz'), atime, mtime)
  const changed = await host.reeve(['logs', 'verify', host.at('own/a.log')])
  expect([changed.exitCode, changed.stdout]).toEqual([3, expect.stringContaining('its content differs')])
  const other = await host.reeve(['logs', 'verify', host.at('log/auth.log')])
  expect(other.exitCode).toBe(0)
  const unknown = await host.reeve(['logs', 'verify', host.at('log/nothing')])
  expect([unknown.exitCode, unknown.stderr]).toEqual([4, expect.stringContaining('no log of this job')])
})

rootTest('on a full file system the oldest rotated logs go until there is room, and no more', async () => {
  const sets = [
    {
      name: 'app',
      paths: ['@/log/*.log'],
      interval: 'yearly',
      compress: 'gzip',
      keep: 99,
      whenFreeBelow: '4M',
    },
  ]
  await using host = new LogHost({ config: { sets } }, { 'log/.keep': '' })
  const steps = [
    `mount -t tmpfs -o size=10m tmpfs "${host.at('log')}" && cd "${host.at('log')}" && chmod 755 .`,
    'echo line > a.log',
    'for n in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/urandom > a.log.$n.gz; touch -d "$n days ago" a.log.$n.gz; done',
    `cd / && "$@" >/dev/null`,
    `ls "${host.at('log')}"`,
  ]
  const { stdout, stderr } = await host.reeve(['run', 'logs'], {
    wrap: [
      'unshare',
      '--mount',
      'sh',
      '-c',
      `${steps[0]}\n${steps[1]}\n${steps[2]}\n${steps[3]}\n${steps[4]}`,
      'sh',
    ],
  })
  // 8 of 10 MB are taken: two have to go for four to be free.
  expect([stdout.trim().split('\n'), stderr]).toEqual([
    ['a.log', ...[1, 2, 3, 4, 5, 6].map((n) => `a.log.${n}.gz`)],
    '',
  ])
  expect(await host.rules()).toEqual([])
})

rootTest('a service account with the capabilities of the unit rotates as root would', async () => {
  const capabilities = [
    'chown',
    'dac_override',
    'dac_read_search',
    'fowner',
    'kill',
    'lease',
    'setgid',
    'setpcap',
    'setuid',
  ].map((name) => `+${name}`)
  const account = 65_534
  const block =
    '@/log/app.log {\n size 1\n rotate 2\n compress\n create\n postrotate\n id -u > @/log/who\n endscript\n}\n'
  await using host = new LogHost({ config: adopts }, { 'etc/logrotate.conf': block, 'log/app.log': 'line\n' })
  host.put('etc/logrotate.d/.keep', '')
  Bun.spawnSync(['mkdir', '-m', '700', host.stateDir])
  Bun.spawnSync(['chown', '-R', `${account}:${account}`, host.stateDir, host.config])
  Bun.spawnSync(['chmod', '0711', host.path])
  const { stderr } = await host.reeve(['run', 'logs'], {
    wrap: [
      'setpriv',
      `--reuid=${account}`,
      `--regid=${account}`,
      '--clear-groups',
      `--inh-caps=${capabilities.join(',')}`,
      `--ambient-caps=${capabilities.join(',')}`,
      `--bounding-set=-all,${capabilities.join(',')}`,
    ],
  })
  expect([stderr, readdirSync(host.at('log')).sort()]).toEqual(['', ['app.log', 'app.log.1.gz', 'who']])
  expect(readFileSync(host.at('log/who'), 'utf8')).toBe('0\n')
  expect(statSync(host.at('log/app.log.1.gz')).uid).toBe(0)
})

test('a wrong size, an unknown word and an empty job are refused before anything runs', async () => {
  for (const [config, expected] of [
    [{ sets: [{ name: 'a', paths: ['/a'], size: '1M', whenFreeBelow: 'some' }] }, 'whenFreeBelow'],
    [{ logrotate: ['etc/logrotate.conf'] }, 'wanted an absolute path'],
    [
      { logrotate: ['/etc/logrotate.conf'], logrotateDirectory: ['/srv'] },
      'did you mean "logrotateDirectories"?',
    ],
    [{}, 'at least one of sets, logrotate and unmanaged'],
    [{ logrotate: ['/a'], retention: [{ paths: ['/var/log/**'] }] }, 'at least one of atLeast and atMost'],
  ] as const) {
    await using host = new LogHost({ config: { ...config } }, {})
    const { exitCode, stderr } = await host.reeve(['config', 'check'])
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(expected)])
  }
})
