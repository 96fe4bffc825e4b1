import { createHash } from 'node:crypto'
import { Unreadable } from '../credential.ts'

/** Reads what RFC 4251 (section 5) writes: 32-bit lengths, strings, numbers. */
export class WireReader {
  private position = 0
  private readonly view: DataView

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  uint32(): number {
    if (this.position + 4 > this.bytes.length) throw new Unreadable('the key is truncated')
    const value = this.view.getUint32(this.position)
    this.position += 4
    return value
  }

  uint64(): bigint {
    return (BigInt(this.uint32()) << 32n) | BigInt(this.uint32())
  }

  string(): Uint8Array {
    const length = this.uint32()
    if (this.position + length > this.bytes.length) throw new Unreadable('the key is truncated')
    this.position += length
    return this.bytes.subarray(this.position - length, this.position)
  }

  text(): string {
    return Buffer.from(this.string()).toString('latin1')
  }

  get done(): boolean {
    return this.position === this.bytes.length
  }
}

export function wireString(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, content])
}

export interface SshPublicKey {
  /** "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256-cert-v01@openssh.com" */
  type: string
  algorithm: 'ed25519' | 'rsa' | 'ecdsa' | 'dsa'
  bits: number
  /** The key itself, without a certificate around it. */
  blob: Uint8Array
  /** As `ssh-keygen -l` shows it. */
  fingerprint: string
  certificate?: { validFromMs?: number; validToMs?: number; keyId: string }
}

interface Shape {
  algorithm: SshPublicKey['algorithm']
  fields: number
  bits: number | ((fields: Uint8Array[]) => number)
}

/** Fields after the type, and the size of the key (RFC 4253 6.6, RFC 5656 3.1, RFC 8709, PROTOCOL.u2f). */
const SHAPES: Record<string, Shape> = {
  'ssh-ed25519': { algorithm: 'ed25519', fields: 1, bits: 256 },
  'sk-ssh-ed25519@openssh.com': { algorithm: 'ed25519', fields: 2, bits: 256 },
  'ssh-rsa': { algorithm: 'rsa', fields: 2, bits: (fields) => bitLength(fields[1]) },
  'ssh-dss': { algorithm: 'dsa', fields: 4, bits: (fields) => bitLength(fields[0]) },
  'ecdsa-sha2-nistp256': { algorithm: 'ecdsa', fields: 2, bits: 256 },
  'ecdsa-sha2-nistp384': { algorithm: 'ecdsa', fields: 2, bits: 384 },
  'ecdsa-sha2-nistp521': { algorithm: 'ecdsa', fields: 2, bits: 521 },
  'sk-ecdsa-sha2-nistp256@openssh.com': { algorithm: 'ecdsa', fields: 3, bits: 256 },
}

const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com'

/** "ssh-rsa" of "ssh-rsa-cert-v01@openssh.com"; undefined for a type that is not known. */
function plainType(type: string): string | undefined {
  if (type in SHAPES) return type
  if (!type.endsWith(CERTIFICATE_SUFFIX)) return undefined
  const bare = type.slice(0, -CERTIFICATE_SUFFIX.length)
  return [bare, `${bare}@openssh.com`].find((candidate) => candidate in SHAPES)
}

export function isSshKeyType(word: string): boolean {
  return plainType(word) !== undefined
}

/** The public key, or OpenSSH certificate, of a wire blob. Throws Unreadable. */
export function parsePublicBlob(bytes: Uint8Array): SshPublicKey {
  const reader = new WireReader(bytes)
  const type = reader.text()
  const plain = plainType(type)
  const shape = plain === undefined ? undefined : SHAPES[plain]
  if (plain === undefined || !shape) throw new Unreadable('it is of a type of SSH key that is not known')
  const isCertificate = plain !== type
  if (isCertificate) reader.string() // nonce
  const fields = Array.from({ length: shape.fields }, () => reader.string())
  const blob = isCertificate ? Buffer.concat([plain, ...fields].map(wireString)) : bytes
  const certificate = isCertificate ? { certificate: readCertificate(reader) } : {}
  if (!isCertificate && !reader.done) throw new Unreadable('something follows after the key')
  return {
    type,
    algorithm: shape.algorithm,
    bits: typeof shape.bits === 'number' ? shape.bits : shape.bits(fields),
    blob,
    fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
    ...certificate,
  }
}

/** What follows the key in a certificate, as far as its end of validity (PROTOCOL.certkeys). */
function readCertificate(reader: WireReader): NonNullable<SshPublicKey['certificate']> {
  reader.uint64() // serial
  reader.uint32() // user or host
  const keyId = reader.text()
  reader.string() // principals
  const [from, to] = [reader.uint64(), reader.uint64()]
  return {
    keyId,
    ...(from > 0n ? { validFromMs: toMilliseconds(from) } : {}),
    ...(to < FOREVER ? { validToMs: toMilliseconds(to) } : {}),
  }
}

const FOREVER = 0xffff_ffff_ffff_ffffn
const LAST_DATE_MS = 8_640_000_000_000_000

function toMilliseconds(seconds: bigint): number {
  return Math.min(Number(seconds) * 1000, LAST_DATE_MS)
}

function bitLength(number: Uint8Array | undefined): number {
  const first = number?.findIndex((byte) => byte !== 0) ?? -1
  const byte = number?.[first]
  if (!number || byte === undefined) return 0
  return (number.length - first) * 8 - Math.clz32(byte) + 24
}
