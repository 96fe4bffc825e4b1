import { constants } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import {
  decodeRaw,
  decodeRecord,
  encodeRaw,
  joinRaw,
  KNOWN_FLAGS,
  NAME_OFFSET,
  type RecordBlock,
  recordBlock,
  WORD,
  wordsOf,
} from '../contract/entry-record.ts'
import type { EntryState } from '../contract/entry-state.ts'
import type { ScanBatch, ScanOptions, SkipReason } from '../contract/scan.ts'
import { encodeName } from '../lib/names.ts'
import { directoryName } from '../lib/path.ts'
import { shortPath } from './file-hash.ts'
import { reasonOfErrno } from './files.ts'
import { judgeMounts, type MountVerdict, readMounts } from './mounts.ts'
import { SortedNames } from './sorted-names.ts'
import { AT_FDCWD, closeDescriptor, cString, openAt, STATX, STATX_WORD, statAt, statOpen } from './statx.ts'

const BLOCK_BYTES = 524_288
const MAX_ENTRIES = 4096
/** More directories than this are not kept open: those further up are found again by "..". */
const MAX_OPEN = 128
const O_CLOEXEC = 0o2000000
const OPEN_FLAGS =
  constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK | O_CLOEXEC
const ENOENT = -2
const ENOTDIR = -20
const ELOOP = -40
const DIRECTORY = 0o040000
const TYPE = 0o170000
const PARENT = cString(Buffer.from('..'))
/** A record with the longest name, and the record of a directory before it, fit into what must be free. */
const MAX_RECORD_BYTES = 640

interface Frame {
  descriptor: number
  names: SortedNames
  next: number
  raw: string
  inodeLow: number
  inodeHigh: number
  deviceMajor: number
  deviceMinor: number
  mount: number
  /** Raw names in it that are left out. */
  leftOut: Set<string> | undefined
}

/**
 * All below a directory, itself first, as records in tree order by bytes. Directories are opened relative to each
 * other and never through a link, so a path may be of any length; of the tree no more is kept than the names of
 * the directories on the way. What vanishes meanwhile is as if it had never been there.
 */
export async function* scanTree(
  root: string,
  start: string,
  options: ScanOptions,
): AsyncGenerator<ScanBatch> {
  const scan = new Scan(root === '/' ? '' : root, start, options)
  try {
    options.signal?.throwIfAborted()
    scan.begin()
    for (;;) {
      const batch = scan.nextBatch()
      if (!batch) return
      yield batch
      await setImmediate() // lets the end of the run's time be noticed
      options.signal?.throwIfAborted()
    }
  } finally {
    scan.close()
  }
}

/** One entry with flags and exact times; undefined when there is none. Throws with the reason otherwise. */
export function lookAtOne(root: string, path: string): EntryState | undefined {
  const short = shortPath(encodeName(root === '/' ? path : root + path))
  try {
    const result = statAt(AT_FDCWD, cString(short.path).address)
    if (result === ENOENT || result === ENOTDIR) return undefined
    if (result < 0) throw new Error(reasonOfErrno(result))
  } finally {
    short.close()
  }
  const name = encodeName(path.slice(path.lastIndexOf('/') + 1))
  const block = recordBlock(NAME_OFFSET + wordsOf(name.length) * 4)
  copyStat(block.words, 0)
  block.words[WORD.nameLength] = name.length
  block.bytes.set(name, NAME_OFFSET)
  return decodeRecord(block, 0, encodeRaw(directoryName(path)))
}

class Scan {
  private block: RecordBlock = recordBlock(BLOCK_BYTES)
  private isFull = false
  private used = 0
  private entries = 0
  private writtenDirectory: string | undefined
  private readonly frames: Frame[] = []
  private readonly spare: SortedNames[] = []
  private readonly mounts: Map<number, MountVerdict>
  private readonly leaveOut: Map<string, Set<string>>

