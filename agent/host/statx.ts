import { dlopen, type Pointer, ptr, read } from 'bun:ffi'
import { writeName } from '../lib/names.ts'
import { architecture, C_LIBRARY } from './libc.ts'

// Looking at entries below an open directory. The runtime has neither statx (mount, flags, exact times) nor the
// calls relative to a directory, without which a path can be no longer than 4095 bytes. One C function, `syscall`,
// under the signatures of the calls: the 64-bit form of libc.ts costs a BigInt for each argument.

/** From the kernel's tables. */
const NUMBERS = {
  x64: { statx: 332, openat: 257, getdents64: 217, flistxattr: 196 },
  arm64: { statx: 291, openat: 56, getdents64: 61, flistxattr: 13 },
}[architecture()]

/** Compiled when they are first asked for, which takes two milliseconds that most processes can do without. */
let symbols: ReturnType<typeof compile> | undefined

function compile() {
  return dlopen(C_LIBRARY, {
    syscall: { args: ['i32', 'i32', 'ptr', 'i32', 'u32', 'ptr'], returns: 'i32' },
    close: { args: ['i32'], returns: 'i32' },
    __errno_location: { args: [], returns: 'ptr' },
  }).symbols
}

function calls(): ReturnType<typeof compile> {
  symbols ??= compile()
  return symbols
}

/** An address in a buffer that the caller keeps alive. */
export type Address = Pointer

export const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_NO_AUTOMOUNT = 0x800
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS = 0x7ff
const ENAMETOOLONG = 36
export const STATX_BTIME = 0x800
const STATX_MNT_ID = 0x1000
const WANTED = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID

/** struct statx of include/uapi/linux/stat.h as 32-bit words; filled by statAt. */
export const STATX = new Uint32Array(new ArrayBuffer(256))
const statxAddress = ptr(STATX)
export const STATX_WORD = {
  mask: 0,
  attributesLow: 2,
  links: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inodeLow: 8,
  inodeHigh: 9,
  sizeLow: 10,
  sizeHigh: 11,
  blocksLow: 12,
  blocksHigh: 13,
  birthLow: 20,
  birthHigh: 21,
  birthNanoseconds: 22,
  ctimeLow: 24,
  ctimeHigh: 25,
  ctimeNanoseconds: 26,
  mtimeLow: 28,
  mtimeHigh: 29,
  mtimeNanoseconds: 30,
  deviceMajor: 32,
  deviceMinor: 33,
  deviceIdMajor: 34,
  deviceIdMinor: 35,
  mountLow: 36,
  mountHigh: 37,
} as const

/** Looks at a name in an open directory into STATX, links not followed. 0, or a negative errno. */
export function statAt(directory: number, name: Address): number {
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT
  return outcome(calls().syscall(NUMBERS.statx, directory, name, flags, WANTED, statxAddress))
}

const NAME_MAX_BYTES = 255
const NAME = cString(new Uint8Array(NAME_MAX_BYTES))

/** The same for a name that is a text; names are no longer than 255 bytes (NAME_MAX of limits.h). */
export function statName(directory: number, name: string): number {
  const length = writeName(name, NAME.bytes, 0, NAME_MAX_BYTES)
  if (length < 0) return -ENAMETOOLONG
  NAME.bytes[length] = 0
  return statAt(directory, NAME.address)
}

// Bytes and address in one object: what nobody refers to would be collected, whatever has its address.
const EMPTY = cString(new Uint8Array())

/** Looks at what is open. */
export function statOpen(descriptor: number): number {
  const flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT
  return outcome(calls().syscall(NUMBERS.statx, descriptor, EMPTY.address, flags, WANTED, statxAddress))
}

/** Names of the extended attributes of what is open, each with a NUL behind: their bytes, or a negative errno. */
export function listAttributes(descriptor: number, buffer: Address, size: number): number {
  return outcome(calls().syscall(NUMBERS.flistxattr, descriptor, buffer, size, 0, null))
}

/** A descriptor, or a negative errno. */
export function openAt(directory: number, name: Address, flags: number): number {
  return outcome(calls().syscall(NUMBERS.openat, directory, name, flags, 0, null))
}

/** Bytes of directory entries (struct linux_dirent64), 0 at the end, or a negative errno. */
export function readEntries(directory: number, buffer: Address, size: number): number {
  return outcome(calls().syscall(NUMBERS.getdents64, directory, buffer, size, 0, null))
}

export function closeDescriptor(descriptor: number): void {
  calls().close(descriptor)
}

/** A text with a NUL at its end, where C can read it. Keep the buffer as long as the address is used. */
export function cString(bytes: Uint8Array): { bytes: Uint8Array; address: Address } {
  const terminated = new Uint8Array(new ArrayBuffer(bytes.length + 1))
  terminated.set(bytes)
  return { bytes: terminated, address: ptr(terminated) }
}

export function addressOf(bytes: Uint8Array, offset: number): Address {
  return ptr(bytes, offset)
}

function outcome(result: number): number {
  if (result >= 0) return result
  const location = calls().__errno_location()
  return location === null ? -1 : -read.i32(location, 0)
}
