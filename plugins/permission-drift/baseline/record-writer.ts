import { createHash } from 'node:crypto'
import { type EntryState, type FileSink, records } from '../../../agent/contract/mod.ts'
import type { Fingerprint, Header, Trailer } from './format.ts'

const BUFFER_BYTES = 262_144
const { NAME_OFFSET, WORD, wordsOf } = records

/** Writes records, which come in tree order, between a header and a sealed trailer. */
export class RecordWriter {
  entries = 0
  private readonly digest = createHash('sha256')
  private buffer = records.recordBlock(BUFFER_BYTES)
  private used = 0
  private directory: string | undefined

  constructor(
    private readonly sink: FileSink,
    start: Omit<Header, 'format' | 'version'>,
  ) {
    const header: Header = { format: 'reeve-baseline', version: 2, ...start }
    this.write(Buffer.from(`${JSON.stringify(header)}\n`))
  }

  /** A record of a block, in the directory of this raw path, with these details as JSON. */
  copy(block: records.RecordBlock, start: number, directory: string, details: string): void {
    this.enter(directory)
    const nameLength = block.words[start + WORD.nameLength] ?? 0
    const detailsBytes = details === '' ? 0 : Buffer.byteLength(details)
    const head = NAME_OFFSET + wordsOf(nameLength) * 4
    const size = head + wordsOf(detailsBytes) * 4
    this.reserve(size)
    const { bytes, words } = this.buffer
    block.bytes.copy(bytes, this.used, start * 4, start * 4 + head)
    if (detailsBytes > 0) {
      bytes.fill(0, this.used + head, this.used + size)
      bytes.write(details, this.used + head)
    }
    words[this.used / 4 + WORD.length] = size
    words[this.used / 4 + WORD.detailsLength] = detailsBytes
    this.used += size
    this.entries++
  }

  add(state: EntryState): void {
    const record = Buffer.from(records.encodeRecord(state))
    const raw = records.encodeRaw(state.path)
    this.enter(raw.slice(0, Math.max(1, raw.lastIndexOf('/'))))
    this.reserve(record.length)
    record.copy(this.buffer.bytes, this.used)
    this.used += record.length
    this.entries++
  }

  /** Writes the trailer and puts the file in its place. */
  commit(fingerprint: Fingerprint, options?: { durable?: boolean }): Trailer {
    this.flush()
    const sha256 = this.digest.digest('hex')
    const end: Trailer = { entries: this.entries, sha256, fingerprint: fingerprint(sha256) }
    this.sink.write(Buffer.from(`\n${JSON.stringify(end)}\n`))
    this.sink.commit(options)
    return end
  }

  private enter(directory: string): void {
    if (directory === this.directory) return
    this.directory = directory
    const path = Buffer.from(directory, 'latin1')
    const size = NAME_OFFSET + wordsOf(path.length) * 4
    this.reserve(size)
    const { bytes, words } = this.buffer
    bytes.fill(0, this.used, this.used + size)
    words[this.used / 4 + WORD.length] = size
    words[this.used / 4 + WORD.nameLength] = path.length
    path.copy(bytes, this.used + NAME_OFFSET)
    this.used += size
  }

  private reserve(size: number): void {
    if (this.used + size <= this.buffer.bytes.length) return
    this.flush()
    if (size > this.buffer.bytes.length) this.buffer = records.recordBlock(wordsOf(size) * 4)
  }

  private flush(): void {
    if (this.used > 0) this.write(this.buffer.bytes.subarray(0, this.used))
    this.used = 0
  }

  private write(bytes: Uint8Array): void {
    this.digest.update(bytes)
    this.sink.write(bytes)
  }
}
