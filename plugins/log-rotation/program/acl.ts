import { constants } from 'node:os'
import { architecture, systemCall } from '../../../agent/host/libc.ts'

const CALLS = { x64: { get: 193, set: 190 }, arm64: { get: 10, set: 7 } } as const
const NAME = Buffer.from('system.posix_acl_access\0')
const MAX_BYTES = 65_536
const UNSUPPORTED = ['ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOSYS', 'EBUSY']

/** The access list of an open file; undefined: it has none beside its mode, or the file system knows of none. Throws. */
export function readAccessList(descriptor: number): Uint8Array | undefined {
  const value = Buffer.alloc(MAX_BYTES)
  const length = systemCall(CALLS[architecture()].get, descriptor, NAME, value, value.length)
  if (length > 0) return value.subarray(0, length)
  if (length === 0) return undefined
  const error = systemError(-length)
  if (error.code === 'ENODATA' || UNSUPPORTED.includes(error.code)) return undefined
  throw error
}

/** Gives an open file an access list, and so its mode; false when its file system knows of none. Throws. */
export function setAccessList(descriptor: number, list: Uint8Array): boolean {
  const result = systemCall(CALLS[architecture()].set, descriptor, NAME, list, list.length, 0)
  if (result >= 0) return true
  const error = systemError(-result)
  if (UNSUPPORTED.includes(error.code)) return false
  throw error
}

/** An error of a system call that was not made by the runtime. */
export function systemError(errno: number): Error & { code: string } {
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`
  return Object.assign(new Error(code), { code })
}
