import { type Address, addressOf, readEntries } from './statx.ts'

const READ_BYTES = 65_536
const RECORD_LENGTH = 16
const NAME = 19

const entries = new Uint8Array(new ArrayBuffer(READ_BYTES))
const entriesAddress = addressOf(entries, 0)

/**
 * The names in an open directory in the order of their bytes, NUL-terminated in one buffer that is used again for
 * the next directory: a directory of a million costs what its names are long, and four bytes for each.
 */
export class SortedNames {
  bytes = new Uint8Array(new ArrayBuffer(8192))
  count = 0
  private offsets = new Uint32Array(256)
  private used = 0
  private base: Address = addressOf(this.bytes, 0)

  /** Reads all names; 0, or a negative errno. */
  read(directory: number): number {
    this.count = 0
    this.used = 0
    for (;;) {
      const length = readEntries(directory, entriesAddress, READ_BYTES)
      if (length < 0) return length
      if (length === 0) break
      this.take(length)
    }
    const { bytes } = this
    this.offsets.subarray(0, this.count).sort((a, b) => compareNames(bytes, a, b))
    this.base = addressOf(bytes, 0)
    return 0
  }

  address(index: number): Address {
    return (this.base + (this.offsets[index] ?? 0)) as Address
  }

  offset(index: number): number {
    return this.offsets[index] ?? 0
  }

  /** Each byte as a character. */
  raw(index: number): string {
    const start = this.offset(index)
    let end = start
    while (this.bytes[end] !== 0) end++
    return Buffer.from(this.bytes.buffer, start, end - start).toString('latin1')
  }

  private take(length: number): void {
    for (let record = 0; record < length; ) {
      const next =
        record + ((entries[record + RECORD_LENGTH] ?? 0) | ((entries[record + RECORD_LENGTH + 1] ?? 0) << 8))
      this.add(record + NAME)
      record = next
    }
  }

  private add(from: number): void {
    if (
      entries[from] === 46 &&
      (entries[from + 1] === 0 || (entries[from + 1] === 46 && entries[from + 2] === 0))
    )
      return
    if (this.used + 260 > this.bytes.length) this.bytes = grow(this.bytes)
    if (this.count === this.offsets.length) {
      const more = new Uint32Array(this.count * 2)
      more.set(this.offsets)
      this.offsets = more
    }
    this.offsets[this.count++] = this.used
    let to = this.used
    for (let index = from; ; index++) {
      const byte = entries[index] ?? 0
      this.bytes[to++] = byte
      if (byte === 0) break
    }
    this.used = to
  }
}

function grow(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(new ArrayBuffer(bytes.length * 2))
  more.set(bytes)
  return more
}

/** Order of two NUL-terminated names by bytes. */
function compareNames(bytes: Uint8Array, a: number, b: number): number {
  for (let index = 0; ; index++) {
    const left = bytes[a + index] ?? 0
    const right = bytes[b + index] ?? 0
    if (left !== right) return left - right
    if (left === 0) return 0
  }
}
