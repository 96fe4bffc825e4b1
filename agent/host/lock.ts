import { closeSync, constants, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { architecture, NUMBERS, systemCall } from './libc.ts'

const LOCK_EXCLUSIVE = 2
const LOCK_NO_WAIT = 4

/**
 * Takes an exclusive lock that the kernel drops with the process, so a dead holder fools nobody. Undefined
 * when another process (or another call) holds it. The file stays; it has no content.
 */
export function takeLock(path: string): { release(): void } | undefined {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  const result = systemCall(NUMBERS[architecture()].flock, descriptor, LOCK_EXCLUSIVE | LOCK_NO_WAIT)
  if (result < 0) {
    closeSync(descriptor)
    return undefined
  }
  return { release: () => closeSync(descriptor) }
}

/** Whether somebody holds the lock, for one who only looks: nothing is made. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const result = systemCall(NUMBERS[architecture()].flock, descriptor, LOCK_EXCLUSIVE | LOCK_NO_WAIT)
  closeSync(descriptor)
  return result < 0
}
