import { dlopen, type Pointer, ptr, read } from 'bun:ffi'
import { existsSync } from 'node:fs'
import { architecture } from './libc.ts'

// Looking at entries below an open directory. The runtime has neither statx (mount, flags, exact times) nor the
// calls relative to a directory, without which a path can be no longer than 4095 bytes. One C function, `syscall`,
// under the signatures of the calls: the 64-bit form of libc.ts costs a BigInt for each argument.

const library = ['libc.so.6', '/lib/ld-musl-x86_64.so.1', '/lib/ld-musl-aarch64.so.1'].find(
  (name) => !name.startsWith('/') || existsSync(name),
) as string

/** From the kernel's tables. */
const NUMBERS = {
  x64: { statx: 332, openat: 257, getdents64: 217 },
  arm64: { statx: 291, openat: 56, getdents64: 61 },
}[architecture()]

const look = dlopen(library, {
  syscall: { args: ['i32', 'i32', 'ptr', 'i32', 'u32', 'ptr'], returns: 'i32' },
}).symbols.syscall
const { close, __errno_location: errnoLocation } = dlopen(library, {
  close: { args: ['i32'], returns: 'i32' },
  __errno_location: { args: [], returns: 'ptr' },
}).symbols

/** An address in a buffer that the caller keeps alive. */
export type Address = Pointer

export const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_NO_AUTOMOUNT = 0x800
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS = 0x7ff
const STATX_MNT_ID = 0x1000

/** struct statx of include/uapi/linux/stat.h as 32-bit words; filled by statAt. */
export const STATX = new Uint32Array(new ArrayBuffer(256))
const statxAddress = ptr(STATX)
export const STATX_WORD = {
  attributesLow: 2,
  links: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inodeLow: 8,
  inodeHigh: 9,
  sizeLow: 10,
  sizeHigh: 11,
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
  return outcome(look(NUMBERS.statx, directory, name, flags, STATX_BASIC_STATS | STATX_MNT_ID, statxAddress))
}

// Bytes and address in one object: what nobody refers to would be collected, whatever has its address.
const EMPTY = cString(new Uint8Array())

/** Looks at what is open. */
export function statOpen(descriptor: number): number {
  const flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT
  return outcome(
    look(NUMBERS.statx, descriptor, EMPTY.address, flags, STATX_BASIC_STATS | STATX_MNT_ID, statxAddress),
  )
}

/** A descriptor, or a negative errno. */
export function openAt(directory: number, name: Address, flags: number): number {
  return outcome(look(NUMBERS.openat, directory, name, flags, 0, null))
}

/** Bytes of directory entries (struct linux_dirent64), 0 at the end, or a negative errno. */
export function readEntries(directory: number, buffer: Address, size: number): number {
  return outcome(look(NUMBERS.getdents64, directory, buffer, size, 0, null))
}

export function closeDescriptor(descriptor: number): void {
  close(descriptor)
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
  const location = errnoLocation()
  return location === null ? -1 : -read.i32(location, 0)
}
