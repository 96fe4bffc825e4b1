import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import type {
  CreateOptions,
  FileSink,
  FileStat,
  HostDirectory,
  HostWriter,
  TreeWriter,
} from '../contract/host.ts'
import { errnoOf } from '../lib/errors.ts'
import { baseName, directoryName } from '../lib/path.ts'
import { changeAttribute, changeMode, changeOwner } from './attributes.ts'
import { compressor, finished } from './compressor.ts'
import { openDirectoryHandle } from './directory.ts'
import { attempt } from './files.ts'
import { demand, type Grants } from './grants.ts'
import { toSystemPath } from './names.ts'
import { OpenFile } from './open-file.ts'
import { LocalHostReader } from './reader.ts'
import { LocalTreeWriter, writeAll } from './tree.ts'

/** As the program gzip. */
const GZIP_LEVEL = 6

/** Changes the host below `root`, within what is granted. Everything is durable when a method returns. */
export class LocalHostWriter extends LocalHostReader implements HostWriter {
  create(path: string, options: CreateOptions = {}): FileSink {
    demand(this.grants, 'write', path, 'write')
    const temporaryPath =
      options.temporaryPath ??
      `${directoryName(path)}/.reeve-${crypto.getRandomValues(new Uint8Array(6)).toHex()}.tmp`
    const { O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const access = options.readable ? O_RDWR : O_WRONLY
    const mode = options.mode ?? 0o600
    const descriptor = attempt('write', path, () =>
      openSync(this.real(temporaryPath), access | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0o600),
    )
    let open = true
    const abort = () => {
      if (!open) return
      open = false
      closeSync(descriptor)
      unlinkSync(this.real(temporaryPath))
    }
    try {
      if (options.uid !== undefined || options.gid !== undefined) {
        attempt('set the owner of', path, () => fchownSync(descriptor, options.uid ?? -1, options.gid ?? -1))
      }
      // A check may not call fchmod at all; what open() gave is right already for a private file.
      if (mode !== (mode & 0o600)) attempt('set the mode of', path, () => fchmodSync(descriptor, mode))
    } catch (error) {
      abort()
      throw error
    }
    return {
      temporaryPath,
      write: (chunk) => attempt('write', path, () => writeAll(descriptor, chunk)),
      compress: async (source, format, signal) => {
        const how = format === 'gzip' ? { format, level: GZIP_LEVEL } : { format }
        const task = { source: OpenFile.descriptorOf(source), target: descriptor, how, prove: true }
        const compression = attempt('write', path, () => compressor.start(task))
        const { read, written } = await finished(compression, signal).catch((error) =>
          attempt('write', path, () => {
            throw error
          }),
        )
        return { read, written }
      },
      sync: () => attempt('write', path, () => fsyncSync(descriptor)),
      commit: ({ durable = true } = {}) => {
        attempt('write', path, () => {
          if (options.mtimeMs !== undefined)
            futimesSync(descriptor, Date.now() / 1000, options.mtimeMs / 1000)
          if (durable) fsyncSync(descriptor)
          if (options.replace) renameSync(this.real(temporaryPath), this.real(path))
          else this.renameWithoutReplacing(temporaryPath, path)
          open = false
          closeSync(descriptor)
          if (durable) this.syncDirectory(directoryName(path))
        })
      },
      abort,
    }
  }

  writeFile(path: string, data: string | Uint8Array, options: CreateOptions = {}): void {
    const sink = this.create(path, options)
    try {
      sink.write(typeof data === 'string' ? Buffer.from(data, 'utf8') : data)
      sink.commit()
    } finally {
      sink.abort()
    }
  }

  setMode(path: string, expected: FileStat, mode: number): FileStat {
    return this.withParent('change the mode of', path, (parent) => changeMode(parent, path, expected, mode))
  }

  setOwner(path: string, expected: FileStat, uid: number, gid: number): FileStat {
    return this.withParent('change the owner of', path, (parent) =>
      changeOwner(parent, path, expected, uid, gid),
    )
  }

  setAttribute(path: string, expected: FileStat, name: string, value: Uint8Array | null): FileStat {
    return this.withParent('change an attribute of', path, (parent) =>
      changeAttribute(parent, path, expected, name, value),
    )
  }

  private withParent<T>(verb: string, path: string, act: (parent: number) => T): T {
    demand(this.grants, 'attributes', path, verb)
    return attempt(verb, path, () => {
      const parent = this.openParent(path)
      try {
        return act(parent)
      } finally {
        closeSync(parent)
      }
    })
  }

  /** A handle of the directory that an entry is in, opened without following a link. */
  protected openParent(path: string): number {
    return openDirectoryHandle(this.root, directoryName(path))
  }

  rename(from: string, to: string, options: { replace?: boolean; durable?: boolean } = {}): void {
    demand(this.grants, 'write', from, 'rename')
    demand(this.grants, 'write', to, 'rename to')
    attempt('rename', from, () => {
      if (options.replace) renameSync(this.real(from), this.real(to))
      else this.renameWithoutReplacing(from, to)
      if (options.durable === false) return
      this.syncDirectory(directoryName(to))
      if (directoryName(from) !== directoryName(to)) this.syncDirectory(directoryName(from))
    })
  }

  link(from: string, to: string): void {
    demand(this.grants, 'write', from, 'link')
    demand(this.grants, 'write', to, 'link to')
    attempt('link', from, () => linkSync(this.real(from), this.real(to)))
  }

  /** link + unlink: unlike rename it fails when the new name exists. */
  private renameWithoutReplacing(from: string, to: string): void {
    try {
      linkSync(this.real(from), this.real(to))
      unlinkSync(this.real(from))
    } catch (error) {
      const code = errnoOf(error)
      // Directories and some file systems have no hard links: look first, then rename.
      if (code !== 'EPERM' && code !== 'EOPNOTSUPP' && code !== 'EMLINK') throw error
      if (lstatSync(this.real(to), { throwIfNoEntry: false })) {
        throw Object.assign(new Error('it exists already'), { code: 'EEXIST' })
      }
      renameSync(this.real(from), this.real(to))
    }
  }

  remove(path: string, { durable = true }: { durable?: boolean } = {}): void {
    demand(this.grants, 'write', path, 'remove')
    attempt('remove', path, () => {
      if (lstatSync(this.real(path)).isDirectory()) rmdirSync(this.real(path))
      else unlinkSync(this.real(path))
      if (durable) this.syncDirectory(directoryName(path))
    })
  }

  truncate(
    path: string,
    expected?: Pick<FileStat, 'dev' | 'ino' | 'size'>,
    onGap?: (gapMs: number) => void,
  ): boolean {
    demand(this.grants, 'write', path, 'truncate')
    return attempt('truncate', path, () => {
      const descriptor = openSync(
        this.real(path),
        constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW,
      )
      try {
        const lookMs = performance.now()
        const now = fstatSync(descriptor)
        if (!now.isFile()) throw new Error('it is not a file')
        if (expected && (now.ino !== expected.ino || now.dev !== expected.dev)) {
          throw new Error('it was replaced since it was looked at')
        }
        if (expected && now.size !== expected.size) return false
        ftruncateSync(descriptor, 0)
        onGap?.(performance.now() - lookMs)
        fsyncSync(descriptor)
        return true
      } finally {
        closeSync(descriptor)
      }
    })
  }

  tree(): TreeWriter {
    return new LocalTreeWriter(
      (path) => this.real(path),
      (path, verb) => demand(this.grants, 'write', path, verb),
    )
  }

  makeDirectory(path: string, mode: number): void {
    demand(this.grants, 'write', path, 'make the directory')
    attempt('make the directory', path, () => {
      mkdirSync(this.real(path), { mode })
      const descriptor = openSync(
        this.real(path),
        constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
      )
      try {
        if (mode !== (mode & 0o700)) fchmodSync(descriptor, mode) // whatever the umask
      } finally {
        closeSync(descriptor)
      }
      this.syncDirectory(directoryName(path))
    })
  }

  syncDirectory(path: string): void {
    attempt('write', path, () => {
      const descriptor = openSync(this.real(path), constants.O_RDONLY | constants.O_DIRECTORY)
      try {
        fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
    })
  }

  openDirectory(path: string): HostDirectory {
    demand(this.grants, 'write', path, 'open')
    return new LocalHostDirectory(this.root, this.grants, path)
  }
}

/** A writer whose paths in one directory go through a handle: nobody can put another directory in its place. */
class LocalHostDirectory extends LocalHostWriter implements HostDirectory {
  private readonly descriptor: number

  constructor(
    root: string,
    grants: Grants,
    private readonly directory: string,
  ) {
    super(root, grants)
    this.descriptor = attempt('open', directory, () => openDirectoryHandle(root, directory))
  }

  protected override real(path: string): string | Buffer {
    if (path === this.directory) return `/proc/self/fd/${this.descriptor}/.`
    if (directoryName(path) !== this.directory) return super.real(path)
    return toSystemPath(`/proc/self/fd/${this.descriptor}/${baseName(path)}`)
  }

  protected override openParent(path: string): number {
    if (directoryName(path) !== this.directory) return super.openParent(path)
    return openDirectoryHandle(`/proc/self/fd/${this.descriptor}/.`, '/')
  }

  close(): void {
    closeSync(this.descriptor)
  }
}
