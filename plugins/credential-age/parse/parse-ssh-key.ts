import { createPrivateKey, createPublicKey } from 'node:crypto'
import { type Member, type Parsed, Unreadable } from '../credential.ts'
import { decodeLines, printable } from '../text.ts'
import { type PemBlock, parsePem } from './parse-pem.ts'
import { isSshKeyType, parsePublicBlob, type SshPublicKey, WireReader, wireString } from './ssh-wire.ts'

/**
 * A private key, a public key or, where `isList`, any number of public keys (authorized_keys): there each
 * has its fingerprint as id, and none at all is fine.
 */
export function parseSshKeys(bytes: Uint8Array, isList: boolean): Parsed {
  const lines = decodeLines(bytes)
  if (lines.some((line) => line.startsWith('-----BEGIN '))) return parsePrivateKeys(lines)
  const { members, problems } = parsePublicKeys(lines)
  if (isList) return { members, problems }
  if (members.length === 0 && problems.length === 0) {
    return { members: [{ value: '', confidential: false }], problems }
  }
  return {
    members: members.map((member, index) => (index === 0 ? { ...member, id: undefined } : member)),
    problems,
  }
}

function parsePrivateKeys(lines: string[]): Parsed {
  const { blocks, problems } = parsePem(lines)
  const members: Member[] = []
  for (const block of blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'))) {
    try {
      members.push({ ...parsePrivateKey(block), ...(members.length > 0 ? { id: `line ${block.line}` } : {}) })
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      problems.push(`line ${block.line}: ${error.message}`)
    }
  }
  if (members.length === 0 && problems.length === 0) throw new Unreadable('there is no SSH key in it')
  return { members, problems }
}

function parsePrivateKey(block: PemBlock): Member {
  if (block.label === 'OPENSSH PRIVATE KEY') return parseOpenSshPrivateKey(block.bytes)
  if (block.encryptedHeader || block.label === 'ENCRYPTED PRIVATE KEY') {
    throw new Unreadable(
      'the key is encrypted in a format that hides what it is; rewrite it in the format of OpenSSH: ssh-keygen -p -f FILE',
    )
  }
  if (block.label === 'DSA PRIVATE KEY') {
    return { identity: block.bytes, confidential: true, encrypted: false, algorithm: 'dsa' }
  }
  return { ...describeKey(publicBlobOf(block)), confidential: true, encrypted: false }
}

const OPENSSH_MAGIC = 'openssh-key-v1\0'

/** The format of OpenSSH keeps the public part in clear, also when the key is encrypted (PROTOCOL.key). */
function parseOpenSshPrivateKey(bytes: Uint8Array): Member {
  if (Buffer.from(bytes.subarray(0, OPENSSH_MAGIC.length)).toString('latin1') !== OPENSSH_MAGIC) {
    throw new Unreadable('it is no private key of OpenSSH')
  }
  const reader = new WireReader(bytes.subarray(OPENSSH_MAGIC.length))
  const cipher = reader.text()
  reader.string() // key derivation
  reader.string() // and its options
  if (reader.uint32() !== 1) throw new Unreadable('it has not just one key in it')
  const member = describeKey(parsePublicBlob(reader.string()))
  reader.string() // the private part: it must be there whole
  return { ...member, confidential: true, encrypted: cipher !== 'none' }
}

/** The wire form of a key in one of OpenSSL's formats, so that a change of format is no change of key. */
function publicBlobOf(block: PemBlock): SshPublicKey {
  const jwk = exportJwk(block)
  const field = (name: 'n' | 'e' | 'x' | 'y') => Buffer.from(jwk[name] ?? '', 'base64url')
  if (jwk.kty === 'RSA') return toBlob('ssh-rsa', positive(field('e')), positive(field('n')))
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return toBlob('ssh-ed25519', field('x'))
  const curve = SSH_CURVES[jwk.crv ?? '']
  if (jwk.kty !== 'EC' || !curve) throw new Unreadable('it is of a type that SSH does not know')
  const point = Buffer.concat([Buffer.of(4), field('x'), field('y')])
  return toBlob(`ecdsa-sha2-${curve}`, Buffer.from(curve), point)
}

