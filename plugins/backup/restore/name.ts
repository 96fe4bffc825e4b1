import { encodeName, globMatcher, isGlob, isWithin } from '../../../agent/contract/mod.ts'

const NAME_MAX_BYTES = 255

/** Why an entry of this name must not be restored; undefined when it is fine. */
export function refuseName(name: string): string | undefined {
  if (name.startsWith('/')) return 'its name is absolute'
  if (name.includes('\0')) return 'its name has a NUL'
  for (const component of name.split('/')) {
    if (component === '..') return 'its name leads out of the target'
    if (component === '' || component === '.') return 'its name is not in its plain form'
    // A character has at most three bytes in each of its units.
    if (component.length * 3 > NAME_MAX_BYTES && encodeName(component).length > NAME_MAX_BYTES)
      return 'a part of its name is too long'
  }
  return undefined
}

/**
 * Tells whether an entry is asked for: all are when no pattern is given. A pattern, with or without a slash at its
 * begin, is the name of an entry, of a directory above it, or has wildcards that match one of these.
 */
export function compileSelection(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => true
  const wanted = patterns.map((pattern) => pattern.replace(/^\/+|\/+$/g, ''))
  const plain = wanted.filter((pattern) => !isGlob(pattern))
  const matches = globMatcher(wanted.filter(isGlob))
  return (name) =>
    plain.some((pattern) => isWithin(pattern, name)) ||
    withParents(name).some((candidate) => matches(candidate))
}

function withParents(name: string): string[] {
  const components = name.split('/')
  return components.map((_, index) => components.slice(0, index + 1).join('/'))
}
