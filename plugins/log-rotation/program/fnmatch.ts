import { bytesOf, isUtf8 } from './bytes.ts'
import { hasUtf8Locale } from './locale.ts'

const CLASSES: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: ' \\t\\n\\v\\f\\r',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
}

/**
 * fnmatch(3) with FNM_PERIOD: whether one name matches. A dot at the start is matched by a dot only. `?` and brackets
 * stand for a character of a UTF-8 locale, else for a byte.
 */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const wide = hasUtf8Locale() && isUtf8(pattern)
  const byCharacter = wide ? compile(pattern, 'su') : undefined
  let byByte: RegExp | undefined
  const startsWithDot = /^(\\?\.)/.test(pattern)
  return (name) => {
    if (name.startsWith('.') && !startsWithDot) return false
    if (byCharacter && isUtf8(name)) return byCharacter.test(name)
    byByte ??= compile(bytesOf(pattern).toString('latin1'), 's')
    return byByte.test(bytesOf(name).toString('latin1'))
  }
}

function compile(pattern: string, flags: string): RegExp {
  let source = ''
  const characters = [...pattern]
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? ''
    const bracket = character === '[' ? readBracket(characters, index) : undefined
    if (character === '*') source += '.*'
    else if (character === '?') source += '.'
    else if (bracket) {
      source += bracket.source
      index = bracket.end
    } else if (character === '\\' && index + 1 < characters.length)
      source += literal(characters[++index] ?? '')
    else source += literal(character)
  }
  try {
    return new RegExp(`^(?:${source})$`, flags)
  } catch {
    // A range that runs backwards matches nothing.
    return /(?!)/
  }
}

/** `[…]` from its bracket on; undefined when it is never closed and so is a plain bracket. */
function readBracket(characters: string[], from: number): { source: string; end: number } | undefined {
  let index = from + 1
  const negated = characters[index] === '!' || characters[index] === '^'
  if (negated) index++
  let set = ''
  for (let first = true; index < characters.length; index++, first = false) {
    const character = characters[index] ?? ''
    if (character === ']' && !first) return { source: `[${negated ? '^' : ''}${set}]`, end: index }
    const name = character === '[' && characters[index + 1] === ':' ? className(characters, index) : undefined
    if (name !== undefined) {
      set += CLASSES[name] ?? ''
      index += name.length + 3
    } else if (character === '\\' && index + 1 < characters.length) set += inSet(characters[++index] ?? '')
    else if (character === '-' && !first && characters[index + 1] !== ']') set += '-'
    else set += inSet(character)
  }
  return undefined
}

function className(characters: string[], at: number): string | undefined {
  const text = characters.slice(at + 2, at + 12).join('')
  const name = /^([a-z]+):\]/.exec(text)?.[1]
  return name !== undefined && name in CLASSES ? name : undefined
}

const inSet = (character: string) => (/[\\\]^[-]/.test(character) ? `\\${character}` : character)
const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
