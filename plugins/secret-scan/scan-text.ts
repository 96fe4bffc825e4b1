import { createHash } from 'node:crypto'
import { foldName, isSecretName } from '../../agent/contract/mod.ts'
import { ANCHORS, type Anchor, KNOWN_HASH_PREFIXES, KNOWN_HASHES } from './anchors.ts'
import { characterKinds, entropyOf, isPlaceholder, judgeValue } from './judge-value.ts'
import { carriedValue, followingValues, isComment, type NamedValue, namedValues } from './parse-values.ts'
import { AnchorSearch } from './search.ts'
import type { ShapeFinder } from './shapes.ts'

/**
 * How strictly what stands beside a name is judged. `config`: any text is a secret. `log`: what people write in prose is
 * none. `program`: only texts in quotes. `code`: only texts in quotes that look like one. `sample`: placeholders are meant
 * to be there.
 */
export type TextKind = 'config' | 'log' | 'program' | 'code' | 'sample'

export type MatchKind =
  | 'command'
  | 'named'
  | 'url'
  | 'bearer'
  | 'private-key'
  | 'known-hash'
  | 'shape'
  | 'entropy'
  | 'known'

/** A secret in a text. The value itself is not kept. */
export interface SecretMatch {
  kind: MatchKind
  /** Name of the setting as written, or what it is: "password in a URL", "github". */
  name: string
  /** First 8 hex digits of the SHA-256 of the value. */
  sha256: string
  /** Byte from the start of what was searched at which its line begins. */
  offset: number
  /** Lines between that line and the one of the value. */
  linesAfter: number
}

/** Lines are cut to this around an anchor: some files are one line of megabytes. */
const BEFORE_BYTES = 2048
const AFTER_BYTES = 8192
const MAX_FOLLOWING_BYTES = 16_384
const MAX_NAME = 80
const NEWLINE = 10

export interface ScannerOptions {
  shapes: ShapeFinder
  /** Further names of settings. */
  names?: readonly string[]
  /** Values that must stand in no log, history or argument, with what they are called. */
  known?: readonly { name: string; value: string }[]
  /** Whether texts of settings with another name are judged by their entropy. */
  entropy?: boolean
  /** Values (first 8 hex digits of their SHA-256, or more) that are no secrets. */
  allowed?: readonly string[]
}

const DIRECTIVE_NAMES = new Set(['requirepass', 'masterauth', 'bindpw', 'rootpw', 'rootpwmod'])
const MAX_JUDGED_NAMES = 10_000

/** Searches bytes for secrets. One for a run: its tables are made once. */
export class SecretScanner {
  private readonly search: AnchorSearch
  private readonly isName: (name: string) => boolean
  private readonly judgedNames = new Map<string, boolean>()

  constructor(private readonly options: ScannerOptions) {
    const names = options.names ?? []
    this.search = new AnchorSearch([
      ...ANCHORS,
      ...names.map((name): Anchor => ({ text: anchorOf(name), kind: 'name' })),
    ])
    const folded = names.map(foldName)
    this.isName = (name) => isSecretName(name) || folded.some((wanted) => foldName(name).endsWith(wanted))
  }

  /** All secrets in whole lines from `start` to `end`. */
  scan(bytes: Buffer, start: number, end: number, kind: TextKind): SecretMatch[] {
    const found: SecretMatch[] = []
    const seen = new Set<string>()
    const done = new Map<string, number>()
    const add = (match: SecretMatch) => {
      const key = `${match.offset}+${match.linesAfter}:${match.sha256}`
      if (
        seen.has(key) ||
        this.options.allowed?.some((prefix) => match.sha256.startsWith(prefix.slice(0, 8)))
      )
        return
      seen.add(key)
      found.push(match)
    }
    this.search.search(bytes, start, end, (anchor, from, to) => {
      const what = anchor.rule ?? anchor.kind
      if (from < (done.get(what) ?? -1) || !this.mayBe(anchor, bytes, from, to, end)) return
      const line = lineAround(bytes, from, to, start, end)
      done.set(what, line.end)
      for (const match of this.look(anchor, bytes, line, end, kind)) add(match)
    })
    if (this.options.entropy && kind === 'config') randomValues(bytes, start, end).forEach(add)
    if (kind === 'log') this.knownValues(bytes, start, end).forEach(add)
    return found
  }

  /** The very values that must not be there. */
  knownValues(bytes: Buffer, start: number, end: number): SecretMatch[] {
    return (this.options.known ?? []).flatMap(({ name, value }) => {
      const needle = Buffer.from(value)
      const found: SecretMatch[] = []
      for (let at = bytes.indexOf(needle, start); at >= 0 && at < end; at = bytes.indexOf(needle, at + 1)) {
        const { start: offset } = lineAround(bytes, at, at, start, end)
        found.push(secret('known', name, value, { offset, linesAfter: 0 }))
      }
      return found
    })
  }

