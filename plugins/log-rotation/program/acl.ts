import { constants } from 'node:os'
import { architecture, systemCall } from '../../../agent/host/libc.ts'

const CALLS = { x64: { get: 193, set: 190 }, arm64: { get: 10, set: 7 } } as const
const NAME = Buffer.from('system.posix_acl_access\0')
/** One for all calls: of a thousand logs, to make it would take longer than to ask. */
const value = new Uint8Array(65_536)
/** Of two codes of a number the first. */
const CODES = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([code, number]) => [number, code]),
)
const UNSUPPORTED = ['ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOSYS', 'EBUSY']

/** The access list of an open file; undefined: it has none beside its mode, or the file system knows of none. Throws. */
export function readAccessList(descriptor: number): Uint8Array | undefined {
  const length = systemCall(CALLS[architecture()].get, descriptor, NAME, value, value.length)
  if (length > 0) return value.slice(0, length)
  if (length === 0) return undefined
  const code = CODES.get(-length) ?? ''
  if (code === 'ENODATA' || UNSUPPORTED.includes(code)) return undefined
  throw systemError(-length)
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
  const code = CODES.get(errno) ?? `errno ${errno}`
  return Object.assign(new Error(code), { code })
}
