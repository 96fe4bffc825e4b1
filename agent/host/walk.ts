import { closeSync, constants, openSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Entry, WalkOptions } from '../contract/host.ts'
import { O_PATH } from './directory.ts'
import { entryOfStatx } from './exact-stat.ts'
import { isMissing, listNames, lookAt, reasonOf } from './files.ts'
import { toSystemPath } from './names.ts'
import { statName } from './statx.ts'

export const BATCH_ENTRIES = 4096
/** In UTF-16 code units, of which each is three bytes at most. */
const LONG_PATH = 1024
const HANDLE_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** A directory being walked: its names and how far the walk is. No more is kept of a tree than its open directories. */
interface Frame {
  path: string
  prefix: string
  names: string[]
  next: number
}

/**
 * Depth-first with sorted names, one look per entry, never following a link. What vanishes while the walk is
 * on its way is as if it had never been there; a start that is missing is blind.
 */
export async function* walkTree(root: string, start: string, options: WalkOptions): AsyncGenerator<Entry[]> {
  const base = root === '/' ? '' : root
  const { exclude, onBlind, signal } = options
  const oneFileSystem = options.oneFileSystem ?? true
  signal?.throwIfAborted()
  let first: Entry | undefined
  try {
    first = lookAt(base, start)
  } catch (error) {
    return onBlind(start, reasonOf(error))
  }
  if (!first) return onBlind(start, 'no such file or directory')

  const handle = new DirectoryHandle(base)
  const look = (frame: Frame, name: string, path: string): Entry | undefined => {
    const found = handle.look(frame.path, name, path)
    if (found) return found
    try {
      return lookAt(base, path)
    } catch (error) {
      if (!isMissing(error)) onBlind(path, reasonOf(error))
      return undefined
    }
  }
  const open = (path: string): Frame | undefined => {
    try {
      const names = listNames(toSystemPath(base + path))
      return { path, prefix: path === '/' ? '/' : `${path}/`, names, next: 0 }
    } catch (error) {
      if (!isMissing(error)) onBlind(path, reasonOf(error))
      return undefined
    }
  }
  let batch: Entry[] = [first]
  const frames: Frame[] = []
  let frame = first.type === 'directory' ? open(start) : undefined
  try {
    while (frame) {
      const name = frame.names[frame.next++]
      if (name === undefined) {
        frame = frames.pop()
        continue
      }
      const path = frame.prefix + name
      if (exclude?.(path, name)) continue
      const entry = look(frame, name, path)
      if (!entry) continue
      batch.push(entry)
      if (batch.length === BATCH_ENTRIES) {
        yield batch
        batch = []
        await setImmediate() // lets the end of the run's time be noticed
        signal?.throwIfAborted()
      }
      if (entry.type !== 'directory' || (oneFileSystem && entry.dev !== first.dev)) continue
      const below = open(path)
      if (!below) continue
      frames.push(frame)
      frame = below
    }
  } finally {
    handle.close()
  }
  if (batch.length > 0) yield batch
}

/**
 * The directory of the last entries that were looked at: from there the kernel has one name to follow instead of a
 * whole path. It is only faster: whatever it cannot tell is asked for by its path.
 */
class DirectoryHandle {
  private path: string | undefined
  private descriptor = -1

  constructor(private readonly base: string) {}

  look(directory: string, name: string, path: string): Entry | undefined {
    // Near the longest path that the kernel takes, what can be seen from here could not be opened.
    if (this.base.length + path.length > LONG_PATH) return undefined
    if (this.path !== directory) this.open(directory)
    return this.descriptor >= 0 && statName(this.descriptor, name) >= 0 ? entryOfStatx(path) : undefined
  }

  private open(directory: string): void {
    this.close()
    this.path = directory
    try {
      this.descriptor = openSync(toSystemPath(this.base + directory), HANDLE_FLAGS)
    } catch {
      this.descriptor = -1
    }
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor)
    this.descriptor = -1
  }
}
