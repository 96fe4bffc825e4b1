import type { Key, Subkey } from 'openpgp'
import { type Member, type Parsed, Unreadable } from '../credential.ts'
import { printable } from '../text.ts'

/** What one key file may ask of the verifier; a key with more self-signatures is flooded on purpose. */
const MAX_SELF_SIGNATURES = 500
const MAX_KEYS = 200
const MAX_PARAMETER_BYTES = 2048
const MAX_EXPONENT_BYTES = 8

/** Parts of a key that do the same work replace each other: encrypt, sign, authenticate (RFC 9580 5.2.3.29). */
const USES = 0x02 | 0x0c | 0x20

/**
 * OpenPGP keys, public or secret, armored (one or several blocks) or binary. The primary key and each subkey
 * is a member with its key id; expiry and revocation count only when their self-signature is valid.
 */
export async function parseOpenPgpKeys(bytes: Uint8Array, now: Date): Promise<Parsed> {
  if (bytes.length === 0) throw new Unreadable('it is empty')
  if (Buffer.from(bytes.subarray(8, 12)).toString('latin1') === 'KBXf') {
    throw new Unreadable('it is a keybox of GnuPG; export its keys: gpg --export --armor KEY > FILE')
  }
  const { blocks, problems } = armorBlocks(bytes)
  const members: Member[] = []
  for (const block of blocks) {
    const keys = await readKeys(block)
    if (keys === undefined) problems.push('it cannot be read as OpenPGP keys (truncated?)')
    for (const key of keys ?? []) await addKey(key, now, members, problems)
  }
  if (members.length === 0 && problems.length === 0) throw new Unreadable('there is no OpenPGP key in it')
  return { members, problems: problems.slice(0, 20) }
}

/** Each armored block by itself, since the library reads the first of several only; or the binary file. */
function armorBlocks(bytes: Uint8Array): { blocks: (string | Uint8Array)[]; problems: string[] } {
  const text = Buffer.from(bytes).toString('latin1')
  if (!text.includes('-----BEGIN PGP ')) return { blocks: [bytes], problems: [] }
  const blocks: string[] = []
  const problems: string[] = []
  for (let at = text.indexOf('-----BEGIN PGP '); at >= 0; ) {
    const next = text.indexOf('-----BEGIN PGP ', at + 1)
    const block = text.slice(at, next < 0 ? text.length : next)
    const [, label] = /^-----BEGIN PGP (PUBLIC|PRIVATE) KEY BLOCK-----\r?\n/.exec(block) ?? []
    if (label === undefined) problems.push('it holds something else than keys')
    else if (!block.includes(`\n-----END PGP ${label} KEY BLOCK-----`)) problems.push('a key is truncated')
    else blocks.push(block)
    if (blocks.length > MAX_KEYS) throw new Unreadable(`it holds more than ${MAX_KEYS} keys`)
    at = next
  }
  return { blocks, problems }
}

async function openPgp() {
  const openpgp = await import('openpgp') // heavy: only when there is a key to look at
  // Weak keys are to be seen and judged, not refused.
  const config = {
    ...openpgp.config,
    minRSABits: 0,
    rejectHashAlgorithms: new Set<never>(),
    rejectPublicKeyAlgorithms: new Set<never>(),
    rejectCurves: new Set<never>(),
  }
  return { openpgp, config }
}

async function readKeys(block: string | Uint8Array): Promise<Key[] | undefined> {
  const { openpgp, config } = await openPgp()
  try {
    return typeof block === 'string'
      ? await openpgp.readKeys({ armoredKeys: block, config })
      : await openpgp.readKeys({ binaryKeys: block, config })
  } catch {
    return undefined // never its message: it may quote what it could not read
  }
}

