import { isSecretName, isVariableReference, urlPasswords } from '../../../agent/contract/mod.ts'
import { type Member, type Parsed, Unreadable } from '../credential.ts'
import { decodeText } from '../text.ts'

/** What a systemd unit says about secrets. */
export interface UnitSecrets {
  /** Environment= and SetCredential=: they stand in the unit itself. */
  inline: { name: string; value: string; line: number }[]
  /** Files that are read when it starts: EnvironmentFile=, LoadCredential=. */
  files: { path: string; directive: string; id?: string }[]
  /** Words of its commands that are absolute paths. */
  mentions: string[]
}

const MAX_LINES = 20_000

/** Directives of a unit file or drop-in (systemd.syntax(7)): continued lines, quotes, comments. */
export function readUnit(text: string): UnitSecrets {
  const secrets: UnitSecrets = { inline: [], files: [], mentions: [] }
  for (const { directive, value, line } of directivesOf(text)) {
    switch (directive) {
      case 'Environment':
        for (const word of splitWords(value)) {
          const [, name, text] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? []
          if (name !== undefined && text !== undefined) secrets.inline.push({ name, value: text, line })
        }
        break
      case 'SetCredential': {
        const [, name, text] = /^([^:]+):(.*)$/s.exec(value) ?? []
        if (name !== undefined && text !== undefined) secrets.inline.push({ name, value: text, line })
        break
      }
      case 'EnvironmentFile': {
        const path = splitWords(value)[0]?.replace(/^-/, '')
        if (path?.startsWith('/')) secrets.files.push({ path, directive })
        break
      }
      case 'LoadCredential':
      case 'LoadCredentialEncrypted': {
        const [, id, path] = /^([^:]+):(\/.*)$/.exec(value) ?? []
        if (id !== undefined && path !== undefined) secrets.files.push({ path, directive, id })
        break
      }
      default:
        if (/^Exec(Start|StartPre|Reload)$/.test(directive)) {
          secrets.mentions.push(
            ...splitWords(value).flatMap((word) => /(?:^|=)(\/.+)$/.exec(word)?.[1] ?? []),
          )
        }
    }
  }
  return secrets
}

/** Secrets that stand in the unit itself: whoever can ask systemd can read them. */
export function parseUnit(bytes: Uint8Array): Parsed {
  const text = decodeText(bytes)
  if (!/^\s*\[[A-Z]\w*\]\s*$/m.test(text) && text.trim() !== '')
    throw new Unreadable('it is no unit of systemd')
  const { inline } = readUnit(text)
  const members: Member[] = []
  const skipped: string[] = []
  const seen = new Set<string>()
  for (const { name, value, line } of inline.toReversed()) {
    // The last assignment of a name holds.
    if (seen.has(name)) continue
    seen.add(name)
    const secret = urlPasswords(value)[0] ?? value
    if (urlPasswords(value).length === 0 && !isSecretName(name)) continue
    if (secret === '' || isVariableReference(secret) || /^\/[\w.@/-]+$/.test(secret)) skipped.push(name)
    else members.push({ id: name, value: secret, confidential: true, inUnit: true, line })
  }
  return { members: members.toReversed(), problems: [], skipped }
}

function* directivesOf(text: string): Generator<{ directive: string; value: string; line: number }> {
  const lines = text.split(/\r?\n/).slice(0, MAX_LINES)
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    let statement = lines[index] ?? ''
    if (/^\s*[#;]/.test(statement)) continue
    while (statement.endsWith('\\') && index + 1 < lines.length) {
      const next = lines[++index] ?? ''
      if (!/^\s*[#;]/.test(next)) statement = `${statement.slice(0, -1)} ${next}`
    }
    const [, directive, value] = /^\s*([A-Za-z]+)\s*=\s*(.*)$/s.exec(statement) ?? []
    if (directive !== undefined && value !== undefined) yield { directive, value: value.trim(), line }
  }
}

/** Words as systemd splits them: blanks, quotes of either kind, a backslash takes the next character as it is. */
function splitWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '\\' && quote !== "'") word = (word ?? '') + text.charAt(++at)
    else if (quote !== '') {
      if (character === quote) quote = ''
      else word += character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + character
  }
  if (word !== undefined) words.push(word)
  return words
}
