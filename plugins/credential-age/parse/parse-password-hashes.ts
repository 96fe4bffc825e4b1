import type { Member, Parsed } from '../credential.ts'
import { decodeLines, isPlainName } from '../text.ts'

const DAY_MS = 86_400_000
/** What passwd(1) writes for "never". */
const NEVER_DAYS = 99_999

/** Lines user:hash, as htpasswd writes them. */
export function parsePasswordFile(bytes: Uint8Array, minBcryptCost: number): Parsed {
  const members: Member[] = []
  const problems: string[] = []
  for (const [index, line] of decodeLines(bytes).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, user, hash] = /^([^:]{1,255}):([^:]*)/.exec(line) ?? []
    if (user === undefined || hash === undefined) {
      problems.push(`line ${index + 1}: wanted user:hash`)
      continue
    }
    members.push({
      id: nameOf(user, index),
      ...hashed(hash.trim(), minBcryptCost),
      confidential: true,
      line: index + 1,
    })
  }
  return { members, problems: problems.slice(0, 20) }
}

/**
 * Accounts of shadow(5) that can sign in with a password, and those that need none. The day of the last change is
 * the password's; the end of its validity comes from its own maximum age and from the account's.
 */
export function parseShadow(bytes: Uint8Array, minBcryptCost: number): Parsed {
  const members: Member[] = []
  const problems: string[] = []
  const skipped: string[] = []
  for (const [index, line] of decodeLines(bytes).entries()) {
    if (line.trim() === '') continue
    const [user = '', hash, changed = '', , max = '', , , accountEnd = ''] = line.split(':')
    if (user === '' || hash === undefined) {
      problems.push(`line ${index + 1}: wanted the fields of shadow(5)`)
    } else if (hash.startsWith('!') || hash.startsWith('*')) {
      skipped.push(nameOf(user, index)) // locked: nobody signs in with it
    } else {
      const changedDay = dayOf(changed)
      const maxDays = dayOf(max)
      const ends = [
        changedDay && maxDays && maxDays < NEVER_DAYS ? changedDay + maxDays : undefined,
        dayOf(accountEnd),
      ].flatMap((day) => (day === undefined ? [] : [day * DAY_MS]))
      members.push({
        id: nameOf(user, index),
        ...(hash === '' ? { value: '', openToAll: true } : hashed(hash, minBcryptCost)),
        confidential: true,
        line: index + 1,
        ...(changedDay ? { issuedAtMs: changedDay * DAY_MS } : {}),
        ...(ends.length > 0 ? { expiresAtMs: Math.min(...ends) } : {}),
      })
    }
  }
  return { members, problems: problems.slice(0, 20), skipped }
}

function nameOf(user: string, index: number): string {
  return isPlainName(user, 4) ? user : `line ${index + 1}`
}

function dayOf(field: string): number | undefined {
  return /^\d{1,6}$/.test(field) ? Number(field) : undefined
}

function hashed(
  hash: string,
  minBcryptCost: number,
): Pick<Member, 'identity' | 'value' | 'algorithm' | 'faults'> {
  const { scheme, fault } = judgeHash(hash, minBcryptCost)
  if (scheme === 'plain') return { value: hash, algorithm: scheme, faults: fault ? [fault] : [] }
  return { identity: Buffer.from(hash), algorithm: scheme, faults: fault ? [fault] : [] }
}

/** How a password is hashed (crypt(5), and Apache's own forms), and what is wrong with that. */
export function judgeHash(hash: string, minBcryptCost: number): { scheme: string; fault?: string } {
  const bcrypt = /^\$2[abxy]\$(\d\d)\$/.exec(hash)?.[1]
  if (bcrypt !== undefined) {
    const cost = Number(bcrypt)
    if (hash.length !== 60) return { scheme: 'bcrypt', fault: 'its bcrypt hash is not whole' }
    return cost < minBcryptCost
      ? { scheme: 'bcrypt', fault: `bcrypt of cost ${cost}, wanted ${minBcryptCost}` }
      : { scheme: 'bcrypt' }
  }
  const rounds = /^\$[56]\$rounds=(\d{1,9})\$/.exec(hash)?.[1]
  for (const [pattern, scheme, fault] of SCHEMES) {
    if (!pattern.test(hash)) continue
    if (rounds !== undefined && Number(rounds) < 5000) {
      return { scheme, fault: `${scheme} of ${rounds} rounds, wanted 5000` }
    }
    return fault ? { scheme, fault } : { scheme }
  }
  return { scheme: 'plain', fault: 'it is stored in plain, or in a form that is not known' }
}

const SCHEMES: [RegExp, string, string?][] = [
  [/^\$(y|gy)\$/, 'yescrypt'],
  [/^\$7\$/, 'scrypt'],
  [/^\$argon2(id|i|d)\$/, 'argon2'],
  [/^\$6\$/, 'sha512crypt'],
  [/^\$5\$/, 'sha256crypt'],
  [/^\$(apr1|1)\$/, 'md5crypt', 'it is hashed with MD5'],
  [/^\{SHA\}/, 'sha1', 'it is hashed with SHA-1 and without salt'],
  [/^[./0-9A-Za-z]{13}$/, 'descrypt', 'it is hashed with DES, of which eight characters count'],
]
