import { compareTreeOrder, isWithin } from '../../../agent/contract/mod.ts'

/** The paths in tree order, each once. One may lie below another. */
export function startPaths(paths: readonly string[]): string[] {
  return [...new Set(paths)].sort(compareTreeOrder)
}

/** Whether an entry is a directory: only asked for where a pattern is about directories alone. */
export type IsDirectory = () => boolean

interface IgnoreRule {
  matches: RegExp
  isNegated: boolean
  onlyDirectories: boolean
}

/**
 * Patterns with the syntax of gitignore ("PATTERN FORMAT" of gitignore(5)); the last one that matches decides. One that
 * begins with a slash is about a path of the host, one with a slash elsewhere about a path below any of `bases`, one
 * without a slash about a name at any depth. Tells whether the patterns choose an entry, not what is above it.
 */
export function compilePatterns(
  patterns: readonly string[],
  bases: readonly string[],
): (path: string, isDirectory: IsDirectory) => boolean {
  const rules = patterns.flatMap((pattern) => toRule(pattern, bases)).reverse()
  // It is asked for every entry: even a search in nothing is felt.
  if (rules.length === 0) return () => false
  return (path, isDirectory) => {
    const rule = rules.find(
      ({ matches, onlyDirectories }) => matches.test(path) && (!onlyDirectories || isDirectory()),
    )
    return rule !== undefined && !rule.isNegated
  }
}

/** Whether an entry, or a directory above it that is in a source, is chosen by the patterns. */
export function compileInclude(
  patterns: readonly string[],
  bases: readonly string[],
): (path: string) => boolean {
  const isChosen = compilePatterns(patterns, bases)
  return (path) => {
    if (patterns.length === 0 || isChosen(path, () => false)) return true
    const base = bases.find((candidate) => isWithin(candidate, path)) ?? path
    for (
      let end = path.lastIndexOf('/');
      end >= base.length && end > 0;
      end = path.lastIndexOf('/', end - 1)
    ) {
      if (isChosen(path.slice(0, end), () => true)) return true
    }
    return false
  }
}

function toRule(pattern: string, bases: readonly string[]): IgnoreRule[] {
  // A space at the end counts only behind a backslash.
  const line = pattern.replace(/(?<!\\) +$/, '')
  if (line === '' || line.startsWith('#')) return []
  const isNegated = line.startsWith('!')
  const positive = isNegated ? line.slice(1) : line
  const onlyDirectories = positive.endsWith('/')
  const body = onlyDirectories ? positive.slice(0, -1) : positive
  if (body === '') return []
  const expression = toExpression(body.replace(/^\//, ''))
  const prefix = body.startsWith('/')
    ? '/'
    : body.includes('/')
      ? `(?:${bases.map((base) => quote(base === '/' ? '' : base)).join('|')})/`
      : '/(?:.*/)?'
  return [{ matches: new RegExp(`^${prefix}${expression}$`, 's'), isNegated, onlyDirectories }]
}

/** A pattern without a slash at either end as a regular expression. */
function toExpression(pattern: string): string {
  let expression = ''
  for (let at = 0; at < pattern.length; ) {
    const rest = pattern.slice(at)
    const isFirst = at === 0 || pattern[at - 1] === '/'
    const set = /^\[([!^]?)(\]?(?:\\.|\[:\w+:\]|[^\]\\])*)\]/s.exec(rest)
    if (isFirst && rest.startsWith('**/')) {
      expression += '(?:.*/)?'
      at += 3
    } else if (isFirst && rest === '**') {
      expression += '.+'
      at += 2
    } else if (rest.startsWith('*')) {
      expression += '[^/]*'
      at += /^\*+/.exec(rest)?.[0].length ?? 1
    } else if (rest.startsWith('?')) {
      expression += '[^/]'
      at += 1
    } else if (set) {
      expression += `(?!/)[${set[1] === '' ? '' : '^'}${toSet(set[2] ?? '')}]`
      at += set[0].length
    } else if (rest.startsWith('\\') && rest.length > 1) {
      expression += quote(rest[1] ?? '')
      at += 2
    } else {
      expression += quote(rest[0] ?? '')
      at += 1
    }
  }
  return expression
}

const CLASSES: Record<string, string> = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  digit: '0-9',
  lower: 'a-z',
  space: '\\s',
  upper: 'A-Z',
  xdigit: 'a-fA-F0-9',
}

/** What stands between brackets. */
function toSet(set: string): string {
  return set
    .split(/(\[:\w+:\]|\\.)/s)
    .map((part) => {
      const name = /^\[:(\w+):\]$/.exec(part)?.[1]
      if (name !== undefined) return CLASSES[name] ?? ''
      return part.startsWith('\\') ? `\\${part.slice(1)}` : part.replace(/[\][\\^]/g, '\\$&')
    })
    .join('')
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
