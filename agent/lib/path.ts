/**
 * Whether `path` is `parent` or lies below it. Compares whole components, so "/var/logx" is not below
 * "/var/log". Both must be normal (no "..", no trailing slash but for "/").
 */
export function isWithin(parent: string, path: string): boolean {
  if (parent === '/') return path.startsWith('/')
  return path === parent || path.startsWith(`${parent}/`)
}

/** The part of a glob pattern before its first component with a wildcard: "/home/*\/.ssh" → "/home". */
export function globBase(pattern: string): string {
  const components = pattern.split('/')
  const first = components.findIndex(isGlob)
  if (first < 0) return pattern
  return components.slice(0, first).join('/') || '/'
}

/** Whether a pattern has a wildcard (`*`, `?`, `[`, `{`). */
export function isGlob(pattern: string): boolean {
  return /[*?[{]/.test(pattern)
}

/**
 * Byte order of two paths when "/" sorts before every other character, so that a directory is followed
 * by all that is in it: the order in which a depth-first walk with sorted names meets them.
 */
export function compareTreeOrder(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left === right) continue
    if (left === 47) return -1
    if (right === 47) return 1
    return left - right
  }
  return a.length - b.length
}
