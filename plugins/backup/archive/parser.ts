import { type ContentRange, decodeName } from '../../../agent/contract/mod.ts'
import { type ArchiveEntry, type EntryType, paddingOf, TAR_BLOCK_BYTES } from './entry.ts'
import { decodeListing, readAttributeRecord } from './extended-header.ts'
import { checksumOf, EXTENDED_FLAG, FIELDS, MAGIC, TYPE_FLAGS } from './header.ts'
import { MapReader } from './sparse.ts'

/** What is told of an archive while it is read. `data` is called with parts of the content of the last entry. */
export interface ArchiveHandler {
  entry(entry: ArchiveEntry): void
  /** The bytes are valid during the call only. */
  data(chunk: Uint8Array): void
  /** So many zeros that are not stored. */
  hole(bytes: number): void
  entryEnd(): void
}

/** The list of a directory with a million names has room. */
const EXTENDED_MAX_BYTES = 67_108_864
const ZEROS = Buffer.alloc(TAR_BLOCK_BYTES)
const NO_RECORDS: ReadonlyMap<string, Buffer> = new Map()
const TYPES = new Map(Object.entries(TYPE_FLAGS).map(([type, flag]) => [flag, type as EntryType]))
const EXTENDED_KEYS = ['path', 'linkpath', 'size', 'uid', 'gid', 'uname', 'gname', 'mtime']
const GNU_KEYS = [
  'GNU.sparse.major',
  'GNU.sparse.minor',
  'GNU.sparse.name',
  'GNU.sparse.realsize',
  'GNU.dumpdir',
]

/** Reads a tar archive as this plugin writes it, in pieces of any size. Refuses all else: it guesses nothing. */
export class ArchiveParser {
  private state: 'header' | 'extended' | 'map' | 'data' | 'padding' | 'end' = 'header'
  private readonly block = Buffer.alloc(TAR_BLOCK_BYTES)
  private blockBytes = 0
  private extended: Buffer[] = []
  private records = NO_RECORDS
  /** Left of the part that `state` names. */
  private left = 0
  private padding = 0
  private zeroBlocks = 0
  private sparse: SparseContent | undefined

  constructor(private readonly handler: ArchiveHandler) {}

  push(chunk: Uint8Array): void {
    for (let offset = 0; offset < chunk.length; ) {
      offset +=
        this.state === 'header' || this.state === 'map' || this.state === 'end'
          ? this.takeBlock(chunk, offset)
          : this.takePart(chunk, offset)
    }
  }

  /** Throws unless the archive has come to its end. */
  finish(): void {
    if (this.state !== 'end' || this.blockBytes > 0) throw new Error('the archive ends too early')
  }

  private takeBlock(chunk: Uint8Array, offset: number): number {
    const part = chunk.subarray(offset, offset + TAR_BLOCK_BYTES - this.blockBytes)
    this.block.set(part, this.blockBytes)
    this.blockBytes += part.length
    if (this.blockBytes < TAR_BLOCK_BYTES) return part.length
    this.blockBytes = 0
    if (this.state === 'map') {
      this.takeMap()
      return part.length
    }
    // A header begins with a name.
    const isZero = this.block[0] === 0 && this.block.equals(ZEROS)
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

  private takePart(chunk: Uint8Array, offset: number): number {
    const length = Math.min(this.left, chunk.length - offset)
    this.left -= length
    if (this.state === 'padding') demandZeros(chunk, offset, length)
    else {
      const part = chunk.subarray(offset, offset + length)
      if (this.state === 'extended') this.extended.push(Buffer.from(part))
      else if (this.sparse) this.sparse.push(part, this.handler)
      else this.handler.data(part)
    }
    if (this.left === 0) this.endPart()
    return length
  }

  private takeHeader(): void {
    const block = this.block
    if (readOctal(block, 'checksum') !== checksumOf(block)) throw new Error('a header has a wrong checksum')
    if (!isUstar(block)) throw new Error('a header is not of the format ustar')
    const flag = String.fromCharCode(block[FIELDS.flag[0]] as number)
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
    const { records } = this
    const entry = readEntry(block, type, records)
    this.records = NO_RECORDS
    if (!records.has('GNU.sparse.realsize')) {
      this.handler.entry(entry)
      this.begin('data', entry.size)
      return
    }
    const size = records.get('size')
    const left = size ? parseCount(size.toString('latin1')) : readOctal(block, 'size')
    this.state = 'map'
    this.sparse = new SparseContent(entry, left)
  }

  private takeMap(): void {
    const { sparse } = this
    if (!sparse?.takeMap(this.block)) return
    this.handler.entry(sparse.entry)
    this.begin('data', sparse.left)
  }

  private begin(state: 'extended' | 'data', size: number): void {
    this.state = state
    this.left = size
    this.padding = paddingOf(size)
    if (size === 0) this.endPart()
  }

  private endPart(): void {
    if (this.state === 'data') {
      this.sparse?.finish(this.handler)
      this.sparse = undefined
      this.handler.entryEnd()
    }
    if (this.state === 'extended') {
      this.records = parseRecords(Buffer.concat(this.extended))
      this.extended = []
    }
    const hasPadding = this.state !== 'padding' && this.padding > 0
    this.state = hasPadding ? 'padding' : 'header'
    this.left = hasPadding ? this.padding : 0
  }
}

/** The content of a sparse file, put back to where it belongs. */
class SparseContent {
  private readonly map = new MapReader()
  private ranges: ContentRange[] = []
  private next = 0
  private position = 0

  constructor(
    readonly entry: ArchiveEntry,
    /** Stored bytes that are still to come. */
    public left: number,
  ) {}

