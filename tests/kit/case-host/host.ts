import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { reeveBinary } from '../binary.ts'
import { temporaryDirectory } from '../plugin.ts'

// A throw-away host for a case: what lies in tests/cases/SERVICE/CASE/root, with owners and modes of its host.yaml,
// over the root of this machine, in namespaces of its own: files, network, packet filter and processes are real.

const START = join(import.meta.dir, 'start.sh')
const SERVICE = join(import.meta.dir, 'service.pl')
const APT = join(import.meta.dir, 'apt.sh')
const DOCKER = join(import.meta.dir, 'docker.pl')

/** What this machine has there is not the host's. */
const HIDDEN =
  '/home /root /srv /opt /boot /etc/ssh /etc/systemd /etc/nginx /etc/caddy /etc/apt /etc/cron.d /etc/sudoers.d ' +
  '/etc/logrotate.d /etc/docker /etc/reeve /var/lib/reeve /var/lib/dpkg /var/lib/apt /var/log /var/backups'

const service = z.strictObject({
  user: z.string().default('root'),
  program: z.string(),
  /** "ADDRESS:PORT", with "=STATUS" where it answers HTTP. */
  listen: z.array(z.string()),
  unit: z.string().optional(),
})

/** A Debian of one package, whatever this machine is. */
const DPKG_STATUS = `Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4+deb12u1
`

const hostSchema = z.strictObject({
  /** Parameters of the profile. */
  parameters: z.record(z.string(), z.unknown()).default({}),
  address: z.string().default('10.0.4.20/24'),
  accounts: z
    .array(
      z.strictObject({
        name: z.string(),
        uid: z.int(),
        home: z.string(),
        shell: z.string().default('/usr/sbin/nologin'),
      }),
    )
    .default([]),
  /** Shell lines that make what cannot lie in a repository: owners, modes, keys, certificates, archives. */
  prepare: z.string().default(''),
  /** Rules for `nft -f -`. */
  firewall: z.string().default(''),
  /** Whether something answers like Docker on its socket. */
  docker: z.boolean().default(false),
  services: z.array(service).default([]),
  /** The same with the settings that remedies lead to. */
  restarted: z.array(service).default([]),
})
export type CaseSettings = z.output<typeof hostSchema>

/** Why there can be no such host here, or undefined when there can. */
export function whyNoCaseHost(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  for (const program of ['unshare', 'nsenter', 'chroot', 'ip', 'nft', 'openssl', 'perl', 'setpriv']) {
    if (!Bun.which(program)) return `not installed: ${program}`
  }
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlayfs'
  return Bun.spawnSync(['unshare', '--mount', '--net', '--pid', '--fork', '--cgroup', 'true']).exitCode === 0
    ? undefined
    : 'no namespaces here'
}

export class CaseHost implements AsyncDisposable {
  private readonly services: Bun.Subprocess<'ignore', 'pipe', 'pipe'>[] = []

  private constructor(
    private readonly directory: ReturnType<typeof temporaryDirectory>,
    private readonly holder: Bun.Subprocess<'pipe', 'pipe', 'inherit'>,
    private readonly pid: number,
    readonly settings: CaseSettings,
  ) {}

