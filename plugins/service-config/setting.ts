import { printablePath, shellWord } from '../../agent/contract/mod.ts'

/** Where something stands. */
export interface Place {
  path: string
  /** From 1; undefined where it is about the file as a whole. */
  line?: number | undefined
}

/** How to put a setting right: an exact command for this host. */
export type Edit = (value: string) => string

/** A setting as it is in force: of a file, of the environment, or the program's own default. */
export interface InForce<T = unknown> {
  key: string
  value: T
  /** Undefined: by the program's default. */
  place: Place | undefined
  /** Where it would stand: the section that it belongs to. */
  near?: Place | undefined
  /** Name of the variable that sets it, where one does. */
  variable?: string | undefined
  edit: Edit
}

/** Stable name of a setting: "/etc/rstmdb/config.yaml#auth.required". */
export function subjectOf(path: string, key: string): string {
  return key === '' ? path : `${path}#${key}`
}

export function describePlace({ path, line }: Place): string {
  return line === undefined ? printablePath(path) : `${printablePath(path)}:${line}`
}

// Commands are for any POSIX shell: what can be seen stands in plain single quotes.
function quoted(text: string): string {
  return /^[ -~\u00a0-\uffff]*$/.test(text) ? `'${text.replaceAll("'", `'\\''`)}'` : shellWord(text)
}

function delimiterFor(...texts: string[]): string {
  return (
    ['/', '|', '#', '~', '!'].find((delimiter) => texts.every((text) => !text.includes(delimiter))) ?? '/'
  )
}

function escaped(text: string, special: RegExp, delimiter: string): string {
  return text.replace(special, '\\$&').replaceAll(delimiter, delimiter === '/' ? '\\/' : delimiter)
}

/** A sed that replaces the first occurrence of a text on one line. The text must be no secret. */
export function replaceOnLine({ path, line }: Place, from: string, to: string): string {
  const delimiter = delimiterFor(from, to)
  const pattern = escaped(from, /[\\.*[\]^$]/g, delimiter)
  const replacement = escaped(to, /[\\&]/g, delimiter)
  return `sed -i ${quoted(`${line ?? ''}s${delimiter}${pattern}${delimiter}${replacement}${delimiter}`)} ${shellWord(path)}`
}

/** How far a value goes: what it is can be a secret, and is no part of any command. */
export type Extent = 'line' | 'flow' | 'single quotes' | 'double quotes' | 'word'

const EXTENTS: Record<Extent, string> = {
  line: '.*',
  flow: '[^,}]*',
  'single quotes': "'[^']*'",
  'double quotes': '"[^"]*"',
  word: `[^[:space:]"']*`,
}

/** A sed that gives what follows `head` on a line another value, whatever it is now. */
export function replaceValue({ path, line }: Place, head: string, extent: Extent, to: string): string {
  const delimiter = delimiterFor(head, to, EXTENTS[extent])
  const pattern = escaped(head, /[\\.*[\]^$]/g, delimiter) + EXTENTS[extent]
  const replacement = escaped(to, /[\\&]/g, delimiter)
  return `sed -i ${quoted(`${line ?? ''}s${delimiter}${pattern}${delimiter}${replacement}${delimiter}`)} ${shellWord(path)}`
}

/** A sed that puts another text in the place of a whole line. */
export function replaceLine({ path, line }: Place, text: string): string {
  return `sed -i ${quoted(`${line ?? 1}c\\${text}`)} ${shellWord(path)}`
}

/** A sed that puts a line after another one. */
export function insertAfterLine({ path, line }: Place, text: string): string {
  return `sed -i ${quoted(`${line ?? '$'}a\\${text}`)} ${shellWord(path)}`
}

/** A sed that takes a line out. */
export function deleteLine({ path, line }: Place): string {
  return `sed -i ${line ?? 1}d ${shellWord(path)}`
}

/** Puts lines at the end of a file, which need not end with a line break. */
export function appendLines(path: string, lines: string[]): string {
  return `printf '\\n%s' ${lines.map(quoted).join(' ')} >> ${shellWord(path)}`
}
