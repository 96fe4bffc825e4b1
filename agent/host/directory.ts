import { closeSync, constants, openSync } from 'node:fs'
import { errnoOf } from '../lib/errors.ts'
import { toSystemPath } from './names.ts'

/** From the kernel's include/uapi/asm-generic/fcntl.h: a handle that names a file without opening it for reading. */
export const O_PATH = 0o10000000

/**
 * A handle of a directory below `root`, opened component by component. A link in any component of `path` is
 * refused (ENOTDIR), so nobody who can write above it can lead the caller to another place.
 */
export function openDirectoryHandle(root: string, path: string): number {
  const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW
  let descriptor = openSync(root, O_PATH | constants.O_DIRECTORY)
  for (const component of path.split('/')) {
    if (component === '') continue
    const parent = descriptor
    try {
      descriptor = openSync(toSystemPath(`/proc/self/fd/${parent}/${component}`), flags)
    } catch (error) {
      if (errnoOf(error) !== 'ENOTDIR') throw error
      throw new Error(`"${component}" in it is a link or no directory`, { cause: error })
    } finally {
      closeSync(parent)
    }
  }
  return descriptor
}
