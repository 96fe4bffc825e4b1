import { constants, readdirSync, type Stats } from 'node:fs'
import type { FileStat, FileType } from '../contract/host.ts'
import { errnoOf } from '../lib/errors.ts'
import { decodeName } from './names.ts'

/** Names in a directory in byte order. */
export function listNames(path: string | Buffer): string[] {
  const names = readdirSync(path as string)
  // U+FFFD: perhaps a name that is no UTF-8; only then pay for reading the bytes.
  const exact = names.some((name) => name.includes('\uFFFD'))
    ? readdirSync(path as string, { encoding: 'buffer' }).map(decodeName)
    : names
  return exact.sort()
}

/** Runs a file operation; its error becomes `Cannot <verb> "<path>": <reason>` and keeps the errno. */
export function attempt<T>(verb: string, path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw fileError(verb, path, error)
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a component is not a directory',
  ELOOP: 'it is a symbolic link',
  EEXIST: 'it exists already',
  ENOSPC: 'no space left on the device',
  EROFS: 'read-only file system',
  EDQUOT: 'disk quota exceeded',
  EIO: 'input/output error',
  EISDIR: 'it is a directory',
}

function fileError(verb: string, path: string, cause: unknown): Error {
  const code = errnoOf(cause)
  const reason = (code && REASONS[code]) ?? (cause instanceof Error ? cause.message : String(cause))
  const error = new Error(`Cannot ${verb} "${path}": ${reason}`, code ? {} : { cause })
  return code ? Object.assign(error, { code }) : error
}

export function statOrUndefined(look: () => Stats, path: string): FileStat | undefined {
  try {
    return toFileStat(look())
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw fileError('look at', path, error)
  }
}

const TYPES: Record<number, FileType> = {
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'directory',
  [constants.S_IFLNK]: 'symlink',
  [constants.S_IFSOCK]: 'socket',
  [constants.S_IFIFO]: 'fifo',
  [constants.S_IFBLK]: 'block-device',
  [constants.S_IFCHR]: 'character-device',
}

export function toFileStat(stat: Stats): FileStat {
  return {
    type: TYPES[stat.mode & constants.S_IFMT] ?? 'file',
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: stat.size,
    mtimeMs: stat.mtimeMs,
    ctimeMs: stat.ctimeMs,
    ino: stat.ino,
    dev: stat.dev,
    nlink: stat.nlink,
  }
}
