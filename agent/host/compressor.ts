import { fstatSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { threadFile } from '../lib/thread-file.ts'
import { type CompressionResult, type CompressionTask, compressFile } from './compression.ts'
import {
  cancel,
  claim,
  newControl,
  type Order,
  readAnswer,
  settle,
  waitForAnswer,
  wasCancelled,
} from './compressor-order.ts'

/** Each has a runtime of its own, of some 10 MB. */
const MOST_THREADS = 4
/** So little is done at once: starting a thread takes longer. */
const AT_ONCE_BYTES = 262_144
/** A thread that has done nothing for so long did not start. */
const START_MS = 5000

/** A file that is being compressed. Its descriptors stay open until it has ended. */
export interface Compression {
  /** Blocks until it is done, at most so long: undefined then. Throws why it failed, with its errno as `code`. */
  wait(timeoutMs?: number): CompressionResult | undefined
  /** Ends it soon; it has to be waited for all the same. */
  cancel(): void
}

interface Thread {
  worker: Worker
  orders: Set<Order>
  bytes: number
  hasAnswered: boolean
}

const POLL_MS = 3

/** Waits without blocking. Throws why it failed, and the reason of the signal, once nothing uses the files any more. */
export async function finished(compression: Compression, signal: AbortSignal): Promise<CompressionResult> {
  for (;;) {
    if (signal.aborted) {
      compression.cancel()
      compression.wait()
      signal.throwIfAborted()
    }
    const result = compression.wait(0)
    if (result) return result
    await Bun.sleep(POLL_MS)
  }
}

/** Compresses files on threads of this process, as many as the machine has cores, at idle priority. */
class Compressor {
  readonly threads = Math.min(MOST_THREADS, availableParallelism())
  private readonly started: Thread[] = []
  private doneAtOnceBytes = 0

  start(task: CompressionTask): Compression {
    const { size } = fstatSync(task.source)
    const order: Order = { task, control: newControl() }
    if (this.doneAtOnceBytes + size <= AT_ONCE_BYTES && !('program' in task.how)) {
      this.doneAtOnceBytes += size
      execute(order)
      return { wait: () => readAnswer(order.control), cancel: () => {} }
    }
    const thread = this.leastBusy()
    thread.bytes += size
    thread.orders.add(order)
    thread.worker.postMessage(order)
    const startedMs = performance.now()
    return {
      wait: (timeoutMs = Number.POSITIVE_INFINITY) => {
        const patienceMs = thread.hasAnswered ? timeoutMs : Math.min(timeoutMs, START_MS)
        let hasAnswer = waitForAnswer(order.control, patienceMs)
        if (hasAnswer) thread.hasAnswered = true
        else if (!thread.hasAnswered && performance.now() - startedMs >= START_MS && claim(order.control)) {
          execute(order)
          hasAnswer = true
        } else if (patienceMs < timeoutMs) hasAnswer = waitForAnswer(order.control, timeoutMs - patienceMs)
        if (!hasAnswer) return undefined
        if (thread.orders.delete(order)) thread.bytes -= size
        return readAnswer(order.control)
      },
      cancel: () => cancel(order.control),
    }
  }

  private leastBusy(): Thread {
    const idle = this.started.find(({ orders }) => orders.size === 0)
    if (idle) return idle
    if (this.started.length < this.threads) {
      const thread = {
        worker: new Worker(threadFile('agent/host/compressor-thread'), { smol: true }),
        orders: new Set<Order>(),
        bytes: 0,
        hasAnswered: false,
      }
      thread.worker.unref()
      this.started.push(thread)
      return thread
    }
    return this.started.reduce((least, thread) => (thread.bytes < least.bytes ? thread : least))
  }
}

/** Of this process. It starts its threads when they are needed. */
export const compressor = new Compressor()

/** In the place of a thread. */
function execute({ task, control }: Order): void {
  settle(control, () => compressFile(task, () => wasCancelled(control)))
}
