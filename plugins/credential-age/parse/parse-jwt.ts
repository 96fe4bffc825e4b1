import type { Member } from '../credential.ts'

const PATTERN = /^(eyJ[\w-]{10,})\.(eyJ[\w-]*)\.([\w-]*)$/
const MAX_LENGTH = 16_384
const LAST_DATE_MS = 8_640_000_000_000_000

type Times = Pick<Member, 'issuedAtMs' | 'validFromMs' | 'expiresAtMs' | 'algorithm' | 'faults'>

/** What a JSON Web Token (RFC 7519) says of itself; undefined for any other value. Nothing is verified. */
export function readJwt(value: string): Times | undefined {
  if (value.length > MAX_LENGTH) return undefined
  const [, header, payload, signature] = PATTERN.exec(value) ?? []
  if (header === undefined || payload === undefined) return undefined
  const algorithm = fieldOf(header, 'alg')
  if (algorithm === undefined) return undefined
  const unsigned = signature === '' || String(algorithm).toLowerCase() === 'none'
  return {
    algorithm: `jwt ${/^[\w+-]{1,20}$/.test(String(algorithm)) ? algorithm : 'unknown'}`,
    ...timeOf(payload, 'iat', 'issuedAtMs'),
    ...timeOf(payload, 'nbf', 'validFromMs'),
    ...timeOf(payload, 'exp', 'expiresAtMs'),
    faults: unsigned ? ['it is a JSON Web Token without a signature'] : [],
  }
}

function timeOf<K extends 'issuedAtMs' | 'validFromMs' | 'expiresAtMs'>(
  payload: string,
  claim: string,
  name: K,
): { [P in K]?: number } {
  const seconds = fieldOf(payload, claim)
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return {}
  const time: { [P in K]?: number } = {}
  time[name] = Math.min(seconds * 1000, LAST_DATE_MS)
  return time
}

function fieldOf(part: string, name: string): unknown {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, name) : undefined
  } catch {
    return undefined
  }
}