  /** A look at the bytes, before any text is made of them. */
  private mayBe(anchor: Anchor, bytes: Buffer, from: number, to: number, end: number): boolean {
    if (anchor.kind === 'name')
      return isAssigned(anchor, bytes, from, to, end) && this.isNamed(bytes, from, to, end)
    if (anchor.kind === 'url') return hasUserinfo(bytes, to, end)
    return true
  }

  /** Whether the name that an anchor is part of says "secret". Most do not: "keyboard", "token_count". */
  private isNamed(bytes: Buffer, from: number, to: number, end: number): boolean {
    const [first, last] = [Math.max(0, from - MAX_NAME), Math.min(end, to + MAX_NAME)]
    let nameStart = from
    while (nameStart > first && isNameByte(bytes[nameStart - 1] as number)) nameStart--
    // A name in quotes may have blanks in it.
    if (bytes[nameStart - 1] === 32) {
      const after = bytes[to] as number
      if (after === 34 || after === 39) return true
    }
    let nameEnd = to
    while (nameEnd < last && isNameByte(bytes[nameEnd] as number)) nameEnd++
    const name = bytes.toString('latin1', nameStart, nameEnd)
    const known = this.judgedNames.get(name)
    if (known !== undefined) return known
    // Directives have names that say so together with their place only.
    const isSecret = this.isName(name) || DIRECTIVE_NAMES.has(name.toLowerCase())
    if (this.judgedNames.size < MAX_JUDGED_NAMES) this.judgedNames.set(name, isSecret)
    return isSecret
  }

  private look(anchor: Anchor, bytes: Buffer, line: Line, end: number, kind: TextKind): SecretMatch[] {
    const text = bytes.toString('utf8', line.start, line.end).replace(/\r$/, '')
    const at = { offset: line.start, linesAfter: 0 }
    switch (anchor.kind) {
      case 'name':
        return this.lookAtNames(text, bytes, line, end, kind)
      case 'url':
        return urlSecrets(text, kind).map((value) => secret('url', 'password in a URL', value, at))
      case 'bearer':
        return bearerTokens(text).map((value) => secret('bearer', 'bearer token', value, at))
      case 'private-key':
        return privateKeys(bytes, line, end, kind).map((body) =>
          secret('private-key', 'private key', body, at),
        )
      case 'known-hash':
        return knownHashes(text).map(({ name, hash }) => secret('known-hash', name, hash, at))
      case 'shape':
        return this.options
          .shapes(anchor.rule ?? '', text)
          .filter(({ text: token }) => kind !== 'sample' || !isPlaceholder(token))
          .map(({ shape, text: token }) => secret('shape', shape, token, at))
    }
  }

  private lookAtNames(text: string, bytes: Buffer, line: Line, end: number, kind: TextKind): SecretMatch[] {
    if (kind !== 'log' && isComment(text)) return []
    const named = [...namedValues(text, this.isName), ...directives(text)]
    return named.flatMap((item): SecretMatch[] => {
      if (item.separator === '>' && isInXmlComment(bytes, line)) return []
      const places = valuesOf(item, text, bytes, line, end)
      return places
        .filter(({ value }) =>
          kind === 'config' && isProse(item, text)
            ? !/[()|]/.test(value) && isSecretHere({ ...item, value }, 'log')
            : isSecretHere({ ...item, value }, kind),
        )
        .map(({ value, offset }) =>
          secret('named', showName(item.name), value, { offset: line.start, linesAfter: offset }),
        )
    })
  }
}

/** What every way to write a name has in common: letters of its longest word. */
function anchorOf(name: string): string {
  const words = name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? [name]
  const longest = words.toSorted((a, b) => b.length - a.length)[0] ?? name
  return longest.slice(0, 3)
}

const RANDOM = /([A-Za-z_][\w.-]{0,80})["']?\s{0,4}[:=]\s{0,4}["']?([A-Za-z0-9+/_=-]{20,256})(?=["',;\s]|$)/g

