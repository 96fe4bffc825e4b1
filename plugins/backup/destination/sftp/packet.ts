// draft-ietf-secsh-filexfer-02, the version 3 that OpenSSH speaks, and its extensions (PROTOCOL of OpenSSH).

export const REQUEST = {
  init: 1,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  opendir: 11,
  readdir: 12,
  remove: 13,
  stat: 17,
  rename: 18,
  extended: 200,
} as const

export const REPLY = {
  version: 2,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 201,
} as const

export const STATUS = { ok: 0, endOfFile: 1, noSuchFile: 2, permissionDenied: 3, failure: 4 } as const

export const OPEN = { read: 1, write: 2, create: 8, truncate: 0x10, exclusive: 0x20 } as const

const ATTRIBUTE = { size: 1, owner: 2, permissions: 4, times: 8, extended: 0x8000_0000 } as const
const FILE_TYPE_BITS = 0o170000
const REGULAR_FILE = 0o100000

/** OpenSSH sends and takes no more at once. */
export const LARGEST_PACKET_BYTES = 262_144

export interface RemoteAttributes {
  bytes: number
  /** Type and permission bits; 0 when the server does not tell. */
  mode: number
  mtimeMs: number
}

export function isRegularFile({ mode }: RemoteAttributes): boolean {
  return (mode & FILE_TYPE_BITS) === REGULAR_FILE
}

type Part = number | bigint | string | Uint8Array

/** A packet: its length, its type, and what is put into it. */
export function encodePacket(type: number, parts: readonly Part[]): Uint8Array {
  const encoded = parts.flatMap(encodePart)
  const length = encoded.reduce((sum, part) => sum + part.length, 1)
  const head = Buffer.allocUnsafe(5)
  head.writeUInt32BE(length, 0)
  head.writeUInt8(type, 4)
  return Buffer.concat([head, ...encoded])
}

/** Numbers are uint32, bigints uint64, text and bytes are preceded by their length. */
function encodePart(part: Part): Uint8Array[] {
  if (typeof part === 'number') {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeUInt32BE(part >>> 0, 0)
    return [bytes]
  }
  if (typeof part === 'bigint') {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigUInt64BE(part, 0)
    return [bytes]
  }
  const content = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
  return [...encodePart(content.length), content]
}

/** Reads the parts of a packet one after the other. Throws when it ends too early. */
export class PacketReader {
  private offset = 0

  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.offset
  }

  byte(): number {
    return this.take(1).readUInt8(0)
  }

  uint32(): number {
    return this.take(4).readUInt32BE(0)
  }

  uint64(): bigint {
    return this.take(8).readBigUInt64BE(0)
  }

  data(): Buffer {
    return this.take(this.uint32())
  }

  text(): string {
    return this.data().toString('utf8')
  }

  attributes(): RemoteAttributes {
    const flags = this.uint32()
    const bytes = flags & ATTRIBUTE.size ? Number(this.uint64()) : 0
    if (flags & ATTRIBUTE.owner) this.take(8)
    const mode = flags & ATTRIBUTE.permissions ? this.uint32() : 0
    let mtimeMs = 0
    if (flags & ATTRIBUTE.times) {
      this.take(4)
      mtimeMs = this.uint32() * 1000
    }
    if (flags & ATTRIBUTE.extended) {
      for (let count = this.uint32(); count > 0; count--) {
        this.data()
        this.data()
      }
    }
    return { bytes, mode, mtimeMs }
  }

  private take(length: number): Buffer {
    if (length > this.left) throw new Error('a packet ends too early')
    this.offset += length
    return this.bytes.subarray(this.offset - length, this.offset)
  }
}

/** Cuts a stream into packets, without their length. */
export class PacketSplitter {
  private parts: Buffer[] = []
  private bytes = 0

  /** The packets that are whole now; they are the receiver's to keep. */
  push(chunk: Uint8Array): Buffer[] {
    const packets: Buffer[] = []
    this.parts.push(Buffer.from(chunk))
    this.bytes += chunk.length
    while (this.bytes >= 4) {
      const length = this.joined(4).readUInt32BE(0)
      if (length < 1 || length > LARGEST_PACKET_BYTES) throw new Error('what it answers is not SFTP')
      if (this.bytes < 4 + length) break
      const all = this.joined(4 + length)
      packets.push(all.subarray(4, 4 + length))
      this.parts = [all.subarray(4 + length)]
      this.bytes -= 4 + length
    }
    return packets
  }

  /** The first buffer, made to hold so many bytes at least. */
  private joined(bytes: number): Buffer {
    const [first] = this.parts
    if (first && first.length >= bytes) return first
    const all = Buffer.concat(this.parts)
    this.parts = [all]
    return all
  }
}
