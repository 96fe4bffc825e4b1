import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import type {
  AttributesLost,
  EntryAttributes,
  FileMaker,
  MadeFile,
  TreeEntry,
  TreeWriter,
} from '../contract/host.ts'
import { type AttributeCalls, applyAttributes, type RefusedOwners } from './entry-attributes.ts'
import { setExtendedAttribute, systemError } from './extended-attributes.ts'
import { LocalFileMaker } from './file-maker.ts'
import { attempt } from './files.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'
import { toSystemPath } from './names.ts'

/** Makes many entries without an fsync for each. */
export class LocalTreeWriter implements TreeWriter {
  private readonly refusedOwners: RefusedOwners = new Set()

  constructor(
    /** The path to hand to a system call. */
    private readonly real: (path: string) => string | Buffer,
    /** Throws where the job did not declare a change of the path. */
    private readonly demandWrite: (path: string, verb: string) => void,
  ) {}

  createFile(path: string): TreeEntry {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    return this.open(path, 'write', O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
  }

  makeFiles(onMade: (file: MadeFile) => void): FileMaker {
    return new LocalFileMaker(this.real, this.demandWrite, onMade)
  }

  openDirectory(path: string): TreeEntry {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
    return this.open(path, 'open', O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  }

  private open(path: string, verb: string, flags: number): TreeEntry {
    this.demandWrite(path, verb)
    const descriptor = attempt(verb, path, () => openSync(this.real(path), flags, 0o600))
    let position = 0
    let hasHoleAtEnd = false
    return {
      write: (chunk) => {
        attempt('write', path, () => writeAll(descriptor, chunk, position))
        position += chunk.length
        hasHoleAtEnd = false
      },
      skip: (bytes) => {
        position += bytes
        hasHoleAtEnd = true
      },
      setMode: (mode) => attempt('set the mode of', path, () => fchmodSync(descriptor, mode)),
      setAttributes: (wanted) =>
        attempt('set the attributes of', path, () => {
          const calls: AttributeCalls = {
            setOwner: (uid, gid) => fchownSync(descriptor, uid, gid),
            setExtendedAttribute: (name, value) => setExtendedAttribute(descriptor, name, value),
            setMode: (mode) => fchmodSync(descriptor, mode),
          }
          const lost = applyAttributes(calls, wanted, this.refusedOwners)
          if (hasHoleAtEnd) ftruncateSync(descriptor, position)
          hasHoleAtEnd = false
          setTime(descriptor, null, wanted.mtimeNs, 0)
          return lost
        }),
      close: () => {
        try {
          if (hasHoleAtEnd) attempt('write', path, () => ftruncateSync(descriptor, position))
        } finally {
          closeSync(descriptor)
        }
      },
    }
  }

  makeDirectory(path: string): void {
    this.demandWrite(path, 'make the directory')
    attempt('make the directory', path, () => mkdirSync(this.real(path), { mode: 0o700 }))
  }

  makeSymlink(path: string, target: string): void {
    this.demandWrite(path, 'make the link')
    attempt('make the link', path, () => symlinkSync(toSystemPath(target), this.real(path)))
  }

  setAttributes(path: string, wanted: EntryAttributes): AttributesLost {
    this.demandWrite(path, 'set the attributes of')
    return attempt('set the attributes of', path, () => {
      const real = this.real(path)
      const calls: AttributeCalls = {
        setOwner: (uid, gid) => lchownSync(real, uid, gid),
        setExtendedAttribute: (name, value) => setExtendedAttribute(real, name, value),
        setMode: () => {
          throw new Error('its mode cannot be set by its path')
        },
      }
      const lost = applyAttributes(calls, wanted, this.refusedOwners)
      setTime(AT_FDCWD, real, wanted.mtimeNs, AT_SYMLINK_NOFOLLOW)
      return lost
    })
  }

  makeHardLink(path: string, existing: string): void {
    this.demandWrite(path, 'link')
    this.demandWrite(existing, 'link to')
    attempt('link', path, () => linkSync(this.real(existing), this.real(path)))
  }

  move(from: string, to: string, options: { replace?: boolean } = {}): void {
    this.demandWrite(from, 'rename')
    this.demandWrite(to, 'rename to')
    attempt('rename', from, () => {
      if (!options.replace && lstatSync(this.real(to), { throwIfNoEntry: false })) {
        throw Object.assign(new Error('the new name is taken'), { code: 'EEXIST' })
      }
      renameSync(this.real(from), this.real(to))
    })
  }

  removeTree(path: string): void {
    this.demandWrite(path, 'remove')
    attempt('remove', path, () => rmSync(this.real(path), { recursive: true, force: true }))
  }
}

// From the kernel's include/uapi/linux/fcntl.h.
const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const SECOND_NS = 1_000_000_000n

/** Time of the last access and change, to the nanosecond: the runtime's own calls take a float. */
function setTime(descriptor: number, path: string | Buffer | null, nanoseconds: bigint, flags: number): void {
  const inSecond = ((nanoseconds % SECOND_NS) + SECOND_NS) % SECOND_NS
  const seconds = (nanoseconds - inSecond) / SECOND_NS
  const times = new BigInt64Array([seconds, inSecond, seconds, inSecond])
  const name = path === null ? 0 : Buffer.concat([Buffer.from(path), Buffer.alloc(1)])
  const result = systemCall(NUMBERS[architecture()].utimensat, descriptor, name, times, flags)
  if (result < 0) throw systemError(result)
}

/** At `position`, or where the descriptor is. */
export function writeAll(descriptor: number, chunk: Uint8Array, position?: number): void {
  let offset = 0
  while (offset < chunk.length) {
    const at = position === undefined ? null : position + offset
    offset += writeSync(descriptor, chunk, offset, chunk.length - offset, at)
  }
}
