import { compareTreeOrder, globMatcher, isWithin } from '../../../agent/contract/mod.ts'

/** The paths in tree order, without those that lie below another one: nothing is archived twice. */
export function outermostPaths(paths: readonly string[]): string[] {
  const outermost: string[] = []
  for (const path of paths.toSorted(compareTreeOrder)) {
    const last = outermost.at(-1)
    if (last === undefined || !isWithin(last, path)) outermost.push(path)
  }
  return outermost
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
