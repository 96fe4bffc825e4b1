import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import type { TreeEntry, TreeWriter } from '../contract/host.ts'
import { attempt } from './files.ts'
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
    return {
      write: (chunk) => attempt('write', path, () => writeAll(descriptor, chunk)),
      setOwner: (uid, gid) => attempt('set the owner of', path, () => fchownSync(descriptor, uid, gid)),
      setMode: (mode) => attempt('set the mode of', path, () => fchmodSync(descriptor, mode)),
      setTime: (mtimeNs) =>
        attempt('set the time of', path, () =>
          futimesSync(descriptor, systemTime(mtimeNs), systemTime(mtimeNs)),
        ),
      close: () => closeSync(descriptor),
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
    attempt('set the time of', path, () =>
      lutimesSync(this.real(path), systemTime(mtimeNs), systemTime(mtimeNs)),
    )
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

/** Seconds as the runtime wants them; it takes a negative number for "now", so an old time is a Date. */
function systemTime(nanoseconds: bigint): number | Date {
  return nanoseconds < 0n ? new Date(Number(nanoseconds / 1_000_000n)) : Number(nanoseconds) / 1e9
}

export function writeAll(descriptor: number, chunk: Uint8Array): void {
  let offset = 0
  while (offset < chunk.length) offset += writeSync(descriptor, chunk, offset, chunk.length - offset)
}
