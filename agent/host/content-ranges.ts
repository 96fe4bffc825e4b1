import type { ContentRange } from '../contract/host.ts'
import { systemError } from './extended-attributes.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'

// From the kernel's include/uapi/linux/fs.h.
const SEEK_DATA = 3
const SEEK_HOLE = 4
const NO_MORE_DATA = -6
const NOT_KNOWN = -22
/** With more ranges a file is hardly sparse, and a list of them no help. */
const MAX_RANGES = 100_000

/**
 * Where a file of `size` bytes has content; between are holes, which read as zeros. Undefined where the file
 * system does not tell, and for a file without holes.
 */
export function contentRanges(descriptor: number, size: number): ContentRange[] | undefined {
  const { lseek } = NUMBERS[architecture()]
  const ranges: ContentRange[] = []
  for (let position = 0; position < size; ) {
    const offset = systemCall(lseek, descriptor, position, SEEK_DATA)
    if (offset === NO_MORE_DATA) break
    if (offset === NOT_KNOWN) return undefined
    if (offset < 0) throw systemError(offset)
    if (offset >= size) break
    const end = systemCall(lseek, descriptor, offset, SEEK_HOLE)
    if (end < 0) throw systemError(end)
    ranges.push({ offset, bytes: Math.min(end, size) - offset })
    if (ranges.length > MAX_RANGES) return undefined
    position = Math.max(end, offset + 1)
  }
  const [first] = ranges
  return first?.bytes === size ? undefined : ranges
}
