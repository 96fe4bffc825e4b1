/**
 * Whether `path` is `parent` or lies below it. Compares whole components, so "/var/logx" is not below
 * "/var/log". Both must be normal (no "..", no trailing slash but for "/").
 */
export function isWithin(parent: string, path: string): boolean {
  if (parent === '/') return path.startsWith('/')
  return path === parent || path.startsWith(`${parent}/`)
}

/**
 * Whether a subject is a path, lies below it, or is a place in that file: "/etc/app.yaml:12" is a place in
 * "/etc/app.yaml".
 */
export function isAtOrIn(path: string, subject: string): boolean {
  return isWithin(path, subject) || subject.startsWith(`${path}:`)
}

/** Whether a path is absolute and says where it leads: no "..", no ".", no double or trailing slash, no NUL. */
export function isNormalPath(path: string): boolean {
  if (path === '/') return true
  return path.startsWith('/') && !/\/\/|\/\.{1,2}(?:\/|$)|\/$|\0/.test(path)
}

/** The directory that a normal path is in; of "/" it is "/". Unlike node:path it keeps names that are no UTF-8. */
export function directoryName(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}

/** The last component of a normal path; of "/" it is empty. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
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
 * Order of two paths by UTF-16 code units when "/" sorts before every other character, so that a directory is
 * followed by all that is in it: the order in which a depth-first walk with sorted names meets them.
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

// Control and format characters (line breaks, text direction), line separators, bytes that are no UTF-8, "\".
const UNPRINTABLE = /[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
const UNPRINTABLES = new RegExp(UNPRINTABLE, 'gu')

/**
 * A path on one line, safe to show: what cannot be seen becomes `\xNN` (a byte), `\uNNNN` or `\UNNNNNNNN` (a
 * character), and "\" becomes "\\". Two different paths never look the same, and bash reads it back in `$'…'`.
 */
export function printablePath(path: string): string {
  if (!UNPRINTABLE.test(path)) return path
  return path.replace(UNPRINTABLES, (character) => {
    if (character === '\\') return '\\\\'
    const code = character.codePointAt(0) ?? 0
    const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
    if (code < 0x80) return `\\x${hex(code, 2)}`
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${hex(code - 0xdc00, 2)}`
    return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`
  })
}

/** The path that `printablePath` showed. */
export function parsePrintablePath(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(
    /\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))/g,
    (_, byte?: string, unit?: string, point?: string) => {
      if (point) return String.fromCodePoint(Number.parseInt(point, 16))
      if (unit) return String.fromCharCode(Number.parseInt(unit, 16))
      if (!byte) return '\\'
      const code = Number.parseInt(byte, 16)
      return String.fromCharCode(code < 0x80 ? code : 0xdc00 + code)
    },
  )
}

/** A path as one word of a command line for sh; for bash where it has what cannot be seen. */
export function shellWord(path: string): string {
  const printable = printablePath(path)
  if (printable !== path) return `$'${printable.replaceAll("'", "\\'")}'`
  if (/^[\w@%+=:,./-]+$/.test(path)) return path
  return `'${path.replaceAll("'", `'\\''`)}'`
}
