import { type FileSource, formatBytes } from '../../agent/contract/mod.ts'
import type { SecretMatch, TextKind } from './scan-text.ts'

/** A secret with the line on which its value stands; null where it is too far from the start to count. */
export type FileMatch = Omit<SecretMatch, 'offset' | 'linesAfter'> & { line: number | null }

/** Finds something in whole lines from `start` to `end`. */
export interface TextScanner {
  scan(bytes: Buffer, start: number, end: number, kind: TextKind): SecretMatch[]
}

export interface FileScan {
  matches: FileMatch[]
  /** Bytes that were searched. */
  bytes: number
  /** Bytes at the start that were left out, of what is read from its end. */
  leftOut: number
  /** What it is, where it was not searched. */
  skipped?: 'binary' | 'empty'
}

const CHUNK_BYTES = 1024 * 1024
/** What follows a name may stand on the next lines: so much of a chunk is seen again with the next one. */
const OVERLAP_BYTES = 32 * 1024
const SNIFF_BYTES = 8192
/** Lines before what is looked at are counted in no larger files than this. */
const MAX_COUNTED_BYTES = 256 * 1024 * 1024
/** A text in two bytes a character is decoded as a whole. */
const MAX_WIDE_BYTES = 16 * 1024 * 1024
const NEWLINE = 10

/** One buffer for all files of a run. */
const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES + OVERLAP_BYTES)

export interface FileOptions {
  kind: TextKind
  /** Only so many bytes, from the end. */
  tailBytes?: number
  /** A text that is larger is refused, where not only its end is wanted. */
  maxBytes: number
  /** A file with NUL is searched all the same: logs get them when they are emptied below a writer. */
  mayHoldNul?: boolean
  signal?: AbortSignal
}

/** Searches an open file in pieces: memory does not grow with it. Throws when it cannot be read. */
export async function scanFile(
  source: FileSource,
  scanner: TextScanner,
  options: FileOptions,
): Promise<FileScan> {
  const { size } = source.stat
  const first = source.read(buffer.subarray(0, SNIFF_BYTES), 0)
  if (first === 0) return { matches: [], bytes: 0, leftOut: 0, skipped: 'empty' }
  const wide = wideEncoding(buffer.subarray(0, first))
  if (wide) return scanWide(source, scanner, options, wide, size)
  if (!options.mayHoldNul && buffer.subarray(0, first).includes(0)) {
    return { matches: [], bytes: 0, leftOut: 0, skipped: 'binary' }
  }
  if (options.tailBytes === undefined && size > options.maxBytes) {
    const [is, limit] = [formatBytes(size), formatBytes(options.maxBytes)]
    throw new Error(`it has ${is}, more than ${limit} are not searched (maxFileBytes)`)
  }
  const start = options.tailBytes === undefined ? 0 : Math.max(0, size - options.tailBytes)
  const matches: FileMatch[] = []
  const lines = new LineCounter(source, start)
  let position = start
  /** Bytes at the start of the buffer that were seen with the piece before. */
  let kept = 0
  let searched = 0
  const seen = new Set<string>()
  for (;;) {
    options.signal?.throwIfAborted()
    const count = source.read(buffer.subarray(kept, kept + CHUNK_BYTES), position)
    const end = kept + count
    const base = position - kept
    for (const match of scanner.scan(buffer, 0, end, options.kind)) {
      const { offset, linesAfter, ...rest } = match
      const key = `${base + offset}+${linesAfter}:${match.sha256}`
      if (seen.has(key)) continue
      seen.add(key)
      const line = lines.at(base + offset, base, buffer, end)
      matches.push({ ...rest, line: line === null ? null : line + linesAfter })
    }
    if (count === 0) break
    position += count
    searched += count
    // Whatever was appended meanwhile is for the next run.
    if (position >= size && count < CHUNK_BYTES) break
    const from = lineStartBefore(buffer, end, Math.min(end, OVERLAP_BYTES))
    lines.pass(base + from, base, buffer)
    buffer.copy(buffer, 0, from, end)
    kept = end - from
    seen.forEach((key) => {
      if (Number.parseInt(key, 10) < base + from) seen.delete(key)
    })
    if (searched % (16 * CHUNK_BYTES) === 0) await Promise.resolve()
  }
  return { matches, bytes: searched, leftOut: start }
}

