import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from '../wait.ts'

// A throw-away Debian 12 with a real systemd as PID 1: systemd-nspawn on an overlay over a cached root.
// It has loopback and no other network, and this machine's kernel; it is no security boundary.

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'reeve-tests')
const HOSTS = join(CACHE, 'hosts')
const BOOT_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000
/** systemd's PID 1 powers off on SIGRTMIN+4. */
const SIGRTMIN_PLUS_4 = 38

export interface Outcome {
  exitCode: number
  stdout: string
  stderr: string
}

export interface BootOptions {
  /** Paths of this machine to show in the host, read-only: host path by machine path. */
  mounts?: Record<string, string>
}

/** What supervise.sh does first; a container often may not. */
const PROBE = `
  mount -t tmpfs none /run
  mkdir /run/lower /run/upper /run/work
  mount -t overlay -o lowerdir=/run/lower,upperdir=/run/upper,workdir=/run/work overlay /run/lower
  mount -t cgroup2 cgroup2 /mnt
  mkdir /mnt/reeve-probe-$$
  rmdir /mnt/reeve-probe-$$`

/** Why no such host can be booted on this machine, or undefined when it can. Builds the root the first time. */
export function whyNoSystemdHost(): string | undefined {
  if (process.getuid?.() !== 0) return 'booting a test host needs root'
  for (const program of ['systemd-nspawn', 'mmdebstrap', 'unshare', 'nsenter', 'flock']) {
    if (!Bun.which(program)) return `${program} is not installed`
  }
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlayfs'
  const probe = Bun.spawnSync(['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', PROBE])
  if (probe.exitCode !== 0)
    return `no mounts and control groups of its own: ${probe.stderr.toString().trim()}`
  try {
    rootDirectory()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function rootDirectory(): string {
  const build = Bun.spawnSync([join(import.meta.dir, 'build-root.sh'), CACHE])
  if (build.exitCode !== 0) {
    throw new Error(
      `Cannot build the root of the test hosts: ${build.stderr.toString().trim().split('\n').pop()}`,
    )
  }
  return build.stdout.toString().trim()
}

/** A host that is running or, after `powerCut` or `shutDown`, a disk that can be booted again. */
export class SystemdHost implements AsyncDisposable {
  #supervisor: Bun.Subprocess | undefined
  #leader = 0

  private constructor(
    /** Name of its cgroup; has the pid of this process in it, so that hosts of a dead one can be told. */
    private readonly name: string,
    private readonly mounts: Record<string, string>,
  ) {}

  /** Boots a fresh host. `name` is unique within the test file. Throws when it does not come up. */
  static async boot(name: string, { mounts = {} }: BootOptions = {}): Promise<SystemdHost> {
    await clearDeadHosts()
    const host = new SystemdHost(`reeve-${name}-${process.pid}`, mounts)
    await host.powerOn()
    return host
  }

  private get disk(): string {
    return join(HOSTS, this.name)
  }

  /** Boots from the disk as it was left. */
  async powerOn(): Promise<void> {
    mkdirSync(this.disk, { recursive: true })
    const binds = Object.entries(this.mounts).map(([source, target]) => `--bind-ro=${source}:${target}`)
    const console = openSync(join(this.disk, 'console.log'), 'a')
    const inner = [join(import.meta.dir, 'supervise.sh'), this.name, rootDirectory(), this.disk, ...binds]
    // A session of its own: Ctrl-C in the terminal ends the tests, which then end the host.
    this.#supervisor = Bun.spawn(['setsid', 'unshare', '--mount', '--propagation', 'private', ...inner], {
      stdin: 'ignore',
      stdout: console,
      stderr: console,
    })
    const supervisor = this.#supervisor
    try {
      await waitUntil(`test host "${this.name}" booted`, BOOT_TIMEOUT_MS, async () => {
        if (supervisor.exitCode !== null) throw new Error(`systemd-nspawn ended with ${supervisor.exitCode}`)
        return this.isUp()
      })
    } catch (cause) {
      const log = readText(join(this.disk, 'console.log')).slice(-2000)
      await this[Symbol.asyncDispose]()
      throw new Error(`Cannot boot the test host "${this.name}":\n${log}`, { cause })
    }
  }

  private async isUp(): Promise<boolean> {
    this.#leader = this.findLeader()
    // root's systemctl talks to PID 1 through this socket.
    if (!this.#leader || !existsSync(`/proc/${this.#leader}/root/run/systemd/private`)) return false
    const { stdout } = await this.peek('systemctl', 'is-system-running', '--wait')
    return ['running', 'degraded'].includes(stdout.trim())
  }

  /** This machine's pid of the host's PID 1: the child of systemd-nspawn, which took the supervisor's place. */
  private findLeader(): number {
    const supervisor = this.#supervisor?.pid
    if (!supervisor) return 0
    for (const child of childrenOf(supervisor)) {
      const ids = /^NSpid:\s+(.*)$/m.exec(readText(`/proc/${child}/status`))?.[1]?.split(/\s+/) ?? []
      if (ids.length > 1 && ids.at(-1) === '1') return child
    }
    return 0
  }

  /** Runs a command as anything on that host runs: started by PID 1, with its cgroup, capabilities and filter. */
  run(...command: string[]): Promise<Outcome> {
    const service = ['systemd-run', '--quiet', '--pipe', '--wait', '--collect', '--service-type=exec']
    return this.peek(...service, '--working-directory=/', `--setenv=PATH=${PATH}`, '--', ...command)
  }

  /** Where this machine sees a path of the running host. */
  pathOf(path: string): string {
    return `/proc/${this.#leader}/root${path}`
  }

  /** The command line by which this machine runs a command in the host. */
  inside(...command: string[]): string[] {
    const environment = ['env', '-i', `PATH=${PATH}`, 'LANG=C.UTF-8', 'SYSTEMD_PAGER=', 'SYSTEMD_COLORS=0']
    return ['nsenter', '-t', String(this.#leader), '-a', '-r', '-w', ...environment, ...command]
  }

  /** Joins the host from outside: quicker, but with all rights of this machine. For looking and setting up. */
  async peek(...command: string[]): Promise<Outcome> {
    const child = Bun.spawn(this.inside(...command), { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
    const [stdout, stderr, exitCode] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ])
    return { exitCode, stdout, stderr }
  }

  /** `run`, for a command that has to end with 0: returns what it printed. */
  async succeed(...command: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(...command)
    if (exitCode !== 0) throw new Error(`"${command.join(' ')}" ended with ${exitCode}:\n${stdout}${stderr}`)
    return stdout
  }

  /** Everything of the host dies at once; what was not on disk is lost. */
  async powerCut(): Promise<void> {
    await killGroup(this.name)
    await this.#supervisor?.exited
  }

  /** Stops every service and powers off, as a host does. */
  async shutDown(): Promise<void> {
    const supervisor = this.#supervisor
    process.kill(this.#leader, SIGRTMIN_PLUS_4)
    await waitUntil(
      `test host "${this.name}" shut down`,
      STOP_TIMEOUT_MS,
      () => supervisor?.exitCode !== null,
    )
    await this.powerCut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerCut()
    rmSync(this.disk, { recursive: true, force: true })
  }
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Hosts whose test process is gone: killed with it they were not. */
async function clearDeadHosts(): Promise<void> {
  mkdirSync(HOSTS, { recursive: true })
  for (const name of readdirSync(HOSTS)) {
    if (existsSync(`/proc/${name.split('-').pop()}`)) continue
    await killGroup(name)
    rmSync(join(HOSTS, name), { recursive: true, force: true })
  }
}

/** Kills whatever is in the cgroup and removes it, with those that the host made below it. */
async function killGroup(name: string): Promise<void> {
  // The unified hierarchy is there alone, or beside the older one.
  const path = join(existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup', name)
  if (!existsSync(path)) return
  writeFileSync(join(path, 'cgroup.kill'), '1')
  const isEmpty = () => readText(join(path, 'cgroup.events')).includes('populated 0')
  await waitUntil(`test host "${name}" died`, STOP_TIMEOUT_MS, isEmpty)
  for (const group of [...directoriesBelow(path), path]) rmdirSync(group)
}

/** The deepest first. */
function directoriesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [...directoriesBelow(join(path, name)), join(path, name)])
}

function childrenOf(pid: number): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

/** Empty for a process that is gone. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
