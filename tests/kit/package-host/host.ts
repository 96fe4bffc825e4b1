import { mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { temporaryDirectory } from '../plugin.ts'

// A throw-away Debian 12 to install packages in: an overlay over a cached root, in a mount namespace that ends
// with the process that holds it. It is no security boundary.

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'reeve-tests')

/** Why there can be no such host here, or undefined when there can. Builds the root the first time. */
export function whyNoPackageHost(): string | undefined {
  if (process.getuid?.() !== 0) return 'a root to install packages in needs root'
  for (const program of ['mmdebstrap', 'unshare', 'nsenter', 'chroot', 'flock']) {
    if (!Bun.which(program)) return `${program} is not installed`
  }
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlayfs'
  try {
    rootDirectory()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function rootDirectory(): string {
  const build = Bun.spawnSync([join(import.meta.dir, 'build-root.sh'), CACHE])
  if (build.exitCode === 0) return build.stdout.toString().trim()
  const said = build.stderr.toString().trim().split('\n').pop()
  throw new Error(`the root to install packages in cannot be built: ${said}`)
}

const HOLD = `
  mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
  mount -t proc proc "$2/root/proc"
  mount -t tmpfs none "$2/root/tmp"
  mount -t tmpfs none "$2/root/run"
  mount --rbind /dev "$2/root/dev"
  echo ready
  exec cat`

export class PackageHost implements AsyncDisposable {
  private constructor(
    private readonly directory: ReturnType<typeof temporaryDirectory>,
    private readonly holder: Bun.Subprocess<'pipe', 'pipe', 'inherit'>,
  ) {}

  static async start(): Promise<PackageHost> {
    const directory = temporaryDirectory('reeve-packages')
    for (const name of ['upper', 'work', 'root']) mkdirSync(`${directory.path}/${name}`)
    const holder = Bun.spawn(
      [
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-ec',
        HOLD,
        'sh',
        rootDirectory(),
        directory.path,
      ],
      { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' },
    )
    const { value } = await holder.stdout.getReader().read()
    if (!value) throw new Error('the root to install packages in could not be mounted')
    return new PackageHost(directory, holder)
  }

  /** Its root directory, as this process sees it. */
  get root(): string {
    return `/proc/${this.holder.pid}/root${this.directory.path}/root`
  }

  /** The packages that lie in the cache. */
  get packages(): string[] {
    return readFileSync(`${this.root}/packages`, 'utf8').trim().split(' ')
  }

  /** Runs a program in it; throws when it fails. */
  run(...command: string[]): string {
    const env = [
      'env',
      '-i',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'LANG=C.UTF-8',
      'DEBIAN_FRONTEND=noninteractive',
      'SUDO_FORCE_REMOVE=yes',
    ]
    const enter = [
      'nsenter',
      '--mount',
      `--target=${this.holder.pid}`,
      'chroot',
      `${this.directory.path}/root`,
    ]
    const { exitCode, stdout, stderr } = Bun.spawnSync([...enter, ...env, ...command])
    if (exitCode !== 0) throw new Error(`"${command.join(' ')}" ended with ${exitCode}: ${stdout}${stderr}`)
    return stdout.toString()
  }

  /** apt-get with what lies in the cache. */
  apt(...words: string[]): string {
    return this.run('apt-get', '-y', '-qq', '--no-download', '--no-install-recommends', ...words)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder.stdin.end()
    await this.holder.exited
    this.directory[Symbol.dispose]()
  }
}
