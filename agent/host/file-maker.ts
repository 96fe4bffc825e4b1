import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { FileMaker, MadeFile, SmallFile } from '../contract/host.ts'
import { baseName, directoryName } from '../lib/path.ts'
import { threadFile } from '../lib/thread-file.ts'
import { isFull, type RefusedOwners } from './entry-attributes.ts'
import { FileBatch, STEP } from './file-batch.ts'
import { codeOfErrno, failureOf } from './files.ts'
import { makeFiles } from './make-files.ts'

/** What the thread shares: words of `control`, and the memory of all batches. */
export const CONTROL = { posted: 0, stopped: 1, threadId: 2, words: 3 } as const

export interface FileMakerMemory {
  control: Int32Array<SharedArrayBuffer>
  memories: SharedArrayBuffer[]
}

/** One is filled, one is made, and two wait: who is ahead finds something to do. */
const BATCHES = 4
/** So few are made before a thread has started. */
const ALONE_FILES = 256
/** How often a thread is looked for that takes long. */
const LOOK_MS = 1000

interface Slot {
  batch: FileBatch
  /** In the order of the batch. */
  paths: string[]
  state: 'free' | 'under-way'
}

/**
 * Fills batches, and shares making their files with a thread: whoever has nothing else to do takes the next one. So a
 * thread that does not start costs time, and nothing else.
 */
export class LocalFileMaker implements FileMaker {
  private readonly slots: Slot[] = [newSlot()]
  private current = this.slots[0] ?? newSlot()
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL.words * 4))
  private thread: Worker | undefined
  private added = 0
  private readonly pending = new Set<string>()
  private readonly refused: RefusedOwners = new Set()

  constructor(
    private readonly real: (path: string) => string | Buffer,
    private readonly demandWrite: (path: string, verb: string) => void,
    private readonly onMade: (file: MadeFile) => void,
  ) {}

  add({ path, size, attributes }: SmallFile): boolean {
    this.demandWrite(path, 'write')
    if (!FileBatch.takes(path, size, attributes)) return false
    // So it does not matter who makes which batch first.
    if (this.pending.has(path)) this.finish()
    const directory = directoryName(path)
    const put = () =>
      this.current.batch.add(directory, () => this.real(directory), baseName(path), size, attributes)
    if (!put()) {
      if (this.current.paths.length === 0) return false
      this.post()
      if (!put()) return false
    }
    this.current.paths.push(path)
    this.pending.add(path)
    if (++this.added === ALONE_FILES && availableParallelism() > 1) this.startThread()
    return true
  }

  write(chunk: Uint8Array): void {
    this.current.batch.write(chunk)
  }

  isPending(path: string): boolean {
    return this.pending.has(path)
  }

  finish(): void {
    if (this.current.paths.length > 0) this.post()
    for (const slot of this.slots) this.settle(slot)
  }

  close(): void {
    Atomics.store(this.control, CONTROL.stopped, 1)
    this.wakeThread()
    for (const slot of this.slots) {
      if (slot.state === 'under-way' && !slot.batch.claim()) this.waitFor(slot.batch)
      slot.state = 'free'
    }
    this.thread?.terminate()
    this.thread = undefined
  }

  /** Gives the current batch away, and takes another one. */
  private post(): void {
    this.current.batch.post()
    this.current.state = 'under-way'
    if (this.thread) this.wakeThread()
    else this.settle(this.current)
    const free = this.slots.find(({ batch, state }) => state === 'free' || batch.isMade)
    // At least one was not taken by anybody: with nothing else to do, it is made here.
    const next = free ?? this.slots.find(({ batch }) => this.makeUnlessTaken(batch))
    if (!next) throw new Error('Cannot make files: all batches are taken')
    this.settle(next)
    this.current = next
  }

  private makeUnlessTaken(batch: FileBatch): boolean {
    if (!batch.claim()) return false
    makeFiles(batch, this.refused, () => false)
    batch.finish()
    return true
  }

  /** Has the files of a batch made, and tells what became of them. */
  private settle(slot: Slot): void {
    if (slot.state === 'free') return
    const { batch, paths } = slot
    if (!this.makeUnlessTaken(batch) && !this.waitFor(batch)) {
      throw new Error('Cannot make files: a thread has ended')
    }
    slot.state = 'free'
    slot.paths = []
    for (const [index, path] of paths.entries()) {
      const { failedStep, errno, ownersLost, extendedLost } = batch.result(index)
      this.pending.delete(path)
      const verb = failedStep === STEP.attributes ? 'set the attributes of' : 'write'
      const error = failedStep === STEP.none ? undefined : failureOf(verb, path, errno)
      if (error && (failedStep === STEP.write || isFull(codeOfErrno(errno)))) throw error
      this.onMade({ path, lost: { owners: ownersLost, extended: extendedLost }, error })
    }
    batch.clear()
  }

  /** Until somebody else has made it; false when the thread that has taken it is gone. */
  private waitFor(batch: FileBatch): boolean {
    while (!batch.wait(LOOK_MS)) {
      if (!existsSync(`/proc/self/task/${this.control[CONTROL.threadId]}`)) return batch.isMade
    }
    return true
  }

  private startThread(): void {
    while (this.slots.length < BATCHES) this.slots.push(newSlot())
    this.thread = new Worker(threadFile('agent/host/file-maker-thread'), { smol: true })
    // What it cannot do is done here.
    this.thread.addEventListener('error', () => {})
    this.thread.unref()
    const memory: FileMakerMemory = {
      control: this.control,
      memories: this.slots.map(({ batch }) => batch.memory),
    }
    this.thread.postMessage(memory)
  }

  private wakeThread(): void {
    Atomics.add(this.control, CONTROL.posted, 1)
    Atomics.notify(this.control, CONTROL.posted)
  }
}

function newSlot(): Slot {
  return { batch: new FileBatch(), paths: [], state: 'free' }
}
