import { createHash } from 'node:crypto'
import {
  compareTreeOrder,
  type EntryState,
  type FileSource,
  type HostReader,
  records,
} from '../../../agent/contract/mod.ts'
import {
  BaselineError,
  type Fingerprint,
  type Header,
  header,
  parseLine,
  type Trailer,
  trailer,
} from './format.ts'

const CHUNK_BYTES = 262_144
/** Longer than any header or trailer; the path of a tree is at most 4095 bytes. */
const MAX_LINE_BYTES = 65_536
const NEWLINE = 10
const { WORD, NAME_OFFSET } = records

/**
 * Goes through a sealed file of records, without an object for any of them. Throws BaselineError for one that was
 * not made by this host.
 */
export class RecordReader {
  readonly header: Header
  readonly trailer: Trailer
  /** What the present record is in. */
  block: records.RecordBlock = records.recordBlock(CHUNK_BYTES)
  /** Where in the block, in words. */
  start = 0
  /** Of the present entry, a raw path. */
  directory = ''
  atEnd = false
  private length = 0
  private position: number
  private readonly end: number

  constructor(
    private readonly source: FileSource,
    fingerprint: Fingerprint,
  ) {
    const last = this.lastLine()
    this.end = last.start - 1
    this.trailer = parseLine(trailer, 'last line', last.text)
    if (this.trailer.fingerprint !== fingerprint(this.trailer.sha256)) {
      throw new BaselineError('it was not made with the key of this host')
    }
    if (this.digest() !== this.trailer.sha256) throw new BaselineError('its contents were changed')
    const first = this.firstLine()
    this.header = parseLine(header, 'first line', first)
    this.position = Buffer.byteLength(first) + 1
    this.next()
  }

  /** Raw path of the present entry. */
  path(): string {
    return records.joinRaw(this.directory, records.rawName(this.block, this.start))
  }

  entry(): EntryState {
    return records.decodeRecord(this.block, this.start, this.directory)
  }

  /** Order of the present entry and a raw path. */
  compareTo(path: string): number {
    return compareTreeOrder(this.path(), path)
  }

  next(): void {
    let at = this.start + (this.length > 0 ? (this.block.words[this.start] ?? 0) / 4 : 0)
    for (;;) {
      if (at >= this.length) {
        if (!this.fill()) {
          this.atEnd = true
          return
        }
        at = 0
      }
      const { words } = this.block
      const size = words[at] ?? 0
      if (size < NAME_OFFSET || size % 4 !== 0) throw new BaselineError('one of its entries is damaged')
      this.start = at
      if ((words[at + WORD.mode] ?? 0) !== 0) return
      this.directory = records.rawName(this.block, at)
      at += size / 4
    }
  }

  /** Goes on to the first entry that is not before a raw path; true when it is that one. */
  seek(path: string): boolean {
    while (!this.atEnd) {
      const order = this.compareTo(path)
      if (order >= 0) return order === 0
      this.next()
    }
    return false
  }

  close(): void {
    this.source.close()
  }

  /** Reads the next whole records; false at the end. */
  private fill(): boolean {
    for (let size = CHUNK_BYTES; ; size = this.block.bytes.length * 2) {
      const count = Math.min(size, this.end - this.position)
      if (count <= 0) return false
      if (this.block.bytes.length < count) this.block = records.recordBlock(size)
      const { bytes, words } = this.block
      this.readInto(bytes.subarray(0, count), this.position)
      let whole = 0
      for (let at = 0; at + NAME_OFFSET <= count; ) {
        const length = words[at / 4] ?? 0
        if (length < NAME_OFFSET || length % 4 !== 0) throw new BaselineError('one of its entries is damaged')
        at += length
        if (at > count) break
        whole = at
      }
      if (whole > 0) {
        this.position += whole
        this.length = whole / 4
        this.start = 0
        return true
      }
      if (this.position + count >= this.end) throw new BaselineError('its last entry is cut off')
    }
  }

  private digest(): string {
    const digest = createHash('sha256')
    const buffer = this.block.bytes
    for (let position = 0; position < this.end; position += buffer.length) {
      const part = buffer.subarray(0, Math.min(buffer.length, this.end - position))
      this.readInto(part, position)
      digest.update(part)
    }
    return digest.digest('hex')
  }

  private readInto(buffer: Uint8Array, position: number): void {
    if (this.source.read(buffer, position) < buffer.length) {
      throw new BaselineError('it was cut off while it was read')
    }
  }

  private firstLine(): string {
    const buffer = Buffer.alloc(Math.min(MAX_LINE_BYTES, this.end))
    this.readInto(buffer, 0)
    const end = buffer.indexOf(NEWLINE)
    if (end < 0) throw new BaselineError('it has no first line')
    return buffer.toString('utf8', 0, end)
  }

  private lastLine(): { text: string; start: number } {
    const { size } = this.source.stat
    const from = Math.max(0, size - MAX_LINE_BYTES)
    const buffer = Buffer.alloc(size - from)
    const count = this.source.read(buffer, from)
    const start = buffer.lastIndexOf(NEWLINE, buffer.length - 2) + 1
    if (count < buffer.length || buffer.at(-1) !== NEWLINE || start === 0) {
      throw new BaselineError('it has no last line')
    }
    return { text: buffer.toString('utf8', start, buffer.length - 1), start: from + start }
  }
}

/** Opens a file of records, closing it again when it cannot be trusted. */
export function openRecords(
  state: Pick<HostReader, 'open'>,
  path: string,
  fingerprint: Fingerprint,
): RecordReader {
  const source = state.open(path)
  try {
    return new RecordReader(source, fingerprint)
  } catch (error) {
    source.close()
    throw error
  }
}
