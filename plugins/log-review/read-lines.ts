import { type HostReader, z } from '../../agent/contract/mod.ts'
import type { Spot } from './line-review.ts'

/** Read of a log that is seen for the first time. */
const FIRST_BYTES = 1024 * 1024
const CHUNK_BYTES = 1024 * 1024
/** A longer line is cut; the rest of it is passed over. */
const MAX_LINE_BYTES = 1024 * 1024

/** How far a log was read. */
export const positionSchema = z.object({
  ino: z.number(),
  offset: z.number(),
  /** Lines before `offset`; null where the beginning was not seen. */
  line: z.number().nullable(),
})
export type Position = z.infer<typeof positionSchema>

export interface Reading {
  position: Position
  /** Bytes that are left for the next run. */
  left: number
  /** The lines between the last position and a rotation were not found any more. */
  isLost: boolean
  writtenMs: number
}

/**
 * Gives every whole line that was written since the last position, of the log and, where it was rotated meanwhile, of
 * PATH.1 before it. A log that has become shorter is read from its beginning. At most `maxBytes`.
 */
export function readLines(
  host: HostReader,
  path: string,
  known: Position | undefined,
  maxBytes: number,
  onLine: (text: string, spot: Spot) => void,
): Reading {
  const stat = host.stat(path)
  const isSame = known !== undefined && known.ino === stat?.ino
  let isLost = false
  if (known && !isSame) {
    const before = `${path}.1`
    const rotated = host.stat(before)
    if (rotated?.type === 'file' && rotated.ino === known.ino) readFrom(host, before, known, maxBytes, onLine)
    else isLost = true
  }
  const start = (size: number): Position => {
    const ino = stat?.ino ?? 0
    if (known && isSame && known.offset <= size) return known
    if (known || size <= FIRST_BYTES) return { ino, offset: 0, line: 0 }
    return { ino, offset: size - FIRST_BYTES, line: null }
  }
  const size = stat?.size ?? 0
  const from = start(size)
  const { position, left } = readFrom(host, path, from, maxBytes, onLine, from.line === null && !known)
  return { position, left, isLost, writtenMs: stat?.mtimeMs ?? 0 }
}

function readFrom(
  host: HostReader,
  path: string,
  from: Position,
  maxBytes: number,
  onLine: (text: string, spot: Spot) => void,
  skipsFirst = false,
): { position: Position; left: number } {
  const source = host.open(path)
  try {
    const end = Math.min(source.stat.size, from.offset + maxBytes)
    let { offset, line } = from
    let isSkipping = skipsFirst
    const buffer = Buffer.alloc(CHUNK_BYTES)
    let rest = Buffer.alloc(0)
    let at = offset
    while (at < end) {
      const count = source.read(buffer.subarray(0, Math.min(CHUNK_BYTES, end - at)), at)
      if (count === 0) break
      at += count
      const data =
        rest.length > 0 ? Buffer.concat([rest, buffer.subarray(0, count)]) : buffer.subarray(0, count)
      let begin = 0
      for (let feed = data.indexOf(0x0a); feed >= 0; feed = data.indexOf(0x0a, begin)) {
        if (line !== null) line++
        if (!isSkipping) onLine(data.toString('utf8', begin, feed), { line, offset })
        isSkipping = false
        offset += feed + 1 - begin
        begin = feed + 1
      }
      rest = Buffer.from(data.subarray(begin))
      if (rest.length > MAX_LINE_BYTES) {
        if (!isSkipping)
          onLine(rest.toString('utf8', 0, MAX_LINE_BYTES), { line: line === null ? null : line + 1, offset })
        offset += rest.length
        rest = Buffer.alloc(0)
        isSkipping = true
      }
    }
    return { position: { ino: from.ino, offset, line }, left: source.stat.size - at }
  } finally {
    source.close()
  }
}
