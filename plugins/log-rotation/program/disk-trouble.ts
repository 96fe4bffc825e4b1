import { statfsSync } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'

const CODES = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EFBIG'])
const WORDS =
  /: (?:No space left on device|Disk quota exceeded|Input\/output error|Read-only file system|File too large)$/

/** Whether something failed because of the disk, so that the next run can end it. */
export function isDiskTrouble(error: unknown): boolean {
  return CODES.has(errnoOf(error) ?? '')
}

/** The same for what was told of an error, in the system's words. */
export const tellsDiskTrouble = (message: string): boolean => WORDS.test(message)

/** Whether so much has no room where `path` is: why a program failed that wrote there. */
export function hasNoRoom(path: string | Buffer, bytes: number): boolean {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize < bytes
}
