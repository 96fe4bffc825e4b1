import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { errnoOf } from '../lib/errors.ts'
import { decodeName, encodeName } from '../lib/names.ts'
import { openDirectoryHandle } from './directory.ts'

/** From the kernel's include/uapi/asm-generic/fcntl.h: reading leaves the time of last access as it is. */
const O_NOATIME = 0o1000000
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CHUNK_BYTES = 1_048_576
/** A path that a system call takes as a whole has at most 4095 bytes. */
const MAX_PATH_BYTES = 4000

/**
 * SHA-256 of one file, chunk by chunk, so that whoever asks can look up in between. A file that fits into one chunk,
 * as most do, makes nothing that has to be collected again.
 */
export class FileHash {
  private hasher: Bun.CryptoHasher | undefined
  private readonly descriptor: number
  private held = 0

  /** Throws when it is not the file of this inode any more. */
  constructor(path: string | Buffer, inode: number) {
    this.descriptor = openForReading(path)
    const stat = fstatSync(this.descriptor)
    if (stat.isFile() && stat.ino === inode) return
    closeSync(this.descriptor)
    throw Object.assign(new Error('it was replaced while it was looked at'), { code: 'ESTALE' })
  }

  /** Bytes read, 0 at the end. */
  step(): number {
    const chunk = chunkOf()
    if (this.held === CHUNK_BYTES) {
      this.hasher ??= new Bun.CryptoHasher('sha256')
      this.hasher.update(chunk)
      this.held = 0
    }
    const count = readSync(this.descriptor, chunk, this.held, CHUNK_BYTES - this.held, null)
    this.held += count
    return count
  }

  /** After the last step. */
  digest(into: Uint8Array): void {
    const rest = chunkOf().subarray(0, this.held)
    if (this.hasher) into.set(this.hasher.update(rest).digest())
    else Bun.SHA256.hash(rest, into)
  }

  close(): void {
    closeSync(this.descriptor)
  }
}

let buffer: Uint8Array | undefined
/** One for the thread: files are hashed one after the other. */
function chunkOf(): Uint8Array {
  buffer ??= new Uint8Array(CHUNK_BYTES)
  return buffer
}

function openForReading(path: string | Buffer): number {
  const name = shortPath(path)
  try {
    try {
      return openSync(name.path, FLAGS | O_NOATIME)
    } catch (error) {
      if (errnoOf(error) !== 'EPERM') throw error // somebody else's file, without CAP_FOWNER
      return openSync(name.path, FLAGS)
    }
  } finally {
    name.close()
  }
}

const NOTHING = () => {}

/** A path that a system call takes, for one of any length; closed after the call. */
export function shortPath<T extends string | Buffer>(path: T): { path: T | Buffer; close: () => void } {
  if (path.length <= MAX_PATH_BYTES / 3) return { path, close: NOTHING }
  const bytes: Buffer = typeof path === 'string' ? encodeName(path) : Buffer.from(path)
  if (bytes.length <= MAX_PATH_BYTES) return { path, close: NOTHING }
  const slash = bytes.lastIndexOf(47)
  const parent = openDirectoryHandle('/', decodeName(bytes.subarray(0, slash)))
  const short = Buffer.concat([Buffer.from(`/proc/self/fd/${parent}/`), bytes.subarray(slash + 1)])
  return { path: short, close: () => closeSync(parent) }
}
