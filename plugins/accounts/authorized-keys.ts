import { createHash } from 'node:crypto'
import { type Blind, describeError, type Fact, type Finding, shellWord } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import type { Config } from './config.ts'

const MAX_BYTES = 4 * 1024 * 1024
const RULES = ['authorized-key-revoked', 'authorized-key-unknown']

export interface AuthorizedKey {
  /** "SHA256:…", as `ssh-keygen -l` prints it. */
  fingerprint: string
  type: string
  comment: string
  /** It is an authority: whoever has a certificate of it comes in. */
  isAuthority: boolean
  line: number
}

/** Who comes in over SSH, against the keys that may and those that may not any more. */
export const authorizedKeys: Area = {
  subject: 'authorized keys',
  rules: RULES,
  check({ host, config, accounts }) {
    const blind: Blind[] = []
    const facts: Fact[] = []
    const findings: Finding[] = []
    const dark = (subject: string, reason: string) => blind.push({ subject, reason, rules: RULES })
    const files = config.authorizedKeys.flatMap((pattern) => host.glob(pattern, dark))
    for (const { path, type } of files) {
      if (type === 'directory') continue
      try {
        const { keys, malformed } = parseAuthorizedKeys(
          host.readText(path, { maxBytes: MAX_BYTES, follow: true }),
        )
        for (const line of malformed) dark(`${path}:${line}`, 'it is no key that can be read')
        const user = accounts.find(({ home }) => path.startsWith(`${home}/`) && home !== '/')?.name
        findings.push(...keys.flatMap((key) => judgeKey(path, user, key, config)))
        for (const { fingerprint, type: kind, comment, line } of keys) {
          facts.push({
            kind: 'authorized-key',
            subject: `${path} ${fingerprint}`,
            data: { user: user ?? null, type: kind, comment, line },
          })
        }
      } catch (error) {
        dark(path, describeError(error))
      }
    }
    if (config.allowedKeys === undefined && config.revokedKeys.length === 0) {
      return { ...notHere(RULES, 'neither allowed nor revoked keys are listed'), facts }
    }
    return {
      findings,
      blind,
      facts,
      inapplicable: [
        ...(config.allowedKeys
          ? []
          : [{ rule: 'authorized-key-unknown', reason: 'no list of allowed keys is given' }]),
        ...(config.revokedKeys.length > 0
          ? []
          : [{ rule: 'authorized-key-revoked', reason: 'no revoked key is listed' }]),
      ],
      examined: files.length,
    }
  },
}

const TYPE =
  /^(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)(-cert-v01@openssh\.com)?$/

/** Pure: authorized_keys(5), with the lines that are none. */
export function parseAuthorizedKeys(text: string): { keys: AuthorizedKey[]; malformed: number[] } {
  const keys: AuthorizedKey[] = []
  const malformed: number[] = []
  for (const [index, content] of text.split('\n').entries()) {
    const trimmed = content.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const words = splitWords(trimmed)
    // Options may stand before the type; they are one word.
    const at = TYPE.test(words[0] ?? '') ? 0 : 1
    const [type = '', data = '', ...comment] = words.slice(at)
    const blob = Buffer.from(data, 'base64')
    if (!TYPE.test(type) || blob.length < 16 || !isBlobOf(blob, type)) {
      malformed.push(index + 1)
      continue
    }
    keys.push({
      type,
      fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
      comment: comment
        .join(' ')
        .replaceAll(/[^\x20-\x7e]/g, '?')
        .slice(0, 200),
      isAuthority: at === 1 && /(^|,)cert-authority(,|$)/i.test(words[0] ?? ''),
      line: index + 1,
    })
  }
  return { keys, malformed }
}

/** Words between blanks; a blank between double quotes is none. In one pass: the line is somebody else's. */
function splitWords(line: string): string[] {
  const words: string[] = []
  let word = ''
  let isQuoted = false
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? ''
    if (character === '\\' && isQuoted) word += character + (line[++at] ?? '')
    else if (!isQuoted && (character === ' ' || character === '\t')) {
      if (word !== '') words.push(word)
      word = ''
    } else {
      if (character === '"') isQuoted = !isQuoted
      word += character
    }
  }
  return word === '' ? words : [...words, word]
}

/** The data of a key begins with its type (RFC 4253, 6.6). */
function isBlobOf(blob: Buffer, type: string): boolean {
  const length = blob.readUInt32BE(0)
  return length === type.length && blob.subarray(4, 4 + length).toString('latin1') === type
}

/** Pure: whether a key may let somebody in. */
export function judgeKey(
  path: string,
  user: string | undefined,
  { fingerprint, comment, line, type, isAuthority }: AuthorizedKey,
  { allowedKeys, revokedKeys }: Pick<Config, 'allowedKeys' | 'revokedKeys'>,
): Finding[] {
  const whom = user ?? 'a user'
  const report = (rule: string, severity: Finding['severity'], summary: string): Finding => ({
    rule,
    subject: `${path} ${fingerprint}`,
    severity,
    summary: `${summary} (${path}:${line}${comment ? `, "${comment}"` : ''})`,
    remedy: `sed -i '${line}d' ${shellWord(path)}\nWho came in by it stays until then: loginctl terminate-user ${whom}`,
    evidence: { path, line, fingerprint, type, user: user ?? null, authority: isAuthority },
    references: ['NIST-CSF-PR.AC-1', 'CIS-5.1'],
  })
  if (revokedKeys.includes(fingerprint)) {
    return [report('authorized-key-revoked', 'critical', `A revoked key still lets in as ${whom}`)]
  }
  if (!allowedKeys) return []
  const isAllowed = allowedKeys.some((one) =>
    typeof one === 'string'
      ? one === fingerprint
      : one.key === fingerprint && user !== undefined && one.users.includes(user),
  )
  if (isAllowed) return []
  const elsewhere = allowedKeys.find((one) => typeof one !== 'string' && one.key === fingerprint)
  const what = isAuthority ? 'An authority whose certificates let' : 'A key lets'
  const summary = elsewhere
    ? `${what} in as ${whom} that is allowed for other users only`
    : `${what} in as ${whom} that is not in the list`
  return [report('authorized-key-unknown', 'warning', summary)]
}
