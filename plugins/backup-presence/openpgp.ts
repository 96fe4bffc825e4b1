import type { Format } from './format.ts'

/** RFC 9580, section 9.3. */
const CIPHERS: Record<number, string> = {
  0: 'no cipher at all',
  1: 'IDEA',
  2: 'TripleDES',
  3: 'CAST5',
  4: 'Blowfish',
  7: 'AES-128',
  8: 'AES-192',
  9: 'AES-256',
  10: 'Twofish-256',
  11: 'Camellia-128',
  12: 'Camellia-192',
  13: 'Camellia-256',
}
/** Blocks of 64 bits, or none. */
const WEAK = new Set([0, 1, 2, 3, 4])
const PUBLIC_KEY_SESSION_KEY = 1
const SIGNATURE = 2
const PASSWORD_SESSION_KEY = 3
const ONE_PASS_SIGNATURE = 4
const COMPRESSED = 8
const ENCRYPTED_WITHOUT_PROTECTION = 9
const MARKER = 10
const LITERAL = 11
const ENCRYPTED = 18
const ENCRYPTED_BY_GNUPG = 20
const PADDING = 21
const MAX_PACKETS = 64

interface Packet {
  tag: number
  /** As much of it as is in the head. */
  body: Uint8Array
  /** Where the next one begins; undefined: behind the head, or where its end is not told at its begin. */
  next: number | undefined
}

/** Pure: an OpenPGP message by its first packets (RFC 9580, 4 and 10.3); undefined for anything else. */
export function parseOpenPgp(head: Uint8Array): Format | undefined {
  const text = Buffer.from(head.subarray(0, 64)).toString('latin1')
  if (text.startsWith('-----BEGIN PGP ')) {
    if (!text.startsWith('-----BEGIN PGP MESSAGE-----'))
      return { kind: 'plain', what: 'OpenPGP, but no message' }
    const inner = dearmored(head)
    return inner ? (parseOpenPgp(inner) ?? broken()) : broken()
  }
  if (((head[0] ?? 0) & 0x80) === 0) return undefined
  let cipher: number | undefined
  for (let at = 0, count = 0; count < MAX_PACKETS; count++) {
    const packet = packetAt(head, at)
    if (!packet) return count === 0 ? undefined : broken()
    const { tag, body, next } = packet
    switch (tag) {
      case PUBLIC_KEY_SESSION_KEY:
        // The session key hides which cipher it is for.
        if (!isSessionKey(body)) return count === 0 ? undefined : broken()
        break
      case PASSWORD_SESSION_KEY: {
        const version = body[0]
        if (version !== 4 && version !== 5 && version !== 6) return count === 0 ? undefined : broken()
        cipher = version === 6 ? body[2] : body[1]
        break
      }
      case ENCRYPTED:
        // Without a key before it nobody could ever open it.
        if (count === 0) return undefined
        return encrypted(body[0] === 2 ? body[1] : cipher, body[0] === 1 || body[0] === 2)
      case ENCRYPTED_BY_GNUPG:
        return count === 0 ? undefined : encrypted(body[1], true)
      case ENCRYPTED_WITHOUT_PROTECTION:
        return count === 0 ? undefined : encrypted(cipher, false)
      case COMPRESSED:
        // 0xa3 alone is a weak sign: the algorithm must be one that there is.
        return (body[0] ?? 9) <= 3 ? { kind: 'plain', what: 'OpenPGP, but only packed' } : undefined
      case LITERAL:
        return ['b', 't', 'u', 'l', '1'].includes(String.fromCharCode(body[0] ?? 0))
          ? { kind: 'plain', what: 'OpenPGP, but not encrypted' }
          : undefined
      case SIGNATURE:
      case ONE_PASS_SIGNATURE:
        if (![3, 4, 5, 6].includes(body[0] ?? 0)) return undefined
        return { kind: 'plain', what: 'OpenPGP, but only signed' }
      case MARKER:
      case PADDING:
        break
      default:
        return undefined
    }
    if (next === undefined || next >= head.length)
      return count === 0 && cipher === undefined ? undefined : broken()
    at = next
  }
  return broken()
}

/** RSA, Elgamal, ECDH, X25519, X448 (RFC 9580, 9.1). */
const ENCRYPTING_KEYS = new Set([1, 2, 16, 18, 25, 26])

/** A session key for a public key: version 3 has a key id of 8 bytes before the algorithm, version 6 names its length. */
function isSessionKey(body: Uint8Array): boolean {
  if (body[0] === 3) return ENCRYPTING_KEYS.has(body[9] ?? 0)
  return body[0] === 6 && ENCRYPTING_KEYS.has(body[2 + (body[1] ?? 0)] ?? 0)
}

function broken(): Format {
  return { kind: 'unknown', why: 'it begins like OpenPGP, and does not go on so' }
}

function encrypted(cipher: number | undefined, isProtected: boolean): Format {
  const name = cipher === undefined ? undefined : (CIPHERS[cipher] ?? `cipher ${cipher}`)
  const weaknesses = [
    ...(cipher !== undefined && WEAK.has(cipher) ? [`${name} is not to be used any more`] : []),
    ...(isProtected ? [] : ['a change of it would not be noticed (no integrity protection)']),
  ]
  return { kind: 'encrypted', by: 'OpenPGP', cipher: name, weakness: weaknesses.join('; ') || undefined }
}

function packetAt(head: Uint8Array, at: number): Packet | undefined {
  const first = head[at]
  if (first === undefined || (first & 0x80) === 0) return undefined
  const byte = (offset: number) => head[at + offset] ?? 0
  let [tag, start, length]: [number, number, number | undefined] = [0, 0, undefined]
  if ((first & 0x40) !== 0) {
    tag = first & 0x3f
    const one = byte(1)
    if (one < 192) [start, length] = [2, one]
    else if (one < 224) [start, length] = [3, ((one - 192) << 8) + byte(2) + 192]
    else if (one < 255) [start, length] = [2, undefined]
    else [start, length] = [6, ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0]
  } else {
    tag = (first & 0x3c) >> 2
    const kind = first & 3
    if (kind === 0) [start, length] = [2, byte(1)]
    else if (kind === 1) [start, length] = [3, (byte(1) << 8) | byte(2)]
    else if (kind === 2)
      [start, length] = [5, ((byte(1) << 24) | (byte(2) << 16) | (byte(3) << 8) | byte(4)) >>> 0]
    else [start, length] = [1, undefined]
  }
  if (tag === 0) return undefined
  const next = length === undefined ? undefined : at + start + length
  return { tag, body: head.subarray(at + start, next), next }
}

/** The bytes behind the header of an armored message, as far as the head goes. */
function dearmored(head: Uint8Array): Uint8Array | undefined {
  const lines = Buffer.from(head).toString('latin1').split(/\r?\n/)
  const blank = lines.findIndex((line, index) => index > 0 && line.trim() === '')
  if (blank < 0) return undefined
  const data = lines.slice(blank + 1).filter((line) => /^[A-Za-z0-9+/]+=*$/.test(line))
  return Buffer.from(data.join('').replace(/=.*$/, ''), 'base64')
}
