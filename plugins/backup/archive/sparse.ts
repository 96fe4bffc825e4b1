import type { ContentRange } from '../../../agent/contract/mod.ts'
import { paddingOf } from './entry.ts'

// GNU tar's format 1.0 for sparse files ("Storing Sparse Files" in its manual): the content begins with a map, decimal
// numbers each on a line, filled up to whole blocks; then come the ranges, one after the other.

const MAP_MAX_BYTES = 16_777_216
const NEWLINE = 0x0a

/** The map of a file's ranges. */
export function encodeMap(ranges: readonly ContentRange[], size: number): Buffer {
  const all = withEnd(ranges, size)
  const numbers = [all.length, ...all.flatMap(({ offset, bytes }) => [offset, bytes])]
  const text = `${numbers.join('\n')}\n`
  return Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(paddingOf(text.length))])
}

/** Bytes of a sparse file in the archive. */
export function storedBytes(ranges: readonly ContentRange[], size: number): number {
  return encodeMap(ranges, size).length + ranges.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** A file that ends with a hole has an empty range at its end, so that its size is known. */
function withEnd(ranges: readonly ContentRange[], size: number): readonly ContentRange[] {
  const last = ranges.at(-1)
  return last && last.offset + last.bytes === size ? ranges : [...ranges, { offset: size, bytes: 0 }]
}

/** Reads a map, block by block. */
export class MapReader {
  private readonly text: string[] = []
  private length = 0
  private newlines = 0
  private wanted: number | undefined

  /** The ranges with content when the map is whole, else undefined: one more block is needed. */
  push(block: Buffer, size: number): ContentRange[] | undefined {
    this.length += block.length
    if (this.length > MAP_MAX_BYTES) throw new Error('the map of a sparse file is too large')
    this.text.push(block.toString('latin1'))
    for (const byte of block) if (byte === NEWLINE) this.newlines++
    this.wanted ??=
      this.newlines > 0 ? 1 + 2 * readCount(this.text.join('').split('\n', 1)[0] ?? '') : undefined
    if (this.wanted === undefined || this.newlines < this.wanted) return undefined
    if (this.newlines > this.wanted) throw new Error('the map of a sparse file is malformed')
    return toRanges(this.text.join(''), size)
  }
}

function toRanges(text: string, size: number): ContentRange[] {
  const [, ...numbers] = text.split('\n').slice(0, -1).map(readCount)
  const ranges: ContentRange[] = []
  let end = 0
  for (let index = 0; index < numbers.length; index += 2) {
    const range = { offset: numbers[index] ?? 0, bytes: numbers[index + 1] ?? 0 }
    if (range.offset < end || range.offset + range.bytes > size) {
      throw new Error('the map of a sparse file contradicts itself')
    }
    end = range.offset + range.bytes
    if (range.bytes > 0) ranges.push(range)
  }
  if (end !== size) throw new Error('the map of a sparse file contradicts itself')
  return ranges
}

function readCount(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new Error('the map of a sparse file has a number that is none')
  return value
}