  constructor(
    private readonly root: string,
    private readonly start: string,
    private readonly options: ScanOptions,
  ) {
    const crosses = options.oneFileSystem === false
    this.mounts = crosses ? judgeMounts(readMounts(), root + (root && start === '/' ? '' : start)) : new Map()
    this.leaveOut = new Map()
    for (const path of options.leaveOut ?? []) {
      const directory = encodeRaw(directoryName(path))
      const names = this.leaveOut.get(directory) ?? new Set()
      names.add(encodeRaw(path.slice(path.lastIndexOf('/') + 1)))
      this.leaveOut.set(directory, names)
    }
  }

  begin(): void {
    const name = cString(Buffer.from(encodeRaw(this.root + this.start), 'latin1'))
    const result = statAt(AT_FDCWD, name.address)
    if (result < 0) {
      this.options.onBlind(this.start, reasonOfErrno(result))
      return
    }
    const raw = encodeRaw(this.start)
    this.writeDirectory(encodeRaw(directoryName(this.start)))
    this.writeEntry(Buffer.from(raw.slice(raw.lastIndexOf('/') + 1), 'latin1'), 0)
    if (!isDirectory()) return
    const descriptor = openAt(AT_FDCWD, name.address, OPEN_FLAGS)
    if (descriptor < 0) this.options.onBlind(this.start, reasonOfErrno(descriptor))
    else this.push(descriptor, raw)
  }

  /** Undefined when all has been told. */
  nextBatch(): ScanBatch | undefined {
    let frame = this.frames.at(-1)
    while (frame && !this.isFull && this.entries < MAX_ENTRIES && this.hasRoom(0)) {
      if (frame.next < frame.names.count) this.lookAt(frame, frame.next++)
      else this.pop()
      frame = this.frames.at(-1)
    }
    if (this.used === 0) return undefined
    const batch = { ...this.block, end: this.used, entries: this.entries }
    this.isFull = false
    this.used = 0
    this.entries = 0
    this.writtenDirectory = undefined
    return batch
  }

  close(): void {
    for (const { descriptor } of this.frames) if (descriptor >= 0) closeDescriptor(descriptor)
    this.frames.length = 0
  }

  private lookAt(frame: Frame, index: number): void {
    const { names } = frame
    if ((frame.leftOut || this.options.exclude) && this.isExcluded(frame, names.raw(index))) {
      this.options.onSkip(pathIn(frame, index), 'excluded')
      return
    }
    const result = statAt(frame.descriptor, names.address(index))
    if (result < 0) {
      if (result !== ENOENT) this.options.onBlind(pathIn(frame, index), reasonOfErrno(result))
      return
    }
    if (this.writtenDirectory !== frame.raw) {
      if (!this.hasRoom(frame.raw.length) && this.used > 0) {
        this.isFull = true
        frame.next--
        return
      }
      this.writeDirectory(frame.raw)
    }
    this.writeEntry(names.bytes, names.offset(index))
    if (isDirectory()) this.enter(frame, index)
  }

  private isExcluded(frame: Frame, raw: string): boolean {
    if (frame.leftOut?.has(raw)) return true
    return this.options.exclude?.(decodeRaw(joinRaw(frame.raw, raw))) ?? false
  }

  /** Goes into the directory of which STATX tells. */
  private enter(frame: Frame, index: number): void {
    const mount = mountId()
    const skip = mount === frame.mount ? undefined : this.whySkip(mount)
    if (skip) {
      this.options.onSkip(pathIn(frame, index), skip)
      return
    }
    if (this.isLoop()) {
      this.options.onBlind(pathIn(frame, index), 'it is a directory that lies in itself: a loop')
      return
    }
    const descriptor = openAt(frame.descriptor, frame.names.address(index), OPEN_FLAGS)
    if (descriptor >= 0) this.push(descriptor, joinRaw(frame.raw, frame.names.raw(index)))
    // It vanished, or something else is in its place now: the next scan tells.
    else if (descriptor !== ENOENT && descriptor !== ENOTDIR && descriptor !== ELOOP) {
      this.options.onBlind(pathIn(frame, index), reasonOfErrno(descriptor))
    }
  }

