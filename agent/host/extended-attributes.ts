import { encodeName } from '../lib/names.ts'
import { codeOfErrno } from './files.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'
import { addressOf, listAttributes } from './statx.ts'

// The kernel's limits (include/uapi/linux/limits.h) and errors (include/uapi/asm-generic/errno*.h).
const LIST_MAX_BYTES = 65_536
const VALUE_MAX_BYTES = 65_536
const NO_SUCH_ENTRY = -2
const NOT_SUPPORTED = -95
const NO_DATA = -61
const TOO_SMALL = -34
/** Enough for most files; the kernel allocates as much as it may give, each time. */
const LIST_USUAL_BYTES = 1024

const list = Buffer.alloc(LIST_MAX_BYTES)
const listAddress = addressOf(list, 0)
const value = Buffer.alloc(VALUE_MAX_BYTES)
const NONE: ReadonlyMap<string, Uint8Array> = new Map()

/**
 * Extended attributes by name, access control lists and file capabilities among them, in the order of their names:
 * of an open file, or of what a path names without following a link.
 */
export function extendedAttributes(target: number | string | Buffer): ReadonlyMap<string, Uint8Array> {
  const numbers = NUMBERS[architecture()]
  const isOpen = typeof target === 'number'
  const at = isOpen ? target : cString(target)
  const listed = (bytes: number) =>
    isOpen ? listAttributes(target, listAddress, bytes) : systemCall(numbers.llistxattr, at, list, bytes)
  let length = listed(LIST_USUAL_BYTES)
  if (length === TOO_SMALL) length = listed(LIST_MAX_BYTES)
  if (length === 0 || length === NOT_SUPPORTED || length === NO_SUCH_ENTRY) return NONE
  if (length < 0) throw systemError(length)
  const names = list
    .toString('latin1', 0, length - 1)
    .split('\0')
    .sort()
  const found = new Map<string, Uint8Array>()
  for (const name of names) {
    const bytes = systemCall(
      isOpen ? numbers.fgetxattr : numbers.lgetxattr,
      at,
      cString(Buffer.from(name, 'latin1')),
      value,
      VALUE_MAX_BYTES,
    )
    // Removed since it was listed, or one that the kernel lists and does not give (security.selinux without SELinux).
    if (bytes === NO_DATA || bytes === NOT_SUPPORTED) continue
    if (bytes < 0) throw systemError(bytes)
    found.set(name, Uint8Array.from(value.subarray(0, bytes)))
  }
  return found
}

/** Sets one, replacing what is there. The name is in latin1: a byte is a character. */
export function setExtendedAttribute(
  target: number | string | Buffer,
  name: string,
  bytes: Uint8Array,
): void {
  const numbers = NUMBERS[architecture()]
  const isOpen = typeof target === 'number'
  const at = isOpen ? target : cString(target)
  // An empty buffer has no address.
  const content = bytes.length > 0 ? Buffer.from(bytes) : Buffer.alloc(1)
  const number = isOpen ? numbers.fsetxattr : numbers.lsetxattr
  const result = systemCall(number, at, cString(Buffer.from(name, 'latin1')), content, bytes.length, 0)
  if (result < 0) throw systemError(result)
}

function cString(text: string | Buffer): Buffer {
  return Buffer.concat([typeof text === 'string' ? encodeName(text) : text, Buffer.alloc(1)])
}

/** An error like one of the runtime's own, from a negative errno. */
export function systemError(result: number): Error {
  const code = codeOfErrno(-result)
  const error = new Error(code ?? `errno ${-result}`)
  return code ? Object.assign(error, { code }) : error
}
