import { createHash } from 'node:crypto'
import { describeError, type HostReader } from '../../../agent/contract/mod.ts'
import type { ContentEntry } from './contents.ts'

const READ_BYTES = 1_048_576

/**
 * How what is on the disk differs from what a backup holds: content, type, permission bits, time, target of a link;
 * undefined when it does not. Owners are left out: whether they could be set, a restore tells by itself.
 */
export function differenceOf(
  host: HostReader,
  base: string,
  name: string,
  entry: ContentEntry,
): string | undefined {
  const path = `${base}/${name}`
  try {
    const stat = host.exactStat(path)
    if (!stat) return 'it is missing'
    if (stat.type !== (entry.type === 'hard-link' ? 'file' : entry.type)) return `it is a ${stat.type}`
    if (entry.type === 'hard-link') {
      const other = host.exactStat(`${base}/${entry.linkName}`)
      return other?.ino === stat.ino ? undefined : `it is no other name of "${entry.linkName}"`
    }
    if (entry.type === 'symlink') {
      return host.readLink(path) === entry.linkName ? undefined : 'it points elsewhere'
    }
    if (stat.mode !== entry.mode) return `its mode is ${stat.mode.toString(8)}, not ${entry.mode.toString(8)}`
    if (entry.type !== 'file') return undefined
    if (stat.size !== entry.size) return `it has ${stat.size} bytes, not ${entry.size}`
    return hashFile(host, path) === entry.sha256 ? undefined : 'its content differs'
  } catch (error) {
    return describeError(error)
  }
}

/** SHA-256 of a file of this host. */
export function hashFile(host: HostReader, path: string): string {
  const source = host.open(path)
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    for (let position = 0; ; ) {
      const count = source.read(buffer, position)
      if (count === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, count))
      position += count
    }
  } finally {
    source.close()
  }
}