  private whySkip(mount: number): SkipReason | undefined {
    if (this.options.oneFileSystem !== false) return 'other-file-system'
    const verdict = this.mounts.get(mount) ?? 'other-file-system'
    return verdict === 'enter' ? undefined : verdict
  }

  private isLoop(): boolean {
    const low = STATX[STATX_WORD.inodeLow]
    const high = STATX[STATX_WORD.inodeHigh]
    const major = STATX[STATX_WORD.deviceIdMajor]
    const minor = STATX[STATX_WORD.deviceIdMinor]
    return this.frames.some(
      (frame) =>
        frame.inodeLow === low &&
        frame.inodeHigh === high &&
        frame.deviceMajor === major &&
        frame.deviceMinor === minor,
    )
  }

  private push(descriptor: number, raw: string): void {
    const names = this.spare.pop() ?? new SortedNames()
    const looked = statOpen(descriptor)
    const frame: Frame = {
      descriptor,
      names,
      next: 0,
      raw,
      inodeLow: STATX[STATX_WORD.inodeLow] ?? 0,
      inodeHigh: STATX[STATX_WORD.inodeHigh] ?? 0,
      deviceMajor: STATX[STATX_WORD.deviceIdMajor] ?? 0,
      deviceMinor: STATX[STATX_WORD.deviceIdMinor] ?? 0,
      mount: mountId(),
      leftOut: this.leaveOut.get(raw),
    }
    const result = looked < 0 ? looked : names.read(descriptor)
    this.frames.push(frame)
    if (result < 0) {
      names.count = 0
      this.options.onBlind(decodeRaw(raw), reasonOfErrno(result))
    }
    const far = this.frames.at(-1 - MAX_OPEN)
    if (far && far.descriptor >= 0) {
      closeDescriptor(far.descriptor)
      far.descriptor = -1
    }
  }

  private pop(): void {
    const frame = this.frames.pop()
    if (!frame) return
    const above = this.frames.at(-1)
    if (above && above.descriptor < 0) this.reopen(above, frame)
    closeDescriptor(frame.descriptor)
    if (this.spare.length < 32) this.spare.push(frame.names)
  }

  /** The directory above one that is open, if it still is the one that it was. */
  private reopen(above: Frame, below: Frame): void {
    const descriptor = openAt(below.descriptor, PARENT.address, OPEN_FLAGS)
    const looked = descriptor < 0 ? descriptor : statOpen(descriptor)
    const isSame =
      looked >= 0 &&
      STATX[STATX_WORD.inodeLow] === above.inodeLow &&
      STATX[STATX_WORD.inodeHigh] === above.inodeHigh &&
      STATX[STATX_WORD.deviceIdMajor] === above.deviceMajor &&
      STATX[STATX_WORD.deviceIdMinor] === above.deviceMinor
    if (isSame) {
      above.descriptor = descriptor
      return
    }
    if (descriptor >= 0) closeDescriptor(descriptor)
    if (above.next < above.names.count) {
      this.options.onBlind(decodeRaw(above.raw), 'it was moved while it was looked at')
    }
    above.names.count = 0
    // Nothing is looked at in it any more; what lies above is found through the descriptor of the one below.
    const again = openAt(below.descriptor, PARENT.address, OPEN_FLAGS)
    above.descriptor = again >= 0 ? again : openAt(AT_FDCWD, ROOT.address, OPEN_FLAGS)
  }

  /** For the record of a directory with a path of so many bytes, and an entry. */
  private hasRoom(pathBytes: number): boolean {
    return this.used * 4 + pathBytes + MAX_RECORD_BYTES <= this.block.bytes.length
  }

