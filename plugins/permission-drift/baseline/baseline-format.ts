import {
  type Entry,
  type FileType,
  type Json,
  parsePrintablePath,
  printablePath,
  z,
} from '../../../agent/contract/mod.ts'

/**
 * A baseline is a text file. Its first line is the header, its last the trailer, both JSON. Between them stand
 * the entries of the tree in the order of a walk: a line that begins with "/" is a directory, and each line
 * after it an entry in that directory: a letter for its type, mode in octal, uid, gid, size, name.
 *
 *     {"format":"reeve-baseline","version":1,"tree":"/etc/ssh","generation":1,"madeAt":"2027-01-01T00:00:00.000Z"}
 *     /etc/
 *     d0755 0 0 0 ssh
 *     /etc/ssh/
 *     f0644 0 0 573 moduli
 *     {"entries":2,"sha256":"…","fingerprint":"…"}
 */
export const header = z.strictObject({
  format: z.literal('reeve-baseline'),
  version: z.literal(1),
  tree: z.string(),
  /** One more with each acceptance, so that an older file is told from a newer one. */
  generation: z.number().int().positive(),
  madeAt: z.iso.datetime(),
  /** Why it was accepted, in the operator's words. */
  reason: z.string().optional(),
})
export type Header = z.output<typeof header>

export const trailer = z.strictObject({
  entries: z.number().int().nonnegative(),
  /** Of all lines before this one. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Keyed with this host's key over `sha256`: nobody else can write a baseline. */
  fingerprint: z.string(),
})
export type Trailer = z.output<typeof trailer>

/** A baseline that does not verify or cannot be read: it was changed by somebody else, or is damaged. */
export class BaselineError extends Error {
  override readonly name = 'BaselineError'
}

export type BaselineEntry = Pick<Entry, 'path' | 'type' | 'mode' | 'uid' | 'gid' | 'size'>

const LETTERS: Record<FileType, string> = {
  file: 'f',
  directory: 'd',
  symlink: 'l',
  socket: 's',
  fifo: 'p',
  'block-device': 'b',
  'character-device': 'c',
}
const TYPES = new Map(Object.entries(LETTERS).map(([type, letter]) => [letter, type as FileType]))
const OCTAL = Array.from({ length: 0o10000 }, (_, mode) => mode.toString(8).padStart(4, '0'))

/** The directory part of a path, with its slash: what is in "/etc/" is in the directory "/etc". */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

/** The line of an entry. Sizes of directories and devices say nothing and are left out. */
export function encodeEntry(entry: BaselineEntry, name: string): string {
  const size = entry.type === 'file' || entry.type === 'symlink' ? entry.size : 0
  return `${LETTERS[entry.type]}${OCTAL[entry.mode]} ${entry.uid} ${entry.gid} ${size} ${printablePath(name)}`
}

/** The entry of a line. Throws BaselineError for what is none. */
export function decodeEntry(directory: string, line: string): BaselineEntry {
  const match = /^([a-z])([0-7]{4}) (\d+) (\d+) (\d+) (.*)$/.exec(line)
  const type = TYPES.get(match?.[1] ?? '')
  if (!match || !type) throw new BaselineError(`its line "${line.slice(0, 100)}" is no entry`)
  return {
    path: directory + nameOf(line),
    type,
    mode: Number.parseInt(match[2] ?? '', 8),
    uid: Number(match[3]),
    gid: Number(match[4]),
    size: Number(match[5]),
  }
}

/** The name in the line of an entry. */
export function nameOf(line: string): string {
  let start = 0
  for (let field = 0; field < 4; field++) start = line.indexOf(' ', start) + 1
  return parsePrintablePath(line.slice(start))
}

/** The JSON of a header or trailer line. Throws BaselineError for what is none. */
export function parseLine<T>(schema: z.ZodType<T>, what: string, line: string): T {
  let value: Json
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new BaselineError(`its ${what} is damaged`, { cause: error })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new BaselineError(`its ${what} is damaged: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}
