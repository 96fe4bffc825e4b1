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
import type { TreeEntry, TreeWriter } from '../contract/host.ts'
import { setExtendedAttribute, systemError } from './extended-attributes.ts'
import { attempt } from './files.ts'
import { architecture, NUMBERS, systemCall } from './libc.ts'
import { toSystemPath } from './names.ts'

/** Makes many entries without an fsync for each. */
export class LocalTreeWriter implements TreeWriter {
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
      setOwner: (uid, gid) => attempt('set the owner of', path, () => fchownSync(descriptor, uid, gid)),
      setMode: (mode) => attempt('set the mode of', path, () => fchmodSync(descriptor, mode)),
      setTime: (mtimeNs) =>
        attempt('set the time of', path, () => {
          if (hasHoleAtEnd) ftruncateSync(descriptor, position)
          hasHoleAtEnd = false
          setTime(descriptor, null, mtimeNs, 0)
        }),
      setExtendedAttribute: (name, value) =>
        attempt(`set the attribute ${name} of`, path, () => setExtendedAttribute(descriptor, name, value)),
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

  setLinkOwner(path: string, uid: number, gid: number): void {
    this.demandWrite(path, 'set the owner of')
    attempt('set the owner of', path, () => lchownSync(this.real(path), uid, gid))
  }

  setLinkTime(path: string, mtimeNs: bigint): void {
    this.demandWrite(path, 'set the time of')
    attempt('set the time of', path, () => setTime(AT_FDCWD, this.real(path), mtimeNs, AT_SYMLINK_NOFOLLOW))
  }

  setExtendedAttribute(path: string, name: string, value: Uint8Array): void {
    this.demandWrite(path, 'set an attribute of')
    attempt(`set the attribute ${name} of`, path, () => setExtendedAttribute(this.real(path), name, value))
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
