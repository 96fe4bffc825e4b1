/** Kinds of cipher suites that nobody should offer, with what brings them into a list of OpenSSL (ciphers(1)). */
const WEAK: { kind: string; keywords: string[]; suite: RegExp }[] = [
  {
    kind: 'without authentication (aNULL)',
    keywords: [
      ...['aNULL', 'ADH', 'AECDH', 'ALL', 'COMPLEMENTOFDEFAULT', 'HIGH', 'MEDIUM', 'LOW'],
      ...['AES', 'AES128', 'AES256', 'AESGCM', 'CAMELLIA', 'kEECDH', 'kECDHE', 'kEDH', 'kDHE', 'SHA', 'SHA1'],
    ],
    suite: /^A(?:EC)?DH-/,
  },
  {
    kind: 'without encryption (eNULL)',
    keywords: ['eNULL', 'NULL', 'COMPLEMENTOFALL', 'kEECDH', 'kECDHE', 'SHA', 'SHA1'],
    suite: /NULL/,
  },
  {
    kind: 'of export strength',
    keywords: ['EXPORT', 'EXP', 'EXPORT40', 'EXPORT56'],
    suite: /^EXP(?:1024)?-/,
  },
  { kind: 'with single DES', keywords: ['LOW', 'DES'], suite: /DES-CBC-/ },
  { kind: 'with triple DES', keywords: ['3DES', 'MEDIUM', 'ALL'], suite: /DES-CBC3|3DES/ },
  { kind: 'with RC4', keywords: ['RC4', 'MEDIUM', 'ALL', 'COMPLEMENTOFDEFAULT'], suite: /RC4/ },
  { kind: 'with MD5', keywords: ['MD5'], suite: /MD5$/ },
  { kind: 'with IDEA or SEED', keywords: ['IDEA', 'SEED'], suite: /IDEA|SEED/ },
]

/** What excludes a kind for good. */
const EXCLUDES: Record<string, string[]> = {
  'without authentication (aNULL)': ['aNULL'],
  'without encryption (eNULL)': ['eNULL', 'NULL'],
  'of export strength': ['EXPORT', 'EXP'],
  'with single DES': ['DES', 'LOW'],
  'with triple DES': ['3DES', 'MEDIUM'],
  'with RC4': ['RC4', 'MEDIUM'],
  'with MD5': ['MD5'],
  'with IDEA or SEED': ['IDEA', 'SEED'],
}

/**
 * The weak kinds that a cipher list of OpenSSL (for TLS 1.2 and below) offers. HIGH has suites without authentication;
 * they have to be excluded by name. Pure; it asks what the list says, not what this host's OpenSSL still has.
 */
export function weakKinds(list: string): string[] {
  const words = list.split(/[:, ]+/).filter((word) => word !== '' && !word.startsWith('@'))
  const excluded = new Set(words.filter((word) => word.startsWith('!')).map((word) => word.slice(1)))
  const added = words.filter((word) => !/^[!+-]/.test(word))
  const removed = new Set(words.filter((word) => word.startsWith('-')).map((word) => word.slice(1)))
  return WEAK.filter(({ kind, keywords, suite }) => {
    const exclusions = EXCLUDES[kind] ?? []
    if (exclusions.some((word) => excluded.has(word) || removed.has(word))) return false
    return added.some((word) => {
      // "ECDHE+AESGCM" is what both have; authenticated key exchange has no aNULL.
      const parts = word.split('+')
      if (parts.length === 1) return keywords.includes(word) || suite.test(word)
      return parts.every((part) => keywords.includes(part)) || parts.some((part) => exclusions.includes(part))
    })
  }).map(({ kind }) => kind)
}
