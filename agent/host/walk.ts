import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry, WalkOptions } from '../contract/host.ts'
import { describeError } from '../lib/errors.ts'
import { attempt, listNames, toFileStat } from './files.ts'
import { toSystemPath } from './names.ts'

const BATCH_ENTRIES = 4096

/** Depth-first with sorted names, one lstat per entry, never following a link. */
export async function* walkTree(root: string, start: string, options: WalkOptions): AsyncGenerator<Entry[]> {
  const real = (path: string) => toSystemPath(root === '/' ? path : join(root, path))
  const look = (path: string): Entry | undefined => {
    try {
      return { path, ...toFileStat(lstatSync(real(path))) }
    } catch (error) {
      options.onBlind(path, describeError(error))
      return undefined
    }
  }
  const first = look(start)
  if (!first) return
  const stack: Entry[] = [first]
  let batch: Entry[] = []
  while (stack.length > 0) {
    const entry = stack.pop() as Entry
    batch.push(entry)
    if (batch.length >= BATCH_ENTRIES) {
      yield batch
      batch = []
      options.signal?.throwIfAborted()
    }
    if (entry.type !== 'directory') continue
    if ((options.oneFileSystem ?? true) && entry.dev !== first.dev) continue
    let names: string[]
    try {
      names = attempt('list', entry.path, () => listNames(real(entry.path)))
    } catch (error) {
      options.onBlind(entry.path, describeError(error))
      continue
    }
    const prefix = entry.path === '/' ? '/' : `${entry.path}/`
    for (let index = names.length - 1; index >= 0; index--) {
      const name = names[index] as string
      const path = prefix + name
      if (options.exclude?.(path, name)) continue
      const child = look(path)
      if (child) stack.push(child)
    }
  }
  if (batch.length > 0) yield batch
}
