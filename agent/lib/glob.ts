import { UserError } from './errors.ts'

/** One component of a pattern: a plain name, `**` (any number of directories), or a test of a name. */
export type GlobComponent =
  | { kind: 'name'; name: string }
  | { kind: 'directories' }
  | { kind: 'match'; test: RegExp }

const MAX_ALTERNATIVES = 1000

/**
 * The components of a pattern, once for each of its `{a,b}` alternatives.
 *
 * `*` and `?` do not cross "/" and, first in a component, do not match a leading dot, as in a shell; `**` alone
 * in a component is any number of directories, hidden ones too, and as the last component all that lies below.
 * `[a-z]` and `[!a-z]` are classes; `[*]` is a plain star. There is no escape character.
 */
export function compileGlob(pattern: string): GlobComponent[][] {
  return expandBraces(pattern).map((alternative) =>
    alternative
      .split('/')
      .filter((component) => component !== '')
      .map(compileComponent),
  )
}

/** Tells whether a whole path, or any other text, matches one of the patterns. */
export function globMatcher(patterns: readonly string[]): (text: string) => boolean {
  const sources = patterns.flatMap(expandBraces).map(patternSource)
  if (sources.length === 0) return () => false
  const whole = new RegExp(`^(?:${sources.join('|')})$`, 'su')
  return (text) => whole.test(text)
}

/** The patterns for which a pattern with `{a,b}` stands, nested ones too. A group without a comma stays as it is. */
export function expandBraces(pattern: string): string[] {
  const finished: string[] = []
  const open = [pattern]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = findGroup(next)
    if (!group) finished.push(next)
    else {
      const [before, after] = [next.slice(0, group.start), next.slice(group.end)]
      for (const part of group.parts.toReversed()) open.push(before + part + after)
    }
    if (open.length + finished.length > MAX_ALTERNATIVES) {
      throw new UserError(`Cannot use "${pattern}": it stands for more than ${MAX_ALTERNATIVES} patterns`)
    }
  }
  return finished
}

/** The first `{…}` that has a comma of its own, and its parts. */
function findGroup(pattern: string): { start: number; end: number; parts: string[] } | undefined {
  for (let start = pattern.indexOf('{'); start >= 0; start = pattern.indexOf('{', start + 1)) {
    const parts: string[] = []
    let depth = 0
    let from = start + 1
    for (let index = start; index < pattern.length; index++) {
      const character = pattern[index]
      if (character === '{') depth++
      else if (character === '}') depth--
      const ends = depth === 0
      if (!ends && !(depth === 1 && character === ',')) continue
      parts.push(pattern.slice(from, index))
      from = index + 1
      if (!ends) continue
      if (parts.length > 1) return { start, end: index + 1, parts }
      break
    }
  }
  return undefined
}

function compileComponent(component: string): GlobComponent {
  if (component === '**') return { kind: 'directories' }
  if (!/[*?[]/.test(component)) return { kind: 'name', name: component }
  return { kind: 'match', test: new RegExp(`^${componentSource(component)}$`, 'su') }
}

function patternSource(pattern: string): string {
  const components = pattern.split('/')
  let source = ''
  let slash = ''
  for (const [index, component] of components.entries()) {
    if (component !== '**') {
      source += slash + componentSource(component)
      slash = '/'
    } else if (index === components.length - 1) source += slash ? '(?:/[^/]+)+' : '.+'
    else source += slash ? '(?:/[^/]+)*' : '(?:.*/)?'
  }
  return source
}

function componentSource(component: string): string {
  let source = /^[*?[]/.test(component) ? '(?!\\.)' : ''
  for (let index = 0; index < component.length; ) {
    const character = String.fromCodePoint(component.codePointAt(index) ?? 0)
    const set = character === '[' ? /^\[([!^]?)(\][^\]]*|[^\]]+)\]/su.exec(component.slice(index)) : null
    if (set) {
      source += `(?!/)[${set[1] ? '^' : ''}${setSource(set[2] ?? '')}]`
      index += set[0].length
      continue
    }
    if (character === '*') source += source.endsWith('[^/]*') ? '' : '[^/]*'
    else if (character === '?') source += '[^/]'
    else source += RegExp.escape(character)
    index += character.length
  }
  return source
}

/** The inside of a class: only a "-" between two characters keeps a meaning. */
function setSource(inside: string): string {
  const characters = [...inside]
  let source = ''
  for (let index = 0; index < characters.length; index++) {
    const first = characters[index] ?? ''
    const last = characters[index + 1] === '-' ? characters[index + 2] : undefined
    if (last === undefined) {
      source += escapeInSet(first)
      continue
    }
    // A range that runs backwards matches nothing, as in a shell.
    if (first <= last) source += `${escapeInSet(first)}-${escapeInSet(last)}`
    index += 2
  }
  return source
}

function escapeInSet(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}
