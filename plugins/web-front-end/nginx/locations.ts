import type { Directive } from './parse.ts'

/** How a location is chosen. */
export interface Pattern {
  kind: 'exact' | 'prefix' | 'final-prefix' | 'regex' | 'named'
  text: string
  ignoresCase: boolean
}

const KINDS: Record<string, Pattern['kind']> = {
  '=': 'exact',
  '^~': 'final-prefix',
  '~': 'regex',
  '~*': 'regex',
}

/** "location = /a", "location ~* \.php$"; the modifier may stand without a space. */
export function patternOf({ words }: Pick<Directive, 'words'>): Pattern {
  const [first = '', second] = words
  const [, glued = '', rest = ''] = /^(=|\^~|~\*|~)?(.*)$/s.exec(first) ?? []
  const [modifier, text] = second === undefined ? [glued, rest] : [first, second]
  if (text.startsWith('@') && modifier === '') return { kind: 'named', text, ignoresCase: false }
  return { kind: KINDS[modifier] ?? 'prefix', text, ignoresCase: modifier === '~*' }
}

export interface Location<T> {
  pattern: Pattern
  /** Locations within this one. */
  inner: Location<T>[]
  value: T
}

/**
 * The location that serves a path, as nginx chooses: an exact one; else the longest prefix, unless it is not final and
 * the first regular expression in the order of writing matches. Pure. Throws where an expression is not understood.
 */
export function locationFor<T>(locations: Location<T>[], path: string): Location<T> | undefined {
  const { exact, prefix, isFinal } = byPrefix(locations, path)
  if (exact) return exact
  const regex = isFinal ? undefined : byRegex(locations, path, prefix)
  return regex ?? prefix
}

function byPrefix<T>(locations: Location<T>[], path: string) {
  let best: Location<T> | undefined
  for (const location of locations) {
    const { kind, text } = location.pattern
    if (kind === 'exact' && text === path) return { exact: location, prefix: location, isFinal: true }
    if (kind !== 'prefix' && kind !== 'final-prefix') continue
    if (path.startsWith(text) && text.length > (best?.pattern.text.length ?? -1)) best = location
  }
  if (!best) return { exact: undefined, prefix: undefined, isFinal: false }
  const inner: { exact?: Location<T> | undefined; prefix?: Location<T> | undefined; isFinal: boolean } =
    byPrefix(best.inner, path)
  const isFinal = inner.prefix ? inner.isFinal : best.pattern.kind === 'final-prefix'
  return { exact: inner.exact, prefix: inner.prefix ?? best, isFinal }
}

/** Those within the longest prefix come first, then those beside it. */
function byRegex<T>(
  locations: Location<T>[],
  path: string,
  prefix: Location<T> | undefined,
): Location<T> | undefined {
  const outer = locations.find((location) => location === prefix || holds(location, prefix))
  const inner = outer ? byRegex(outer.inner, path, prefix) : undefined
  if (inner) return inner
  const found = locations.find(({ pattern }) => pattern.kind === 'regex' && matches(pattern, path))
  return found && (byRegex(found.inner, path, undefined) ?? found)
}

function holds<T>({ inner }: Location<T>, wanted: Location<T> | undefined): boolean {
  return inner.some((location) => location === wanted || holds(location, wanted))
}

function matches({ text, ignoresCase }: Pattern, path: string): boolean {
  try {
    // Perl's named groups and flags are written otherwise.
    return new RegExp(text.replaceAll('(?P<', '(?<'), ignoresCase ? 'i' : '').test(path)
  } catch (cause) {
    throw new Error(`the expression "${text}" of a location is not understood`, { cause })
  }
}
