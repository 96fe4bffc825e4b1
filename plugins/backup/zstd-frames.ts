// RFC 8878, section 3.1.1: where a frame ends can be told from its headers alone.

const MAGIC = 0xfd2fb528
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3
const LARGEST_BLOCK_BYTES = 131_072

/**
 * Cuts a stream into Zstandard frames. Each frame must tell the size of its content, at most `maxContentBytes`,
 * so that nothing can grow beyond it when it is decompressed.
 */
export class FrameSplitter {
  private frame: Buffer
  private readonly spare: ArrayBufferLike[] = []
  private length = 0
  /** Bytes of the frame after which the next decision can be taken. */
  private needed = 5
  private step: 'start' | 'header' | 'block' | 'content' = 'start'
  private isLastBlock = false

  constructor(private readonly maxContentBytes: number) {
    // What cannot be compressed grows by 3 bytes for each block; the frame's header has at most 18 bytes.
    const blocks = Math.ceil(maxContentBytes / LARGEST_BLOCK_BYTES) + 1
    this.frame = Buffer.allocUnsafeSlow(maxContentBytes + 3 * blocks + 64)
  }

  /** The frames that are whole now; they are the receiver's to keep, or to give back. */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (let offset = 0; offset < chunk.length; ) {
      const part = chunk.subarray(offset, offset + this.needed - this.length)
      this.frame.set(part, this.length)
      this.length += part.length
      offset += part.length
      // Blocks may be empty: decide until bytes are needed again.
      while (this.length === this.needed && this.length > 0) {
        if (!this.isWhole()) continue
        frames.push(this.frame.subarray(0, this.length))
        const memory = this.spare.pop()
        this.frame = memory ? Buffer.from(memory) : Buffer.allocUnsafeSlow(this.frame.length)
        this.length = 0
      }
    }
    return frames
  }

  /** A frame that nobody reads any more: without it, each one takes new memory. */
  giveBack(frame: Uint8Array): void {
    this.spare.push(frame.buffer)
  }

  /** Throws when the stream ended within a frame. */
  finish(): void {
    if (this.length > 0) throw new Error('the compressed data end too early')
  }

  /** Decides what comes next, and how many bytes it takes. */
  private isWhole(): boolean {
    if (this.step === 'content' && this.isLastBlock) {
      this.step = 'start'
      this.needed = 5
      return true
    }
    if (this.step === 'start') {
      this.needed = this.headerBytes()
      this.step = 'header'
    } else if (this.step === 'block') {
      this.needed += this.blockBytes()
      this.step = 'content'
    } else {
      if (this.step === 'header') this.checkContentSize()
      this.needed += 3
      this.step = 'block'
    }
    if (this.needed > this.frame.length) throw new Error('a compressed frame is larger than its content')
    return false
  }

  private headerBytes(): number {
    if (this.frame.readUInt32LE(0) !== MAGIC) throw new Error('the data are not compressed by Zstandard')
    const { isSingleSegment, sizeBytes, descriptor } = this.descriptor()
    if ((descriptor & 0b1000) !== 0) throw new Error('the compressed data use a reserved feature')
    if ((descriptor & 0b11) !== 0) throw new Error('the compressed data need a dictionary')
    return 5 + (isSingleSegment ? 0 : 1) + sizeBytes
  }

  private descriptor() {
    const descriptor = this.frame.readUInt8(4)
    const isSingleSegment = (descriptor & 0b10_0000) !== 0
    const sizeFlag = descriptor >> 6
    const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag
    return { descriptor, isSingleSegment, sizeBytes }
  }

  private checkContentSize(): void {
    const { sizeBytes } = this.descriptor()
    const at = this.needed - sizeBytes
    const size =
      sizeBytes === 8
        ? Number(this.frame.readBigUInt64LE(at))
        : sizeBytes === 0
          ? Number.POSITIVE_INFINITY
          : this.frame.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
    if (size > this.maxContentBytes)
      throw new Error('a compressed frame does not tell its size, or is too large')
  }

  private blockBytes(): number {
    const header = this.frame.readUIntLE(this.needed - 3, 3)
    const type = (header >> 1) & 3
    if (type === RESERVED_BLOCK) throw new Error('the compressed data have a block of unknown type')
    this.isLastBlock = (header & 1) === 1
    const hasChecksum = (this.descriptor().descriptor & 0b100) !== 0
    return (type === RLE_BLOCK ? 1 : header >> 3) + (this.isLastBlock && hasChecksum ? 4 : 0)
  }
}
