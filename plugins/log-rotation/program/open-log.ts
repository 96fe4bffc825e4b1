import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import type { Settings } from '../logrotate/settings.ts'
import type { Files } from './files.ts'

const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NOCTTY, O_NONBLOCK } = constants

/**
 * Opens a log that is a regular file under that very name, and has no other name unless that is allowed. A named pipe
 * holds up nothing. Throws.
 */
export function openLog(files: Files, path: string, settings: Settings, access: 'read' | 'write'): number {
  const flags = access === 'write' ? O_RDWR : O_RDONLY
  const descriptor = openSync(files.at(path), flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
  const stat = fstatSync(descriptor)
  if (stat.isFile() && (stat.nlink === 1 || settings.allowHardLink)) return descriptor
  closeSync(descriptor)
  throw Object.assign(new Error('Operation not supported'), { code: 'ENOTSUP' })
}
