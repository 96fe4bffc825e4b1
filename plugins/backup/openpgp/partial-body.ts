// Packets of unknown length: RFC 4880, section 4.2.2.4. The body comes in pieces of 2^n bytes, each after an octet
// that tells n, and ends with a piece of any length.

/** 2^18: small enough to stay in the processor's cache, large enough not to be felt. */
const PIECE_BITS = 18
export const PIECE_BYTES = 1 << PIECE_BITS
const PARTIAL = 0xe0
const LARGEST_PIECE_BITS = 30
const FIRST_PIECE_BYTES = 512

/** The first octet of a packet, new format. */
export function packetTag(tag: number): number {
  return 0xc0 | tag
}

/** Writes one packet. What it yields is valid until the next piece is asked for. */
export class PartialBodyWriter {
  private readonly piece = Buffer.allocUnsafeSlow(1 + PIECE_BYTES)
  private used = 1

  constructor(private readonly tag: number) {}

  begin(): Uint8Array {
    return Uint8Array.of(packetTag(this.tag))
  }

  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (let offset = 0; offset < bytes.length; ) {
      const part = bytes.subarray(offset, offset + 1 + PIECE_BYTES - this.used)
      this.piece.set(part, this.used)
      this.used += part.length
      offset += part.length
      if (this.used <= PIECE_BYTES) continue
      this.piece[0] = PARTIAL | PIECE_BITS
      yield this.piece
      this.used = 1
    }
  }

  /** The last piece, which may be empty. */
  *end(): Generator<Uint8Array> {
    yield encodeLength(this.used - 1)
    yield this.piece.subarray(1, this.used)
  }
}

function encodeLength(length: number): Uint8Array {
  if (length < 192) return Uint8Array.of(length)
  if (length < 8384) return Uint8Array.of(192 + ((length - 192) >> 8), (length - 192) & 0xff)
  return Uint8Array.of(0xff, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
}

/** Reads the body of one packet, from the length octets behind its tag. */
export class PartialBodyReader {
  /** Bytes of the packet are still to come. */
  isOpen = true
  private left = 0
  private isLast = false
  private isFirst = true
  private length: number[] = []

  /** Takes bytes of the packet: how many it took, and which of them are body. */
  take(bytes: Uint8Array): { taken: number; body: Uint8Array } {
    let taken = 0
    while (this.left === 0 && this.isOpen && taken < bytes.length) this.takeLength(bytes[taken++] ?? 0)
    const body = bytes.subarray(taken, taken + this.left)
    this.left -= body.length
    if (this.left === 0 && this.isLast) this.isOpen = false
    return { taken: taken + body.length, body }
  }

  private takeLength(octet: number): void {
    this.length.push(octet)
    const [first = 0, second = 0] = this.length
    if (first >= 224 && first < 255) {
      const bits = first & 0x1f
      if (bits > LARGEST_PIECE_BITS || (this.isFirst && 1 << bits < FIRST_PIECE_BYTES)) {
        throw new Error('an OpenPGP packet has a piece of a size that is not allowed')
      }
      this.begin(1 << bits, false)
    } else if (first < 192) this.begin(first, true)
    else if (first < 224 && this.length.length === 2) this.begin(((first - 192) << 8) + second + 192, true)
    else if (first === 255 && this.length.length === 5) {
      this.begin(Buffer.from(this.length).readUInt32BE(1), true)
    }
  }

  private begin(length: number, isLast: boolean): void {
    this.left = length
    this.isLast = isLast
    this.isFirst = false
    this.length = []
    if (isLast && length === 0) this.isOpen = false
  }
}