  private writeDirectory(raw: string): void {
    const bytes = Buffer.from(raw, 'latin1')
    const size = NAME_OFFSET + wordsOf(bytes.length) * 4
    if (!this.hasRoom(bytes.length)) this.block = recordBlock(size + BLOCK_BYTES) // half a megabyte of path
    const { words } = this.block
    const start = this.used
    words.fill(0, start, start + size / 4)
    words[start + WORD.length] = size
    words[start + WORD.nameLength] = bytes.length
    this.block.bytes.set(bytes, start * 4 + NAME_OFFSET)
    this.used += size / 4
    this.writtenDirectory = raw
  }

  /** The record of what STATX says of a name, which ends with a NUL or the buffer. */
  private writeEntry(names: Uint8Array, from: number): void {
    const { words, bytes } = this.block
    const start = this.used
    const nameStart = start * 4 + NAME_OFFSET
    let to = nameStart
    for (let index = from; ; index++) {
      const byte = names[index]
      if (!byte) break
      bytes[to++] = byte
    }
    const nameLength = to - nameStart
    const size = NAME_OFFSET + wordsOf(nameLength) * 4
    const end = start * 4 + size
    while (to < end) bytes[to++] = 0
    words[start + WORD.length] = size
    words[start + WORD.detailsLength] = 0
    words[start + WORD.nameLength] = nameLength
    copyStat(words, start)
    this.used += size / 4
    this.entries++
  }
}

const ROOT = cString(Buffer.from('/'))

function copyStat(words: Uint32Array, start: number): void {
  words[start + WORD.deviceIdMajor] = STATX[STATX_WORD.deviceIdMajor] ?? 0
  words[start + WORD.deviceIdMinor] = STATX[STATX_WORD.deviceIdMinor] ?? 0
  words[start + WORD.mode] = (STATX[STATX_WORD.mode] ?? 0) & 0xffff
  words[start + WORD.uid] = STATX[STATX_WORD.uid] ?? 0
  words[start + WORD.gid] = STATX[STATX_WORD.gid] ?? 0
  words[start + WORD.links] = STATX[STATX_WORD.links] ?? 0
  words[start + WORD.sizeLow] = STATX[STATX_WORD.sizeLow] ?? 0
  words[start + WORD.sizeHigh] = STATX[STATX_WORD.sizeHigh] ?? 0
  words[start + WORD.inodeLow] = STATX[STATX_WORD.inodeLow] ?? 0
  words[start + WORD.inodeHigh] = STATX[STATX_WORD.inodeHigh] ?? 0
  words[start + WORD.mtimeNanoseconds] = STATX[STATX_WORD.mtimeNanoseconds] ?? 0
  words[start + WORD.mtimeLow] = STATX[STATX_WORD.mtimeLow] ?? 0
  words[start + WORD.mtimeHigh] = STATX[STATX_WORD.mtimeHigh] ?? 0
  words[start + WORD.ctimeNanoseconds] = STATX[STATX_WORD.ctimeNanoseconds] ?? 0
  words[start + WORD.ctimeLow] = STATX[STATX_WORD.ctimeLow] ?? 0
  words[start + WORD.ctimeHigh] = STATX[STATX_WORD.ctimeHigh] ?? 0
  words[start + WORD.deviceMajor] = STATX[STATX_WORD.deviceMajor] ?? 0
  words[start + WORD.deviceMinor] = STATX[STATX_WORD.deviceMinor] ?? 0
  words[start + WORD.flags] = (STATX[STATX_WORD.attributesLow] ?? 0) & KNOWN_FLAGS
}

function pathIn(frame: Frame, index: number): string {
  return decodeRaw(joinRaw(frame.raw, frame.names.raw(index)))
}

function isDirectory(): boolean {
  return ((STATX[STATX_WORD.mode] ?? 0) & TYPE) === DIRECTORY
}

function mountId(): number {
  return (STATX[STATX_WORD.mountHigh] ?? 0) * 2 ** 32 + (STATX[STATX_WORD.mountLow] ?? 0)
}
