import { setImmediate } from 'node:timers/promises'
import type { Entry, WalkOptions } from '../contract/host.ts'
import { isMissing, listNames, lookAt, reasonOf } from './files.ts'
import { toSystemPath } from './names.ts'

export const BATCH_ENTRIES = 4096

/** A directory being walked: its names and how far the walk is. No more is kept of a tree than its open directories. */
interface Frame {
  prefix: string
  names: string[]
  next: number
}

/**
 * Depth-first with sorted names, one lstat per entry, never following a link. What vanishes while the walk is
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

  const look = (path: string): Entry | undefined => {
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
      return { prefix: path === '/' ? '/' : `${path}/`, names, next: 0 }
    } catch (error) {
      if (!isMissing(error)) onBlind(path, reasonOf(error))
      return undefined
    }
  }
  let batch: Entry[] = [first]
  const frames: Frame[] = []
  let frame = first.type === 'directory' ? open(start) : undefined
  while (frame) {
    const name = frame.names[frame.next++]
    if (name === undefined) {
      frame = frames.pop()
      continue
    }
    const path = frame.prefix + name
    if (exclude?.(path, name)) continue
    const entry = look(path)
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
  if (batch.length > 0) yield batch
}
