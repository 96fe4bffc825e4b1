import type { EntryAttributes } from '../contract/host.ts'
import { writeName } from '../lib/names.ts'

/** Content, names and attributes of the files of a batch. */
const DATA_BYTES = 1_048_576
const MOST_FILES = 1024
/** Larger files are written as they come. */
const LARGEST_FILE_BYTES = 262_144
/** The kernel's PATH_MAX, with the NUL. */
const PATH_BYTES = 4096

/** Of a batch: who has it, and how many files are in it. */
const HEADER = { state: 0, count: 1, words: 4 } as const
/** Free: it is being filled, or has been read. */
const STATE = { free: 0, posted: 1, taken: 2, made: 3 } as const
/** Of a file; all but the last four say what is wanted, at offsets of the data. */
const WORD = {
  directory: 0,
  name: 1,
  content: 2,
  size: 3,
  mode: 4,
  hasOwner: 5,
  uid: 6,
  gid: 7,
  extended: 8,
  extendedCount: 9,
  failedStep: 10,
  errno: 11,
  ownersLost: 12,
  extendedLost: 13,
} as const
const WORDS_PER_FILE = 14
/** Seconds and nanoseconds of the last access and of the last change, as the kernel takes them. */
const TIMES_PER_FILE = 4

const TIMES_AT = HEADER.words * 4
const WORDS_AT = TIMES_AT + MOST_FILES * TIMES_PER_FILE * 8
const DATA_AT = WORDS_AT + MOST_FILES * WORDS_PER_FILE * 4
const NO_ID = 0xffffffff
const SECOND_NS = 1_000_000_000n

/** What failed: the file itself, its content, or what is set afterwards. */
export const STEP = { none: 0, open: 1, write: 2, attributes: 3 } as const

export interface BatchedFile {
  /** Offsets in the data. */
  directoryAt: number
  nameAt: number
  contentAt: number
  size: number
  mode: number
  owner: EntryAttributes['owner']
  extended: EntryAttributes['extended']
}

export interface FileResult {
  /** One of STEP. */
  failedStep: number
  errno: number
  ownersLost: number
  extendedLost: number
}

/** With EIO: so it stands until something else is known. */
export const NOT_MADE: FileResult = { failedStep: STEP.open, errno: 5, ownersLost: 0, extendedLost: 0 }

/** Small files that are to be made, in memory that threads share. All paths in it end with a NUL. */
export class FileBatch {
  /** Of a file in `times`. */
  static readonly TIMES_BYTES = TIMES_PER_FILE * 8
  readonly times: BigInt64Array<SharedArrayBuffer>
  readonly data: Buffer<SharedArrayBuffer>
  private readonly header: Int32Array<SharedArrayBuffer>
  private readonly words: Int32Array<SharedArrayBuffer>
  private used = 0
  private directory: { path: string; at: number; bytes: number } | undefined
  /** Where the content of the last file goes on, and how much of it is still to come. */
  private content = { at: 0, missing: 0 }

  constructor(readonly memory = new SharedArrayBuffer(DATA_AT + DATA_BYTES)) {
    this.header = new Int32Array(memory, 0, HEADER.words)
    this.times = new BigInt64Array(memory, TIMES_AT, MOST_FILES * TIMES_PER_FILE)
    this.words = new Int32Array(memory, WORDS_AT, MOST_FILES * WORDS_PER_FILE)
    this.data = Buffer.from(memory, DATA_AT, DATA_BYTES)
  }

  get count(): number {
    return this.header[HEADER.count] ?? 0
  }

  /** Whether a file of this size, with these attributes, can be in a batch at all. */
  static takes(path: string, size: number, { extended }: EntryAttributes): boolean {
    if (size > LARGEST_FILE_BYTES) return false
    let bytes = size + 2 * PATH_BYTES
    for (const [name, value] of extended ?? []) bytes += 8 + name.length + value.length
    return bytes <= DATA_BYTES && path.length < PATH_BYTES
  }

  /**
   * Adds a file of `directory`, of which `real` is the path to hand to a system call. False when there is no room for
   * it here; its path is too long when there is none in an empty batch either.
   */
  add(
    directory: string,
    real: () => string | Buffer,
    name: string,
    size: number,
    attributes: EntryAttributes,
  ): boolean {
    const index = this.count
    this.demandWhole()
    const start = this.used
    const paths = this.addPaths(directory, real, name)
    const extendedAt = this.used
    if (index === MOST_FILES || !paths || !this.addExtended(attributes) || this.used + size > DATA_BYTES) {
      this.used = start
      if (this.directory && this.directory.at >= start) this.directory = undefined
      return false
    }
    const { owner, mode = 0o600, extended, mtimeNs } = attributes
    const at = index * WORDS_PER_FILE
    this.words[at + WORD.directory] = paths.directoryAt
    this.words[at + WORD.name] = paths.nameAt
    this.words[at + WORD.content] = this.used
    this.words[at + WORD.size] = size
    this.words[at + WORD.mode] = mode
    this.words[at + WORD.hasOwner] = owner ? 1 : 0
    // What does not fit stays what nobody can have.
    this.words[at + WORD.uid] = Math.min(owner?.uid ?? 0, NO_ID)
    this.words[at + WORD.gid] = Math.min(owner?.gid ?? 0, NO_ID)
    this.words[at + WORD.extended] = extendedAt
    this.words[at + WORD.extendedCount] = extended?.size ?? 0
    this.settle(index, NOT_MADE)
    const rest = mtimeNs % SECOND_NS
    const inSecond = rest < 0n ? rest + SECOND_NS : rest
    const seconds = (mtimeNs - inSecond) / SECOND_NS
    for (let time = 0; time < TIMES_PER_FILE; time += 2) {
      this.times[index * TIMES_PER_FILE + time] = seconds
      this.times[index * TIMES_PER_FILE + time + 1] = inSecond
    }
    this.header[HEADER.count] = index + 1
    this.content = { at: this.used, missing: size }
    this.used += size
    return true
  }

