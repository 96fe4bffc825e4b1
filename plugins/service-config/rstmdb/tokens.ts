import { createHash } from 'node:crypto'
import type { Finding } from '../../../agent/contract/mod.ts'
import { complain } from '../rules.ts'
import { deleteLine, type Place } from '../setting.ts'
import { KNOWN_TOKENS, SAMPLE_HASHES } from './keys.ts'

/** One accepted token, by what should be the hash of it. */
export interface Token {
  text: string
  place: Place
  /** Where it stands: "auth.token_hashes.0", "RSTMDB_AUTH_TOKEN_HASH", "tokens.3". */
  key: string
  inline: boolean
  remove: string
}

const HASH = /^[0-9a-f]{64}$/

/** One hash on a line; blank lines and those that begin with # do not count. */
export function parseTokenFile(path: string, text: string): Token[] {
  return text.split('\n').flatMap((written, index): Token[] => {
    const line = written.trim()
    if (line === '' || line.startsWith('#')) return []
    const place = { path, line: index + 1 }
    return [{ text: line, place, key: `line-${index + 1}`, inline: false, remove: deleteLine(place) }]
  })
}

/** Pure: what is wrong with the tokens that are accepted. */
export function judgeTokens(tokens: readonly Token[], clients: number | undefined): Finding[] {
  const findings = tokens.flatMap((token) => judgeToken(token))
  const distinct = new Set(tokens.map(({ text }) => text).filter((text) => HASH.test(text)))
  const [first] = tokens
  if (clients !== undefined && first && distinct.size < clients) {
    const summary = `${clients} services use rstmdb, and there ${distinct.size === 1 ? 'is one token' : `are ${distinct.size} tokens`}`
    const remedy =
      'Give each service a token of its own: openssl rand -hex 32 | tee TOKEN | tr -d "\\n" | sha256sum'
    findings.push(
      complain('shared-token', { key: 'tokens', place: { path: first.place.path }, summary, remedy }),
    )
  }
  return findings
}

function judgeToken({ text, place, key, inline, remove }: Token): Finding[] {
  const known = knownToken(text)
  if (known) {
    const summary = `rstmdb takes ${known}: everybody can look it up`
    return [complain('known-token', { key, place, summary, remedy: remove })]
  }
  const findings: Finding[] = []
  if (!HASH.test(text)) {
    // Hex of the right length in another case is a hash that never matches; anything else may be the token itself.
    const isHash = /^[0-9a-fA-F]{64}$/.test(text)
    findings.push(
      isHash
        ? complain('malformed-token', {
            key,
            place,
            summary:
              'The hash of a token has capital letters: rstmdb compares it letter by letter, and no token matches',
            remedy: `sed -i '${place.line ?? ''}s/[0-9A-F]\\{64\\}/\\L&/I' ${place.path}`,
          })
        : complain('plaintext-token', {
            key,
            place,
            summary: `Here should be the hash of a token, 64 hex digits, and there are ${text.length} characters that are none`,
            remedy: `${remove}\nIf it was a token, it has been read: make a new one and put in its hash`,
          }),
    )
  }
  if (inline) {
    const summary = 'The hash of a token stands here, and not in a file of its own that can be exchanged'
    findings.push(
      complain('inline-token', { key, place, summary, remedy: 'Move it to the file of auth.secrets_file' }),
    )
  }
  return findings
}

let known: Map<string, string> | undefined

function knownToken(text: string): string | undefined {
  known ??= new Map([
    ...KNOWN_TOKENS.map((token): [string, string] => [
      createHash('sha256').update(token).digest('hex'),
      token === '' ? 'the empty token' : `the token "${token}"`,
    ]),
    ...SAMPLE_HASHES.map((hash): [string, string] => [hash, 'a sample of the documents']),
  ])
  return known.get(text.toLowerCase())
}
