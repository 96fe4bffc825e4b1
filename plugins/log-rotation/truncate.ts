import type { FileSink, FileSource, HostDirectory } from '../../agent/contract/mod.ts'
import { generationPath, leftoverPath, planShifts, sameFile } from './generation.ts'
import type { SurveyedLog } from './survey.ts'
import { estimateLoss } from './truncation-loss.ts'

const CHUNK_BYTES = 262_144
/** A writer that is faster than this many rounds of fsync is cut off without one. */
const SYNCED_ROUNDS = 3
const ROUNDS = 1000

/**
 * Copies a log under a temporary name, truncates it at the very size that was copied, and only then gives the
 * copy its name. A temporary copy that a crash leaves is told by its content: what the log still begins with
 * was not truncated. Returns how many bytes of a writer may be lost.
 */
export function copyAndTruncate(directory: HostDirectory, log: SurveyedLog, signal: AbortSignal): number {
  const source = directory.open(log.path)
  const { stat } = source
  let copy: Copy | undefined
  try {
    if (!log.stat || !sameFile(stat, log.stat) || stat.nlink !== 1) {
      throw new Error(`Cannot rotate "${log.path}": it was replaced since it was looked at`)
    }
    for (const { from, to } of planShifts(log.path, log.generations)) directory.rename(from, to)
    const target = generationPath(log.path, 1)
    const sink = directory.create(target, {
      temporaryPath: leftoverPath(log.path, 'copy'),
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
    })
    copy = { source, sink, begunMs: performance.now(), bytes: 0, isOnlyInstance: false }
    copyToEnd(copy, signal)
    sink.sync()
    const lost = truncateWhenCopied(directory, log, copy)
    sink.commit()
    return lost
  } finally {
    source.close()
    if (copy && !copy.isOnlyInstance) copy.sink.abort()
  }
}

interface Copy {
  source: FileSource
  sink: FileSink
  begunMs: number
  bytes: number
  /** The log may have been truncated: whatever fails now, the temporary file stays for the next run. */
  isOnlyInstance: boolean
}

function copyToEnd(copy: Copy, signal?: AbortSignal): void {
  const buffer = new Uint8Array(CHUNK_BYTES)
  for (;;) {
    signal?.throwIfAborted()
    const count = copy.source.read(buffer, copy.bytes)
    if (count === 0) return
    copy.sink.write(buffer.subarray(0, count))
    copy.bytes += count
  }
}

/**
 * Truncates the log only at the size that was copied: what it grew meanwhile is copied first. Returns what may have
 * been written between the look at the size and the truncation.
 */
function truncateWhenCopied(directory: HostDirectory, log: SurveyedLog, copy: Copy): number {
  const { dev, ino } = copy.source.stat
  for (let round = 0; round < ROUNDS; round++) {
    copy.isOnlyInstance = true
    const growth = { bytes: copy.bytes - copy.source.stat.size, overMs: performance.now() - copy.begunMs }
    let lost = 0
    const onGap = (gapMs: number) => {
      lost = estimateLoss(growth, gapMs)
    }
    if (directory.truncate(log.path, { dev, ino, size: copy.bytes }, onGap)) return lost
    const before = copy.bytes
    copyToEnd(copy)
    // It became smaller: somebody else truncated it meanwhile. All that it held is in the copy.
    if (copy.bytes === before && (directory.stat(log.path)?.size ?? 0) < copy.bytes) return 0
    copy.isOnlyInstance = false
    if (round < SYNCED_ROUNDS) copy.sink.sync()
  }
  throw new Error(`Cannot truncate "${log.path}": it grows faster than it can be copied`)
}

/** Whether a log begins with all that a copy of it holds: then it was not truncated since. */
export function beginsWith(directory: HostDirectory, logPath: string, copyPath: string): boolean {
  if (!directory.stat(logPath)) return false
  const log = directory.open(logPath)
  try {
    const copy = directory.open(copyPath)
    try {
      if (log.stat.size < copy.stat.size) return false
      const [expected, actual] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)]
      for (let position = 0; position < copy.stat.size; ) {
        const count = copy.read(expected, position)
        if (count === 0) return false
        if (!readExactly(log, actual.subarray(0, count), position)) return false
        if (!expected.subarray(0, count).equals(actual.subarray(0, count))) return false
        position += count
      }
      return true
    } finally {
      copy.close()
    }
  } finally {
    log.close()
  }
}

function readExactly(source: FileSource, buffer: Buffer, position: number): boolean {
  let filled = 0
  while (filled < buffer.length) {
    const count = source.read(buffer.subarray(filled), position + filled)
    if (count === 0) return false
    filled += count
  }
  return true
}
