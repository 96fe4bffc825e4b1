import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { errnoOf } from '../lib/errors.ts'
import { decodeName } from '../lib/names.ts'
import { openDirectoryHandle } from './directory.ts'

/** From the kernel's include/uapi/asm-generic/fcntl.h: reading leaves the time of last access as it is. */
const O_NOATIME = 0o1000000
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CHUNK_BYTES = 1_048_576
/** A path that a system call takes as a whole has at most 4095 bytes. */
const MAX_PATH_BYTES = 4000

/** SHA-256 of one file, chunk by chunk, so that whoever asks can look up in between. */
export class FileHash {
  private readonly hasher = new Bun.CryptoHasher('sha256')
  private readonly descriptor: number

  /** Throws when it is not the file of this inode any more. */
  constructor(path: Buffer, inode: number) {
    this.descriptor = openForReading(path)
    const stat = fstatSync(this.descriptor)
    if (stat.isFile() && stat.ino === inode) return
    closeSync(this.descriptor)
    throw Object.assign(new Error('it was replaced while it was looked at'), { code: 'ESTALE' })
  }

  /** Bytes read, 0 at the end. */
  step(): number {
    const count = readSync(this.descriptor, chunk(), 0, CHUNK_BYTES, null)
    if (count > 0) this.hasher.update(count === CHUNK_BYTES ? chunk() : chunk().subarray(0, count))
    return count
  }

  digest(): Uint8Array {
    return this.hasher.digest()
  }

  close(): void {
    closeSync(this.descriptor)
  }
}

let buffer: Uint8Array | undefined
function chunk(): Uint8Array {
  buffer ??= new Uint8Array(CHUNK_BYTES)
  return buffer
}

function openForReading(path: Buffer): number {
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

/** A path that a system call takes, for one of any length; closed after the call. */
export function shortPath(path: Buffer): { path: Buffer; close: () => void } {
  if (path.length <= MAX_PATH_BYTES) return { path, close: () => {} }
  const slash = path.lastIndexOf(47)
  const parent = openDirectoryHandle('/', decodeName(path.subarray(0, slash)))
  const short = Buffer.concat([Buffer.from(`/proc/self/fd/${parent}/`), path.subarray(slash + 1)])
  return { path: short, close: () => closeSync(parent) }
}