async function addKey(key: Key, now: Date, members: Member[], problems: string[]): Promise<void> {
  const keyId = key.getKeyID().toHex().toUpperCase()
  if (members.length >= MAX_KEYS) throw new Unreadable(`it holds more than ${MAX_KEYS} keys and subkeys`)
  if (isHostile(key)) {
    problems.push(`key ${keyId} is too large to be examined`)
    return
  }
  const { config } = await openPgp()
  const revoked = await key.isRevoked(undefined, undefined, now, config)
  const expiry = await key.getExpirationTime(undefined, config)
  if (expiry === null && !revoked) problems.push(`key ${keyId} has no valid self-signature`)
  members.push({
    ...describePart(key),
    label: printable(key.getUserIDs()[0] ?? ''),
    confidential: key.isPrivate(),
    expiresAtMs: toMs(expiry),
    revoked,
  })
  const parts: { member: Member; uses: number }[] = []
  for (const subkey of key.subkeys) {
    const id = subkey.getKeyID().toHex().toUpperCase()
    const [binding] = subkey.bindingSignatures.toSorted((a, b) => Number(b.created) - Number(a.created))
    const until = await subkey.getExpirationTime(now, config)
    if (!binding || until === null) {
      problems.push(`subkey ${id} has no valid binding signature`)
      continue
    }
    parts.push({
      uses: (binding.keyFlags?.[0] ?? 0) & USES,
      member: {
        ...describePart(subkey),
        label: `subkey of ${keyId}`,
        confidential: key.isPrivate(),
        expiresAtMs: toMs(until),
        revoked: await subkey.isRevoked(binding, key.keyPacket, now, config),
      },
    })
  }
  for (const { member, uses } of parts) {
    const superseded = parts.some(
      (other) => other.member !== member && other.uses === uses && outlives(other.member, member),
    )
    members.push({ ...member, superseded: superseded || revoked })
  }
}

function describePart(part: Key | Subkey): Member {
  const { algorithm, bits, curve } = part.getAlgorithmInfo()
  return {
    id: part.getKeyID().toHex().toUpperCase(),
    identity: Buffer.from(part.getFingerprint(), 'hex'),
    confidential: false,
    publicFingerprint: part.getFingerprint().toUpperCase(),
    algorithm: algorithm.replace(/(Sign|Encrypt).*$/, '').toLowerCase() + (curve ? ` ${curve}` : ''),
    bits,
    issuedAtMs: part.getCreationTime().getTime(),
  }
}

/** Whether a part of a key is in force for longer than another, so that the other need not be renewed. */
function outlives(a: Member, b: Member): boolean {
  if (a.revoked !== b.revoked) return b.revoked === true
  const [untilA, untilB] = [
    a.expiresAtMs ?? Number.POSITIVE_INFINITY,
    b.expiresAtMs ?? Number.POSITIVE_INFINITY,
  ]
  return untilA > untilB || (untilA === untilB && (a.issuedAtMs ?? 0) > (b.issuedAtMs ?? 0))
}

function toMs(time: Date | typeof Number.POSITIVE_INFINITY | null): number | undefined {
  return time instanceof Date ? time.getTime() : undefined
}

/** Numbers so large that the arithmetic alone would take minutes, or signatures without end. */
function isHostile(key: Key): boolean {
  const signatures = [key, ...key.users, ...key.subkeys].map(
    (part) =>
      part.revocationSignatures.length +
      ('selfCertifications' in part ? part.selfCertifications.length : 0) +
      ('bindingSignatures' in part ? part.bindingSignatures.length : 0),
  )
  if (signatures.reduce((sum, count) => sum + count, 0) > MAX_SELF_SIGNATURES) return true
  return [key, ...key.subkeys].some(({ keyPacket }) =>
    Object.entries(parametersOf(keyPacket)).some(
      ([name, value]) =>
        value instanceof Uint8Array &&
        value.length > (name === 'e' ? MAX_EXPONENT_BYTES : MAX_PARAMETER_BYTES),
    ),
  )
}

function parametersOf(packet: object): object {
  const parameters = 'publicParams' in packet ? packet.publicParams : undefined
  return typeof parameters === 'object' && parameters !== null ? parameters : {}
}
