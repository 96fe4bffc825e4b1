import { expect, setDefaultTimeout } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import plugin from '../../../plugins/containers/plugin.ts'
import { testWith } from '../../kit/needs.ts'
import { runPhase } from '../../kit/phase.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'
import { waitUntil } from '../../kit/wait.ts'

// A real Podman with storage of its own, an image made from an empty directory, and its real API. Containers are
// made and not started: that takes more than a machine for tests may allow.

setDefaultTimeout(60_000)

/** Podman below a directory, with its service on a socket there; ended by `using`. */
class Podman implements AsyncDisposable {
  private readonly directory = temporaryDirectory('reeve-podman')
  readonly socket = join(this.directory.path, 'podman.sock')
  private service: Bun.Subprocess | undefined

  get path(): string {
    return this.directory.path
  }

  private command(...args: string[]): string[] {
    const at = (name: string) => join(this.path, name)
    return [
      'podman',
      '--root',
      at('root'),
      '--runroot',
      at('run'),
      '--tmpdir',
      at('tmp'),
      '--storage-driver',
      'vfs',
      ...args,
    ]
  }

  /** Runs a command; returns what it says. Throws when it fails. */
  run(...args: string[]): string {
    const { exitCode, stdout, stderr } = Bun.spawnSync(this.command(...args), { timeout: 30_000 })
    if (exitCode !== 0) throw new Error(`podman ${args.join(' ')}: ${stderr}`)
    return stdout.toString().trim()
  }

  /** Runs a command that may fail. */
  attempt(...args: string[]): void {
    Bun.spawnSync(this.command(...args), { timeout: 30_000 })
  }

  /** An image with a file and nothing else. */
  makeImage(name: string): void {
    mkdirSync(join(this.path, 'image'), { recursive: true })
    writeFileSync(join(this.path, 'image/hello'), 'hello')
    const archive = join(this.path, 'image.tar')
    Bun.spawnSync(['tar', '--create', '--file', archive, '--directory', join(this.path, 'image'), '.'])
    this.run('import', '--quiet', archive, name)
  }

  async start(): Promise<void> {
    const log = Bun.file(join(this.path, 'service.log'))
    this.service = Bun.spawn(this.command('system', 'service', '--time', '0', `unix://${this.socket}`), {
      stdio: ['ignore', log, log],
    })
    await waitUntil('podman has its socket', 20_000, () => existsSync(this.socket))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.service?.kill('SIGTERM')
    await this.service?.exited
    this.directory[Symbol.dispose]()
  }
}

/** Why Podman does not work here; undefined when it does. */
function whyNot(): string | undefined {
  if (!Bun.which('podman') || process.getuid?.() !== 0) return undefined // said by what the tests need
  using probe = temporaryDirectory('reeve-podman-probe')
  const at = (name: string) => join(probe.path, name)
  const options = [
    '--root',
    at('root'),
    '--runroot',
    at('run'),
    '--tmpdir',
    at('tmp'),
    '--storage-driver',
    'vfs',
  ]
  const { exitCode, stderr } = Bun.spawnSync(['podman', ...options, 'ps', '--all'], { timeout: 20_000 })
  return exitCode === 0 ? undefined : `podman does not work here: ${stderr.toString().split('\n')[0]}`
}
const podmanTest = testWith({ programs: ['podman', 'tar'], root: true, reason: whyNot() })

/** The check in the compiled binary, in its jail. */
async function check(podman: Podman, config: object = {}) {
  const all = { sockets: [podman.socket], compose: [], ...config }
  const { check: permissions } = plugin.permissions(plugin.config.parse(all))
  const stateDir = join(podman.path, 'state')
  const { report, failure } = await runPhase({
    plugin: 'containers',
    kind: 'check',
    config: all,
    permissions,
    stateDir,
  })
  if (!report) throw new Error(failure)
  const ours = report.findings.filter(
    ({ subject }) => subject.startsWith('podman/') || subject === podman.socket,
  )
  return {
    ...report,
    brief: ours.map(({ rule, severity, subject }) => `${severity} ${rule} ${subject}`),
    unseen: report.blind?.filter(({ subject }) => subject.startsWith('podman')),
  }
}

/** The defaults are more than a process without CAP_SYS_RESOURCE may give. */
const LIMITS = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1000:1000']

const HELD_TIGHT = [
  '--user=1000:1000',
  '--read-only',
  '--cap-drop=ALL',
  '--cap-add=NET_BIND_SERVICE',
  '--security-opt=no-new-privileges',
  '--tmpfs=/tmp:noexec,nosuid,size=64m',
  '--memory=512m',
  '--memory-swap=1g',
  '--cpus=0.5',
  '--pids-limit=200',
  '--network=none',
]

podmanTest(
  'a container that is held tight is right, and the same one without is found with every rule',
  async () => {
    await using podman = new Podman()
    podman.makeImage('localhost/hello:1')
    podman.run('create', '--name', 'tight', ...HELD_TIGHT, 'localhost/hello:1', '/hello')
    podman.run('create', '--name', 'loose', '--pids-limit=-1', 'localhost/hello:1', '/hello')
    await podman.start()
    const { brief, unseen, facts } = await check(podman)
    expect(unseen).toEqual([])
    expect(brief.filter((line) => line.includes('tight'))).toEqual([])
    expect(brief.filter((line) => line.includes('loose')).toSorted()).toEqual([
      'info capabilities-kept podman/loose',
      'info cpu-unlimited podman/loose',
      'info default-network podman/loose',
      'info pids-unlimited podman/loose',
      'info privilege-escalation podman/loose',
      'info temporary-files podman/loose',
      'info writable-root podman/loose',
      'warning memory-unlimited podman/loose',
      'warning root-user podman/loose',
    ])
    expect(facts?.map(({ subject }) => subject).toSorted()).toEqual(['podman/loose', 'podman/tight'])
  },
)

