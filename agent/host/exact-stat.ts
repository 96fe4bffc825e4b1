import { type BigIntStats, constants, fstatSync } from 'node:fs'
import { deviceId, typeOf } from '../contract/entry-record.ts'
import type { Entry, ExactStat } from '../contract/host.ts'
import { TYPES } from './files.ts'
import { STATX, STATX_BTIME, STATX_WORD, statOpen } from './statx.ts'

export function toExactStat(stat: BigIntStats): ExactStat {
  return {
    type: TYPES[Number(stat.mode) & constants.S_IFMT] ?? 'file',
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    mtimeMs: Number(stat.mtimeNs) / 1e6,
    ctimeMs: Number(stat.ctimeNs) / 1e6,
    ino: Number(stat.ino),
    dev: Number(stat.dev),
    nlink: Number(stat.nlink),
    mtimeNs: stat.mtimeNs,
    storedBytes: Number(stat.blocks) * 512,
    ctimeNs: stat.ctimeNs,
    birthtimeNs: stat.birthtimeNs,
    // The layout of dev_t, as in gnu_dev_major() and gnu_dev_minor() of sys/sysmacros.h.
    deviceMajor: Number(((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & 0xfffff000n)),
    deviceMinor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xffffff00n)),
  }
}

const word = (index: number) => STATX[index] as number
const long = (low: number) => word(low + 1) * 2 ** 32 + word(low)
/** The upper word of seconds has the sign. */
const seconds = (low: number) => (word(low + 1) | 0) * 2 ** 32 + word(low)
const milliseconds = (low: number) => seconds(low) * 1000 + word(low + 2) / 1e6
const nanoseconds = (low: number) => BigInt(seconds(low)) * 1_000_000_000n + BigInt(word(low + 2))

/** What STATX says now, as the runtime's lstat would. */
export function entryOfStatx(path: string): Entry {
  const mode = word(STATX_WORD.mode) & 0xffff
  return {
    path,
    type: typeOf(mode),
    mode: mode & 0o7777,
    uid: word(STATX_WORD.uid),
    gid: word(STATX_WORD.gid),
    size: long(STATX_WORD.sizeLow),
    mtimeMs: milliseconds(STATX_WORD.mtimeLow),
    ctimeMs: milliseconds(STATX_WORD.ctimeLow),
    ino: long(STATX_WORD.inodeLow),
    dev: deviceId(word(STATX_WORD.deviceIdMajor), word(STATX_WORD.deviceIdMinor)),
    nlink: word(STATX_WORD.links),
  }
}

/** Of what is open. A backup asks this twice of every file: by the runtime it is 15 numbers of any size each time. */
export function exactStatOf(descriptor: number): ExactStat {
  // Where the kernel, or what filters its calls, has no statx.
  if (statOpen(descriptor) < 0) return toExactStat(fstatSync(descriptor, { bigint: true }))
  const mtimeNs = nanoseconds(STATX_WORD.mtimeLow)
  const ctimeNs = nanoseconds(STATX_WORD.ctimeLow)
  const hasBirth = (word(STATX_WORD.mask) & STATX_BTIME) !== 0
  const mode = word(STATX_WORD.mode) & 0xffff
  return {
    type: typeOf(mode),
    mode: mode & 0o7777,
    uid: word(STATX_WORD.uid),
    gid: word(STATX_WORD.gid),
    size: long(STATX_WORD.sizeLow),
    mtimeMs: Number(mtimeNs) / 1e6,
    ctimeMs: Number(ctimeNs) / 1e6,
    ino: long(STATX_WORD.inodeLow),
    dev: deviceId(word(STATX_WORD.deviceIdMajor), word(STATX_WORD.deviceIdMinor)),
    nlink: word(STATX_WORD.links),
    mtimeNs,
    storedBytes: long(STATX_WORD.blocksLow) * 512,
    ctimeNs,
    birthtimeNs: hasBirth ? nanoseconds(STATX_WORD.birthLow) : undefined,
    deviceMajor: word(STATX_WORD.deviceMajor),
    deviceMinor: word(STATX_WORD.deviceMinor),
  }
}
