import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'
import { openStore, openStoreForReading, type Store } from '../../agent/store/open.ts'
import { reeveBinary } from './binary.ts'
import { temporaryDirectory } from './plugin.ts'
import { recordStore } from './rule-cases-of-store.ts'
import { waitUntil } from './wait.ts'

export interface Result {
  exitCode: number | null
  stdout: string
  stderr: string
}

export interface StartOptions {
  env?: Record<string, string | undefined>
  /** A command that starts the binary: ["setpriv", "--reuid=65534", …]. */
  wrap?: string[]
  stdin?: string
}

const logLine = z.looseObject({ level: z.string(), message: z.string() })
export type LogLine = z.infer<typeof logLine>

const START_TIMEOUT_MS = 20_000
/** Longer than a daemon lets its runs end by themselves. */
const STOP_TIMEOUT_MS = 30_000

/** A configuration and a state directory of their own for the compiled binary, all below one directory. */
export class Workspace implements AsyncDisposable {
  private readonly directory = temporaryDirectory('reeve-host')
  /** Without links, as the jail sees it. */
  readonly path = realpathSync(this.directory.path)
  readonly config = join(this.path, 'etc/reeve.yaml')
  readonly stateDir = join(this.path, 'state')
  readonly socket = join(this.path, 'api.sock')
  readonly database = join(this.stateDir, 'reeve.db')
  private readonly daemons: Daemon[] = []

  constructor(settings: Record<string, unknown> = {}) {
    mkdirSync(dirname(this.config), { mode: 0o700 })
    this.configure(settings)
  }

  /** Writes the configuration: these settings over those that keep reeve within this directory. */
  configure(settings: Record<string, unknown>): void {
    const base = {
      stateDir: this.stateDir,
      api: { listen: '127.0.0.1:0', socket: this.socket },
      defaults: { timezone: 'UTC' },
    }
    this.write('etc/reeve.yaml', stringify({ ...base, ...settings }))
  }

  /** Writes a file below the directory, with its directories; returns its path. */
  write(name: string, content: string | Uint8Array, mode = 0o600): string {
    const path = join(this.path, name)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(path, content, { mode })
    return path
  }

  /** A command as a shell takes it. */
  command(args: string): string {
    return `'${reeveBinary()}' ${args} --config '${this.config}'`
  }

  /** Runs one command to its end. */
  async reeve(args: string[], options: StartOptions = {}): Promise<Result> {
    const child = this.spawn(args, options)
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    return { exitCode: child.exitCode, stdout, stderr }
  }

  /** Starts a command; the caller waits for its end. */
  spawn(args: string[], options: StartOptions = {}) {
    const binary = options?.wrap ? this.sharedBinary() : reeveBinary()
    return this.start([binary, ...args, '--config', this.config], options)
  }

  /** A copy of the binary for another user, who may not reach the checkout. */
  private sharedBinary(): string {
    const copy = join(this.path, 'reeve')
    if (!existsSync(copy)) copyFileSync(reeveBinary(), copy)
    chmodSync(copy, 0o755)
    return copy
  }

  /** Starts any program, with the environment that a command has. */
  start(command: string[], { env = {}, wrap = [], stdin }: StartOptions = {}) {
    return Bun.spawn([...wrap, ...command], {
      stdin: stdin === undefined ? 'ignore' : Buffer.from(stdin),
      stdout: 'pipe',
      stderr: 'pipe',
      env: { PATH: process.env.PATH, HOME: this.path, TMPDIR: process.env.TMPDIR, LANG: 'C.UTF-8', ...env },
    })
  }

  /** What `reeve run JOB --json` says of one job. */
  async run(job: string, options: StartOptions = {}): Promise<RunResult & { exitCode: number | null }> {
    const { exitCode, stdout, stderr } = await this.reeve(['run', job, '--json'], options)
    try {
      const [result] = z.tuple([runResult]).parse(JSON.parse(stdout))
      return { ...result, exitCode }
    } catch (cause) {
      throw new Error(`"reeve run ${job}" ended with ${exitCode}: ${stdout}${stderr}`, { cause })
    }
  }

  /** Starts a daemon and waits until it is ready; it is ended with the workspace. */
  async daemon({ args = [], ...options }: StartOptions & { args?: string[] } = {}): Promise<Daemon> {
    const daemon = new Daemon(this.spawn(['daemon', ...args], options), this.socket)
    this.daemons.push(daemon)
    await daemon.ready()
    return daemon
  }

  /** The store as it is now; to be closed by `using`. */
  store(): Store & Disposable {
    const store = openStoreForReading(this.database)
    return { ...store, [Symbol.dispose]: () => store.close() }
  }

  /** Changes the database of a reeve that does not run. */
  change(sql: string): void {
    const store = openStore(this.database)
    store.sqlite.run(sql)
    store.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.daemons) await daemon.kill()
    if (existsSync(this.database)) await recordStore(this.database)
    this.directory[Symbol.dispose]()
  }
}

const runResult = z.object({
  job: z.string(),
  runId: z.number().nullable(),
  outcome: z.string(),
  reason: z.string().nullable(),
  worst: z.string().nullable(),
  findings: z.number(),
  blind: z.number(),
  durationMs: z.number().nullable(),
})
export type RunResult = z.infer<typeof runResult>

export class Daemon {
  readonly lines: LogLine[] = []
  private text = ''
  private readonly reading: Promise<void>

  constructor(
    private readonly child: ReturnType<Workspace['spawn']>,
    private readonly socket: string,
  ) {
    this.reading = this.read()
  }

  get pid(): number {
    return this.child.pid
  }

  /** All that it wrote on standard error. */
  get log(): string {
    return this.text
  }

  private async read(): Promise<void> {
    let rest = ''
    for await (const chunk of this.child.stderr.pipeThrough(new TextDecoderStream())) {
      this.text += chunk
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.startsWith('{')) this.lines.push(logLine.parse(JSON.parse(line)))
      }
    }
  }

  async ready(): Promise<void> {
    await waitUntil('the daemon is ready', START_TIMEOUT_MS, () => {
      if (this.child.exitCode !== null) throw new Error(`the daemon ended: ${this.text}`)
      return this.lines.some((line) => line.message === 'started')
    })
  }

  /** "http://127.0.0.1:PORT". */
  get url(): string {
    return z.string().parse(this.lines.find((line) => line.message === 'started')?.url)
  }

  /** Asks over the unix socket. */
  async api(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`http://localhost${path}`, { ...init, unix: this.socket })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }

  /** Asks over the unix socket; the answer has to have the shape. */
  async ask<T>(path: string, shape: z.ZodType<T>, init?: RequestInit): Promise<T> {
    return shape.parse((await this.api(path, init)).body)
  }

  /** Waits for a line of the log with this message, and these fields. */
  async logged(message: string, fields: Record<string, unknown> = {}, timeoutMs = 20_000): Promise<LogLine> {
    const find = () =>
      this.lines.find(
        (line) =>
          line.message === message && Object.entries(fields).every(([key, value]) => line[key] === value),
      )
    await waitUntil(
      `"${message}" ${JSON.stringify(fields)} in the log`,
      timeoutMs,
      () => find() !== undefined,
    )
    return logLine.parse(find())
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** SIGTERM, and its exit code. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.child.exited
    clearTimeout(timer)
    await this.reading
    return this.child.exitCode
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.child.exited
    await this.reading
  }
}

/** Whether there is such a process that is no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
