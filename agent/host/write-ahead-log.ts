import { fstatSync, readSync } from 'node:fs'

// "WAL File Format", https://sqlite.org/fileformat2.html#the_write_ahead_log

const MAGIC = 0x377f0682
const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24

/** What a write-ahead log holds up to its last commit. */
export interface CommittedLog {
  /** Offsets in the log of the newest content of each page that it has, by page number. */
  pages: Map<number, number>
  /** Size of the whole database, in pages. */
  pageCount: number
  /** Tells one state of the log from another. */
  state: string
}

/** Reads a log; undefined when nothing in it is committed. What does not follow on from the beginning is old, and ends it. */
export function readCommittedLog(descriptor: number, pageBytes: number): CommittedLog | undefined {
  const size = fstatSync(descriptor).size
  const header = Buffer.alloc(HEADER_BYTES)
  if (size < HEADER_BYTES || readSync(descriptor, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined
  const magic = header.readUInt32BE(0)
  if ((magic & ~1) >>> 0 !== MAGIC || header.readUInt32BE(8) !== pageBytes) return undefined
  const checksum = new Checksum((magic & 1) === 1)
  checksum.add(header.subarray(0, 24))
  if (!checksum.is(header.readUInt32BE(24), header.readUInt32BE(28))) return undefined
  const salt = header.subarray(16, 24)

  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes)
  const pending = new Map<number, number>()
  const log: CommittedLog = { pages: new Map(), pageCount: 0, state: '' }
  for (let offset = HEADER_BYTES; offset + frame.length <= size; offset += frame.length) {
    if (readSync(descriptor, frame, 0, frame.length, offset) < frame.length) break
    if (!frame.subarray(8, 16).equals(salt)) break
    checksum.add(frame.subarray(0, 8))
    checksum.add(frame.subarray(FRAME_HEADER_BYTES))
    if (!checksum.is(frame.readUInt32BE(16), frame.readUInt32BE(20))) break
    pending.set(frame.readUInt32BE(0), offset + FRAME_HEADER_BYTES)
    const pageCount = frame.readUInt32BE(4)
    if (pageCount === 0) continue
    for (const [page, at] of pending) log.pages.set(page, at)
    pending.clear()
    log.pageCount = pageCount
    log.state = `${salt.toString('hex')}:${offset}`
  }
  return log.pageCount > 0 ? log : undefined
}

class Checksum {
  private first = 0
  private second = 0

  constructor(private readonly isBigEndian: boolean) {}

  add(bytes: Buffer): void {
    let { first, second } = this
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let offset = 0; offset < bytes.length; offset += 8) {
      first = (first + view.getUint32(offset, !this.isBigEndian) + second) >>> 0
      second = (second + view.getUint32(offset + 4, !this.isBigEndian) + first) >>> 0
    }
    this.first = first
    this.second = second
  }

  is(first: number, second: number): boolean {
    return this.first === first && this.second === second
  }
}
