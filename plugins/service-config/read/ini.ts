import { foldName } from '../../../agent/contract/mod.ts'
import { Malformed } from './text.ts'

// INI as go-ini (gopkg.in/ini.v1) reads it with AllowShadows and InsensitiveKeys, which is how ofelia calls it.

export interface IniKey {
  /** As written. */
  name: string
  /** Case, "-" and "_" do not count for ofelia. */
  folded: string
  /** Every value that it is given, in order; all but the last are shadows. */
  values: IniValue[]
}

export interface IniValue {
  text: string
  line: number
  /** What go-ini takes for a comment, wherever it stands, quotes or not. */
  comment?: string | undefined
  /** No blank before it: probably meant as a part of the value, "a#b", "#channel". */
  glued?: boolean | undefined
}

export interface IniSection {
  name: string
  line: number
  keys: Map<string, IniKey>
}

export interface IniFile {
  /** By name, the unnamed one ("DEFAULT") included when it has keys. Sections of one name are one. */
  sections: Map<string, IniSection>
}

const MAX_KEYS = 20_000

/** Throws Malformed where go-ini gives up: the program then starts with nothing of the file. */
export function parseIni(content: string): IniFile {
  const lines = content.split('\n')
  const sections = new Map<string, IniSection>()
  let section = sectionOf(sections, 'DEFAULT', 1)
  let count = 0
  for (let index = 0; index < lines.length; index++) {
    const first = index + 1
    const line = (lines[index] ?? '').trimStart()
    if (line.trim() === '' || line.startsWith('#') || line.startsWith(';')) continue
    if (line.startsWith('[')) {
      const close = line.lastIndexOf(']')
      if (close < 0) throw new Malformed('a section that is opened here is never closed', first)
      const name = line.slice(1, close).trim()
      if (name === '') throw new Malformed('a section has no name', first)
      section = sectionOf(sections, name, first)
      continue
    }
    const { name, rest } = readKey(line, first)
    const value = readValue(rest, lines, index)
    index = value.index
    if (++count > MAX_KEYS) throw new Malformed('it has too many keys', first)
    const folded = foldName(name)
    const key = section.keys.get(folded) ?? { name, folded, values: [] }
    const { text, comment, glued } = value
    key.values.push({ text, line: first, comment, glued })
    section.keys.set(folded, key)
  }
  if (sections.get('DEFAULT')?.keys.size === 0) sections.delete('DEFAULT')
  return { sections }
}

function sectionOf(sections: Map<string, IniSection>, name: string, line: number): IniSection {
  const known = sections.get(name)
  if (known) return known
  const made = { name, line, keys: new Map() }
  sections.set(name, made)
  return made
}

function readKey(line: string, at: number): { name: string; rest: string } {
  const quote = line.startsWith('"""') ? '"""' : /^["`]/.test(line) ? line.charAt(0) : ''
  if (quote !== '') {
    const close = line.indexOf(quote, quote.length)
    const delimiter = close < 0 ? -1 : line.slice(close).search(/[=:]/)
    if (delimiter < 0) throw new Malformed('a quoted key has no value', at)
    return { name: line.slice(quote.length, close), rest: line.slice(close + delimiter + 1) }
  }
  const delimiter = line.search(/[=:]/)
  if (delimiter < 0) throw new Malformed('it is neither a section nor key = value', at)
  if (delimiter === 0) throw new Malformed('a key has no name', at)
  return { name: line.slice(0, delimiter).trim(), rest: line.slice(delimiter + 1) }
}

function readValue(
  rest: string,
  lines: string[],
  start: number,
): Pick<IniValue, 'text' | 'comment' | 'glued'> & { index: number } {
  const value = rest.trim()
  const fence = value.length > 3 && value.startsWith('"""') ? '"""' : value.startsWith('`') ? '`' : ''
  if (fence !== '') return readFenced(value.slice(fence.length), fence, lines, start)
  if (value.endsWith('\\')) {
    let index = start
    let joined = value.slice(0, -1)
    for (;;) {
      const next = lines[++index]?.trim()
      if (next === undefined || next === '') break
      joined += next.endsWith('\\') ? next.slice(0, -1) : next
      if (!next.endsWith('\\')) break
    }
    return { text: joined, index: Math.min(index, lines.length - 1) }
  }
  const comment = value.search(/[#;]/)
  const kept = comment < 0 ? value : value.slice(0, comment).trim()
  const text = /^(["'])(.*)\1$/s.exec(kept)?.[2] ?? kept
  if (comment < 0) return { text, index: start }
  const glued = comment === 0 || !/\s/.test(value.charAt(comment - 1))
  return { text, comment: value.slice(comment), glued, index: start }
}

function readFenced(
  head: string,
  fence: string,
  lines: string[],
  start: number,
): { text: string; index: number } {
  const closes = head.lastIndexOf(fence)
  if (closes >= 0) return { text: head.slice(0, closes), index: start }
  let text = head
  for (let index = start + 1; index < lines.length; index++) {
    const line = lines[index] ?? ''
    const end = line.lastIndexOf(fence)
    if (end >= 0) return { text: `${text}\n${line.slice(0, end)}`, index }
    text += `\n${line}`
  }
  throw new Malformed('a value that begins here never ends', start + 1)
}