const SSH_CURVES: Record<string, string> = { 'P-256': 'nistp256', 'P-384': 'nistp384', 'P-521': 'nistp521' }
const DER_TYPES: Record<string, 'pkcs1' | 'sec1'> = { 'RSA PRIVATE KEY': 'pkcs1', 'EC PRIVATE KEY': 'sec1' }

function exportJwk({ label, bytes }: PemBlock) {
  try {
    const type = DER_TYPES[label] ?? 'pkcs8'
    const key = createPrivateKey({ key: Buffer.from(bytes), format: 'der', type })
    return createPublicKey(key).export({ format: 'jwk' })
  } catch {
    // Never the cause: it may quote what it could not read.
    throw new Unreadable('it is no private key that can be read')
  }
}

function toBlob(type: string, ...fields: Buffer[]): SshPublicKey {
  return parsePublicBlob(Buffer.concat([wireString(type), ...fields.map(wireString)]))
}

/** A number whose first bit is set gets a zero byte in front, or it would be negative. */
function positive(number: Buffer): Buffer {
  return (number[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), number]) : number
}

function parsePublicKeys(lines: string[]): Parsed {
  const members: Member[] = []
  const problems: string[] = []
  for (const [index, written] of lines.entries()) {
    const text = written.trim()
    if (text === '' || text.startsWith('#')) continue
    try {
      members.push({ ...parsePublicKeyLine(text), line: index + 1 })
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      problems.push(`line ${index + 1}: ${error.message}`)
    }
  }
  return { members, problems: problems.slice(0, 20) }
}

function parsePublicKeyLine(text: string): Member {
  const { options, rest } = splitOptions(text)
  const [type = '', base64 = '', ...comment] = rest.split(/[ \t]+/)
  if (!isSshKeyType(type)) throw new Unreadable('wanted an SSH public key')
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new Unreadable('the key is no base64 (truncated?)')
  }
  const key = parsePublicBlob(Buffer.from(base64, 'base64'))
  if (key.type !== type) throw new Unreadable('the key is not of the type that it says')
  const member = describeKey(key)
  const expiry = parseExpiryOption(options)
  return {
    ...member,
    id: key.fingerprint,
    label: printable(comment.join(' ')) || member.label,
    ...(expiry === undefined ? {} : { expiresAtMs: Math.min(expiry, member.expiresAtMs ?? expiry) }),
  }
}

function describeKey(key: SshPublicKey): Member {
  return {
    identity: key.blob,
    confidential: false,
    algorithm: key.algorithm,
    bits: key.bits,
    publicFingerprint: key.fingerprint,
    label: key.certificate ? printable(`certificate ${key.certificate.keyId}`) : undefined,
    validFromMs: key.certificate?.validFromMs,
    expiresAtMs: key.certificate?.validToMs,
  }
}

/** `from="…",no-pty ssh-ed25519 …`: what stands before the type, quotes respected (sshd(8)). */
function splitOptions(text: string): { options: string; rest: string } {
  if (isSshKeyType(/^\S+/.exec(text)?.[0] ?? '')) return { options: '', rest: text }
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\' && text[at + 1] === '"') at++
    else if (text[at] === '"') quoted = !quoted
    else if (!quoted && /\s/.test(text.charAt(at))) {
      return { options: text.slice(0, at), rest: text.slice(at).trim() }
    }
  }
  return { options: text, rest: '' }
}

/** `expiry-time="20270331"`, also with hours, minutes and seconds, and Z for UTC (sshd(8)). */
function parseExpiryOption(options: string): number | undefined {
  const written = /(?:^|,)expiry-time="([^"]*)"/i.exec(options)?.[1]
  if (written === undefined) return undefined
  const parts = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?(Z?)$/i.exec(written)
  if (!parts) throw new Unreadable('its option expiry-time is no time')
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0))
  const atMs = parts[7]
    ? Date.UTC(year, month - 1, day, hour, minute, second)
    : new Date(year, month - 1, day, hour, minute, second).getTime()
  return atMs
}
