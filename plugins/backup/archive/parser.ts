import { decodeName } from '../../../agent/contract/mod.ts'
import { type ArchiveEntry, type EntryType, paddingOf, TAR_BLOCK_BYTES } from './entry.ts'
import { checksumOf, EXTENDED_FLAG, FIELDS, MAGIC, TYPE_FLAGS } from './header.ts'

/** What is told of an archive while it is read. `data` is called with parts of the content of the last entry. */
export interface ArchiveHandler {
  entry(entry: ArchiveEntry): void
  /** The bytes are valid during the call only. */
  data(chunk: Uint8Array): void
  entryEnd(): void
}

const EXTENDED_MAX_BYTES = 1_048_576
const TYPES = new Map(Object.entries(TYPE_FLAGS).map(([type, flag]) => [flag, type as EntryType]))
const EXTENDED_KEYS = ['path', 'linkpath', 'size', 'uid', 'gid', 'uname', 'gname', 'mtime']

/** Reads a tar archive as this plugin writes it, in pieces of any size. Refuses all else: it guesses nothing. */
export class ArchiveParser {
  private state: 'header' | 'extended' | 'data' | 'padding' | 'end' = 'header'
  private readonly block = Buffer.alloc(TAR_BLOCK_BYTES)
  private blockBytes = 0
  private extended: Buffer[] = []
  private records = new Map<string, Buffer>()
  /** Left of the part that `state` names. */
  private left = 0
  private padding = 0
  private zeroBlocks = 0

  constructor(private readonly handler: ArchiveHandler) {}

  push(chunk: Uint8Array): void {
    let offset = 0
    while (offset < chunk.length) {
      const rest = chunk.subarray(offset)
      offset += this.state === 'header' || this.state === 'end' ? this.takeBlock(rest) : this.takePart(rest)
    }
  }

  /** Throws unless the archive has come to its end. */
  finish(): void {
    if (this.state !== 'end' || this.blockBytes > 0) throw new Error('the archive ends too early')
  }

  private takeBlock(chunk: Uint8Array): number {
    const part = chunk.subarray(0, TAR_BLOCK_BYTES - this.blockBytes)
    this.block.set(part, this.blockBytes)
    this.blockBytes += part.length
    if (this.blockBytes < TAR_BLOCK_BYTES) return part.length
    this.blockBytes = 0
    const isZero = this.block.every((byte) => byte === 0)
    if (this.state === 'end') {
      if (!isZero) throw new Error('something follows the end of the archive')
    } else if (isZero) {
      this.zeroBlocks++
      if (this.zeroBlocks === 2) this.state = 'end'
    } else if (this.zeroBlocks > 0) {
      throw new Error('a block of zeros stands in the middle of the archive')
    } else {
      this.takeHeader()
    }
    return part.length
  }

  private takePart(chunk: Uint8Array): number {
    const part = chunk.subarray(0, this.left)
    this.left -= part.length
    if (this.state === 'data') this.handler.data(part)
    else if (this.state === 'extended') this.extended.push(Buffer.from(part))
    else if (part.some((byte) => byte !== 0)) throw new Error('content is not padded with zeros')
    if (this.left === 0) this.endPart()
    return part.length
  }

  private takeHeader(): void {
    const block = this.block
    if (readOctal(block, 'checksum') !== checksumOf(block)) throw new Error('a header has a wrong checksum')
    const [magicOffset, magicBytes] = FIELDS.magic
    if (block.toString('latin1', magicOffset, magicOffset + magicBytes) !== MAGIC) {
      throw new Error('a header is not of the format ustar')
    }
    const flag = block.toString('latin1', FIELDS.flag[0], FIELDS.flag[0] + 1)
    if (flag === EXTENDED_FLAG) {
      const size = readOctal(block, 'size')
      if (this.records.size > 0 || size === 0 || size > EXTENDED_MAX_BYTES) {
        throw new Error('an extended header is out of place, or too large')
      }
      this.begin('extended', size)
      return
    }
    const type = TYPES.get(flag)
    if (!type) throw new Error(`an entry has the unknown type "${flag}"`)
    const entry = readEntry(block, type, this.records)
    this.records = new Map()
    this.handler.entry(entry)
    this.begin('data', entry.size)
  }

  private begin(state: 'extended' | 'data', size: number): void {
    this.state = state
    this.left = size
    this.padding = paddingOf(size)
    if (size === 0) this.endPart()
  }