podmanTest('what gives the host away is found in real answers', async () => {
  await using podman = new Podman()
  podman.makeImage('localhost/hello:1')
  const make = (name: string, ...options: string[]) =>
    podman.run('create', '--name', name, ...options, 'localhost/hello:1', '/hello')
  await podman.start()
  make('a', '--privileged')
  make('b', '--network=host', '--pid=host', '--cap-add=SYS_ADMIN', '--volume=/etc:/x')
  make('c', `--volume=${podman.socket}:/run/podman.sock:ro`, '--security-opt=seccomp=unconfined')
  make('d', '--publish=3306:3306', '--publish=127.0.0.1:8080:80', '--volume=/root:/x:ro')
  make('job', '--label=ofelia.job.name=prune')
  const { brief, unseen } = await check(podman, {
    hardening: ['published-everywhere', 'container-stale'],
    exitedMaxAge: '0s',
  })
  expect(unseen).toEqual([])
  expect(brief.toSorted()).toEqual([
    'critical dangerous-capability podman/b',
    `critical engine-socket-mounted podman/c:${podman.socket}`,
    'critical host-namespace podman/b:pid',
    'critical host-path-mounted podman/b:/etc',
    'critical privileged podman/a',
    'warning container-stale podman/job',
    'warning host-network podman/b',
    'warning host-path-mounted podman/d:/root',
    'warning published-everywhere podman/d:3306/tcp',
    'warning unconfined podman/c:seccomp',
  ])
})

podmanTest('remedies, carried out literally, make the findings go away', async () => {
  await using podman = new Podman()
  podman.makeImage('localhost/hello:1')
  podman.run('create', '--name', 'job', '--label=ofelia.job.name=prune', 'localhost/hello:1', '/hello')
  await podman.start()
  chmodSync(podman.socket, 0o666)
  const config = { hardening: ['container-stale'], exitedMaxAge: '0s' }
  const { brief, findings } = await check(podman, config)
  expect(brief.toSorted()).toEqual([
    `critical socket-open ${podman.socket}`,
    'warning container-stale podman/job',
  ])
  for (const { rule, remedy = '' } of findings) {
    const [program = '', ...args] = remedy.split(' ')
    if (rule === 'container-stale') expect(podman.run(...args)).not.toBe('')
    if (rule === 'socket-open') expect(Bun.spawnSync([program, ...args]).exitCode).toBe(0)
  }
  expect((await check(podman, config)).brief).toEqual([])
})

podmanTest(
  'without a socket containers are read from the storage of Podman, and their environment is not told',
  async () => {
    await using podman = new Podman()
    podman.makeImage('localhost/hello:1')
    // The settings for the runtime are written before it starts; whether this machine lets it start does not matter.
    const start = (name: string, ...options: string[]) =>
      podman.attempt(
        'run',
        '--detach',
        '--name',
        name,
        '--network=none',
        ...LIMITS,
        ...options,
        'localhost/hello:1',
        '/hello',
      )
    start(
      'tight',
      ...HELD_TIGHT.filter((option) => !option.startsWith('--network')),
      '--env=TOKEN=canary-5f1e9c',
    )
    start('privileged', '--privileged', '--volume=/etc:/x')
    start('host', '--pid=host', '--cap-add=SYS_ADMIN', '--volume=/var/run:/run/host:ro')
    podman.run('create', '--name', 'never', 'localhost/hello:1', '/hello')
    const storage = join(podman.path, 'root')
    const config = { sockets: ['/nonexistent/podman.sock'], podmanStorage: [storage] }
    const report = await check(podman, { ...config, hardening: [] })
    expect(report.brief.toSorted()).toEqual([
      'critical dangerous-capability podman/host',
      'critical engine-socket-mounted podman/host:/var/run',
      'critical host-namespace podman/host:pid',
      'critical host-path-mounted podman/privileged:/etc',
      'critical privileged podman/privileged',
    ])
    expect(report.unseen).toMatchObject([
      { subject: 'podman/never', reason: 'it was never started, and no socket tells of it' },
    ])
    expect(JSON.stringify(report)).not.toContain('canary-5f1e9c')
    podman.run('rm', 'never')
    const all = await check(podman, config)
    expect(all.brief.filter((line) => line.includes('tight'))).toEqual([])
    expect(all.unseen).toMatchObject([
      { subject: 'podman', rules: ['default-network', 'published-everywhere', 'container-stale'] },
    ])
  },
)

podmanTest('storage of Podman that is malformed is a blind spot', async () => {
  await using podman = new Podman()
  const storage = join(podman.path, 'root')
  mkdirSync(join(storage, 'overlay-containers'), { recursive: true })
  const config = { sockets: [], podmanStorage: [storage], hardening: [] }
  for (const text of ['{', '{}', '[{"id":"../../etc"}]', `[{"id":"${'a'.repeat(64)}"}]`]) {
    writeFileSync(join(storage, 'overlay-containers/containers.json'), text)
    const { unseen, findings } = await check(podman, config)
    expect({ unseen: unseen?.length, findings: findings.length }).toEqual({ unseen: 1, findings: 0 })
  }
  writeFileSync(join(storage, 'overlay-containers/containers.json'), '[]\n')
  expect((await check(podman, config)).unseen).toEqual([])
})
