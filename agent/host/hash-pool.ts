import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { encodeName } from '../lib/names.ts'
import { threadFile } from '../lib/thread-file.ts'
import { FileHash } from './file-hash.ts'
import { CONTROL, DIGEST_BYTES, type HashMemory, JOB_WORDS, jobOf, WORDS_PER_JOB } from './hash-protocol.ts'

export interface HashJob {
  /** As the system has it. */
  path: string
  inode: number
  size: number
}

const MAX_JOBS = 4096
const PATHS_BYTES = 1_048_576
/** Less work than this is done before another thread has started. */
const ALONE_BYTES = 8_388_608
const ALONE_JOBS = 256
const YIELD_BYTES = 67_108_864
const MAX_THREADS = 3

type Failures = [index: number, message: string, code: string][]

/** Hashes many files with all processors: this thread, and helpers that start with the first large amount of work. */
export class HashPool {
  private memory: HashMemory | undefined
  private readonly helpers: Worker[] = []

  /** SHA-256 in hex for each job, in their order, or the error that kept it from being read. */
  async hash(jobs: readonly HashJob[], signal?: AbortSignal): Promise<(string | Error)[]> {
    const results: (string | Error)[] = []
    let bytes = 0
    let round: HashJob[] = []
    for (const job of jobs) {
      if (round.length === MAX_JOBS || bytes + job.path.length * 3 > PATHS_BYTES) {
        results.push(...(await this.hashRound(round, signal)))
        round = []
        bytes = 0
      }
      round.push(job)
      bytes += job.path.length * 3
    }
    if (round.length > 0) results.push(...(await this.hashRound(round, signal)))
    return results
  }

  private async hashRound(jobs: readonly HashJob[], signal?: AbortSignal): Promise<(string | Error)[]> {
    const memory = this.prepare(jobs)
    const total = jobs.reduce((sum, { size }) => sum + size, 0)
    if (total > ALONE_BYTES || jobs.length > ALONE_JOBS) this.startHelpers(memory)
    const stop = () => Atomics.store(memory.control, CONTROL.stop, 1)
    signal?.addEventListener('abort', stop, { once: true })
    // Every helper answers, also when something goes wrong here: else it would take part in the next round.
    const answers = this.helpers.map((helper) => answerOf(helper))
    for (const helper of this.helpers) {
      helper.ref()
      helper.postMessage('round')
    }
    const own: Failures = []
    let failure: unknown
    try {
      await hashHere(memory, own, signal)
    } catch (error) {
      failure = error
      stop()
    }
    const failures = [...own, ...(await Promise.all(answers)).flat()]
    for (const helper of this.helpers) helper.unref() // an idle helper keeps no process alive
    signal?.removeEventListener('abort', stop)
    signal?.throwIfAborted()
    if (failure) throw failure
    const failed = new Map(failures.map(([index, message, code]) => [index, withCode(message, code)]))
    return jobs.map(
      (_, index) =>
        failed.get(index) ??
        Buffer.from(memory.digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES)).toString(
          'hex',
        ),
    )
  }

  private prepare(jobs: readonly HashJob[]): HashMemory {
    this.memory ??= {
      control: new Int32Array(new SharedArrayBuffer(16)),
      table: new Uint32Array(new SharedArrayBuffer(MAX_JOBS * WORDS_PER_JOB * 4)),
      digests: new Uint8Array(new SharedArrayBuffer(MAX_JOBS * DIGEST_BYTES)),
      paths: new Uint8Array(new SharedArrayBuffer(PATHS_BYTES * 4)),
    }
    const { control, table, paths } = this.memory
    let used = 0
    for (const [index, { path, inode }] of jobs.entries()) {
      const at = index * WORDS_PER_JOB
      table[at + JOB_WORDS.pathStart] = used
      const length = writePath(paths, path, used)
      table[at + JOB_WORDS.pathLength] = length
      table[at + JOB_WORDS.inodeLow] = inode % 2 ** 32
      table[at + JOB_WORDS.inodeHigh] = Math.floor(inode / 2 ** 32)
      used += length
    }
    Atomics.store(control, CONTROL.stop, 0)
    Atomics.store(control, CONTROL.count, jobs.length)
    Atomics.store(control, CONTROL.next, 0)
    return this.memory
  }

  private startHelpers(memory: HashMemory): void {
    const wanted = Math.min(MAX_THREADS, availableParallelism() - 1)
    while (this.helpers.length < wanted) {
      const helper = new Worker(threadFile('agent/host/hash-thread'), { smol: true })
      helper.postMessage(memory)
      this.helpers.push(helper)
    }
  }
}

async function hashHere(memory: HashMemory, failures: Failures, signal?: AbortSignal): Promise<void> {
  const { control, digests } = memory
  const digest = new Uint8Array(DIGEST_BYTES)
  let sinceYield = 0
  for (;;) {
    const index = Atomics.add(control, CONTROL.next, 1)
    if (index >= Atomics.load(control, CONTROL.count)) return
    try {
      const { path, inode } = jobOf(memory, index)
      const file = new FileHash(path, inode)
      try {
        for (let count = file.step(); count > 0; count = file.step()) {
          sinceYield += count
          if (sinceYield < YIELD_BYTES) continue
          sinceYield = 0
          await setImmediate() // lets the end of the run's time be noticed
          signal?.throwIfAborted()
        }
        file.digest(digest)
        digests.set(digest, index * DIGEST_BYTES)
      } finally {
        file.close()
      }
    } catch (error) {
      if (signal?.aborted) throw error
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      failures.push([index, error instanceof Error ? error.message : String(error), code])
    }
  }
}

/** Bytes of a path, at a place in memory; three for a character at most. */
function writePath(paths: Uint8Array<SharedArrayBuffer>, path: string, start: number): number {
  if (path.isWellFormed()) return Buffer.from(paths.buffer, start).write(path)
  const bytes = encodeName(path)
  paths.set(bytes, start)
  return bytes.length
}

function answerOf(helper: Worker): Promise<Failures> {
  return new Promise((resolve, reject) => {
    helper.addEventListener('message', (event: MessageEvent<Failures>) => resolve(event.data), { once: true })
    helper.addEventListener(
      'error',
      (event) => reject(new Error(`Cannot hash: a thread ended: ${event.message}`)),
      { once: true },
    )
  })
}

function withCode(message: string, code: string): Error {
  return code ? Object.assign(new Error(message), { code }) : new Error(message)
}
