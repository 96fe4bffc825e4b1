import { readFileSync } from 'node:fs'
import { architecture, NUMBERS, systemCall } from './libc.ts'

const MADV_DONTNEED = 4

/**
 * Gives back memory that only the start (or the last burst of work) needed: garbage, and the pages of the
 * program's own code, which the kernel maps in again from its cache when they are called. Only mappings
 * that cannot have been written (executable, without write permission) are let go.
 */
export function releaseUnusedMemory(): void {
  Bun.gc(true)
  const madvise = NUMBERS[architecture()].madvise
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ [1-9]\d*\s+\//.exec(line)
    if (!match) continue
    const start = BigInt(`0x${match[1]}`)
    systemCall(madvise, start, BigInt(`0x${match[2]}`) - start, MADV_DONTNEED)
  }
}
