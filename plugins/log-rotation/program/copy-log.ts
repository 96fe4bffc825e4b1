import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { copyAccessList } from './acl.ts'
import { createKeepingOther, likeStat } from './create-file.ts'
import type { Output } from './output.ts'

const CHUNK_BYTES = 1_048_576

/** Copies a log and, for copytruncate, empties it once the copy is on the disk. `to` undefined: it is only emptied. */
export function copyLog(
  from: string,
  to: string | undefined,
  truncate: boolean,
  now: Date,
  output: Output,
): void {
  const flags = (truncate ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NOFOLLOW
  const source = openSync(from, flags)
  try {
    if (to !== undefined) copyTo(source, to, now, output)
    if (truncate) ftruncateSync(source, 0)
  } finally {
    closeSync(source)
  }
}

function copyTo(source: number, to: string, now: Date, output: Output): void {
  const target = createKeepingOther(to, likeStat(fstatSync(source)), now, output)
  try {
    copyAccessList(source, target)
    copyBytes(source, target)
    fsyncSync(target)
  } catch (error) {
    unlinkSync(to)
    throw error
  } finally {
    closeSync(target)
  }
}

/** Runs of zeros stay holes. */
function copyBytes(source: number, target: number): void {
  const chunk = Buffer.alloc(CHUNK_BYTES)
  const zeros = Buffer.alloc(CHUNK_BYTES)
  let at = 0
  for (;;) {
    const length = readSync(source, chunk, 0, CHUNK_BYTES, at)
    if (length === 0) break
    if (chunk.compare(zeros, 0, length, 0, length) !== 0) writeAll(target, chunk, length, at)
    at += length
  }
  ftruncateSync(target, at)
}

function writeAll(target: number, chunk: Uint8Array, length: number, at: number): void {
  for (let done = 0; done < length; ) done += writeSync(target, chunk, done, length - done, at + done)
}
