import { createHash, randomBytes } from 'node:crypto'
import { release } from '../memory.ts'
import { AES_BLOCK_BYTES } from './aes-block.ts'
import { CfbCipher } from './cfb-cipher.ts'
import { CfbDecipher } from './cfb-decipher.ts'
import { PartialBodyReader, PartialBodyWriter, packetTag } from './partial-body.ts'

// A symmetrically encrypted, integrity protected data packet of version 1 with one literal data packet in it:
// RFC 4880, sections 5.9, 5.13 and 5.14. The library does this too, but needs several copies of each byte; here
// a stream of any length takes a few hundred kilobytes.

const PREFIX_BYTES = AES_BLOCK_BYTES + 2
const LITERAL_TAG = 11
export const PROTECTED_DATA_TAG = 18
const VERSION = 1
/** Binary, no file name, no date. */
const LITERAL_HEADER = Uint8Array.of(0x62, 0, 0, 0, 0, 0)
/** Tag and length of the modification detection code, which is a SHA-1 of all before it and of these two. */
const MDC_HEADER = Uint8Array.of(packetTag(19), 20)
const MDC_BYTES = 20

/** Makes the packet, a piece at a time. What a call yields is valid until the next one. */
export class DataEncryptor {
  private readonly cipher: CfbCipher
  private readonly hash = createHash('sha1')
  private readonly packet = new PartialBodyWriter(PROTECTED_DATA_TAG)
  private readonly literal = new PartialBodyWriter(LITERAL_TAG)
  private hasBegun = false

  constructor(sessionKey: Uint8Array) {
    this.cipher = new CfbCipher(sessionKey)
  }

  *push(chunk: Uint8Array): Generator<Uint8Array> {
    yield* this.begin()
    for (const piece of this.literal.push(chunk)) yield* this.seal(piece)
  }

  /** To be called once, after the last piece. */
  *finish(): Generator<Uint8Array> {
    yield* this.begin()
    for (const piece of this.literal.end()) yield* this.seal(piece)
    this.hash.update(MDC_HEADER)
    yield* this.packet.push(this.cipher.update(Buffer.concat([MDC_HEADER, this.hash.digest()])))
    yield* this.packet.push(this.cipher.finish())
    yield* this.packet.end()
  }

  private *begin(): Generator<Uint8Array> {
    if (this.hasBegun) return
    this.hasBegun = true
    yield this.packet.begin()
    yield* this.packet.push(Uint8Array.of(VERSION))
    const random = randomBytes(AES_BLOCK_BYTES)
    yield* this.seal(Buffer.concat([random, random.subarray(-2), this.literal.begin()]))
    for (const piece of this.literal.push(LITERAL_HEADER)) yield* this.seal(piece)
  }

  private *seal(plain: Uint8Array): Generator<Uint8Array> {
    this.hash.update(plain)
    const sealed = this.cipher.update(plain)
    yield* this.packet.push(sealed)
    release(sealed)
  }
}

/**
 * Decrypts the packet, from the length octets behind its tag. Throws when anything was changed, but for most
 * changes only at the end: until the generator has ended, nothing that it gave may be believed. What it yields is valid
 * until the next piece is asked for.
 */
export async function* decryptData(
  chunks: AsyncIterable<Uint8Array>,
  sessionKey: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const packet = new PartialBodyReader()
  const decipher = new CfbDecipher(sessionKey)
  const plain = new PlainReader()
  let isVersionRead = false
  for await (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length; ) {
      if (!packet.isOpen) throw new Error('something follows the end of the encrypted data')
      const { taken, body } = packet.take(chunk.subarray(offset))
      offset += taken
      if (body.length === 0) continue
      if (!isVersionRead && body[0] !== VERSION) {
        throw new Error(`the encrypted data have version ${body[0]}, wanted ${VERSION}`)
      }
      const opened = decipher.update(isVersionRead ? body : body.subarray(1))
      yield* plain.push(opened)
      release(opened)
      isVersionRead = true
    }
  }
  if (packet.isOpen) throw new Error('the encrypted data end too early')
  yield* plain.push(decipher.finish())
  plain.finish()
}

/** Takes the decrypted stream apart: prefix, literal data packet, modification detection code. */
class PlainReader {
  private readonly hash = createHash('sha1')
  private readonly literal = new PartialBodyReader()
  /** Prefix and tag of the literal packet, then its header, then the modification detection code. */
  private beginning = Buffer.alloc(0)
  private header = Buffer.alloc(0)
  private end = Buffer.alloc(0)

  finish(): void {
    const header = this.end.subarray(0, MDC_HEADER.length)
    this.hash.update(header)
    const isWhole = header.equals(MDC_HEADER) && this.end.length === MDC_HEADER.length + MDC_BYTES
    if (!isWhole || !this.hash.digest().equals(this.end.subarray(MDC_HEADER.length))) {
      throw new Error('it was changed: its modification detection code is wrong')
    }
  }

  *push(bytes: Uint8Array): Generator<Uint8Array> {
    let rest = this.takeBeginning(bytes)
    while (rest.length > 0 && this.literal.isOpen) {
      const { taken, body } = this.literal.take(rest)
      this.hash.update(rest.subarray(0, taken))
      rest = rest.subarray(taken)
      const content = this.takeHeader(body)
      if (content.length > 0) yield content
    }
    if (rest.length === 0) return
    this.end = Buffer.concat([this.end, rest])
    if (this.end.length > MDC_HEADER.length + MDC_BYTES)
      throw new Error('it was changed: its end is misplaced')
  }

  private takeBeginning(bytes: Uint8Array): Uint8Array {
    const wanted = PREFIX_BYTES + 1 - this.beginning.length
    if (wanted === 0) return bytes
    const part = bytes.subarray(0, wanted)
    this.hash.update(part)
    this.beginning = Buffer.concat([this.beginning, part])
    if (part.length === wanted && this.beginning[PREFIX_BYTES] !== packetTag(LITERAL_TAG)) {
      throw new Error('it was changed, or the key does not fit: there is no literal data packet in it')
    }
    return bytes.subarray(part.length)
  }

  /** The content without the header of the literal packet. */
  private takeHeader(body: Uint8Array): Uint8Array {
    const wanted = LITERAL_HEADER.length - this.header.length
    if (wanted === 0) return body
    this.header = Buffer.concat([this.header, body.subarray(0, wanted)])
    if (this.header.length === LITERAL_HEADER.length && !this.header.equals(LITERAL_HEADER)) {
      throw new Error('it was changed: its literal data packet is not as it was written')
    }
    return body.subarray(wanted)
  }
}
