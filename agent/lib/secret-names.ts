/**
 * Which names stand for secrets. The first five are those that rostr refuses in its configuration; names are
 * folded as ofelia folds its own (case, "-" and "_" do not count), so that `smtp-password`, `SMTPPassword`
 * and `smtp_password` are one name.
 */
const SECRET_ENDINGS = [
  'dbpass',
  'password',
  'token',
  'secret',
  'apikey',
  'passwd',
  'passphrase',
  'privatekey',
  'secretkey',
  'secretkeybase',
  'accesskey',
  'signingkey',
  'encryptionkey',
  'masterkey',
]

/** Secret as the last of several words only: PWD is a directory, and a bypass is no pass. */
const SECRET_LAST_WORDS = ['pass', 'pwd']

/** Words that may follow without changing what the name stands for: DB_PASSWORD_OLD, API_KEY_2. */
const QUALIFIERS = new Set(['old', 'new', 'current', 'previous', 'next', 'primary', 'secondary', 'value'])

/** A number, not a secret: MAX_TOKENS, min-passwords. */
const COUNTS = new Set(['max', 'min', 'num', 'count'])

/** Where a secret is to be found: env:NAME, file:/path or credential:NAME. */
export const SECRET_REFERENCE = /^(env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+|credential:[A-Za-z0-9_.-]+)$/

/** A name without case, "-", "_", "." and spaces: two names that fold to the same text are one. */
export function foldName(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, '')
}

/** Whether a key or variable of this name holds a secret, if it holds anything. */
export function isSecretName(name: string): boolean {
  const words = name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? []
  if (COUNTS.has((words[0] ?? '').toLowerCase())) return false
  while (words.length > 1 && isQualifier(words.at(-1) ?? '')) words.pop()
  const folded = foldName(words.join(''))
  if (SECRET_ENDINGS.some((ending) => folded.endsWith(ending) || folded.endsWith(`${ending}s`))) return true
  return words.length > 1 && SECRET_LAST_WORDS.includes((words.at(-1) ?? '').toLowerCase())
}

function isQualifier(word: string): boolean {
  return /^\d+$/.test(word) || QUALIFIERS.has(word.toLowerCase())
}

/**
 * Passwords in the URLs of a text, as written: "https://user:pass@host" gives ["pass"]. What only refers to
 * a secret (`${NAME}`) is left out.
 */
export function urlPasswords(text: string): string[] {
  const found: string[] = []
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', at + 3)) {
    const rest = text.slice(at + 3, at + 3 + 4096)
    const end = rest.search(/[/?#\s"'<>]/)
    const authority = end < 0 ? rest : rest.slice(0, end)
    const userinfo = authority.slice(0, Math.max(0, authority.lastIndexOf('@')))
    const colon = userinfo.indexOf(':')
    const password = colon < 0 ? '' : userinfo.slice(colon + 1)
    if (password !== '' && !isVariableReference(password)) found.push(password)
  }
  return found
}

/** Whether a text is nothing but a reference to a variable: "${NAME}". */
export function isVariableReference(text: string): boolean {
  return /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(text)
}
