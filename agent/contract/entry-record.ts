import { decodeName, encodeName } from '../lib/names.ts'
import type { EntryDetails, EntryState, FileFlag } from './entry-state.ts'
import type { FileType } from './host.ts'

/**
 * What a scan says of an entry, as bytes: a million of them are compared without an object for any. All numbers
 * are 32-bit words, little-endian. The name, and after it the details as JSON, are padded to whole words with
 * zeros. A record without a mode is a directory: its name is the full path, and the records after it, up to the
 * next such one, are entries in that directory. Records come in tree order by bytes: a directory, then all in it.
 */
export const WORD = {
  /** Of the whole record, in bytes. */
  length: 0,
  detailsLength: 1,
  deviceIdMajor: 2,
  deviceIdMinor: 3,
  /** What follows, with the name, is equal as long as nobody touched the entry. */
  nameLength: 4,
  mode: 5,
  uid: 6,
  gid: 7,
  links: 8,
  sizeLow: 9,
  sizeHigh: 10,
  inodeLow: 11,
  inodeHigh: 12,
  mtimeNanoseconds: 13,
  mtimeLow: 14,
  mtimeHigh: 15,
  ctimeNanoseconds: 16,
  ctimeLow: 17,
  ctimeHigh: 18,
  deviceMajor: 19,
  deviceMinor: 20,
  flags: 21,
} as const

export const NAME_OFFSET = 88
const FIRST_COMPARED = WORD.nameLength

// STATX_ATTR_* of include/uapi/linux/stat.h.
const FLAG_BITS: [FileFlag, number][] = [
  ['append-only', 0x20],
  ['immutable', 0x10],
  ['no-dump', 0x40],
  ['verity', 0x0010_0000],
]
export const KNOWN_FLAGS = FLAG_BITS.reduce((mask, [, bit]) => mask | bit, 0)

// S_IFMT of include/uapi/linux/stat.h.
export const TYPE_MASK = 0o170000
export const TYPE_BITS: Record<FileType, number> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  socket: 0o140000,
  fifo: 0o010000,
  'block-device': 0o060000,
  'character-device': 0o020000,
}
const TYPES = new Map(Object.entries(TYPE_BITS).map(([type, bits]) => [bits, type as FileType]))

/** The type of an entry from st_mode. */
export function typeOf(mode: number): FileType {
  return TYPES.get(mode & TYPE_MASK) ?? 'file'
}

/** Words that so many bytes take. */
export function wordsOf(bytes: number): number {
  return (bytes + 3) >>> 2
}

/** Records in memory: the same bytes as words. `start` and `end` are in words. */
export interface RecordBlock {
  words: Uint32Array
  bytes: Buffer
}

export function recordBlock(byteLength: number): RecordBlock {
  const buffer = new ArrayBuffer(byteLength)
  return { words: new Uint32Array(buffer), bytes: Buffer.from(buffer) }
}

/** The name of a record, each byte a character: it sorts, and is joined, as the bytes do. */
export function rawName({ words, bytes }: RecordBlock, start: number): string {
  const from = start * 4 + NAME_OFFSET
  return bytes.toString('latin1', from, from + (words[start + WORD.nameLength] ?? 0))
}

/** A name or path of one character for each byte as the rest of the program has it. */
export function decodeRaw(raw: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything but ASCII is looked for
  return /^[\x00-\x7f]*$/.test(raw) ? raw : decodeName(Buffer.from(raw, 'latin1'))
}

export function encodeRaw(name: string): string {
  return encodeName(name).toString('latin1')
}

