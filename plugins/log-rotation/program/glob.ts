import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { compareBytes, nameOf, textOf } from './bytes.ts'
import { describe } from './describe.ts'
import { nameMatcher } from './fnmatch.ts'

/** How directories are looked at. */
export interface Look {
  /** Names in a directory. Throws. */
  list(directory: string): string[]
  /** Also true of a link to nothing. */
  exists(path: string): boolean
}

export const plainLook: Look = {
  list: (directory) => readdirSync(nameOf(directory), { encoding: 'buffer' }).map(textOf),
  exists: (path) => entryOf(path) !== undefined,
}

/** Undefined where there is none, or no way to it. */
export function entryOf(path: string): Stats | undefined {
  try {
    return lstatSync(nameOf(path), { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

const MAGIC = /[*?[]/

/** A directory on the way could not be read. */
export class GlobFailure extends Error {
  constructor(
    readonly directory: string,
    readonly reason: string,
  ) {
    super(`error accessing ${directory}: ${reason}`)
  }
}

/**
 * glob(3): paths that match, in the order of their bytes; none when nothing does. `failsOn` says which errors of a
 * directory end it with a GlobFailure.
 */
export function glob(pattern: string, failsOn: (errno: string) => boolean, look: Look = plainLook): string[] {
  const parts = plain(pattern).split('/')
  const last = parts.pop() ?? ''
  // Slashes stay as they are written: a path is also the name in the state.
  let prefixes = ['']
  let sawMagic = false
  const expand = (part: string) => {
    if (!MAGIC.test(part)) return prefixes.map((prefix) => prefix + part.replace(/\\(.)/gs, '$1'))
    sawMagic = true
    const matches = nameMatcher(part)
    return prefixes.flatMap((prefix) =>
      list(prefix, failsOn, look)
        .filter((name) => name !== '.' && name !== '..' && matches(name))
        .map((name) => prefix + name),
    )
  }
  for (const part of parts) {
    const found = part === '' ? prefixes : expand(part)
    prefixes = (sawMagic ? found.filter((path) => path === '' || look.exists(path)) : found).map(
      (path) => `${path}/`,
    )
  }
  return expand(last)
    .filter((path) => look.exists(path))
    .sort(compareBytes)
}

/** glob(3) writes a name right below the root with one slash. */
const plain = (pattern: string) => (/^\/\/[^/]*$/s.test(pattern) ? pattern.slice(1) : pattern)

function list(directory: string, failsOn: (errno: string) => boolean, look: Look): string[] {
  try {
    return look.list(directory === '' ? '.' : directory.replace(/(?<=.)\/+$/s, ''))
  } catch (error) {
    if (failsOn(errnoOf(error) ?? ''))
      throw new GlobFailure(directory.replace(/(?<=.)\/+$/s, ''), describe(error))
    return []
  }
}

/** Which logs a pattern of a configuration means: `~` and `~user` are homes; itself when nothing matches. */
export function globLogs(
  pattern: string,
  home: (user?: string) => string | undefined,
): { paths: string[] } | { failure: string } {
  const tilde = /^~([^/]*)/.exec(pattern)
  const directory = tilde ? home(tilde[1] || undefined) : undefined
  const expanded = tilde && directory !== undefined ? directory + pattern.slice(tilde[0].length) : pattern
  try {
    // Links to nothing and files on the way are no reason to give up.
    const paths = glob(expanded, (errno) => errno !== 'ENOTDIR' && errno !== 'ENOENT')
    return { paths: paths.length > 0 ? paths : [plain(pattern)] }
  } catch (error) {
    if (error instanceof GlobFailure) return { failure: error.reason }
    throw error
  }
}
