import { isSecretName } from '../../agent/contract/mod.ts'

/** A value that stands beside a name. */
export interface NamedValue {
  /** As written. */
  name: string
  value: string
  isQuoted: boolean
  /** What stands between name and value: "=", ":", "=>", ":=", "," or ">" (of an element). */
  separator: string
  /** Characters from the start of the text. */
  index: number
}

/** A name, quoted or not, and what follows it. */
const NAME =
  /(?<![\w$\\/-])(?:(["'`])((?:(?!\1)[^\n]){1,80}?)\1|([A-Za-z_][\w.-]{0,80}))(?:\]|\))?[ \t]{0,16}(=>|:=|==?|:|>|,(?=[ \t]*["']))[ \t]{0,32}/g
// Lines of an .npmrc begin with the address of a registry, without its scheme.
const COMMENT = /^\s*(?:#|;|\/\/(?!\S*:_)|<!--|\*\s|rem\s|--\s|dnl\s)/i

/** A line of which names and values do not count. */
export function isComment(line: string): boolean {
  return COMMENT.test(line)
}

/**
 * Pure: all names with a value on a line, in whatever format: `name: value`, `name = value`, `"name": "value"`,
 * `Environment="NAME=value"`, `{name: value, other: value}`, `define('NAME', 'value')`, `<name>value</name>`.
 */
export function namedValues(line: string, isWanted: (name: string) => boolean = isSecretName): NamedValue[] {
  const found: NamedValue[] = []
  NAME.lastIndex = 0
  for (let match = NAME.exec(line); match; match = NAME.exec(line)) {
    const [whole, , quotedName, plainName = ''] = match
    const name = quotedName ?? plainName
    const separator = match[4] ?? ''
    const start = match.index + whole.length
    const isElement = separator !== '>' || line[match.index - 1] === '<'
    if (!isWanted(name) || separator === '==' || !isElement) {
      // A quoted text may have been taken for a name: what is in it is looked at, too.
      if (quotedName !== undefined) NAME.lastIndex = match.index + 1
      else if (separator !== '') NAME.lastIndex = Math.max(match.index + name.length, start - 1)
      continue
    }
    const before = line[match.index - 1] ?? ''
    const value = valueAt(
      line,
      start,
      separator,
      quotedName === undefined && /["'`]/.test(before) ? before : '',
    )
    found.push({ name, separator, index: match.index, ...value })
    NAME.lastIndex = Math.max(start, value.end)
  }
  return found
}

function valueAt(
  line: string,
  start: number,
  separator: string,
  closing: string,
): { value: string; isQuoted: boolean; end: number } {
  const rest = line.slice(start)
  if (separator === '>') {
    const end = rest.indexOf('</')
    return { value: end < 0 ? '' : rest.slice(0, end), isQuoted: true, end: start + Math.max(0, end) }
  }
  // YAML: an anchor or the tag of a type before the value.
  const prefix = /^(?:&[\w-]+[ \t]+|!!\w+[ \t]+|[rbuf](?=["']))*/.exec(rest)?.[0].length ?? 0
  const text = rest.slice(prefix)
  const quote = /^(?:"""|'''|["'`])/.exec(text)?.[0]
  if (quote && quote !== closing) {
    const end = closingQuote(text, quote)
    const value = text.slice(quote.length, end)
    if (quote.length === 3 && value === '')
      return { value: quote, isQuoted: false, end: start + prefix + end }
    return { value, isQuoted: true, end: start + prefix + end + quote.length }
  }
  const isFlow = /[{[]/.test(line.slice(0, start)) || closing !== ''
  let end = text.length
  for (const [index, character] of [...text.slice(0, 4096)].entries()) {
    const isEnd =
      character === closing ||
      character === '\0' ||
      (isFlow && /[,}\]]/.test(character)) ||
      (separator === '=' && (character === '&' || character === ';'))
    if (isEnd) {
      end = index
      break
    }
  }
  let value = text.slice(0, end)
  const comment = /(?:^|\s+)#.*$|\s+\/\/(?:\s|$).*$/.exec(value)
  if (comment) value = value.slice(0, comment.index)
  value = value.trimEnd()
  // A reference may hold what else would end it.
  const reference = /^\$\{[^}]*\}|^\{\{.*?\}\}|^\$\([^)]*\)?/.exec(text)?.[0]
  if (reference) return { value: reference, isQuoted: false, end: start + prefix + reference.length }
  // NAME=value with no room around: more words are something else.
  const isTight = separator === '=' && line[start - 1] === '='
  if (isTight) value = /^\S*/.exec(value)?.[0] ?? ''
  return { value, isQuoted: false, end: start + prefix + value.length }
}

function closingQuote(text: string, quote: string): number {
  for (let index = quote.length; index < text.length; index++) {
    if (text[index] === '\\' && quote !== "'") index++
    else if (text.startsWith(quote, index)) return index
  }
  return text.length
}

const CARRIER = /^\s*(?:-\s+)?["']?(?:value|default|literal|plain|text|data)["']?\s*[:=]\s*(.*)$/i
const MAX_FOLLOWING_LINES = 40

/**
 * Pure: the values of a name that has none on its own line: a block (`|`, `>`), a list, a map with `value:`, or a text
 * on the next line. `following` are the lines after it. Each with how many lines further it stands.
 */
export function followingValues(
  line: string,
  { value, index }: Pick<NamedValue, 'value' | 'index'>,
  following: Iterable<string>,
): { value: string; offset: number }[] {
  const opener = value.trim()
  if (!/^(?:|[|>][-+0-9]*|[[{(]|"""|''')$/.test(opener)) return []
  const indent = /^[\s-]*/.exec(line.slice(0, index).replace(/["'].*$/, ''))?.[0].length ?? 0
  const isBracketed = /^[[{(]$/.test(opener)
  const isQuoted = opener === '"""' || opener === "'''"
  const found: { value: string; offset: number }[] = []
  let offset = 0
  for (const next of following) {
    offset++
    if (offset > MAX_FOLLOWING_LINES) break
    if (isQuoted) return next.trim() === '' ? [] : [{ value: next.split(opener)[0] ?? '', offset }]
    if (next.trim() === '' || isComment(next)) continue
    const own = /^\s*/.exec(next)?.[0].length ?? 0
    const isItem = /^\s*-\s/.test(next)
    if (
      isBracketed ? /^\s*[\]})]/.test(next) : own < indent || (own === indent && !(isItem && opener === ''))
    )
      break
    const carried = CARRIER.exec(next)?.[1]
    if (carried !== undefined) found.push({ value: unquote(carried), offset })
    else if (isItem || (isBracketed && opener !== '{')) {
      const item = next.trim().replace(/^-\s+/, '')
      if (!/^["']?[\w.-]+["']?\s*:(\s|$)/.test(item)) found.push({ value: unquote(item), offset })
    } else if (opener !== '{') {
      // A map of other things is not the value of its name.
      if (/^\s*["']?[\w.-]+["']?\s*:(\s|$)/.test(next) && opener === '') {
        if (found.length === 0) continue
        break
      }
      found.push({ value: unquote(next.trim()), offset })
      break
    }
  }
  return found
}

function unquote(text: string): string {
  const bare = text.trim().replace(/,$/, '')
  const quoted = /^(["'])(.*)\1$/s.exec(bare)
  return quoted?.[2] ?? bare.replace(/\s+#.*$/, '')
}

/** What a map on the same line carries: `password: { value: x }`. Pure. */
export function carriedValue(value: string): string | undefined {
  const match = /["']?\b(?:value|default|literal|plain|text|data)["']?\s*:\s*(.*)$/i.exec(value)
  return match ? unquote((match[1] ?? '').replace(/[}\]].*$/, '')) : undefined
}
