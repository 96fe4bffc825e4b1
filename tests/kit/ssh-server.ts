import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from './plugin.ts'
import { waitUntil } from './wait.ts'

export const SSH_PROGRAMS = ['sshd', 'ssh', 'ssh-keygen']

/** A real OpenSSH server on a free port of this host, for this user and one key; ended by `using`. */
export class SshServer implements Disposable {
  private readonly directory = temporaryDirectory('reeve-sshd')
  /** Where the login ends up: what the server may reach is below it by agreement only. */
  readonly home: string
  readonly identityFile: string
  readonly knownHosts: string
  port = 0
  private server: Bun.Subprocess | undefined

  private constructor() {
    this.home = join(this.directory.path, 'home')
    this.identityFile = join(this.directory.path, 'id')
    this.knownHosts = join(this.directory.path, 'known_hosts')
  }

  static async start(): Promise<SshServer> {
    const server = new SshServer()
    const { path } = server.directory
    mkdirSync(join(server.home, 'backups'), { recursive: true, mode: 0o700 })
    for (const name of ['id', 'host']) {
      run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(path, name)])
    }
    writeFileSync(join(path, 'authorized'), readFileSync(join(path, 'id.pub')), { mode: 0o600 })
    server.port = await freePort()
    const hostKey = readFileSync(join(path, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
    writeFileSync(server.knownHosts, `[127.0.0.1]:${server.port} ${hostKey}\n`)
    writeFileSync(
      join(path, 'config'),
      [
        `Port ${server.port}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${join(path, 'host')}`,
        `AuthorizedKeysFile ${join(path, 'authorized')}`,
        `PidFile ${join(path, 'pid')}`,
        'StrictModes no',
        'UsePAM no',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'PermitRootLogin prohibit-password',
        `Subsystem sftp internal-sftp -d ${server.home}`,
        '',
      ].join('\n'),
    )
    if (process.getuid?.() === 0) {
      mkdirSync('/run/sshd', { recursive: true })
      chmodSync('/run/sshd', 0o755)
    }
    await server.resume()
    return server
  }

  /** Starts it again on its port, after `stop`. */
  async resume(): Promise<void> {
    const { path } = this.directory
    const log = join(path, 'log')
    const program = Bun.which('sshd') ?? '/usr/sbin/sshd'
    this.server = Bun.spawn([program, '-D', '-f', join(path, 'config'), '-E', log], {
      stdio: ['ignore', 'ignore', 'ignore'],
    })
    await waitUntil('sshd listens', 10_000, () =>
      readFileSync(log, { encoding: 'utf8', flag: 'a+' }).includes('Server listening'),
    )
    writeFileSync(log, '')
  }

  /** Ends it, and with it every connection. */
  stop(): void {
    const { server } = this
    if (!server) return
    // A session is a child of the server: found by it, and ended by its number.
    const children = Bun.spawnSync(['ps', '-o', 'pid=', '--ppid', String(server.pid)]).stdout.toString()
    server.kill('SIGKILL')
    for (const pid of children.split('\n').map(Number).filter(Boolean)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    this.server = undefined
  }

  [Symbol.dispose](): void {
    this.stop()
    this.directory[Symbol.dispose]()
  }

  /** A destination in the configuration of a backup. */
  destination(name = 'offsite') {
    return {
      name,
      type: 'sftp' as const,
      host: '127.0.0.1',
      port: this.port,
      user: process.env.USER ?? userName(),
      directory: join(this.home, 'backups'),
      identityFile: this.identityFile,
      knownHosts: this.knownHosts,
    }
  }
}

function userName(): string {
  return Bun.spawnSync(['id', '-un']).stdout.toString().trim()
}

function run(argv: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(argv)
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
}

async function freePort(): Promise<number> {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
