import { createHash } from 'node:crypto'

/** Values of manuals, templates and default installations. Compared without case. */
const SAMPLES = [
  '',
  'admin',
  'changeit',
  'default',
  'demo',
  'foobar',
  'guest',
  'hunter2',
  'insecure',
  'letmein',
  'my-secret-token',
  'mypassword',
  'none',
  'null',
  'pass',
  'passw0rd',
  'password',
  'password1',
  'password123',
  'qwerty',
  'root',
  's3cr3t',
  'secret',
  'supersecret',
  'test',
  'test123',
  'testing',
  'todo',
  'token',
  'undefined',
  '12345678',
  '123456789',
  '1234567890',
]

const SAMPLE_PATTERNS = [
  /^your[-_ ]/,
  /change[-_ ]?(me|it|this|now)/,
  /replace[-_ ]?(me|this|with)/,
  /^(an? )?(example|placeholder|dummy|sample|fake)\b/,
  /(example|placeholder|dummy)[-_ ]?(key|token|secret|password|value)?$/,
  /^(insert|enter|put|set|add)[-_ ].*(here|password|token|secret|key)/,
  /[-_ ]here$/,
  /^<[\w .-]+>$/,
  /^\{\{[\w .-]+\}\}$/,
  /^%\w+%$/,
  /^(.)\1*$/s,
  /^\.\.\./,
  /^(abc|xyz)[-_]?123/,
]

/** Printed in a manual as a sample of a token's hash, where people copy it from. */
const PUBLISHED_HASHES = ['a5f3c6c86f1a6d3b8c4e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1']

const PUBLISHED_EXAMPLES = ['changeme', 'change-me', 'change_me', 'your-secure-password', 'your-secure-token']

let knownHashes: Set<string> | undefined

/** Whether a value is one that everybody knows, in plain or as its SHA-256. */
export function isPlaceholder(value: string): boolean {
  const folded = value.trim().toLowerCase()
  if (SAMPLES.includes(folded) || SAMPLE_PATTERNS.some((pattern) => pattern.test(folded))) return true
  knownHashes ??= new Set([
    ...PUBLISHED_HASHES,
    ...[...SAMPLES, ...PUBLISHED_EXAMPLES].map((sample) => createHash('sha256').update(sample).digest('hex')),
  ])
  return knownHashes.has(folded)
}

/** A digest of a token, whose strength cannot be told: SHA-256 in hex, or the form of crypt(5). */
export function isHash(value: string): boolean {
  return /^[0-9a-f]{64}$/i.test(value) || /^\$[a-z0-9-]{1,16}\$/i.test(value)
}

/** Fewer distinct characters than this are no random text: 32 hex digits have some 14. */
const FEWEST_CHARACTERS = 8

/** What makes a value easy to guess, in words that do not help to guess it. */
export function valueWeaknesses(value: string, minLength: number): string[] {
  if (isHash(value)) return []
  const weaknesses: string[] = []
  const characters = [...value]
  if (characters.length < minLength) weaknesses.push(`it is shorter than ${minLength} characters`)
  if (new Set(characters).size < FEWEST_CHARACTERS) weaknesses.push('it is made of few different characters')
  return weaknesses
}
