import { type BigIntStats, constants } from 'node:fs'
import type { ExactStat } from '../contract/host.ts'
import { TYPES } from './files.ts'

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