/** Values that look random beside names that say nothing: hex of 32 digits and more, base64. */
function randomValues(bytes: Buffer, start: number, end: number): SecretMatch[] {
  const found: SecretMatch[] = []
  for (let from = start; from < end; ) {
    const line = lineAround(bytes, from, from, from, end)
    const text = bytes.toString('utf8', line.start, line.end)
    if (!isComment(text)) {
      for (const [, name = '', value = ''] of text.matchAll(RANDOM)) {
        const isHex = /^[0-9a-fA-F]+$/.test(value)
        const isRandom = isHex
          ? value.length >= 32 && entropyOf(value) > 3
          : entropyOf(value) > 4 && characterKinds(value) > 2
        if (!isRandom || judgeValue(value) !== 'literal') continue
        found.push(secret('entropy', showName(name), value, { offset: line.start, linesAfter: 0 }))
      }
    }
    from = line.end + 1
  }
  return found
}

interface Line {
  start: number
  /** The newline, or where the look ends. */
  end: number
}

function lineAround(bytes: Buffer, from: number, to: number, start: number, end: number): Line {
  const first = Math.max(start, from - BEFORE_BYTES)
  let lineStart = from
  while (lineStart > first && bytes[lineStart - 1] !== NEWLINE) lineStart--
  const last = Math.min(end, to + AFTER_BYTES)
  let lineEnd = to
  while (lineEnd < last && bytes[lineEnd] !== NEWLINE) lineEnd++
  return { start: lineStart, end: lineEnd }
}

/** Whether a name ends here and a value follows. */
function isAssigned({ text }: Anchor, bytes: Buffer, from: number, to: number, end: number): boolean {
  const last = Math.min(end, to + 64)
  let at = to
  while (at < last && isNameByte(bytes[at] as number)) at++
  const afterName = at
  let byte = bytes[at] as number
  // Quote, apostrophe, backtick.
  if (byte === 34 || byte === 39 || byte === 96) byte = bytes[++at] as number
  // ] and )
  if (byte === 93 || byte === 41) byte = bytes[++at] as number
  while (at < last && (byte === 32 || byte === 9)) byte = bytes[++at] as number
  if (at >= end) return false
  // : = > ,
  if (byte === 58 || byte === 61 || byte === 62 || byte === 44) return true
  const isDirective =
    text === 'masterauth' || text.endsWith('pw') || (text === 'pass' && bytes[from - 1] === 101)
  return isDirective && at > afterName
}

export function isNameByte(byte: number): boolean {
  return (
    (byte >= 97 && byte <= 122) ||
    (byte >= 65 && byte <= 90) ||
    (byte >= 48 && byte <= 57) ||
    byte === 95 ||
    byte === 45 ||
    byte === 46
  )
}

/** Whether a colon and then an "@" follow before what ends the authority of a URL. */
function hasUserinfo(bytes: Buffer, to: number, end: number): boolean {
  const last = Math.min(end, to + 512)
  let hasColon = false
  for (let at = to; at < last; at++) {
    const byte = bytes[at] as number
    if (byte === 64) {
      if (hasColon) return true
    } else if (byte === 58) hasColon = true
    // Blanks, newline, slash.
    else if (byte <= 32 || byte === 47) return false
  }
  return false
}

