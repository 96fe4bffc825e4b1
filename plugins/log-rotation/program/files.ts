import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { nameOf, textOf } from './bytes.ts'
import { HeldDirectories, within } from './directories.ts'
import type { Look } from './glob.ts'

/** Where a log or an old one lies: the directory and the name in it, as dirname(3) and basename(3) split them. */
export function splitPath(path: string): { directory: string; name: string } {
  const bare = path.length > 1 ? path.replace(/\/+$/, '') || '/' : path
  const slash = bare.lastIndexOf('/')
  if (slash < 0) return { directory: '.', name: bare }
  return { directory: bare.slice(0, slash).replace(/\/+$/, '') || '/', name: bare.slice(slash + 1) || '/' }
}

/**
 * The files that a rotation works on. When held, every path goes through a handle of its directory; a user's own files
 * need none, for there the system asks that user's rights.
 */
export class Files implements Look {
  readonly #held: HeldDirectories | undefined
  readonly #changed = new Set<string>()

  constructor(held: boolean) {
    this.#held = held ? new HeldDirectories() : undefined
  }

  /** What to give the functions of node:fs for a path, to be used at once. */
  at(path: string): string | Buffer {
    if (!this.#held) return nameOf(path)
    const { directory, name } = splitPath(path)
    if (name === '/' || name === '..') return nameOf(path)
    return within(this.#held.open(directory), name)
  }

  /** The directory that a log lies in. Throws when there is none, or UnsafePath. */
  directory(path: string): Stats {
    return this.#held ? fstatSync(this.#held.open(path)) : statSync(nameOf(path))
  }

  /** The entry itself, even if it is a link. Throws. */
  entry(path: string): BigIntStats {
    return lstatSync(this.at(path), { bigint: true })
  }

  /** What a path leads to. Throws. */
  target(path: string): BigIntStats {
    return statSync(this.at(path), { bigint: true })
  }

  exists(path: string): boolean {
    return this.entryIfThere(path) !== undefined
  }

  /** Unlike `exists` it throws when that cannot be said. */
  isMissing(path: string): boolean {
    return lstatSync(this.at(path), { throwIfNoEntry: false }) === undefined
  }

  entryIfThere(path: string): Stats | undefined {
    return this.#orMissing(() => lstatSync(this.at(path), { throwIfNoEntry: false }))
  }

  #orMissing<T>(look: () => T): T | undefined {
    try {
      return look()
    } catch {
      return undefined
    }
  }

  list(directory: string): string[] {
    const name = this.#held ? within(this.#held.open(directory), '.') : nameOf(directory)
    return readdirSync(name, { encoding: 'buffer' }).map(textOf)
  }

  rename(from: string, to: string): void {
    const target = this.at(to)
    renameSync(this.at(from), target)
    this.#changed.add(splitPath(to).directory)
  }

  /** A second name. Throws EEXIST where something has it. */
  link(from: string, to: string): void {
    const target = this.at(to)
    linkSync(this.at(from), target)
    this.#changed.add(splitPath(to).directory)
  }

  removeIfThere(path: string): void {
    if (this.exists(path)) this.unlink(path)
  }

  /** Makes the renames so far outlive a power loss. A directory that may not be read is left to the system. */
  sync(): void {
    for (const directory of this.#changed) {
      try {
        syncDirectory(this.at(`${directory}/.`))
      } catch (error) {
        if (errnoOf(error) !== 'EACCES' && errnoOf(error) !== 'ENOENT') throw error
      }
    }
    this.#changed.clear()
  }

  unlink(path: string): void {
    unlinkSync(this.at(path))
  }

  /** A script of root's may have mounted or exchanged directories: from here on names mean what they mean now. */
  forget(): void {
    this.#held?.forget()
  }

  [Symbol.dispose](): void {
    this.forget()
  }
}

export function syncDirectory(path: string | Buffer): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
