import { type Document, isAlias, isCollection, isMap, isScalar, type LineCounter, type Node } from 'yaml'
import {
  foldName,
  isSecretName,
  isVariableReference,
  SECRET_REFERENCE,
  urlPasswords,
} from '../lib/secret-names.ts'

/** A secret that stands in a configuration as text. Its value does not leave this file. */
export interface FoundSecret {
  /** "jobs.mail.config.smtpPassword", "alerts.channels[0].url". */
  keyPath: string
  /** The last key of the path, as written. */
  key: string
  line: number
  column: number
  /** To be read after "it holds". */
  what: string
}

/** Keys that carry the value of the key above them: `password: { value: … }`. */
const CARRIERS = new Set(['value', 'default', 'literal', 'plain', 'text', 'data'])

/** Addresses of which the path is the credential. */
const CAPABILITY_URL = /:\/\/(hooks\.slack\.com\/(services|workflows)|discord(app)?\.com\/api\/webhooks)\/./i

interface Place {
  path: string
  key: string
  /** The value belongs to a key that names a secret. */
  named: boolean
}

/**
 * Secrets in a parsed YAML document, in its order: values of keys such as `password`, however deep and
 * however written, URLs with a password, private keys. Empty values and references (env:NAME, file:/path,
 * credential:NAME, ${NAME}) are allowed.
 */
export function findSecrets(document: Document, lines: LineCounter): FoundSecret[] {
  const found: FoundSecret[] = []
  const anchors = new Map<string, Node>()
  // Aliases can lead to the same node without end: each node is looked at once as a secret and once as not.
  const visited = { secret: new Set<Node>(), other: new Set<Node>() }

  const report = (node: Node, { path, key }: Place, what: string): void => {
    const { line, col } = lines.linePos(node.range?.[0] ?? 0)
    found.push({ keyPath: path, key, line, column: col, what })
  }
  const visit = (node: unknown, place: Place): void => {
    if (isAlias(node)) {
      visit(anchors.get(node.source), place)
      return
    }
    if (!isScalar(node) && !isCollection(node)) return
    const seen = place.named ? visited.secret : visited.other
    if (seen.has(node)) return
    seen.add(node)
    if (node.anchor) anchors.set(node.anchor, node)
    if (isScalar(node)) {
      const what = describeSecret(node.value, place)
      if (what) report(node, place, what)
      return
    }
    node.items.forEach((item, index) => {
      if (isMap(node)) visitPair(item, place)
      else visit(item, { ...place, path: `${place.path}[${index}]` })
    })
  }
  const visitPair = (pair: unknown, parent: Place): void => {
    if (!isPairLike(pair)) return
    if (isScalar(pair.key) && pair.key.anchor) anchors.set(pair.key.anchor, pair.key)
    const written = isScalar(pair.key) ? String(pair.key.value) : ''
    const inKey = describeSecret(written, { ...parent, named: false })
    const key = inKey ? '…' : written
    const path = parent.path === '' ? key : `${parent.path}.${key}`
    if (inKey && isScalar(pair.key)) report(pair.key, { path, key, named: false }, inKey)
    const named = isSecretName(written) || (parent.named && CARRIERS.has(foldName(written)))
    visit(pair.value, { path, key, named })
  }

  visit(document.contents, { path: '', key: '', named: false })
  return found
}

function isPairLike(item: unknown): item is { key: unknown; value: unknown } {
  return typeof item === 'object' && item !== null && 'key' in item && 'value' in item
}

function describeSecret(value: unknown, place: Place): string | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') {
    // A number of tokens is no token.
    return place.named && !foldName(place.key).endsWith('s') ? 'a secret as text' : undefined
  }
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value
  if (typeof text !== 'string') return undefined
  const trimmed = text.trim()
  if (trimmed === '' || isVariableReference(trimmed) || SECRET_REFERENCE.test(trimmed)) {
    return undefined
  }
  if (place.named) return 'a secret as text'
  if (urlPasswords(text).length > 0) return 'a URL with a password'
  if (CAPABILITY_URL.test(text)) return 'a URL that is itself a secret'
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY/.test(text)) return 'a private key'
  return undefined
}