  /** Whether the map is whole. */
  takeMap(block: Buffer): boolean {
    this.left -= block.length
    const ranges = this.map.push(block, this.entry.size)
    if (!ranges) {
      if (this.left < TAR_BLOCK_BYTES) throw new Error('the map of a sparse file ends too early')
      return false
    }
    if (ranges.reduce((sum, { bytes }) => sum + bytes, 0) !== this.left) {
      throw new Error('the map of a sparse file does not fit its content')
    }
    this.ranges = ranges
    this.entry.ranges = ranges
    return true
  }

  push(chunk: Uint8Array, handler: ArchiveHandler): void {
    for (let offset = 0; offset < chunk.length; ) {
      const range = this.ranges[this.next]
      if (!range) throw new Error('the map of a sparse file does not fit its content')
      if (this.position < range.offset) handler.hole(range.offset - this.position)
      this.position = Math.max(this.position, range.offset)
      const part = chunk.subarray(offset, offset + range.offset + range.bytes - this.position)
      handler.data(part)
      this.position += part.length
      offset += part.length
      if (this.position === range.offset + range.bytes) this.next++
    }
  }

  finish(handler: ArchiveHandler): void {
    if (this.position < this.entry.size) handler.hole(this.entry.size - this.position)
  }
}

function readEntry(block: Buffer, type: EntryType, records: ReadonlyMap<string, Buffer>): ArchiveEntry {
  const text = (field: keyof typeof FIELDS, key: string) => {
    const record = records.get(key)
    return record ? decodeName(record) : readText(block, field)
  }
  const number = (field: keyof typeof FIELDS, key: string) => {
    const record = records.get(key)
    return record ? parseCount(record.toString('latin1')) : readOctal(block, field)
  }
  const sparse = records.size > 0 ? sparseOf(records) : undefined
  const prefix = readText(block, 'prefix')
  const ownName =
    records.has('path') || prefix === '' ? text('name', 'path') : `${prefix}/${text('name', 'path')}`
  const path = sparse?.name ?? ownName
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
    size: sparse?.size ?? number('size', 'size'),
    mtimeNs: mtime
      ? parseSeconds(mtime.toString('latin1'))
      : BigInt(readOctal(block, 'mtime')) * 1_000_000_000n,
    linkName: text('linkName', 'linkpath'),
    deviceMajor: isDevice ? readOctal(block, 'deviceMajor') : 0,
    deviceMinor: isDevice ? readOctal(block, 'deviceMinor') : 0,
  }
  const attributes = records.size > 0 ? attributesOf(records) : undefined
  if (attributes && attributes.size > 0) entry.attributes = attributes
  const listing = records.get('GNU.dumpdir')
  if (listing) entry.listing = decodeListing(listing, decodeName)
  if ((listing && !isDirectory) || (sparse && type !== 'file')) {
    throw new Error(`the header of "${entry.name}" contradicts itself`)
  }
  const isLink = type === 'symlink' || type === 'hard-link'
  if (entry.name === '' || (type !== 'file' && entry.size !== 0) || isLink !== (entry.linkName !== '')) {
    throw new Error(`the header of "${entry.name}" contradicts itself`)
  }
  return entry
}

function sparseOf(records: ReadonlyMap<string, Buffer>): { name: string; size: number } | undefined {
  const text = (key: string) => records.get(`GNU.sparse.${key}`)?.toString('latin1')
  const name = records.get('GNU.sparse.name')
  const size = text('realsize')
  if (!name && size === undefined) return undefined
  if (!name || size === undefined || text('major') !== '1' || text('minor') !== '0' || records.has('path')) {
    throw new Error('an extended header tells of a sparse file in an unknown way')
  }
  return { name: decodeName(name), size: parseCount(size) }
}

function attributesOf(records: ReadonlyMap<string, Buffer>): Map<string, Uint8Array> {
  const attributes = [...records].flatMap(([key, value]) => {
    const attribute = readAttributeRecord(key, value)
    return attribute ? [attribute] : []
  })
  return new Map(attributes.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function isUstar(block: Buffer): boolean {
  const [offset, bytes] = FIELDS.magic
  for (let index = 0; index < bytes; index++) {
    if (block[offset + index] !== MAGIC.charCodeAt(index)) return false
  }
  return true
}

function demandZeros(chunk: Uint8Array, offset: number, length: number): void {
  for (let index = offset; index < offset + length; index++) {
    if (chunk[index] !== 0) throw new Error('content is not padded with zeros')
  }
}

/** Up to a NUL, or to the end of the field. */
function readText(block: Buffer, field: keyof typeof FIELDS): string {
  const [offset, bytes] = FIELDS[field]
  let isAscii = true
  let end = offset
  for (; end < offset + bytes; end++) {
    const byte = block[end] as number
    if (byte === 0) break
    if (byte > 0x7f) isAscii = false
  }
  if (end === offset) return ''
  // Nearly all texts are ASCII, which takes no decoder.
  return isAscii ? block.toString('latin1', offset, end) : decodeName(block.subarray(offset, end))
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
    const match = /^(\d{1,8}) ([^=\n]+)=/.exec(body.toString('latin1', offset, offset + 600))
    const end = offset + Number(match?.[1])
    const key = match?.[2] ?? ''
    const begin = offset + (match?.[0].length ?? 0)
    if (!(end > begin && end <= body.length) || body[end - 1] !== 0x0a) {
      throw new Error('an extended header is malformed')
    }
    const value = body.subarray(begin, end - 1)
    const isKnown = EXTENDED_KEYS.includes(key) || GNU_KEYS.includes(key)
    if ((!isKnown && !readAttributeRecord(key, value)) || records.has(key)) {
      throw new Error(`an extended header has the unexpected key "${key}"`)
    }
    records.set(key, value)
    offset = end
  }
  return records
}
