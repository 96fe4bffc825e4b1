import { constants, lstatSync, readdirSync, type Stats } from 'node:fs'
import { constants as osConstants } from 'node:os'
import type { Entry, FileStat, FileType } from '../contract/host.ts'
import { errnoOf } from '../lib/errors.ts'
import { printablePath } from '../lib/path.ts'
import { decodeName, toSystemPath } from './names.ts'

/** Names in a directory in the order of their UTF-16 code units (byte order but for astral characters). */
export function listNames(path: string | Buffer): string[] {
  const names = readdirSync(path as string)
  // U+FFFD: perhaps a name that is no UTF-8; only then pay for reading the bytes.
  const exact = names.some((name) => name.includes('\uFFFD'))
    ? readdirSync(path as string, { encoding: 'buffer' }).map(decodeName)
    : names
  return exact.sort()
}

/** Looks at `prefix + path` without following a link; undefined when there is nothing. */
export function lookAt(prefix: string, path: string): Entry | undefined {
  const stats = lstatSync(toSystemPath(prefix + path), { throwIfNoEntry: false })
  return stats && toEntry(path, stats)
}

/** Runs a file operation; its error becomes `Cannot <verb> "<path>": <reason>` and keeps the errno. */
export function attempt<T>(verb: string, path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    const code = errnoOf(error)
    const message = `Cannot ${verb} "${printablePath(path)}": ${reasonOf(error)}`
    throw code ? Object.assign(new Error(message), { code }) : new Error(message, { cause: error })
  }
}

const errnoNumbers: Record<string, number> = osConstants.errno
const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a component is not a directory',
  ELOOP: 'it is a symbolic link, or links form a loop',
  EEXIST: 'it exists already',
  ENOSPC: 'no space left on the device',
  EROFS: 'read-only file system',
  EDQUOT: 'disk quota exceeded',
  EIO: 'input/output error',
  EISDIR: 'it is a directory',
  ENAMETOOLONG: 'its path is longer than the 4095 bytes that the kernel takes',
  ESTALE: 'the network file system has lost it',
  EXDEV: 'it would have to move to another file system',
  ENOTEMPTY: 'the directory is not empty',
  EMFILE: 'too many open files',
}

/** Why a file operation failed, in words, without the path. */
export function reasonOf(error: unknown): string {
  const code = errnoOf(error)
  return (code && REASONS[code]) ?? (error instanceof Error ? error.message : String(error))
}

/** The same for the negative errno that a system call gave. */
export function reasonOfErrno(result: number): string {
  const code = codeOfErrno(-result)
  return (code && REASONS[code]) ?? code ?? `errno ${-result}`
}

const errnoCodes = new Map(Object.entries(errnoNumbers).map(([code, number]) => [number, code]))
// Two that have a second name.
for (const code of ['EAGAIN', 'EOPNOTSUPP']) errnoCodes.set(errnoNumbers[code] ?? 0, code)

/** "ENOENT" of 2. */
export function codeOfErrno(errno: number): string | undefined {
  return errnoCodes.get(errno)
}

/** The error that `attempt` makes of one with this errno. */
export function failureOf(verb: string, path: string, errno: number): Error {
  const error = new Error(`Cannot ${verb} "${printablePath(path)}": ${reasonOfErrno(-errno)}`)
  return Object.assign(error, { code: codeOfErrno(errno) ?? `errno ${errno}` })
}

/** 2 of an error with the code "ENOENT"; undefined for one that came from no system call. */
export function errnoNumberOf(error: unknown): number | undefined {
  const code = errnoOf(error)
  return code === undefined ? undefined : errnoNumbers[code]
}

/** Whether an error says that there is no such entry (any more). */
export function isMissing(error: unknown): boolean {
  const code = errnoOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

export function statOrUndefined(look: () => Stats, path: string): FileStat | undefined {
  return attempt('look at', path, () => {
    try {
      return toFileStat(look())
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  })
}

export const TYPES: Record<number, FileType> = {
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'directory',
  [constants.S_IFLNK]: 'symlink',
  [constants.S_IFSOCK]: 'socket',
  [constants.S_IFIFO]: 'fifo',
  [constants.S_IFBLK]: 'block-device',
  [constants.S_IFCHR]: 'character-device',
}

export function toFileStat(stats: Stats): FileStat {
  return {
    type: TYPES[stats.mode & constants.S_IFMT] ?? 'file',
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    size: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    ino: stats.ino,
    dev: stats.dev,
    nlink: stats.nlink,
  }
}

/** toFileStat with the path; written out, because a walk makes one of each entry. */
function toEntry(path: string, stats: Stats): Entry {
  return {
    path,
    type: TYPES[stats.mode & constants.S_IFMT] ?? 'file',
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    size: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    ino: stats.ino,
    dev: stats.dev,
    nlink: stats.nlink,
  }
}
