import { encodeName, writeName } from '../../../agent/contract/mod.ts'
import { type ArchiveEntry, type EntryType, paddingOf, TAR_BLOCK_BYTES } from './entry.ts'
import { attributeRecord, encodeListing } from './extended-header.ts'
import { storedBytes } from './sparse.ts'

// The pax interchange format of POSIX.1-2008 (pax, "EXTENDED DESCRIPTION"): a ustar header and, only where that
// is too small or not exact enough, an extended header before it. Names are written as they are, byte for byte.

export const TYPE_FLAGS: Record<EntryType, string> = {
  file: '0',
  'hard-link': '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}
export const EXTENDED_FLAG = 'x'

/** Where the fields of a header block are: [offset, bytes]. */
export const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  flag: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  userName: [265, 32],
  groupName: [297, 32],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [offset: number, bytes: number]>

export const MAGIC = 'ustar\x0000'
const NANOSECONDS = 1_000_000_000n
const SPACE = 0x20
const ZERO = 0x30

const block = Buffer.alloc(TAR_BLOCK_BYTES)

/** The header of an entry: one block, or an extended header of some blocks and one block. Valid until the next call. */
export function encodeHeader(entry: ArchiveEntry): Uint8Array {
  block.fill(0)
  // Of bytes, one a character.
  let records = ''
  const text = (field: keyof typeof FIELDS, value: string, key: string) => {
    if (!putText(field, value)) records += extendedRecord(key, encodeName(value).toString('latin1'))
  }
  const number = (field: keyof typeof FIELDS, value: number, key: string) => {
    if (!putOctal(field, value)) records += extendedRecord(key, String(value))
  }
  const { ranges } = entry
  if (ranges) {
    records += sparseRecords(entry)
    putName(sparseName(entry.name))
  } else {
    const name = entry.type === 'directory' ? `${entry.name}/` : entry.name
    if (!putName(name)) records += extendedRecord('path', encodeName(name).toString('latin1'))
  }
  text('linkName', entry.linkName, 'linkpath')
  text('userName', entry.userName, 'uname')
  text('groupName', entry.groupName, 'gname')
  number('uid', entry.uid, 'uid')
  number('gid', entry.gid, 'gid')
  number('size', ranges ? storedBytes(ranges, entry.size) : entry.size, 'size')
  if (!putTime(entry.mtimeNs)) records += extendedRecord('mtime', formatSeconds(entry.mtimeNs))
  putOctal('mode', entry.mode)
  if (entry.type === 'character-device' || entry.type === 'block-device') {
    const fits = putOctal('deviceMajor', entry.deviceMajor) && putOctal('deviceMinor', entry.deviceMinor)
    if (!fits) throw new Error(`Cannot archive "${entry.name}": its device number is too large for tar`)
  }
  for (const [attribute, value] of entry.attributes ?? []) {
    const [key, bytes] = attributeRecord(attribute, value)
    records += extendedRecord(key, bytes.toString('latin1'))
  }
  if (entry.listing) records += extendedRecord('GNU.dumpdir', encodeListing(entry.listing).toString('latin1'))
  seal(TYPE_FLAGS[entry.type])
  return records === '' ? block : withExtendedHeader(records)
}

function sparseRecords({ name, size }: ArchiveEntry): string {
  return [
    extendedRecord('GNU.sparse.major', '1'),
    extendedRecord('GNU.sparse.minor', '0'),
    extendedRecord('GNU.sparse.name', encodeName(name).toString('latin1')),
    extendedRecord('GNU.sparse.realsize', String(size)),
  ].join('')
}

/** The name that a program sees which knows nothing of sparse files, as GNU tar makes it. */
function sparseName(name: string): string {
  const slash = name.lastIndexOf('/') + 1
  return `${name.slice(0, slash)}GNUSparseFile.0/${name.slice(slash)}`
}

function withExtendedHeader(records: string): Uint8Array {
  const main = Buffer.from(block)
  block.fill(0)
  putText('name', 'PaxHeader')
  putOctal('mode', 0o644)
  putOctal('size', records.length)
  putTime(0n)
  seal(EXTENDED_FLAG)
  const body = Buffer.alloc(records.length + paddingOf(records.length))
  body.write(records, 'latin1')
  return Buffer.concat([block, body, main])
}

/** "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
function extendedRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const length = rest.length + String(rest.length).length
  return `${String(length).length > String(rest.length).length ? length + 1 : length}${rest}`
}

/** Seconds with as many decimals as are needed: "1700000000.123", "-0.5". */
export function formatSeconds(nanoseconds: bigint): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const decimals = String(size % NANOSECONDS)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${nanoseconds < 0n ? '-' : ''}${size / NANOSECONDS}${decimals && `.${decimals}`}`
}

/** The end of an archive: two blocks of zeros. */
export function encodeEnd(): Uint8Array {
  return Buffer.alloc(2 * TAR_BLOCK_BYTES)
}

/** Octal digits and a NUL. False, and zero written, when the number needs more room. */
function putOctal(field: keyof typeof FIELDS, value: number): boolean {
  const [offset, bytes] = FIELDS[field]
  const last = offset + bytes - 2
  const fits = putDigits(offset, last, value)
  if (!fits) putDigits(offset, last, 0)
  return fits
}

/** Byte by byte: a text in between, of each number of each entry, is felt. False when there are more digits. */
function putDigits(first: number, last: number, value: number): boolean {
  let rest = value
  for (let index = last; index >= first; index--) {
    block[index] = ZERO + (rest % 8)
    rest = Math.floor(rest / 8)
  }
  return rest === 0
}

/** False, and nothing of it left, when the text is too long for its field. */
function putText(field: keyof typeof FIELDS, value: string): boolean {
  const [offset, bytes] = FIELDS[field]
  // The names of owners end with a NUL, all others may fill their field.
  const room = bytes - (field === 'userName' || field === 'groupName' ? 1 : 0)
  const fits = writeName(value, block, offset, room) >= 0
  if (!fits) block.fill(0, offset, offset + room)
  return fits
}

/** The name alone, or with its first directories in the prefix field. False when it is longer than both. */
function putName(name: string): boolean {
  if (putText('name', name)) return true
  const bytes = encodeName(name)
  const [prefixOffset, prefixBytes] = FIELDS.prefix
  const [nameOffset, nameBytes] = FIELDS.name
  // The last slash that leaves a prefix short enough; a name must follow it.
  const slash = bytes.subarray(0, Math.min(prefixBytes + 1, bytes.length - 1)).lastIndexOf(0x2f)
  if (slash <= 0 || bytes.length - slash - 1 > nameBytes) {
    bytes.copy(block, nameOffset, 0, nameBytes)
    return false
  }
  bytes.copy(block, nameOffset, slash + 1)
  bytes.copy(block, prefixOffset, 0, slash)
  return true
}

/** Whole seconds. False when the time has a fraction, lies before 1970, or is too large. */
function putTime(nanoseconds: bigint): boolean {
  const seconds = nanoseconds < 0n ? 0n : nanoseconds / NANOSECONDS
  return putOctal('mtime', Number(seconds)) && seconds * NANOSECONDS === nanoseconds
}

function seal(flag: string): void {
  block.write(flag, FIELDS.flag[0], 'latin1')
  block.write(MAGIC, FIELDS.magic[0], 'latin1')
  const [offset] = FIELDS.checksum
  // Six digits, a NUL, a space.
  putDigits(offset, offset + 5, checksumOf(block))
  block[offset + 7] = SPACE
}

/** Sum of all bytes, the checksum field itself counted as spaces. */
export function checksumOf(block: Uint8Array): number {
  const [offset, bytes] = FIELDS.checksum
  let sum = bytes * SPACE
  for (let index = 0; index < offset; index++) sum += block[index] as number
  for (let index = offset + bytes; index < TAR_BLOCK_BYTES; index++) sum += block[index] as number
  return sum
}
