const BLOCK = 512
/** A path or an extended header that is longer is no path. */
const MAX_HEADER_BYTES = 1024 * 1024

/** Names of the entries of a tar archive (POSIX pax, ustar, GNU), from its bytes in chunks of any size. */
export class TarNames {
  private block: Buffer = Buffer.alloc(BLOCK)
  private filled = 0
  /** Bytes of content and padding that are passed over. */
  private skip = 0
  /** An entry that says something about the next one. */
  private collecting: { type: string; bytes: number; chunks: Buffer[]; collected: number } | undefined
  private nextName: string | undefined
  private isAtEnd = false
  /** Entries so far. */
  count = 0

  constructor(private readonly take: (name: string) => void) {}

  add(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.isAtEnd; ) {
      if (this.skip > 0) {
        const part = Math.min(this.skip, chunk.length - at)
        if (this.collecting) this.collect(chunk.subarray(at, at + part))
        this.skip -= part
        at += part
        if (this.skip === 0) this.finishCollecting()
        continue
      }
      const part = chunk.subarray(at, at + BLOCK - this.filled)
      this.block.set(part, this.filled)
      this.filled += part.length
      at += part.length
      if (this.filled < BLOCK) continue
      this.filled = 0
      this.header(this.block)
    }
  }

  /** Throws when the archive ends in the middle of an entry. */
  end(): void {
    if (this.isAtEnd) return
    if (this.skip > 0 || this.filled > 0 || this.count === 0) throw new Error('the archive has no end')
  }

  private header(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      this.isAtEnd = true
      return
    }
    if (!hasChecksum(block)) throw new Error('it is no tar archive, or a damaged one')
    const type = String.fromCharCode(block[156] ?? 0)
    const bytes = numberIn(block, 124, 12)
    this.skip = Math.ceil(bytes / BLOCK) * BLOCK
    if ('LKxg'.includes(type)) {
      if (bytes > MAX_HEADER_BYTES) throw new Error('a header in it is too long')
      this.collecting = { type, bytes, chunks: [], collected: 0 }
      if (this.skip === 0) this.finishCollecting()
      return
    }
    // Further blocks of a sparse file of GNU tar have no header of their own.
    if (type === 'S' && block[482] === 1) throw new Error('it holds a sparse file of a form that is not read')
    this.count++
    this.take(this.nextName ?? nameIn(block))
    this.nextName = undefined
  }

  private collect(part: Uint8Array): void {
    const { collecting } = this
    if (!collecting) return
    const wanted = part.subarray(0, collecting.bytes - collecting.collected)
    collecting.chunks.push(Buffer.from(wanted))
    collecting.collected += wanted.length
  }

  private finishCollecting(): void {
    const { collecting } = this
    this.collecting = undefined
    if (!collecting) return
    const content = Buffer.concat(collecting.chunks)
    if (collecting.type === 'L') this.nextName = content.toString('utf8').replace(/\0.*$/s, '')
    if (collecting.type === 'x') this.nextName = paxPath(content) ?? this.nextName
  }
}

function nameIn(block: Buffer): string {
  const text = (from: number, length: number) =>
    block
      .subarray(from, from + length)
      .toString('utf8')
      .replace(/\0.*$/s, '')
  const prefix = text(257, 6).startsWith('ustar') && block[262] === 0 ? text(345, 155) : ''
  return prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`
}

/** Octal digits, or, with the first bit set, a binary number (GNU). */
function numberIn(block: Buffer, from: number, length: number): number {
  if (((block[from] ?? 0) & 0x80) !== 0) {
    let value = (block[from] ?? 0) & 0x7f
    for (let at = from + 1; at < from + length; at++) value = value * 256 + (block[at] ?? 0)
    return value
  }
  const digits = /^[ 0]*([0-7]*)/.exec(block.subarray(from, from + length).toString('latin1'))?.[1]
  return digits === undefined || digits === '' ? 0 : Number.parseInt(digits, 8)
}

function hasChecksum(block: Buffer): boolean {
  let sum = 0
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte
  return sum === numberIn(block, 148, 8)
}

/** "27 path=a/b\n": the length of the record, a key, a value. */
function paxPath(content: Buffer): string | undefined {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at)
    const length = Number(content.subarray(at, space).toString('latin1'))
    if (space < 0 || !Number.isInteger(length) || length < 5) return undefined
    const record = content.subarray(space + 1, at + length - 1).toString('utf8')
    if (record.startsWith('path=')) return record.slice('path='.length)
    at += length
  }
  return undefined
}
