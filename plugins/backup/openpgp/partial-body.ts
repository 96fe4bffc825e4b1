// Packets of unknown length: RFC 4880, section 4.2.2.4. The body comes in pieces of 2^n bytes, each after an octet
// that tells n, and ends with a piece of any length.

/** 2^18: small enough to stay in the processor's cache, large enough not to be felt. */
const PIECE_BITS = 18
export const PIECE_BYTES = 1 << PIECE_BITS
const PARTIAL = 0xe0
const LARGEST_PIECE_BITS = 30
/** What the standard wants of the first piece. */
const FIRST_PIECE_BYTES = 512
/** No smaller ones are written, but for the last one: many small ones are felt when they are read. */
export const SMALLEST_PIECE_BYTES = 16_384

/** The first octet of a packet, new format. */
export function packetTag(tag: number): number {
  return 0xc0 | tag
}

/**
 * Writes one packet: what comes is cut into the largest pieces that there may be, so that hardly any of it is copied.
 * What it yields is valid until the next piece is asked for.
 */
export class PartialBodyWriter {
  private readonly held = Buffer.allocUnsafeSlow(SMALLEST_PIECE_BYTES)
  private heldBytes = 0

  constructor(private readonly tag: number) {}

  begin(): Uint8Array {
    return Uint8Array.of(packetTag(this.tag))
  }

  *push(bytes: Uint8Array): Generator<Uint8Array> {
    let rest = bytes
    if (this.heldBytes > 0) {
      rest = this.hold(bytes)
      if (this.heldBytes < SMALLEST_PIECE_BYTES) return
      yield* piece(this.held)
      this.heldBytes = 0
    }
    while (rest.length >= SMALLEST_PIECE_BYTES) {
      const bits = Math.min(31 - Math.clz32(rest.length), PIECE_BITS)
      yield* piece(rest.subarray(0, 1 << bits))
      rest = rest.subarray(1 << bits)
    }
    this.hold(rest)
  }

  /** The last piece, which may be empty. */
  *end(): Generator<Uint8Array> {
    yield encodeLength(this.heldBytes)
    yield this.held.subarray(0, this.heldBytes)
  }

  /** Returns what there was no room for. */
  private hold(bytes: Uint8Array): Uint8Array {
    const part = bytes.subarray(0, SMALLEST_PIECE_BYTES - this.heldBytes)
    this.held.set(part, this.heldBytes)
    this.heldBytes += part.length
    return bytes.subarray(part.length)
  }
}

/** A piece whose length is a power of two, after its octet. */
function* piece(bytes: Uint8Array): Generator<Uint8Array> {
  yield Uint8Array.of(PARTIAL | (31 - Math.clz32(bytes.length)))
  yield bytes
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