function urlSecrets(text: string, kind: TextKind): string[] {
  return [...text.matchAll(/[a-z][a-z0-9+.-]{1,20}:\/\/([^\s/:@"'<>]{0,200}):([^\s/"'<>]{1,300})@/gi)]
    .map((match) => match[2] ?? '')
    .filter((value) => judgeValue(value) === 'literal' && !/[{}<>[\]]|^\$/.test(value))
    .filter((value) => (kind === 'sample' || kind === 'code' ? !isPlaceholder(value) : true))
}

function bearerTokens(text: string): string[] {
  return [...text.matchAll(/\bbearer["']?[\s:=]{1,4}["']?([A-Za-z0-9._~+/=-]{8,2000})/gi)]
    .map((match) => match[1] ?? '')
    .filter((token) => judgeValue(token) === 'literal' && characterKinds(token) > 1 && /\d/.test(token))
}

function knownHashes(text: string): { name: string; hash: string }[] {
  // Alone on its line, or the value of a setting: in a list of checksums an empty file is nothing special.
  const alone = /^(?:[^#]*[:=[,]|\s*-)?\s*["']?([0-9a-fA-F]{64})["']?\s*[,\]]*\s*(?:#.*)?$/.exec(text)?.[1]
  const hash = alone?.toLowerCase()
  if (hash === undefined) return []
  const name = KNOWN_HASHES[hash] ?? KNOWN_HASH_PREFIXES[hash.slice(0, 8)]
  return name === undefined ? [] : [{ name, hash }]
}

/** Whether a name stands behind other words, as in "Access denied (using password: YES)". */
function isProse({ separator, index }: NamedValue, text: string): boolean {
  return separator === ':' && /[A-Za-z]{2}[ \t]+$/.test(text.slice(0, index))
}

/** Names that are parted from their value by blanks only, as in redis.conf and nslcd.conf. */
function directives(text: string): NamedValue[] {
  const match = /^\s*(requirepass|masterauth|bindpw|rootpw|rootpwmod)[ \t]+(["']?)(\S+)\2\s*$/i.exec(text)
  if (!match || /^[:=]/.test(match[3] ?? '')) return []
  return [
    { name: match[1] ?? '', value: match[3] ?? '', isQuoted: match[2] !== '', separator: ' ', index: 0 },
  ]
}

/** The values of a name: on its line, or on those after it. */
function valuesOf(
  item: NamedValue,
  text: string,
  bytes: Buffer,
  line: Line,
  end: number,
): { value: string; offset: number }[] {
  if (!item.isQuoted && /^\*[\w-]+$/.test(item.value)) {
    // YAML: what an alias stands for.
    const anchor = new RegExp(`&${item.value.slice(1)}[ \\t]+([^\\r\\n]+)`).exec(
      bytes.toString('utf8', Math.max(0, line.start - 65_536), Math.min(end, line.start + 65_536)),
    )
    return [{ value: anchor?.[1]?.replace(/^(["'])(.*)\1.*$/, '$2') ?? '', offset: 0 }]
  }
  if (!item.isQuoted && /^\{./.test(item.value)) {
    const carried = carriedValue(text.slice(item.index))
    if (carried !== undefined) return [{ value: carried, offset: 0 }]
  }
  if (
    item.isQuoted ||
    item.separator === '>' ||
    !/^(?:|[|>][-+0-9]*|[[{(]|"""|''')$/.test(item.value.trim())
  ) {
    return [{ value: item.value, offset: 0 }]
  }
  const last = Math.min(end, line.end + MAX_FOLLOWING_BYTES)
  return followingValues(text, item, bytes.toString('utf8', line.end + 1, last).split(/\r?\n/))
}

function isInXmlComment(bytes: Buffer, line: Line): boolean {
  const before = bytes.toString('latin1', Math.max(0, line.start - MAX_FOLLOWING_BYTES), line.start)
  return before.lastIndexOf('<!--') > before.lastIndexOf('-->')
}

/** Pure: whether the value of a name that says "secret" is one in this kind of text. */
export function isSecretHere(
  item: Pick<NamedValue, 'name' | 'value' | 'isQuoted' | 'separator'>,
  kind: TextKind,
): boolean {
  const { value, isQuoted } = item
  if (judgeValue(value) !== 'literal') return false
  // A number of tokens is no token.
  if (/^-?\d+(?:\.\d+)?$/.test(value) && /s$/i.test(item.name)) return false
  if (kind === 'config') return true
  if (kind === 'program') return isQuoted
  if (isPlaceholder(value)) return false
  if (kind === 'sample') return entropyOf(value) >= 3.5 && value.length >= 16
  if (kind === 'code') {
    return isQuoted && value.length >= 8 && !/\s/.test(value) && characterKinds(value) > 1 && /\d/.test(value)
  }
  const isClear = isQuoted || item.separator === '='
  const word = isQuoted ? value : (/^\S*/.exec(value)?.[0] ?? '').replace(/[,;.)]+$/, '')
  if (judgeValue(word) !== 'literal') return false
  if (isClear) return word.length >= 4 && !/^\d{1,5}$/.test(word)
  return (
    word.length >= 8 && characterKinds(word) > 1 && /[\d!@#$%^&*]/.test(word) && !/^[\w.-]+[:(]/.test(word)
  )
}

function secret(
  kind: MatchKind,
  name: string,
  value: string,
  place: { offset: number; linesAfter: number },
): SecretMatch {
  return { kind, name, sha256: shortHash(value), ...place }
}

/** First 8 hex digits of the SHA-256 of a value: enough to tell two apart, not to find one. */
export function shortHash(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 8)
}

/** A name as it may be shown: one that is itself a token is not. */
function showName(name: string): string {
  const short = name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name
  return name.length > 24 && entropyOf(name) > 4 ? '…' : short
}

/** The bodies of private keys that begin on a line. In a log the first line of one is enough. */
function privateKeys(bytes: Buffer, line: Line, end: number, kind: TextKind): string[] {
  const text = bytes.toString('latin1', line.start, Math.min(end, line.start + MAX_FOLLOWING_BYTES))
  const header = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/.exec(text)
  if (!header || header.index > line.end - line.start) return []
  const rest = text.slice(header.index + header[0].length)
  const body = /[A-Za-z0-9+/=\\]{40,}/.exec(rest.slice(0, 600))?.[0]
  if (body !== undefined) return [body]
  return kind === 'log' ? [rest.slice(0, 200)] : []
}
