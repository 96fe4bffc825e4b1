import { foldName, isSecretName, isVariableReference, urlPasswords } from '../../../agent/contract/mod.ts'
import { type Member, type Parsed, Unreadable } from '../credential.ts'
import { decodeText, isPlainName } from '../text.ts'
import { parseIni } from './parse-ini.ts'

export type SettingsFormat = 'yaml' | 'json' | 'toml' | 'ini'

const MAX_DEPTH = 64
const MAX_VALUES = 50_000

/** By the end of a file's name. */
export function settingsFormat(path: string): SettingsFormat {
  if (/\.ya?ml$/i.test(path)) return 'yaml'
  if (/\.json$/i.test(path)) return 'json'
  return /\.toml$/i.test(path) ? 'toml' : 'ini'
}

/**
 * Secrets among the values of a settings file, by their dotted path. Without `keys` those count whose name looks
 * like a secret (or like the hash of one) or whose value is a URL with a password. What only refers to a secret
 * (`${NAME}`, env:NAME, file:/path) is none.
 */
export async function parseSettings(
  bytes: Uint8Array,
  format: SettingsFormat,
  keys?: string[],
): Promise<Parsed> {
  const document = await readDocument(decodeText(bytes), format)
  const members: Member[] = []
  const skipped: string[] = []
  const wanted = keys && new Set(keys.map(foldPath))
  for (const { path, name, text } of valuesOf(document)) {
    const secret = urlPasswords(text)[0] ?? text
    const isWanted = wanted ? wanted.has(foldPath(path)) : looksSecret(name, text)
    if (!isWanted) continue
    if (isReference(secret) || (secret === '' && !wanted)) skipped.push(path)
    else members.push({ id: path, value: secret, confidential: true })
  }
  return { members, problems: [], skipped }
}

/** Two ways to write a key that mean the same: case, "-" and "_" do not count. */
export function foldPath(path: string): string {
  return path.split('.').map(foldName).join('.')
}

/** A parser's own message may quote the file, so it goes no further. */
async function readDocument(text: string, format: SettingsFormat): Promise<unknown> {
  try {
    switch (format) {
      case 'json':
        return JSON.parse(text)
      case 'toml':
        return Bun.TOML.parse(text)
      case 'ini':
        return parseIni(text)
      case 'yaml': {
        assertShallow(text)
        const { parse } = await import('yaml')
        return parse(text, { logLevel: 'silent', maxAliasCount: 100, uniqueKeys: false })
      }
    }
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable(`it is no ${format.toUpperCase()} that can be read`)
  }
}

/** The parser takes quadratic time for what is nested deeply; brackets count wherever they stand. */
function assertShallow(text: string): void {
  const tooDeep = () => new Unreadable(`it is nested more than ${MAX_DEPTH} deep`)
  if (/(?:[-?:][ \t]+){65}/.test(text)) throw tooDeep()
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === 0x5b || character === 0x7b) depth++
    else if ((character === 0x5d || character === 0x7d) && depth > 0) depth--
    if (depth > MAX_DEPTH) throw tooDeep()
  }
}

interface Value {
  path: string
  /** The nearest key above it that is a word. */
  name: string
  text: string
}

function valuesOf(document: unknown): Value[] {
  const values: Value[] = []
  const visit = (node: unknown, path: string, name: string, depth: number): void => {
    if (values.length > MAX_VALUES) throw new Unreadable(`it has more than ${MAX_VALUES} values`)
    if (depth > MAX_DEPTH) throw new Unreadable(`it is nested more than ${MAX_DEPTH} deep`)
    if (typeof node === 'string' || typeof node === 'number' || typeof node === 'bigint') {
      values.push({ path, name, text: String(node) })
    } else if (Array.isArray(node)) {
      for (const [index, item] of node.entries()) visit(item, `${path}[${index}]`, name, depth + 1)
    } else if (typeof node === 'object' && node !== null) {
      for (const [index, [key, item]] of Object.entries(node).entries()) {
        // A key that is no name may be a secret that stands in the wrong place.
        const word = isPlainName(key, 8) ? key : `(${index + 1})`
        visit(item, path === '' ? word : `${path}.${word}`, word, depth + 1)
      }
    }
  }
  visit(document, '', '', 0)
  return values
}

function looksSecret(name: string, value: string): boolean {
  if (urlPasswords(value).length > 0) return true
  const bare = name.replace(/[-_]?hash(es)?$/i, '')
  if (!isSecretName(name) && !(bare !== name && isSecretName(bare))) return false
  // A path leads to a secret, a number or a word of logic is none.
  return !/^(\/[\w.@/-]+|\d{1,9}|true|false|yes|no|on|off)$/i.test(value)
}

function isReference(value: string): boolean {
  return (
    isVariableReference(value) || /^(env|file|credential):\S+$/.test(value) || /^\$\{[^}]+\}$/.test(value)
  )
}
