import { dlopen, ptr } from 'bun:ffi'
import { constants } from 'node:fs'
import { O_PATH } from './directory.ts'
import { type AttributeCalls, applyAttributes, isFull, type RefusedOwners } from './entry-attributes.ts'
import { setExtendedAttribute, systemError } from './extended-attributes.ts'
import { type BatchedFile, FileBatch, type FileResult, NOT_MADE, STEP } from './file-batch.ts'
import { codeOfErrno, errnoNumberOf } from './files.ts'
import { C_LIBRARY, withErrno } from './libc.ts'

// The runtime's own calls take strings and unshared memory; these take what stands in a batch as it is, by address.
// `openat` is variadic in C: see libc.ts. Lengths are below 2 GiB, so results fit into 32 bits.
const libc = dlopen(C_LIBRARY, {
  openat: { args: ['i32', 'usize', 'i32', 'u32'], returns: 'i32' },
  write: { args: ['i32', 'usize', 'usize'], returns: 'i32' },
  fchown: { args: ['i32', 'u32', 'u32'], returns: 'i32' },
  fchmod: { args: ['i32', 'u32'], returns: 'i32' },
  futimens: { args: ['i32', 'usize'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
}).symbols

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = constants
// Of the kernel's include/uapi: asm-generic/fcntl.h and linux/fcntl.h; all paths of directories are absolute.
const O_CLOEXEC = 0o2000000
const AT_FDCWD = -100
const OPEN_DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
const OPEN_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC

/**
 * Makes the files of a batch, one after the other, below handles of their directories. What fails is told in the batch;
 * nothing more of it is tried when the disk is full.
 */
export function makeFiles(batch: FileBatch, refused: RefusedOwners, isStopped: () => boolean): void {
  const calls = new BatchCalls(batch, refused)
  try {
    for (let index = 0; index < batch.count && !isStopped(); index++) {
      const result = calls.make(index)
      batch.settle(index, result)
      if (isFull(codeOfErrno(result.errno))) return
    }
  } finally {
    calls.closeDirectory()
  }
}

class BatchCalls implements AttributeCalls {
  private readonly dataAddress: number
  private readonly timesAddress: number
  private directory = { at: -1, descriptor: -1 }
  private descriptor = -1

  constructor(
    private readonly batch: FileBatch,
    private readonly refused: RefusedOwners,
  ) {
    this.dataAddress = ptr(batch.data)
    this.timesAddress = ptr(batch.times)
  }

  make(index: number): FileResult {
    let step: number = STEP.open
    try {
      const file = this.batch.file(index)
      this.open(file)
      try {
        step = STEP.write
        this.write(file)
        step = STEP.attributes
        const lost = applyAttributes(this, file, this.refused)
        const timesAt = this.timesAddress + index * FileBatch.TIMES_BYTES
        must(libc.futimens(this.descriptor, timesAt))
        return { failedStep: STEP.none, errno: 0, ownersLost: lost.owners, extendedLost: lost.extended }
      } finally {
        libc.close(this.descriptor)
      }
    } catch (error) {
      const errno = errnoNumberOf(error) ?? NOT_MADE.errno
      return { failedStep: step, errno, ownersLost: 0, extendedLost: 0 }
    }
  }

  private open({ directoryAt, nameAt }: BatchedFile): void {
    if (this.directory.at !== directoryAt) {
      this.closeDirectory()
      const path = this.dataAddress + directoryAt
      this.directory.descriptor = must(libc.openat(AT_FDCWD, path, OPEN_DIRECTORY, 0))
      this.directory.at = directoryAt
    }
    const name = this.dataAddress + nameAt
    this.descriptor = must(libc.openat(this.directory.descriptor, name, OPEN_FILE, 0o600))
  }

  closeDirectory(): void {
    if (this.directory.at >= 0) libc.close(this.directory.descriptor)
    this.directory.at = -1
  }

  private write({ contentAt, size }: BatchedFile): void {
    for (let offset = 0; offset < size; ) {
      const from = this.dataAddress + contentAt + offset
      offset += must(libc.write(this.descriptor, from, size - offset))
    }
  }

  setOwner(uid: number, gid: number): void {
    must(libc.fchown(this.descriptor, uid, gid))
  }

  setMode(mode: number): void {
    must(libc.fchmod(this.descriptor, mode))
  }

  setExtendedAttribute(name: string, value: Uint8Array): void {
    setExtendedAttribute(this.descriptor, name, value)
  }
}

/** The result of a call; throws what it failed with. */
function must(returned: number): number {
  if (returned >= 0) return returned
  throw systemError(withErrno(returned))
}
