import type { HostReader } from '../../agent/contract/mod.ts'
import { timeOfLine } from './timestamp.ts'

const MAX_TAIL_BYTES = 16 * 1024 * 1024
const CHUNK_BYTES = 262_144

export interface TimedLine {
  text: string
  timeMs: number
}

export interface Tail {
  lines: TimedLine[]
  /** What is older was not read, though it is within the window. */
  isCut: boolean
  /** Lines that say no time; they are left out. */
  without: number
}

/**
 * The lines of a log that were written since a time, from its end backwards, and of the log before it where that was
 * rotated meanwhile. Bounded: at most 16 MiB.
 */
export function readTail(host: HostReader, path: string, sinceMs: number, nowMs: number): Tail {
  const own = tailOf(host, path, sinceMs, nowMs, MAX_TAIL_BYTES)
  const before = `${path}.1`
  if (own.isComplete || host.stat(before)?.type !== 'file') return own
  // The whole of it was read and did not reach back far enough.
  const older = own.isCut ? undefined : tailOf(host, before, sinceMs, nowMs, MAX_TAIL_BYTES)
  if (!older) return own
  return { lines: [...older.lines, ...own.lines], isCut: older.isCut, without: own.without + older.without }
}

function tailOf(
  host: HostReader,
  path: string,
  sinceMs: number,
  nowMs: number,
  maxBytes: number,
): Tail & { isComplete: boolean } {
  const source = host.open(path)
  try {
    const { size } = source.stat
    let parts: Uint8Array[] = []
    let at = size
    let read = 0
    const lines: TimedLine[] = []
    let without = 0
    while (at > 0 && read < maxBytes) {
      const length = Math.min(CHUNK_BYTES, at)
      const chunk = Buffer.alloc(length)
      let filled = 0
      while (filled < length) {
        const count = source.read(chunk.subarray(filled), at - length + filled)
        if (count === 0) break
        filled += count
      }
      at -= length
      read += length
      parts.unshift(chunk.subarray(0, filled))
      const first = chunk.indexOf(0x0a)
      if (first < 0 && at > 0) continue
      const whole = Buffer.concat(parts)
      const from = at === 0 ? 0 : first + 1
      const texts = whole.toString('utf8', from).split('\n')
      parts = at === 0 ? [] : [whole.subarray(0, from)]
      const found: TimedLine[] = []
      let isOld = false
      for (const text of texts) {
        if (text === '') continue
        const timeMs = timeOfLine(text, nowMs)
        if (timeMs === undefined) without++
        else if (timeMs >= sinceMs) found.push({ text, timeMs })
        else isOld = true
      }
      lines.unshift(...found)
      if (isOld) return { lines, isCut: false, without, isComplete: true }
    }
    return { lines, isCut: at > 0, without, isComplete: false }
  } finally {
    source.close()
  }
}
