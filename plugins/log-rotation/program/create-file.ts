import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  type Stats,
} from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../../../agent/lib/errors.ts'
import type { Output } from './output.ts'
import { formatStamp } from './stamp.ts'

export interface FileLike {
  mode: number
  uid: number
  gid: number
}

/** A new file that was never open to more than it will be: no link is followed and none that is there is reused. */
export function createFile(path: string, like: FileLike): number {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const descriptor = openSync(path, flags, like.mode & 0o700)
  try {
    if (like.uid !== process.geteuid?.() || like.gid !== process.getegid?.()) {
      fchownSync(descriptor, like.uid, like.gid)
    }
    fchmodSync(descriptor, like.mode & 0o7777)
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

/** As createFile; what has the name already is kept as `NAME-YYYYMMDDHH.backup`. */
export function createKeepingOther(path: string, like: FileLike, now: Date, output: Output): number {
  try {
    return createFile(path, like)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    setAside(path, now, output)
    return createFile(path, like)
  }
}

export function setAside(path: string, now: Date, output: Output): void {
  const backup = `${path}-${formatStamp(now)}.backup`
  output.debug(`destination ${path} already exists, renaming to ${backup}`)
  renameSync(path, backup)
}

/** Makes a rename or a new name outlive a power loss. */
export function syncDirectoryOf(path: string): void {
  const descriptor = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

export const likeStat = ({ mode, uid, gid }: Stats): FileLike => ({ mode, uid, gid })
