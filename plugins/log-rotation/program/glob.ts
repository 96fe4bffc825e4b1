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
  const parts = pattern.split('/')
  const isAbsolute = pattern.startsWith('/')
  let found = [isAbsolute ? '/' : '']
  let sawMagic = false
  for (const [index, part] of parts.entries()) {
    if (part === '') continue
    const isLast = index === parts.length - 1
    const join = (directory: string, name: string) =>
      directory === '' || directory.endsWith('/') ? directory + name : `${directory}/${name}`
    if (MAGIC.test(part)) {
      sawMagic = true
      const matches = nameMatcher(part)
      found = found.flatMap((directory) =>
        list(directory, failsOn, look)
          .filter((name) => name !== '.' && name !== '..' && matches(name))
          .map((name) => join(directory, name)),
      )
    } else {
      const name = part.replace(/\\(.)/gs, '$1')
      found = found.map((directory) => join(directory, name))
      if (sawMagic || isLast) found = found.filter((path) => look.exists(path))
    }
    if (found.length === 0) return []
  }
  return found.sort(compareBytes)
}

function list(directory: string, failsOn: (errno: string) => boolean, look: Look): string[] {
  try {
    return look.list(directory === '' ? '.' : directory)
  } catch (error) {
    if (failsOn(errnoOf(error) ?? '')) throw new GlobFailure(directory, describe(error))
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
    return { paths: paths.length > 0 ? paths : [pattern] }
  } catch (error) {
    if (error instanceof GlobFailure) return { failure: error.reason }
    throw error
  }
}
