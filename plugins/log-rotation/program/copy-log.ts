import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { estimateLoss } from '../truncation-loss.ts'
import { readAccessList } from './acl.ts'
import { CreateFailure, createOutputFile, nameOutputFile, temporaryName } from './create-file.ts'
import { describe } from './describe.ts'
import type { Files } from './files.ts'
import { openLog } from './open-log.ts'
import type { LogRotation } from './rotation.ts'

const CHUNK_BYTES = 262_144
/** What a writer adds meanwhile is copied and synced, too, before the log is emptied. */
const SYNCED_ROUNDS = 3

/**
 * Copies a log and, for `copytruncate`, empties it once the copy is on the disk; only then the copy gets its name, so
 * that what has it is whole. Without `copies` the log is only emptied. False: something went wrong, which was told.
 */
export function copyLog(rotation: LogRotation, from: string, copies: boolean): boolean {
  const { set, names, files, output, dryRun } = rotation
  const { copy, copyTruncate } = set.settings
  output.debug(`${copies ? '' : 'skip '}copying ${from} to ${names.final}`)
  let source: number | undefined
  let copied: Copy | undefined
  try {
    if (!dryRun) {
      source = openLog(files, from, set.settings, copy && !copyTruncate ? 'read' : 'write')
      if (copies) copied = copyAside(source, from, rotation)
    }
    output.debug(copyTruncate ? `truncating ${from}` : `Not truncating ${from}`)
    if (source === undefined) return true
    if (copyTruncate) truncate(source, from, copied, rotation)
    if (copied) nameCopy(rotation)
    return true
  } catch (error) {
    if (source === undefined) output.error(`error opening ${from}: ${describe(error)}`)
    if (copied && !copied.isOnlyInstance) files.removeIfThere(temporaryName(names.final, 'copy'))
    return false
  } finally {
    for (const descriptor of [source, copied?.target]) if (descriptor !== undefined) closeSync(descriptor)
  }
}

export function nameCopy({ names, files, now, output }: LogRotation): void {
  nameOutputFile(files, temporaryName(names.final, 'copy'), names.final, now, output)
}

interface Copy {
  target: number
  /** Of the log when copying it began. */
  begun: { bytes: number; atMs: number }
  bytes: number
  /** The log is empty: whatever fails now, the copy stays for the next run. */
  isOnlyInstance: boolean
}

function truncate(source: number, from: string, copy: Copy | undefined, rotation: LogRotation): void {
  try {
    if (copy) catchUp(source, copy)
    rotation.onStep?.('truncating')
    if (copy) copy.bytes = copyFrom(source, copy.target, copy.bytes)
    const lastLookMs = performance.now()
    ftruncateSync(source, 0)
    const gapMs = performance.now() - lastLookMs
    if (copy) copy.isOnlyInstance = true
    rotation.onStep?.('truncated')
    if (copy) tellLoss(from, copy, lastLookMs, gapMs, rotation)
    if (copy) fsyncSync(copy.target)
  } catch (error) {
    rotation.output.error(`error truncating ${from}: ${describe(error)}`)
    throw error
  }
}

function tellLoss(
  from: string,
  { begun, bytes }: Copy,
  lastLookMs: number,
  gapMs: number,
  { output }: LogRotation,
): void {
  const growth = { bytes: bytes - begun.bytes, overMs: lastLookMs - begun.atMs }
  const lost = estimateLoss(growth, gapMs)
  if (lost === 0) return
  const pace = Math.round((growth.bytes / growth.overMs) * 1000)
  output.warning(
    `about ${lost} bytes may be lost of what was written to ${from} in the ${Math.ceil(gapMs * 1000)} µs before it was truncated (${pace} bytes a second)`,
  )
}

function catchUp(source: number, copy: Copy): void {
  for (let round = 0; round < SYNCED_ROUNDS && fstatSync(source).size > copy.bytes; round++) {
    copy.bytes = copyFrom(source, copy.target, copy.bytes)
    fsyncSync(copy.target)
  }
}

function copyAside(source: number, from: string, rotation: LogRotation): Copy {
  const { names, files, attributes, now, output } = rotation
  let accessList: Uint8Array | undefined
  try {
    accessList = readAccessList(source)
  } catch (error) {
    output.error(`getting file ACL ${from}: ${describe(error)}`)
    throw new CreateFailure(from, { cause: error })
  }
  const temporary = temporaryName(names.final, 'copy')
  clearTemporary(source, temporary, rotation)
  const like = { ...attributes, accessList, contextOf: source }
  const target = createOutputFile(files, temporary, like, now, output, names.final)
  try {
    const begun = { bytes: fstatSync(source).size, atMs: performance.now() }
    const bytes = copyFrom(source, target, 0)
    fsyncSync(target)
    return { target, begun, bytes, isOnlyInstance: false }
  } catch (error) {
    output.error(`error writing to ${names.final}: ${describe(error)}`)
    output.error(`error copying ${from} to ${names.final}: ${describe(error)}`)
    files.unlink(temporary)
    closeSync(target)
    throw error
  }
}

/** What a cut-off run left: nothing that the log does not hold itself, or all that it held before it was emptied. */
function clearTemporary(source: number, temporary: string, rotation: LogRotation): void {
  const { files } = rotation
  if (!files.exists(temporary)) return
  if (isBeginning(source, temporary, files)) files.unlink(temporary)
  else nameCopy(rotation)
}

/** Whether a log begins with all that a copy of it holds: then it was not emptied since. */
export function beginsWith(log: string, copy: string, files: Files): boolean {
  const source = openSync(files.at(log), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    return isBeginning(source, copy, files)
  } finally {
    closeSync(source)
  }
}

function isBeginning(log: number, copyPath: string, files: Files): boolean {
  const copy = openSync(files.at(copyPath), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const [expected, actual] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)]
    for (let at = 0; ; at += CHUNK_BYTES) {
      const length = fill(copy, expected, at)
      if (length === 0) return true
      if (fill(log, actual.subarray(0, length), at) < length) return false
      if (!expected.subarray(0, length).equals(actual.subarray(0, length))) return false
    }
  } finally {
    closeSync(copy)
  }
}

function fill(descriptor: number, buffer: Buffer, position: number): number {
  let filled = 0
  while (filled < buffer.length) {
    const count = readSync(descriptor, buffer, filled, buffer.length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled
}

const chunk = Buffer.alloc(CHUNK_BYTES)
const zeros = Buffer.alloc(CHUNK_BYTES)

/** Copies from a position to the end; returns where that is. Runs of zeros stay holes. */
function copyFrom(source: number, target: number, start: number): number {
  let at = start
  let endsInHole = false
  for (;;) {
    const length = readSync(source, chunk, 0, CHUNK_BYTES, at)
    if (length === 0) break
    endsInHole = length === CHUNK_BYTES && chunk.compare(zeros) === 0
    if (!endsInHole) writeAll(target, chunk, length, at)
    at += length
  }
  if (endsInHole) ftruncateSync(target, at)
  return at
}

function writeAll(target: number, bytes: Uint8Array, length: number, at: number): void {
  for (let done = 0; done < length; ) done += writeSync(target, bytes, done, length - done, at + done)
}
