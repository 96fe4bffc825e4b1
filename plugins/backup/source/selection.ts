import { compareTreeOrder, globMatcher } from '../../../agent/contract/mod.ts'

/** The paths in tree order, each once. One may lie below another. */
export function startPaths(paths: readonly string[]): string[] {
  return [...new Set(paths)].sort(compareTreeOrder)
}

/** Whether a pattern is about the whole path ("/var/cache/**") or about a name anywhere ("*.tmp"). */
export function isPathPattern(pattern: string): boolean {
  return pattern.startsWith('/')
}

/** Tells whether an entry, and with it all that is below, is left out. */
export function compileExclude(patterns: readonly string[]): (path: string, name: string) => boolean {
  const matchesPath = globMatcher(patterns.filter(isPathPattern))
  const matchesName = globMatcher(patterns.filter((pattern) => !isPathPattern(pattern)))
  return (path, name) => matchesName(name) || matchesPath(path)
}
