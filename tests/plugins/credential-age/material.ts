import { setDefaultTimeout } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// Keys are made by real programs, and the machine may be busy.
setDefaultTimeout(60_000)

/** Runs a program of the host that these tests need; its failure is a failure of the test. */
export function run(
  argv: string[],
  options: { cwd?: string; env?: Record<string, string>; stdin?: string } = {},
) {
  const result = Bun.spawnSync(argv, {
    cwd: options.cwd ?? '/',
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C.UTF-8', TZ: 'UTC', ...options.env },
    stdin: options.stdin === undefined ? 'ignore' : Buffer.from(options.stdin),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  if (result.exitCode !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr.toString()}`)
  return result.stdout
}

/** A key pair of OpenSSH; the path of the private key. */
export function sshKey(directory: string, name: string, ...options: string[]): string {
  const path = join(directory, name)
  const passphrase = options.includes('-N') ? [] : ['-N', '']
  run(['ssh-keygen', '-q', ...passphrase, '-C', `${name}@host`, '-f', path, ...options])
  return path
}

/** A self-signed certificate of OpenSSL in PEM; its key lies beside it with the suffix .key. */
export function certificate(directory: string, name: string, ...options: string[]): string {
  const path = join(directory, name)
  const key = options.includes('-newkey') ? [] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const subject = options.includes('-subj') ? [] : ['-subj', `/CN=${name}`]
  run([
    'openssl',
    'req',
    '-x509',
    '-nodes',
    ...key,
    '-keyout',
    `${path}.key`,
    '-out',
    path,
    ...subject,
    ...options,
  ])
  return path
}

/** A GnuPG home of its own; its agent is stopped by `using`. */
export function gnuPg(directory: string): { gpg(...args: string[]): Buffer } & Disposable {
  const home = join(directory, 'gnupg')
  mkdirSync(home, { mode: 0o700 })
  writeFileSync(join(home, 'gpg-agent.conf'), 'allow-loopback-pinentry\n')
  const env = { GNUPGHOME: home }
  return {
    gpg: (...args) =>
      run(['gpg', '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], { env }),
    [Symbol.dispose]: () => {
      run(['gpgconf', '--kill', 'gpg-agent'], { env })
    },
  }
}

export function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path))
}

export const DAY = 86_400_000
export const NOW = new Date('2027-03-01T12:00:00Z')

/** Milliseconds of processor time since the call: unlike the clock's, they do not depend on the neighbours. */
export function processorClock(): () => number {
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
}

/** A /proc below a directory: the first process, and others with a unit, a start and a command line. */
export function fakeProcesses(
  root: string,
  processes: { pid: number; unit?: string; name?: string; startedAt: Date; words?: string[] }[],
): void {
  const bootSeconds = Math.floor(NOW.getTime() / 1000) - 400 * 86_400
  mkdirSync(join(root, 'proc'), { recursive: true })
  writeFileSync(join(root, 'proc/stat'), `cpu 1 2 3\nbtime ${bootSeconds}\nprocesses 9\n`)
  const init: (typeof processes)[number] = {
    pid: 1,
    name: 'systemd',
    startedAt: new Date(bootSeconds * 1000),
    words: ['/sbin/init'],
  }
  for (const { pid, unit, name = 'a (b) c', startedAt, words = [] } of [init, ...processes]) {
    const directory = join(root, `proc/${pid}`)
    mkdirSync(directory, { recursive: true })
    const ticks = Math.round((startedAt.getTime() - bootSeconds * 1000) / 10)
    const fields = Array.from({ length: 17 }, () => '0').join(' ')
    writeFileSync(join(directory, 'stat'), `${pid} (${name}) S 1 ${fields} ${ticks} 0 0\n`)
    writeFileSync(join(directory, 'cgroup'), `0::/system.slice/${unit ?? 'init.scope'}\n`)
    writeFileSync(join(directory, 'cmdline'), words.map((word) => `${word}\0`).join(''))
  }
}
