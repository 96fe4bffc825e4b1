import type { BigIntStats } from 'node:fs'
import { architecture, systemCall } from '../../../agent/host/libc.ts'

/** What of a log is handed on to what is made of it. */
export interface Attributes {
  mode: number
  uid: number
  gid: number
  sizeBytes: number
  links: number
  device: number
  accessedNs: bigint
  modifiedNs: bigint
}

export function attributesOf(stat: BigIntStats): Attributes {
  return {
    mode: Number(stat.mode),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    sizeBytes: Number(stat.size),
    links: Number(stat.nlink),
    device: Number(stat.dev),
    accessedNs: stat.atimeNs,
    modifiedNs: stat.mtimeNs,
  }
}

export const modifiedAt = ({ modifiedNs }: Attributes): Date => new Date(Number(modifiedNs / 1_000_000n))

/** Whole days, as logrotate counts them, between the last change of a file and now. */
export function ageDays({ modifiedNs }: Attributes, now: Date): number {
  const seconds = Math.floor(now.getTime() / 1000) - Number(modifiedNs / 1_000_000_000n)
  return Math.trunc(seconds / 86_400)
}

const UTIMENSAT = { x64: 280, arm64: 88 } as const
const SECOND_NS = 1_000_000_000n

/** Gives an open file the times of a log, to the nanosecond. Where that is not allowed it is no disaster. */
export function setTimes(descriptor: number, { accessedNs, modifiedNs }: Attributes): void {
  const times = BigInt64Array.of(
    accessedNs / SECOND_NS,
    accessedNs % SECOND_NS,
    modifiedNs / SECOND_NS,
    modifiedNs % SECOND_NS,
  )
  systemCall(UTIMENSAT[architecture()], descriptor, 0, times, 0)
}
