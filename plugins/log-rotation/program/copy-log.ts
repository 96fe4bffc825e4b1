import { closeSync, fsyncSync, ftruncateSync, readSync, writeSync } from 'node:fs'
import { readAccessList } from './acl.ts'
import { CreateFailure, createOutputFile } from './create-file.ts'
import { describe } from './describe.ts'
import { openLog } from './open-log.ts'
import type { LogRotation } from './rotation.ts'

const CHUNK_BYTES = 1_048_576

/**
 * Copies a log and, for `copytruncate`, empties it once the copy is on the disk. Without `copies` it is only emptied.
 * False: something went wrong, which has been told.
 */
export function copyLog(rotation: LogRotation, from: string, copies: boolean): boolean {
  const { set, names, files, output, dryRun } = rotation
  const { copy, copyTruncate } = set.settings
  output.debug(`${copies ? '' : 'skip '}copying ${from} to ${names.final}`)
  let source: number | undefined
  let target: number | undefined
  try {
    if (!dryRun) {
      source = openLog(files, from, set.settings, copy && !copyTruncate ? 'read' : 'write')
      if (copies) target = copyTo(source, from, rotation)
    }
    output.debug(copyTruncate ? `truncating ${from}` : `Not truncating ${from}`)
    if (source === undefined) return true
    if (target !== undefined) fsyncSync(target)
    if (copyTruncate) truncate(source, from, rotation)
    return true
  } catch (error) {
    if (source === undefined) output.error(`error opening ${from}: ${describe(error)}`)
    return false
  } finally {
    for (const descriptor of [source, target]) if (descriptor !== undefined) closeSync(descriptor)
  }
}

function truncate(source: number, from: string, { output }: LogRotation): void {
  try {
    ftruncateSync(source, 0)
  } catch (error) {
    output.error(`error truncating ${from}: ${describe(error)}`)
    throw error
  }
}

function copyTo(
  source: number,
  from: string,
  { names, files, attributes, now, output }: LogRotation,
): number {
  let accessList: Uint8Array | undefined
  try {
    accessList = readAccessList(source)
  } catch (error) {
    output.error(`getting file ACL ${from}: ${describe(error)}`)
    throw new CreateFailure(from, { cause: error })
  }
  const like = { ...attributes, accessList, contextOf: source }
  const target = createOutputFile(files, names.final, like, now, output)
  try {
    copyBytes(source, target)
    return target
  } catch (error) {
    output.error(`error writing to ${names.final}: ${describe(error)}`)
    output.error(`error copying ${from} to ${names.final}: ${describe(error)}`)
    files.unlink(names.final)
    closeSync(target)
    throw error
  }
}

/** Runs of zeros stay holes. */
function copyBytes(source: number, target: number): void {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  const zeros = Buffer.alloc(CHUNK_BYTES)
  let at = 0
  let endsInHole = false
  for (;;) {
    const length = readSync(source, chunk, 0, CHUNK_BYTES, at)
    if (length === 0) break
    endsInHole = length === CHUNK_BYTES && chunk.compare(zeros) === 0
    if (!endsInHole) writeAll(target, chunk, length, at)
    at += length
  }
  if (endsInHole) ftruncateSync(target, at)
}

function writeAll(target: number, chunk: Uint8Array, length: number, at: number): void {
  for (let done = 0; done < length; ) done += writeSync(target, chunk, done, length - done, at + done)
}
