import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reeveBinary } from '../kit/binary.ts'
import { waitUntil } from '../kit/wait.ts'

const START_MS = 20_000
/** Findings are no failure of a command that shows them. */
const EXPECTED_EXIT_CODES = [0, 3]

/** What the pages call the API on an installed host. */
const DOCUMENTED_URL = 'http://127.0.0.1:7338'
const DOCUMENTED_SOCKET = '/run/reeve/reeve.sock'

/** An account in a directory, with reeve on its PATH, the configuration of a trial, and a running daemon. */
export class DocumentedHost implements AsyncDisposable {
  private constructor(
    private readonly directory: string,
    private readonly env: Record<string, string>,
    private readonly daemon: Bun.Subprocess,
    readonly url: string,
  ) {}

  static async start(directory: string): Promise<DocumentedHost> {
    const bin = join(directory, 'bin')
    const trial = join(directory, 'trial')
    mkdirSync(bin)
    symlinkSync(reeveBinary(), join(bin, 'reeve'))
    const env = {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: directory,
      LANG: 'C.UTF-8',
      REEVE_CONFIG: join(trial, 'reeve.yaml'),
    }
    const made = Bun.spawnSync(['reeve', 'init', '--try', trial], { env, cwd: directory })
    if (made.exitCode !== 0) throw new Error(`reeve init: ${made.stderr}`)
    const config = readFileSync(env.REEVE_CONFIG, 'utf8')
    // Nothing runs by itself: it would hold the lock of a job that a page runs.
    const quiet = config
      .replace(/^( +schedule:).*$/gm, '$1 manual')
      .replaceAll('runOnStart: true', 'runOnStart: false')
    writeFileSync(env.REEVE_CONFIG, quiet.replace(/^api:$/m, 'api:\n  listen: 127.0.0.1:0'))

    const log = join(directory, 'daemon.log')
    const daemon = Bun.spawn(['reeve', 'daemon'], { env, cwd: directory, stderr: Bun.file(log) })
    const urlOf = () => /"message":"started".*?"url":"([^"]*)"/.exec(readFileSync(log, 'utf8'))?.[1]
    await waitUntil('the daemon has started', START_MS, () => urlOf() !== undefined)
    return new DocumentedHost(directory, env, daemon, urlOf() ?? '')
  }

  /** Runs a block of a page, command by command, in one shell. Throws with what the first bad one said. */
  run(text: string): string {
    const script = checkEach(
      text
        .replaceAll(DOCUMENTED_URL, this.url)
        .replaceAll(DOCUMENTED_SOCKET, join(this.directory, 'trial/reeve.sock')),
    )
    const { exitCode, stdout, stderr } = Bun.spawnSync(['sh', '-c', script], {
      env: { ...this.env },
      cwd: this.directory,
    })
    if (exitCode !== 0) throw new Error(`${stderr}\n${stdout}`)
    return stdout.toString()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.daemon.kill('SIGTERM')
    await this.daemon.exited
  }
}

/** After each command a look at its exit code. curl is to fail where the answer is an error; here sudo is nobody else. */
function checkEach(text: string): string {
  const expected = EXPECTED_EXIT_CODES.map((code) => `[ $code = ${code} ]`).join(' || ')
  const commands = text.replaceAll('\\\n', ' ').split('\n')
  const lines = commands.flatMap((command) =>
    command.trim() === '' ? [] : [command, `code=$?; ${expected} || { echo "exit code $code" >&2; exit 1; }`],
  )
  const ours = ['curl() { command curl --silent --show-error --fail "$@"; }', 'sudo() { "$@"; }']
  return [...ours, ...lines].join('\n')
}
