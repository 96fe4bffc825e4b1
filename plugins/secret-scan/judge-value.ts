/** Words that stand after a name such as `password` without being one. */
const WORDS = new Set(
  (
    'true false yes no on off none null nil undefined void empty required optional requisite sufficient include ' +
    'default disabled disable enabled enable prompt ask always never auto any all unset unknown string boolean ' +
    'object number files plain basic bearer invalid expired missing'
  ).split(' '),
)

/** A text that only says where the secret is, or what it is made of. */
const REFERENCES: RegExp[] = [
  // ${NAME}, ${NAME?message}; with a default it is one only where that is empty.
  /^\$\{[^}:=-]*(?:[:?+][^}=-]*)?(?::?[-=])?\}$/,
  /^\$\{[^}]*:?[-=]\$\{?[A-Za-z_]\w*\}?\}$/,
  /^\$[A-Za-z_][\w.]*(?:\[[^\]]*\])?$/,
  /^\$[0-9@*#]$|^\$\{?\w+\}?(?:\/|::)/,
  // What a shell, a template or a configuration language puts in its place.
  /^\$\(|^`|\$\(|^\$\{\{|\{\{.*\}\}|\{%|^<%|^%\(.*\)s$|^%[A-Z_][A-Z0-9_]*%$|^@[A-Z_][A-Z0-9_]*@$|^\$__\w+\{/,
  /^<[^<>]*>$|^\[[^[\]]*\]$|^\{[A-Za-z_]\w*\}$/,
  /^(?:env|file|credential|credentials|vault|secret|secrets|op|sops|ref\+\w+|awskms|gcpkms|ssm|keyring|pass|systemd)(?::|:\/\/)\S/i,
  /^!(?:vault|secret|env|ENV|Ref|Sub|GetAtt|include)\b|^ENC\[|^arn:aws|^projects\/.*\/secrets\//,
  /^(?:env|file|ssm|lookup|getenv|os\.environ|process\.env|ENV|secrets?|vars?|var|config|local|self|this|settings)[.[(]/,
  // A call of a function.
  /^[A-Za-z_$][\w.$>:-]*\(.*\)?[;,]?$/,
  // A path.
  /^~?\/(?:etc|run|var|root|home|srv|opt|usr|tmp|proc|dev|mnt|data|app|secrets?|config)(?:\/|$)/,
  /^(?:\.{0,2}\/)?[\w.-]+\/[\w./-]*\.(?:key|pem|txt|token|secret|json|ya?ml|pass(?:wd)?|conf|env)$/,
]

/** What a program asks, or a manual says, in its place. */
const PROSE = /^(?:an?|the|your|enter|please|optional|see|leave)[\s;,:]+\w/i

/** Not readable any more: masked, or the hash of a password. */
const HIDDEN: RegExp[] = [
  /^[*x•.#?_-]+$/i,
  /^[([<]?(?:redacted|hidden|masked|filtered|removed|secret|omitted|scrubbed)[)\]>]?$/i,
  /^\*{3,}/,
  /^\$(?:[1256]|2[abxy]|y|7|argon2\w*|pbkdf2\S*|scrypt)\$|^\{(?:SSHA|SHA|MD5|CRYPT|BCRYPT|ARGON2)\w*\}/i,
  /^SCRAM-SHA-|^pbkdf2_sha/,
]

const PLACEHOLDERS =
  /change[-_ ]?(?:me|this|it)|^your[-_ ]|[-_ ]here$|replace[-_ ]?(?:me|this|with)|example|placeholder|^insert[-_ ]|^todo$|^dummy|^sample|^fixme|^(?:my|the|some)?[-_ ]?(?:super[-_ ]?)?(?:secret|password|passwd|pass|token|key)\d{0,3}!?$|^\.{2,}$|^x{3,}$|^test(?:ing|123)?$/i

export type ValueKind = 'none' | 'reference' | 'hidden' | 'literal'

/** Pure: what stands as the value of a name that says "secret". */
export function judgeValue(value: string): ValueKind {
  const text = value.trim()
  if (text === '' || text === '~' || WORDS.has(text.toLowerCase())) return 'none'
  if (PROSE.test(text)) return 'none'
  if (REFERENCES.some((pattern) => pattern.test(text))) return 'reference'
  if (HIDDEN.some((pattern) => pattern.test(text))) return 'hidden'
  return 'literal'
}

/** Whether a value is one of those that documentation and samples have, and nobody should keep. */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDERS.test(value.trim())
}

/** Shannon's entropy in bits for each character. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

/** How many kinds of characters a text has: small letters, capitals, digits, others. */
export function characterKinds(text: string): number {
  return [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9\s]/].filter((kind) => kind.test(text)).length
}
