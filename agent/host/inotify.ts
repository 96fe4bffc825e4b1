import { closeSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { errnoOf } from '../lib/errors.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'
import { decodeName, toSystemPath } from './names.ts'

// From the kernel's include/uapi/linux/inotify.h and include/uapi/asm-generic/fcntl.h.
const IN_CLOEXEC_NONBLOCK = 0o2004000
const IN_ATTRIB = 0x4
const IN_CLOSE_WRITE = 0x8
const IN_MOVED_FROM = 0x40
const IN_MOVED_TO = 0x80
const IN_CREATE = 0x100
const IN_DELETE = 0x200
const IN_DELETE_SELF = 0x400
const IN_MOVE_SELF = 0x800
const IN_UNMOUNT = 0x2000
const IN_Q_OVERFLOW = 0x4000
const IN_IGNORED = 0x8000
const IN_ONLYDIR = 0x1000000
const IN_DONT_FOLLOW = 0x2000000
const IN_EXCL_UNLINK = 0x4000000
const IN_ISDIR = 0x40000000

const WATCHED =
  IN_ATTRIB |
  IN_CLOSE_WRITE |
  IN_MOVED_FROM |
  IN_MOVED_TO |
  IN_CREATE |
  IN_DELETE |
  IN_DELETE_SELF |
  IN_MOVE_SELF |
  IN_ONLYDIR |
  IN_DONT_FOLLOW |
  IN_EXCL_UNLINK

const HEADER_BYTES = 16
const BUFFER_BYTES = 65_536
const ENOENT = 2
const ENOTDIR = 20
const ENOSPC = 28
const EMFILE = 24

/** What happened in a watched directory. */
export interface InotifyEvent {
  /** Of `Inotify.add`; -1 for an overflow. */
  watch: number
  /** In the directory; empty when it is about the directory itself. */
  name: string
  isDirectory: boolean
  kind: 'appeared' | 'gone' | 'changed' | 'self-gone' | 'ended' | 'overflow'
}

/** Why a directory is not watched: the kernel's limit for this user, or another reason in words. */
export type AddResult = { watch: number } | { refused: 'limit' | 'missing' | 'other'; reason: string }

/** One inotify instance. It never blocks: `read` gives what has happened since, which may be nothing. */
export class Inotify {
  private readonly buffer = Buffer.alloc(BUFFER_BYTES)

  private constructor(private readonly descriptor: number) {}

  /** Throws where the kernel gives no further instance (fs.inotify.max_user_instances). */
  static open(): Inotify {
    const result = systemCall(NUMBERS[architecture()].inotify_init1, IN_CLOEXEC_NONBLOCK)
    if (result >= 0) return new Inotify(result)
    const reason = -result === EMFILE ? 'fs.inotify.max_user_instances is reached' : `errno ${-result}`
    throw new Error(`Cannot watch for changes: ${reason}`)
  }

  /** Watches a directory, not what lies in its directories. A link is not followed. */
  add(directory: string): AddResult {
    const path = toSystemPath(directory)
    const bytes = Buffer.concat([Buffer.from(path as string), Buffer.from([0])])
    const result = systemCall(NUMBERS[architecture()].inotify_add_watch, this.descriptor, bytes, WATCHED)
    if (result >= 0) return { watch: result }
    if (-result === ENOSPC) return { refused: 'limit', reason: 'fs.inotify.max_user_watches is reached' }
    if (-result === ENOENT || -result === ENOTDIR) return { refused: 'missing', reason: 'it is not there' }
    return { refused: 'other', reason: -result === 13 ? 'permission denied' : `errno ${-result}` }
  }

  remove(watch: number): void {
    systemCall(NUMBERS[architecture()].inotify_rm_watch, this.descriptor, watch)
  }

  read(): InotifyEvent[] {
    try {
      const count = readSync(this.descriptor, this.buffer, 0, BUFFER_BYTES, null)
      return parseInotifyEvents(this.buffer.subarray(0, count))
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return []
      throw error
    }
  }

  close(): void {
    closeSync(this.descriptor)
  }
}

/** The structures that the kernel writes: watch, mask, cookie, length of the name, the name padded with NULs. */
export function parseInotifyEvents(bytes: Buffer): InotifyEvent[] {
  const isLittle = endianness() === 'LE'
  const integer = (offset: number) => (isLittle ? bytes.readInt32LE(offset) : bytes.readInt32BE(offset))
  const events: InotifyEvent[] = []
  for (let offset = 0; offset + HEADER_BYTES <= bytes.length; ) {
    const mask = integer(offset + 4)
    const length = integer(offset + 12)
    const start = offset + HEADER_BYTES
    const padded = bytes.subarray(start, start + length)
    const end = padded.indexOf(0)
    events.push({
      watch: integer(offset),
      name: decodeName(end < 0 ? padded : padded.subarray(0, end)),
      isDirectory: (mask & IN_ISDIR) !== 0,
      kind: kindOf(mask),
    })
    offset = start + length
  }
  return events
}

function kindOf(mask: number): InotifyEvent['kind'] {
  if (mask & IN_Q_OVERFLOW) return 'overflow'
  if (mask & IN_IGNORED) return 'ended'
  if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) return 'self-gone'
  if (mask & (IN_CREATE | IN_MOVED_TO)) return 'appeared'
  if (mask & (IN_DELETE | IN_MOVED_FROM)) return 'gone'
  return 'changed'
}
