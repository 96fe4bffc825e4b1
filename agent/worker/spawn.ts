import type { Json } from '../contract/report.ts'
import type { Progress } from '../lib/progress.ts'
import { adoptOrphans, killOrphans } from './descendants.ts'
import { encodeFrame, type JailRequest, type WorkerMessage, type WorkRequest } from './protocol.ts'
import { JAIL_ARGUMENT, selfCommand } from './self.ts'

export interface PhaseRequest {
  jail: Omit<JailRequest, 'parent'>
  work: WorkRequest
  /** Environment variables granted to the run. */
  env: Record<string, string>
  timeoutMs: number
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  onLog?: (entry: { level: 'info' | 'warn'; message: string; fields: Record<string, Json> }) => void
}

/** How a phase ended. `answer` is what the worker said, not yet validated. */
export type PhaseEnd = { sandbox: string | null } & (
  | { status: 'done'; answer: unknown }
  | { status: 'failed'; reason: string }
  | { status: 'timeout'; reason: string }
  | { status: 'ended'; reason: string }
)

/** Between asking a run to end and killing it. */
const GRACE_MS = 5000
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
const STDERR_BYTES = 4096

/** Every child of this process. */
const workers = new Set<number>()

/**
 * Runs one phase of a job in a process of its own, jailed to its permissions. Nothing that the phase started
 * is alive when the promise settles; it never rejects.
 */
export async function runPhase(request: PhaseRequest): Promise<PhaseEnd> {
  const state: { sandbox: string | null; last: WorkerMessage | null } = { sandbox: null, last: null }
  const stateDir = request.jail.stateDir
  if (workers.size === 0) adoptOrphans()
  const child = Bun.spawn([...selfCommand(), JAIL_ARGUMENT], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    // A session of its own: one signal reaches all that the run started, and no terminal is shared with it.
    detached: true,
    cwd: stateDir,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: stateDir,
      TMPDIR: stateDir,
      ...request.env,
    },
  })
  workers.add(child.pid)
  let stopped: 'timeout' | 'ended' | null = null
  let killTimer: Timer | undefined
  const stop = (why: 'timeout' | 'ended') => {
    if (stopped) return
    stopped = why
    signalGroup(child.pid, 'SIGTERM')
    killTimer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS)
  }
  const timer = setTimeout(() => stop('timeout'), request.timeoutMs)
  const onAbort = () => stop('ended')
  request.signal?.addEventListener('abort', onAbort, { once: true })
  if (request.signal?.aborted) onAbort()
  const stderr = lastOf(child.stderr)
  try {
    child.stdin.write(encodeFrame({ ...request.jail, parent: process.pid }))
    child.stdin.write(encodeFrame(request.work))
    await child.stdin.flush()
    for await (const message of readMessages(child.stdout)) {
      // The first is of the jail itself; what comes after it may be by a plugin.
      if (message.type === 'jailed') state.sandbox ??= message.sandbox
      else if (message.type === 'progress') request.onProgress?.(progressOf(message))
      else if (message.type === 'log') request.onLog?.({ ...message, fields: message.fields ?? {} })
      else {
        state.last = message
        break
      }
    }
  } catch (error) {
    state.last ??= { type: 'failed', message: `the worker broke off: ${String(error)}`, notPermitted: false }
  } finally {
    clearTimeout(timer)
    request.signal?.removeEventListener('abort', onAbort)
    signalGroup(child.pid, 'SIGKILL')
    await child.exited
    workers.delete(child.pid)
    // What it has started and what has left its group is a child of this process by now. It is not looked for
    // before: once /proc of a process has been looked into, the kernel takes milliseconds to take it down.
    await killOrphans(workers)
    clearTimeout(killTimer)
    try {
      await child.stdin.end()
    } catch {
      // The worker is gone; so is the pipe.
    }
  }
  const { sandbox, last } = state
  if (stopped === 'timeout') {
    return { sandbox, status: 'timeout', reason: `it took longer than ${request.timeoutMs} ms and was ended` }
  }
  if (stopped === 'ended') return { sandbox, status: 'ended', reason: 'it was ended because reeve stopped' }
  if (last?.type === 'failed') {
    return { sandbox, status: 'failed', reason: withRefusal(last.message, last.notPermitted, sandbox) }
  }
  if (last?.type === 'report') return { sandbox, status: 'done', answer: last.report }
  if (last?.type === 'result') return { sandbox, status: 'done', answer: last.result }
  if (last?.type === 'description') return { sandbox, status: 'done', answer: last.description }
  const said = (await stderr).trim()
  const how =
    child.signalCode && child.signalCode !== 'SIGKILL' ? `by ${child.signalCode}` : 'without an answer'
  return { sandbox, status: 'failed', reason: `the worker ended ${how}${said ? `: ${said}` : ''}` }
}

function withRefusal(message: string, notPermitted: boolean, sandbox: string | null): string {
  if (!notPermitted || sandbox === null || sandbox === 'off') return message
  return `${message} (the jail ${sandbox} allows a run only what its job declares)`
}

function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody is left in the group.
  }
}

const utf8 = new TextDecoder()

async function* readMessages(stream: ReadableStream<Uint8Array>): AsyncGenerator<WorkerMessage> {
  let parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream) {
    let rest: Uint8Array = chunk
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end)
      yield JSON.parse(
        utf8.decode(parts.length === 0 ? line : Buffer.concat([...parts, line])),
      ) as WorkerMessage
      parts = []
      bytes = 0
      rest = rest.subarray(end + 1)
    }
    parts.push(rest)
    bytes += rest.length
    if (bytes > MAX_MESSAGE_BYTES) throw new Error(`a message of more than ${MAX_MESSAGE_BYTES} bytes`)
  }
}

/** The end of what a stream says. */
async function lastOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let tail = Buffer.alloc(0)
  try {
    for await (const chunk of stream) tail = Buffer.concat([tail, chunk]).subarray(-STDERR_BYTES)
  } catch {
    // Cut off with its process: what came before is all there is.
  }
  return tail.toString('utf8')
}

/** External plugins are not held to the type. */
function progressOf({ done, total, label, unit, files, isEstimate }: Progress): Progress {
  return {
    done: Number(done) || 0,
    total: Number(total) || 0,
    label: String(label),
    ...(unit === 'bytes' && { unit }),
    ...(typeof files === 'number' && { files }),
    ...(isEstimate === true && { isEstimate }),
  }
}