  /** A host of the tree `directory/root` and of `directory/host.yaml`, that uses this profile. */
  static async start(directory: string, profile: string): Promise<CaseHost> {
    const settings = hostSchema.parse(parse(readFileSync(join(directory, 'host.yaml'), 'utf8')))
    const work = temporaryDirectory('reeve-case')
    for (const name of ['hidden', 'work', 'root']) mkdirSync(join(work.path, name))
    cpSync(join(directory, 'root'), join(work.path, 'upper'), { recursive: true, verbatimSymlinks: true })
    fillPlaceholders(join(work.path, 'upper'))
    const namespaces = [
      '--mount',
      '--net',
      '--pid',
      '--cgroup',
      '--fork',
      '--kill-child',
      '--propagation',
      'private',
    ]
    const words = [work.path, reeveBinary(), settings.address, ...HIDDEN.split(' ')]
    const holder = Bun.spawn(['unshare', ...namespaces, START, ...words], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'inherit',
    })
    const { value } = await holder.stdout.getReader().read()
    if (!value) throw new Error('the host of the case could not be made')
    const pid = Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim())
    const host = new CaseHost(work, holder, pid, settings)
    try {
      await host.furnish(profile)
    } catch (error) {
      await host[Symbol.asyncDispose]()
      throw error
    }
    return host
  }

  private async furnish(profile: string): Promise<void> {
    const { accounts, docker, prepare, firewall, services, parameters } = this.settings
    const path = (name: string) => join(this.root, name)
    const append = (name: string, line: string) =>
      writeFileSync(path(name), `${readFileSync(path(name), 'utf8').trimEnd()}\n${line}\n`)
    for (const { name, uid, home, shell } of accounts) {
      append('/etc/passwd', `${name}:x:${uid}:${uid}::${home}:${shell}`)
      append('/etc/group', `${name}:x:${uid}:`)
      append('/etc/shadow', `${name}:!:20000:0:99999:7:::`)
    }
    mkdirSync(path('/root'), { mode: 0o700, recursive: true })
    for (const name of ['/var/lib/dpkg', '/var/log', '/etc/logrotate.d'])
      mkdirSync(path(name), { recursive: true })
    writeFileSync(path('/etc/logrotate.conf'), 'weekly\nrotate 4\ninclude /etc/logrotate.d\n')
    writeFileSync(path('/var/lib/dpkg/status'), DPKG_STATUS)
    copyFileSync(APT, path('/run/apt.sh'))
    // For remedies: no service manager runs here, and what it would start anew `restart` does; nothing is downloaded.
    writeFileSync(path('/usr/local/sbin/systemctl'), '#!/bin/sh\n', { mode: 0o755 })
    writeFileSync(path('/usr/local/sbin/apt-get'), '#!/bin/sh\nexec sh /run/apt.sh\n', { mode: 0o755 })
    const profiles = [{ use: profile, ...parameters }]
    mkdirSync(path('/etc/reeve'), { mode: 0o750 })
    writeFileSync(path('/etc/reeve/reeve.yaml'), stringify({ defaults: { timezone: 'UTC' }, profiles }), {
      mode: 0o640,
    })
    if (docker) {
      copyFileSync(DOCKER, path('/run/docker.pl'))
      await this.background(['perl', '/run/docker.pl', '/run/docker.sock'])
    }
    if (prepare) this.shell(prepare)
    if (firewall) this.run(['nft', '-f', '-'], firewall)
    for (const service of services) await this.serve(service)
  }

  private async serve({ user, program, listen, unit }: CaseSettings['services'][number]): Promise<void> {
    const perl = Bun.which('perl') ?? '/usr/bin/perl'
    mkdirSync(join(this.root, program, '..'), { recursive: true })
    copyFileSync(perl, join(this.root, program))
    chmodSync(join(this.root, program), 0o755)
    copyFileSync(SERVICE, join(this.root, '/run/service.pl'))
    const group = `/sys/fs/cgroup/system.slice/${unit}`
    const join_ = unit ? `mkdir -p ${group} 2>/dev/null && echo 0 >${group}/cgroup.procs; ` : ''
    const become = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs']
    const limits = 'ulimit -c 0; exec "$@"'
    const words = [
      'sh',
      '-c',
      `${join_}${limits}`,
      'sh',
      ...(user === 'root' ? [] : [...become, '--bounding-set=-all']),
    ]
    this.services.push(await this.background([...words, program, '/run/service.pl', ...listen]))
  }

  /** Starts what says "ready" when it is; it ends with the host. */
  private async background(command: string[]) {
    const child = Bun.spawn([...this.enter(), ...command], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const { value } = await child.stdout.getReader().read()
    if (!value) throw new Error(`"${command.join(' ')}" did not start: ${await child.stderr.text()}`)
    return child
  }

  /** Ends the services, and starts them with what their settings say now: `restarted` of host.yaml. */
  async restart(): Promise<void> {
    const running = this.services.splice(0)
    if (running.length > 0) this.shell('kill $(pgrep -f "/run/[s]ervice.pl")')
    await Promise.all(running.map((service) => service.exited))
    for (const service of this.settings.restarted) await this.serve(service)
  }

  private enter(): string[] {
    const environment = [
      'env',
      '-i',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOME=/root',
    ]
    const into = ['nsenter', `--target=${this.pid}`, '--mount', '--net', '--pid', '--cgroup']
    return [...into, 'chroot', join(this.directory.path, 'root'), ...environment, 'LANG=C.UTF-8']
  }

  /** Its root directory, as this process sees it. */
  get root(): string {
    return `/proc/${this.pid}/root${this.directory.path}/root`
  }

  /** Runs a program in it, whatever its exit code. */
  try(command: string[], stdin = ''): { exitCode: number; stdout: string; stderr: string } {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...this.enter(), ...command], {
      stdin: Buffer.from(stdin),
    })
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
  }

  /** Its namespace of processes, as /proc/PID/ns/pid shows it. */
  get namespace(): string {
    return readlinkSync(`/proc/${this.pid}/ns/pid`)
  }

  /** Starts a program in it; the caller waits for its end. */
  start(command: string[]): Bun.Subprocess<'ignore', 'ignore', 'pipe'> {
    return Bun.spawn([...this.enter(), ...command], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  }

  /** Runs a program in it; throws when it fails. */
  run(command: string[], stdin = ''): string {
    const { exitCode, stdout, stderr } = this.try(command, stdin)
    if (exitCode !== 0) throw new Error(`"${command.join(' ')}" ended with ${exitCode}: ${stdout}${stderr}`)
    return stdout
  }

  /** Shell lines; the first that fails ends them, and throws. */
  shell(lines: string): string {
    return this.run(['sh', '-euc', `cd /\n${lines}`])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The first process of its name space takes all others with it.
    await this.holder.stdin.end()
    await this.holder.exited
    await Promise.all(this.services.map((service) => service.exited))
    this.directory[Symbol.dispose]()
  }
}

const BCRYPT = { algorithm: 'bcrypt', cost: 12 } as const

/** What looks like a secret must not lie in a repository: `@hex64@` stands for 64 hex digits, others each time. */
function fillPlaceholders(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    const stat = lstatSync(path)
    if (stat.isDirectory()) fillPlaceholders(path)
    chmodSync(path, stat.isDirectory() ? 0o755 : 0o644)
    if (!stat.isFile()) continue
    const text = readFileSync(path, 'latin1')
    const filled = text
      .replaceAll('@hex64@', () => randomBytes(32).toString('hex'))
      .replaceAll('@bcrypt@', () => Bun.password.hashSync(randomBytes(16).toString('hex'), BCRYPT))
    if (filled !== text) writeFileSync(path, filled, 'latin1')
  }
}
