import type { RunningProgram, RunOptions, RunResult, StartOptions } from '../contract/host.ts'
import { ANY_ARGUMENTS } from '../contract/permissions.ts'
import { errnoOf, NotPermittedError } from '../lib/errors.ts'
import type { Grants } from './grants.ts'

const DEFAULT_MAX_BYTES = 1_048_576
/** For what a program has written before it ended. */
const PIPE_GRACE_MS = 1000

/** Whether a `run` permission allows this argument list. */
export function allowsArguments(allowed: readonly string[], argv: readonly string[]): boolean {
  const open = allowed.at(-1) === ANY_ARGUMENTS
  const fixed = open ? allowed.slice(0, -1) : allowed
  if (open ? argv.length < fixed.length : argv.length !== fixed.length) return false
  return fixed.every((word, index) => word === argv[index])
}

/**
 * Runs a declared program without a shell and with no more environment than PATH, LANG and what is given.
 * It stays in the worker's process group, so nothing that it starts outlives the run.
 */
export async function runProgram(
  grants: Grants,
  argv: [string, ...string[]],
  options: RunOptions,
): Promise<RunResult> {
  demandProgram(grants, argv)
  const signal = options.signal
  signal?.throwIfAborted()
  const child = spawn(argv, options.env, options.stdin === undefined ? 'ignore' : Buffer.from(options.stdin))
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
  let timedOut = false
  const timer = options.timeout ? setTimeout(() => stop(true), options.timeout) : undefined
  const stop = (becauseOfTime: boolean) => {
    timedOut = becauseOfTime
    child.kill('SIGKILL')
  }
  const onAbort = () => stop(false)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const [stdout, stderr] = [new BoundedText(maxBytes), new BoundedText(maxBytes)]
    // A grandchild may keep the pipes open: what counts is the end of the program itself.
    const reading = Promise.all([stdout.readFrom(child.stdout), stderr.readFrom(child.stderr)])
    await child.exited
    await atMost(timedOut ? 0 : PIPE_GRACE_MS, reading)
    return {
      exitCode: child.exitCode,
      signal: child.signalCode === null ? null : String(child.signalCode),
      timedOut,
      stdout: stdout.text(),
      stderr: stderr.text(),
      truncated: stdout.truncated || stderr.truncated,
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Like runProgram, for streams: what goes in and comes out is not kept. */
export function startProgram(
  grants: Grants,
  argv: [string, ...string[]],
  { env, signal }: StartOptions,
): RunningProgram {
  demandProgram(grants, argv)
  signal?.throwIfAborted()
  const child = spawn(argv, env, 'pipe')
  const kill = () => child.kill('SIGKILL')
  signal?.addEventListener('abort', kill, { once: true })
  const stderr = new BoundedText(STARTED_STDERR_BYTES)
  const reading = stderr.readFrom(child.stderr)
  const finish = async () => {
    await child.exited
    signal?.removeEventListener('abort', kill)
    await atMost(PIPE_GRACE_MS, reading)
    const { exitCode, signalCode } = child
    return { exitCode, signal: signalCode === null ? null : String(signalCode), stderr: stderr.text() }
  }
  return {
    async write(chunk) {
      // The runtime drops without a word what nobody reads any more.
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`Cannot write to "${argv[0]}": it has ended`)
      }
      child.stdin.write(chunk)
      await child.stdin.flush()
    },
    async endInput() {
      await child.stdin.end()
    },
    stdout: child.stdout,
    kill,
    ended: finish(),
  }
}

const STARTED_STDERR_BYTES = 65_536

/** Waits, but not for longer; nothing is left behind that keeps the process alive. */
async function atMost(timeoutMs: number, ended: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, timeoutMs)
  try {
    await Promise.race([ended, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function demandProgram(grants: Grants, argv: readonly string[]): void {
  if (grants.run.some((allowed) => allowsArguments(allowed, argv))) return
  throw new NotPermittedError(`Cannot run "${argv.join(' ')}": the job does not declare it (permissions.run)`)
}

function spawn<In extends 'ignore' | 'pipe' | Buffer>(
  argv: [string, ...string[]],
  env: Record<string, string> | undefined,
  stdin: In,
) {
  try {
    return Bun.spawn<In, 'pipe', 'pipe'>(argv, {
      stdin,
      stdout: 'pipe',
      stderr: 'pipe',
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        LANG: 'C.UTF-8',
        ...env,
      },
    })
  } catch (error) {
    const code = errnoOf(error)
    const reason =
      code === 'ENOENT'
        ? 'no such program'
        : code === 'EACCES'
          ? 'permission denied, or stopped by the jail'
          : undefined
    throw new Error(`Cannot run "${argv[0]}": ${reason ?? String(error)}`, reason ? {} : { cause: error })
  }
}

/** Keeps the first and the last half of `maxBytes` of a stream. */
class BoundedText {
  truncated = false
  private head: Uint8Array[] = []
  private headBytes = 0
  private tail: Uint8Array[] = []
  private tailBytes = 0
  private readonly half: number

  constructor(maxBytes: number) {
    this.half = Math.max(1, Math.floor(maxBytes / 2))
  }

  async readFrom(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) this.add(chunk)
  }

  private add(chunk: Uint8Array): void {
    const room = Math.max(0, this.half - this.headBytes)
    if (room > 0) {
      const part = chunk.subarray(0, room)
      this.head.push(part)
      this.headBytes += part.length
    }
    const rest = chunk.subarray(room)
    if (rest.length === 0) return
    this.tail.push(rest)
    this.tailBytes += rest.length
    while (this.tailBytes - (this.tail[0]?.length ?? 0) >= this.half) {
      this.tailBytes -= this.tail.shift()?.length ?? 0
      this.truncated = true
    }
  }

  text(): string {
    const tail = Buffer.concat(this.tail)
    const kept = tail.subarray(Math.max(0, tail.length - this.half))
    if (kept.length < tail.length) this.truncated = true
    const middle = this.truncated ? '\n[… cut …]\n' : ''
    return Buffer.concat(this.head).toString('utf8') + middle + kept.toString('utf8')
  }
}