export function joinRaw(directory: string, name: string): string {
  if (name === '') return directory
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

/** Whether two records say the same of an entry of the same name: nobody touched it, in any way that ctime shows. */
export function sameStat(a: Uint32Array, startA: number, b: Uint32Array, startB: number): boolean {
  const nameLength = a[startA + WORD.nameLength] ?? 0
  const end = NAME_OFFSET / 4 + ((nameLength + 3) >>> 2)
  for (let word = FIRST_COMPARED; word < end; word++) {
    if (a[startA + word] !== b[startB + word]) return false
  }
  return true
}

/** The details of a record, as JSON; empty when it has none. */
export function detailsText({ words, bytes }: RecordBlock, start: number): string {
  const length = words[start + WORD.detailsLength] ?? 0
  if (length === 0) return ''
  const from = (start + NAME_OFFSET / 4 + wordsOf(words[start + WORD.nameLength] ?? 0)) * 4
  return bytes.toString('utf8', from, from + length)
}

export function decodeDetails(text: string): EntryDetails {
  return text === '' ? {} : JSON.parse(text)
}

/** The entry of a record in the directory of this raw path. */
export function decodeRecord(block: RecordBlock, start: number, directory: string): EntryState {
  const word = (index: number) => block.words[start + index] ?? 0
  const mode = word(WORD.mode)
  const flags = word(WORD.flags)
  const mtimeNs = nanoseconds(word(WORD.mtimeLow), word(WORD.mtimeHigh), word(WORD.mtimeNanoseconds))
  const ctimeNs = nanoseconds(word(WORD.ctimeLow), word(WORD.ctimeHigh), word(WORD.ctimeNanoseconds))
  return {
    path: decodeRaw(joinRaw(directory, rawName(block, start))),
    type: typeOf(mode),
    mode: mode & 0o7777,
    uid: word(WORD.uid),
    gid: word(WORD.gid),
    size: word(WORD.sizeHigh) * 2 ** 32 + word(WORD.sizeLow),
    mtimeMs: Number(mtimeNs) / 1e6,
    ctimeMs: Number(ctimeNs) / 1e6,
    ino: word(WORD.inodeHigh) * 2 ** 32 + word(WORD.inodeLow),
    dev: deviceId(word(WORD.deviceIdMajor), word(WORD.deviceIdMinor)),
    nlink: word(WORD.links),
    mtimeNs,
    ctimeNs,
    deviceMajor: word(WORD.deviceMajor),
    deviceMinor: word(WORD.deviceMinor),
    flags: FLAG_BITS.flatMap(([flag, bit]) => ((flags & bit) === 0 ? [] : [flag])),
    ...decodeDetails(detailsText(block, start)),
  }
}

/** The record of an entry, for what does not come from a scan. */
export function encodeRecord(state: EntryState): Uint8Array {
  const name = encodeName(state.path === '/' ? '' : state.path.slice(state.path.lastIndexOf('/') + 1))
  const details = detailsOf(state)
  const text = Buffer.from(Object.keys(details).length === 0 ? '' : JSON.stringify(details))
  const block = recordBlock(NAME_OFFSET + wordsOf(name.length) * 4 + wordsOf(text.length) * 4)
  const { words } = block
  const set = (index: number, value: number) => {
    words[index] = value
  }
  set(WORD.length, block.bytes.length)
  set(WORD.detailsLength, text.length)
  const { major, minor } = deviceNumbers(state.dev)
  set(WORD.deviceIdMajor, major)
  set(WORD.deviceIdMinor, minor)
  set(WORD.nameLength, name.length)
  set(WORD.mode, TYPE_BITS[state.type] | state.mode)
  set(WORD.uid, state.uid)
  set(WORD.gid, state.gid)
  set(WORD.links, state.nlink)
  set(WORD.sizeLow, state.size % 2 ** 32)
  set(WORD.sizeHigh, Math.floor(state.size / 2 ** 32))
  set(WORD.inodeLow, state.ino % 2 ** 32)
  set(WORD.inodeHigh, Math.floor(state.ino / 2 ** 32))
  setTime(words, WORD.mtimeLow, WORD.mtimeNanoseconds, state.mtimeNs)
  setTime(words, WORD.ctimeLow, WORD.ctimeNanoseconds, state.ctimeNs)
  set(WORD.deviceMajor, state.deviceMajor)
  set(WORD.deviceMinor, state.deviceMinor)
  set(
    WORD.flags,
    FLAG_BITS.reduce((bits, [flag, bit]) => (state.flags.includes(flag) ? bits | bit : bits), 0),
  )
  block.bytes.set(name, NAME_OFFSET)
  block.bytes.set(text, NAME_OFFSET + wordsOf(name.length) * 4)
  return block.bytes
}

/** The details of an entry apart from the rest. */
export function detailsOf(state: EntryDetails): EntryDetails {
  const { target, sha256, acl, defaultAcl, capabilities, xattrs } = state
  return {
    ...(target !== undefined && { target }),
    ...(sha256 !== undefined && { sha256 }),
    ...(acl !== undefined && { acl }),
    ...(defaultAcl !== undefined && { defaultAcl }),
    ...(capabilities !== undefined && { capabilities }),
    ...(xattrs !== undefined && { xattrs }),
  }
}

/** The number that stat has for a device, from its parts (gnu_dev_makedev of sys/sysmacros.h). */
export function deviceId(major: number, minor: number): number {
  const low = (minor & 0xff) + (major & 0xfff) * 2 ** 8
  return low + Math.floor(minor / 2 ** 8) * 2 ** 20 + Math.floor(major / 2 ** 12) * 2 ** 44
}

function deviceNumbers(id: number): { major: number; minor: number } {
  const low = id % 2 ** 20
  const minorHigh = Math.floor(id / 2 ** 20) % 2 ** 24
  const majorHigh = Math.floor(id / 2 ** 44)
  return { major: Math.floor(low / 2 ** 8) + majorHigh * 2 ** 12, minor: (low % 2 ** 8) + minorHigh * 2 ** 8 }
}

function nanoseconds(low: number, high: number, rest: number): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)) * 1_000_000_000n + BigInt(rest)
}

function setTime(words: Uint32Array, low: number, rest: number, time: bigint): void {
  const nanosecond = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = BigInt.asUintN(64, (time - nanosecond) / 1_000_000_000n)
  words[low] = Number(seconds & 0xffff_ffffn)
  words[low + 1] = Number(seconds >> 32n)
  words[rest] = Number(nanosecond)
}
