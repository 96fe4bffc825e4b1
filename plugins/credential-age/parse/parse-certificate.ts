import { X509Certificate } from 'node:crypto'
import { type Member, type Parsed, PasswordProtected, Unreadable } from '../credential.ts'
import { printable } from '../text.ts'
import { parsePem } from './parse-pem.ts'

/**
 * X.509 certificates in PEM (one or a chain, with or without a private key beside them) or DER. The first is
 * the file's own, the others have their number as id.
 */
export function parseCertificates(bytes: Uint8Array): Parsed {
  if (bytes.length === 0) throw new Unreadable('it is empty')
  if (isPkcs12(bytes)) throw new PasswordProtected('it is a PKCS#12 store')
  // The text around the blocks may be in any character set.
  const text = Buffer.from(bytes).toString('latin1')
  if (!text.includes('-----BEGIN ')) return { members: [toMember(bytes, true, {})], problems: [] }
  const { blocks, problems } = parsePem(text.split(/\r?\n/))
  // A bundle of certificate and private key, as HAProxy wants it.
  const confidential = blocks.some(({ label }) => label.endsWith('PRIVATE KEY'))
  const members: Member[] = []
  const certificates = blocks.filter(({ label }) => /^((X509|TRUSTED) )?CERTIFICATE$/.test(label))
  for (const [index, block] of certificates.entries()) {
    const place = index === 0 ? {} : { id: String(index + 1) }
    try {
      members.push({
        ...toMember(block.bytes, block.label !== 'TRUSTED CERTIFICATE', place),
        confidential,
        line: block.line,
      })
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      problems.push(`line ${block.line}: ${error.message}`)
    }
  }
  if (certificates.length === 0 && problems.length === 0) {
    throw new Unreadable('there is no certificate in it; wanted X.509 in PEM or DER')
  }
  return { members, problems }
}

/** A chain as a server sends it. */
export function parseServedChain(chain: Uint8Array[]): Member[] {
  return chain.map((der, index) => toMember(der, true, index === 0 ? {} : { id: String(index + 1) }))
}

/** SEQUENCE { INTEGER 3, … }: the version of a PFX (RFC 7292 4). */
function isPkcs12(bytes: Uint8Array): boolean {
  const length = bytes[1] ?? 0
  const at = length < 0x80 ? 2 : 2 + (length & 0x7f)
  return bytes[0] === 0x30 && bytes[at] === 2 && bytes[at + 1] === 1 && bytes[at + 2] === 3
}

function toMember(bytes: Uint8Array, exact: boolean, place: Pick<Member, 'id'>): Member {
  const length = derLength(bytes)
  if (length === undefined) throw new Unreadable('there is no certificate in it; wanted X.509 in PEM or DER')
  if (length > bytes.length) throw new Unreadable('a certificate is truncated')
  if (exact && length < bytes.length) throw new Unreadable('something follows after the certificate')
  const der = bytes.subarray(0, length)
  const certificate = readCertificate(der)
  const validFromMs = Date.parse(certificate.validFrom)
  const expiresAtMs = Date.parse(certificate.validTo)
  if (Number.isNaN(validFromMs) || Number.isNaN(expiresAtMs)) {
    throw new Unreadable('a certificate has no valid period that can be read')
  }
  return {
    ...place,
    identity: der,
    der,
    ...publicPartOf(certificate),
    confidential: false,
    label: printable(certificate.subject.replaceAll('\n', ', ')),
    publicFingerprint: `serial ${certificate.serialNumber}`,
    issuedAtMs: validFromMs,
    validFromMs,
    expiresAtMs,
    ...publicKeyOf(certificate),
    ...brokenSignatureOf(certificate),
  }
}

function readCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch {
    throw new Unreadable('it is no X.509 certificate')
  }
}

/** Bytes of the DER element that begins here, with its header (X.690 8.1); undefined when it has no header. */
function derLength(bytes: Uint8Array): number | undefined {
  const first = bytes[1]
  if (bytes[0] !== 0x30 || first === undefined) return undefined
  if (first < 0x80) return 2 + first
  const count = first & 0x7f
  if (count < 1 || count > 4 || bytes.length < 2 + count) return undefined
  return bytes.subarray(2, 2 + count).reduce((length, byte) => length * 256 + byte, 0) + 2 + count
}

function publicKeyOf(certificate: X509Certificate): Pick<Member, 'algorithm' | 'bits'> {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
    const bits = asymmetricKeyDetails?.modulusLength ?? CURVE_BITS[asymmetricKeyDetails?.namedCurve ?? '']
    return { algorithm: asymmetricKeyType ?? 'unknown', ...(bits ? { bits } : {}) }
  } catch {
    return { algorithm: 'unknown' } // a kind of key that the runtime does not know: its strength is not judged
  }
}

function publicPartOf(certificate: X509Certificate): Pick<Member, 'publicKey'> {
  try {
    return { publicKey: new Uint8Array(certificate.publicKey.export({ type: 'spki', format: 'der' })) }
  } catch {
    return {}
  }
}

const CURVE_BITS: Record<string, number> = { secp224r1: 224, prime256v1: 256, secp384r1: 384, secp521r1: 521 }

/** Nobody checks the signature of a certificate that signed itself. */
function brokenSignatureOf(certificate: X509Certificate): Pick<Member, 'brokenSignature'> {
  const algorithm = certificate.signatureAlgorithm
  if (!algorithm || certificate.subject === certificate.issuer) return {}
  return /md[245]|sha-?1(?!\d)/i.test(algorithm) ? { brokenSignature: algorithm } : {}
}