  write(chunk: Uint8Array): void {
    const { at, missing } = this.content
    if (chunk.length > missing) throw new Error('a file has more content than it should')
    this.data.set(chunk, at)
    this.content = { at: at + chunk.length, missing: missing - chunk.length }
  }

  private demandWhole(): void {
    if (this.content.missing > 0) throw new Error(`${this.content.missing} bytes of a file are missing`)
  }

  /** Where directory and name are in the data; undefined when there is no room, or the kernel takes no such path. */
  private addPaths(directory: string, real: () => string | Buffer, name: string) {
    if (this.directory?.path !== directory) {
      const path = real()
      const at = typeof path === 'string' ? this.putText(path) : this.put(path)
      if (at === undefined) return undefined
      this.directory = { path: directory, at, bytes: this.used - 1 - at }
    }
    const nameAt = this.putText(name)
    const { at: directoryAt, bytes: directoryBytes } = this.directory
    if (nameAt === undefined) return undefined
    return directoryBytes + this.used - nameAt < PATH_BYTES ? { directoryAt, nameAt } : undefined
  }

  private addExtended({ extended }: EntryAttributes): boolean {
    for (const [name, value] of extended ?? []) {
      const lengths = Buffer.alloc(4)
      lengths.writeUInt32LE(value.length)
      // Names of attributes are in latin1: a byte is a character.
      const isPut = [Buffer.from(name, 'latin1'), lengths, value].every(
        (bytes) => this.put(bytes) !== undefined,
      )
      if (!isPut) return false
    }
    return true
  }

  /** Puts bytes and a NUL behind them into the data; undefined when there is no room. */
  private put(bytes: Uint8Array): number | undefined {
    if (this.used + bytes.length + 1 > DATA_BYTES) return undefined
    this.data.set(bytes, this.used)
    return this.end(bytes.length)
  }

  private putText(text: string): number | undefined {
    const length = writeName(text, this.data, this.used, DATA_BYTES - this.used - 1)
    return length < 0 ? undefined : this.end(length)
  }

  /** Puts the NUL behind so many bytes that were written; where they begin. */
  private end(length: number): number {
    const at = this.used
    this.data[at + length] = 0
    this.used = at + length + 1
    return at
  }

  private wordsOf(index: number): (of: keyof typeof WORD) => number {
    return (of) => this.words[index * WORDS_PER_FILE + WORD[of]] ?? 0
  }

  file(index: number): BatchedFile {
    const word = this.wordsOf(index)
    return {
      directoryAt: word('directory'),
      nameAt: word('name'),
      contentAt: word('content'),
      size: word('size'),
      mode: word('mode'),
      owner: word('hasOwner') === 1 ? { uid: word('uid') >>> 0, gid: word('gid') >>> 0 } : undefined,
      extended: this.extended(word('extended'), word('extendedCount')),
    }
  }

  private extended(at: number, count: number): Map<string, Uint8Array> | undefined {
    if (count === 0) return undefined
    const attributes = new Map<string, Uint8Array>()
    for (let left = count; left > 0; left--) {
      const nameEnd = this.data.indexOf(0, at)
      const valueAt = nameEnd + 1 + 4 + 1
      const valueEnd = valueAt + this.data.readUInt32LE(nameEnd + 1)
      // System calls are not given memory that others share.
      const value = Uint8Array.from(this.data.subarray(valueAt, valueEnd))
      attributes.set(this.data.toString('latin1', at, nameEnd), value)
      at = valueEnd + 1
    }
    return attributes
  }

  /** Says what became of a file. */
  settle(index: number, { failedStep, errno, ownersLost, extendedLost }: FileResult): void {
    const at = index * WORDS_PER_FILE
    this.words[at + WORD.failedStep] = failedStep
    this.words[at + WORD.errno] = errno
    this.words[at + WORD.ownersLost] = ownersLost
    this.words[at + WORD.extendedLost] = extendedLost
  }

  result(index: number): FileResult {
    const word = this.wordsOf(index)
    return {
      failedStep: word('failedStep'),
      errno: word('errno'),
      ownersLost: word('ownersLost'),
      extendedLost: word('extendedLost'),
    }
  }

  get isMade(): boolean {
    return Atomics.load(this.header, HEADER.state) === STATE.made
  }

  /** Leaves it to whoever claims it first. */
  post(): void {
    this.demandWhole()
    Atomics.store(this.header, HEADER.state, STATE.posted)
  }

  /** Who gets true makes the files; nobody else then does. */
  claim(): boolean {
    return Atomics.compareExchange(this.header, HEADER.state, STATE.posted, STATE.taken) === STATE.posted
  }

  /** The files were made. */
  finish(): void {
    Atomics.store(this.header, HEADER.state, STATE.made)
    Atomics.notify(this.header, HEADER.state)
  }

  /** Waits until somebody else, who has claimed it, has made the files; false when that takes longer. */
  wait(timeoutMs: number): boolean {
    Atomics.wait(this.header, HEADER.state, STATE.taken, timeoutMs)
    return this.isMade
  }

  /** Makes it free for other files. */
  clear(): void {
    this.header[HEADER.count] = 0
    this.used = 0
    this.directory = undefined
    this.content = { at: 0, missing: 0 }
    Atomics.store(this.header, HEADER.state, STATE.free)
  }
}