  private endPart(): void {
    if (this.state === 'data') this.handler.entryEnd()
    if (this.state === 'extended') {
      this.records = parseRecords(Buffer.concat(this.extended))
      this.extended = []
    }
    const hasPadding = this.state !== 'padding' && this.padding > 0
    this.state = hasPadding ? 'padding' : 'header'
    this.left = hasPadding ? this.padding : 0
  }
}

function readEntry(block: Buffer, type: EntryType, records: Map<string, Buffer>): ArchiveEntry {
  const text = (field: keyof typeof FIELDS, key: string) =>
    decodeName(records.get(key) ?? readBytes(block, field))
  const number = (field: keyof typeof FIELDS, key: string) => {
    const record = records.get(key)
    return record ? parseCount(record.toString('latin1')) : readOctal(block, field)
  }
  const prefix = decodeName(readBytes(block, 'prefix'))
  const path =
    records.has('path') || prefix === '' ? text('name', 'path') : `${prefix}/${text('name', 'path')}`
  const isDirectory = type === 'directory'
  if (path.endsWith('/') !== isDirectory) throw new Error('a name does not fit the type of its entry')
  const isDevice = type === 'character-device' || type === 'block-device'
  const mtime = records.get('mtime')
  const entry: ArchiveEntry = {
    name: isDirectory ? path.slice(0, -1) : path,
    type,
    mode: readOctal(block, 'mode'),
    uid: number('uid', 'uid'),
    gid: number('gid', 'gid'),
    userName: text('userName', 'uname'),
    groupName: text('groupName', 'gname'),
    size: number('size', 'size'),
    mtimeNs: mtime
      ? parseSeconds(mtime.toString('latin1'))
      : BigInt(readOctal(block, 'mtime')) * 1_000_000_000n,
    linkName: text('linkName', 'linkpath'),
    deviceMajor: isDevice ? readOctal(block, 'deviceMajor') : 0,
    deviceMinor: isDevice ? readOctal(block, 'deviceMinor') : 0,
  }
  const isLink = type === 'symlink' || type === 'hard-link'
  if (entry.name === '' || (type !== 'file' && entry.size !== 0) || isLink !== (entry.linkName !== '')) {
    throw new Error(`the header of "${entry.name}" contradicts itself`)
  }
  return entry
}

function readBytes(block: Buffer, field: keyof typeof FIELDS): Buffer {
  const [offset, bytes] = FIELDS[field]
  const value = block.subarray(offset, offset + bytes)
  const end = value.indexOf(0)
  return end < 0 ? value : value.subarray(0, end)
}

/** Octal digits, then NULs or spaces to the end of the field. Written out: it is called some times for each entry. */
function readOctal(block: Buffer, field: keyof typeof FIELDS): number {
  const [offset, bytes] = FIELDS[field]
  let value = 0
  let digits = 0
  for (; digits < bytes; digits++) {
    const digit = (block[offset + digits] ?? 0) - 0x30
    if (digit < 0 || digit > 7) break
    value = value * 8 + digit
  }
  let end = digits
  while (end < bytes && (block[offset + end] === 0 || block[offset + end] === 0x20)) end++
  if (digits === 0 || end < bytes) throw new Error(`a header has no number in its field "${field}"`)
  return value
}

function parseCount(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new Error('an extended header has a number that is none')
  return value
}

/** Nanoseconds of "1700000000.123456789". */
export function parseSeconds(text: string): bigint {
  const match = /^(-?)(\d{1,16})(?:\.(\d{1,9}))?$/.exec(text)
  if (!match) throw new Error('an extended header has a time that is none')
  const size = BigInt(match[2] ?? 0) * 1_000_000_000n + BigInt((match[3] ?? '').padEnd(9, '0'))
  return match[1] ? -size : size
}

function parseRecords(body: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>()
  let offset = 0
  while (offset < body.length) {
    const match = /^(\d{1,7}) ([a-z]+)=/.exec(body.toString('latin1', offset, offset + 32))
    const end = offset + Number(match?.[1])
    const key = match?.[2] ?? ''
    const begin = offset + (match?.[0].length ?? 0)
    if (!(end > begin && end <= body.length) || body[end - 1] !== 0x0a) {
      throw new Error('an extended header is malformed')
    }
    if (!EXTENDED_KEYS.includes(key) || records.has(key)) {
      throw new Error(`an extended header has the unexpected key "${key}"`)
    }
    records.set(key, body.subarray(begin, end - 1))
    offset = end
  }
  return records
}
