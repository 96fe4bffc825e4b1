import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { type Member, type Parsed, PasswordProtected, Unreadable } from '../credential.ts'
import { parsePem } from './parse-pem.ts'

const CURVE_BITS: Record<string, number> = { secp224r1: 224, prime256v1: 256, secp384r1: 384, secp521r1: 521 }

/**
 * Private keys for TLS and signatures, in PEM or DER. Throws PasswordProtected for an encrypted one: how long it
 * takes to open is up to whoever made it, so that is left to a program that can be ended.
 */
export function parsePrivateKeys(bytes: Uint8Array): Parsed {
  if (bytes.length === 0) throw new Unreadable('it is empty')
  const text = Buffer.from(bytes).toString('latin1')
  if (!text.includes('-----BEGIN ')) return { members: [describe(readDer(bytes), {})], problems: [] }
  const { blocks, problems } = parsePem(text.split(/\r?\n/))
  const members: Member[] = []
  for (const block of blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'))) {
    const place = members.length === 0 ? {} : { id: `line ${block.line}` }
    if (block.encryptedHeader || block.label === 'ENCRYPTED PRIVATE KEY') throw protectedKey()
    try {
      members.push({
        ...describe(readDer(block.bytes, TYPES[block.label] ?? 'pkcs8'), place),
        encrypted: false,
        line: block.line,
      })
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      problems.push(`line ${block.line}: ${error.message}`)
    }
  }
  if (members.length === 0 && problems.length === 0) throw new Unreadable('there is no private key in it')
  return { members, problems }
}

const TYPES: Record<string, 'pkcs1' | 'sec1'> = { 'RSA PRIVATE KEY': 'pkcs1', 'EC PRIVATE KEY': 'sec1' }

/** The error of the library may quote what it could not read. */
const UNKNOWN = 'it is no private key that can be read'

function readDer(bytes: Uint8Array, only?: 'pkcs1' | 'pkcs8' | 'sec1'): KeyObject {
  for (const type of only ? [only] : (['pkcs8', 'pkcs1', 'sec1'] as const)) {
    try {
      return createPrivateKey({ key: Buffer.from(bytes), format: 'der', type })
    } catch {
      // of another form, or none
    }
  }
  throw new Unreadable(UNKNOWN)
}

function protectedKey() {
  return new PasswordProtected('it is protected by a password; give `password` to have it examined')
}

/** The public half of a key that a program has opened, as the key itself. */
export function parseOpenedKey(pem: string): Parsed {
  try {
    return { members: [{ ...describe(createPublicKey(pem), {}), encrypted: true }], problems: [] }
  } catch {
    throw new Unreadable(UNKNOWN)
  }
}

function describe(key: KeyObject, place: Pick<Member, 'id'>): Member {
  const publicKey = publicPart(key)
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  const bits = modulusLength ?? CURVE_BITS[namedCurve ?? '']
  return {
    ...place,
    identity: publicKey,
    publicKey,
    confidential: true,
    algorithm: key.asymmetricKeyType ?? 'unknown',
    ...(bits ? { bits } : {}),
  }
}

/** SubjectPublicKeyInfo in DER: the same for a key and for the certificate that it belongs to. */
function publicPart(key: KeyObject): Uint8Array {
  try {
    const publicKey = key.type === 'private' ? createPublicKey(key) : key
    return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  } catch {
    throw new Unreadable(UNKNOWN)
  }
}