/** The first start of a line in the last `span` bytes; where there is none, the bytes as they are. */
function lineStartBefore(bytes: Buffer, end: number, span: number): number {
  const from = end - span
  const newline = bytes.indexOf(NEWLINE, from)
  return newline < 0 || newline + 1 >= end ? from : newline + 1
}

/** Counts lines only when somebody asks for one. */
class LineCounter {
  /** Lines before `counted`. */
  private lines: number | null | undefined
  private counted: number

  constructor(
    private readonly source: FileSource,
    private readonly start: number,
  ) {
    this.counted = start
  }

  /** Line of a byte of the file, of which `bytes` holds those from `base`. */
  at(offset: number, base: number, bytes: Buffer, end: number): number | null {
    const before = this.before()
    if (before === null) return null
    let lines = before
    for (
      let at = bytes.indexOf(NEWLINE, this.counted - base);
      at >= 0 && at < Math.min(end, offset - base);
    ) {
      lines++
      at = bytes.indexOf(NEWLINE, at + 1)
    }
    return lines + 1
  }

  /** What lies before this byte leaves the buffer. */
  pass(offset: number, base: number, bytes: Buffer): void {
    if (this.lines === undefined && this.start > 0) return
    if (this.lines === null) return
    let lines = this.lines ?? 0
    let at = bytes.indexOf(NEWLINE, this.counted - base)
    while (at >= 0 && at < offset - base) {
      lines++
      at = bytes.indexOf(NEWLINE, at + 1)
    }
    this.lines = lines
    this.counted = offset
  }

  private before(): number | null {
    if (this.lines === undefined) {
      this.lines = this.start === 0 ? 0 : this.countFromStart()
    }
    return this.lines
  }

  private countFromStart(): number | null {
    // Behind what is looked at; the part in between is counted there.
    if (this.counted > MAX_COUNTED_BYTES) return null
    const piece = Buffer.allocUnsafeSlow(256 * 1024)
    let lines = 0
    for (let position = 0; position < this.counted; ) {
      const count = this.source.read(
        piece.subarray(0, Math.min(piece.length, this.counted - position)),
        position,
      )
      if (count === 0) break
      for (let at = piece.indexOf(NEWLINE); at >= 0 && at < count; at = piece.indexOf(NEWLINE, at + 1))
        lines++
      position += count
    }
    return lines
  }
}

type Wide = 'utf-16le' | 'utf-16be'

/** By its mark, or by every other byte of what is mostly ASCII being 0. */
function wideEncoding(bytes: Buffer): Wide | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  if (bytes.length < 16) return undefined
  const zeros = [0, 0]
  const length = Math.min(bytes.length, 512) & ~1
  for (let index = 0; index < length; index++)
    if (bytes[index] === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1
  const [even = 0, odd = 0] = zeros
  if (odd > length * 0.4 && even === 0) return 'utf-16le'
  if (even > length * 0.4 && odd === 0) return 'utf-16be'
  return undefined
}

function scanWide(
  source: FileSource,
  scanner: TextScanner,
  options: FileOptions,
  encoding: Wide,
  size: number,
): FileScan {
  if (size > MAX_WIDE_BYTES) {
    throw new Error(
      `it is a text in UTF-16 of ${formatBytes(size)}, at most ${formatBytes(MAX_WIDE_BYTES)} are read`,
    )
  }
  const whole = Buffer.alloc(size)
  const count = source.read(whole, 0)
  const text = Buffer.from(new TextDecoder(encoding).decode(whole.subarray(0, count)), 'utf8')
  const matches = scanner.scan(text, 0, text.length, options.kind).map(({ offset, linesAfter, ...rest }) => {
    let line = 1 + linesAfter
    for (let at = text.indexOf(NEWLINE); at >= 0 && at < offset; at = text.indexOf(NEWLINE, at + 1)) line++
    return { ...rest, line }
  })
  return { matches, bytes: count, leftOut: 0 }
}
