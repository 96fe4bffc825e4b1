import type { ExactStat, FileSource } from '../../../agent/contract/mod.ts'

/** Bytes as a file that does not change. */
export function memorySource(bytes: Uint8Array, mtimeMs: number): FileSource {
  const stat: ExactStat = {
    type: 'file',
    mode: 0o600,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtimeMs,
    ctimeMs: mtimeMs,
    ino: 0,
    dev: 0,
    nlink: 1,
    mtimeNs: BigInt(Math.floor(mtimeMs)) * 1_000_000n,
    storedBytes: bytes.length,
    deviceMajor: 0,
    deviceMinor: 0,
  }
  return {
    stat,
    read(buffer, position) {
      const part = bytes.subarray(position, position + buffer.length)
      buffer.set(part)
      return part.length
    },
    exactStat: () => stat,
    extendedAttributes: () => new Map(),
    contentRanges: () => undefined,
    close: () => {},
  }
}
