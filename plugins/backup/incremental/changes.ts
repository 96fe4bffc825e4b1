import { createHash } from 'node:crypto'
import {
  compareTreeOrder,
  type Entry,
  type FileSource,
  type FileStat,
  type HostReader,
  isWithin,
} from '../../../agent/contract/mod.ts'
import type { Listing } from '../archive/entry.ts'
import { manifestLine } from '../archive/manifest.ts'
import type { ArchiveLog, Member, Removal } from '../archive/writer.ts'
import { collectingEntries } from '../memory.ts'
import { HardLinks, type Skipped, type SourceOptions, toMember, walkSources } from '../source/members.ts'
import { startPaths } from '../source/selection.ts'
import type { IndexEntry } from './index-file.ts'

/** What changed within this time before it was looked at may change again without its times showing it. */
const TIME_TOLERANCE_MS = 2000
const HASH_BYTES = 1_048_576

/**
 * What is kept of an entry for the next backup. `opened` is what it was when it was read; whole means that it did not
 * change meanwhile.
 */
export function toIndexEntry(found: Entry, opened: FileStat, digest: string, isWhole: boolean): IndexEntry {
  const { path, type, size, mtimeMs, ctimeMs, ino } = found
  const isOpened = opened.ino === ino && opened.size === size && isSameTime(opened.ctimeMs, ctimeMs)
  const isSettled = isWhole && isOpened && Date.now() - ctimeMs > TIME_TOLERANCE_MS
  return { path, type, size, mtimeMs, ctimeMs: isSettled ? ctimeMs : 0, ino, digest }
}

/** Two calls of the runtime round the same nanoseconds in different ways. */
function isSameTime(a: number, b: number): boolean {
  return Math.abs(a - b) < 0.001
}

/** Of a line of the manifest. */
export function digestOf(line: string): string {
  return Bun.SHA256.hash(line, 'hex').slice(0, 32)
}

/** Whether nothing can have happened to an entry: whatever changes it, or its place, changes ctime or inode. */
export function isUnchanged(before: IndexEntry, now: Entry): boolean {
  return (
    before.ctimeMs === now.ctimeMs &&
    before.ino === now.ino &&
    before.mtimeMs === now.mtimeMs &&
    before.size === now.size &&
    before.type === now.type
  )
}

/**
 * What was added, changed and removed since an index was made: both are walked side by side, so that memory does not
 * grow with the tree. `keep` gets all that the next index has to have, in its order.
 */
export async function* collectChanges(
  host: HostReader,
  options: SourceOptions,
  log: ArchiveLog,
  skipped: Skipped,
  index: AsyncIterable<IndexEntry[]>,
  keep: (entry: IndexEntry) => void,
): AsyncGenerator<[Member | Removal]> {
  const blind: string[] = []
  const links = new HardLinks()
  const before = new OldEntries(index, options.paths)
  /** What is below was told with it: it is gone, or something else has taken its place. */
  let covered: string | undefined
  function gone(old: IndexEntry): Removal | undefined {
    if (covered !== undefined && isWithin(covered, old.path)) return undefined
    if (blind.some((path) => isWithin(path, old.path))) {
      keep(old)
      return undefined
    }
    covered = old.path
    return { removed: old.path.slice(1) }
  }
  const addBlind = (path: string) => {
    blind.push(path)
  }
  const walked = collectingEntries(walkSources(host, options, log, skipped, addBlind))
  for await (const batch of walked) {
    for (const found of batch) {
      let order = -1
      let old: IndexEntry | undefined
      for (;;) {
        if (before.isEmpty) await before.fill()
        old = before.first
        order = old ? before.compare(old.path, found.path) : 1
        if (!old || order > 0) break
        before.take()
        if (order === 0) break
        const removal = gone(old)
        if (removal) yield [removal]
      }
      if (order > 0) old = undefined
      if (old && isUnchanged(old, found)) {
        keep(old)
        continue
      }
      if (old?.type === 'directory' && found.type !== 'directory') covered = found.path
      const member = toMember(host, found, links, log)
      if (member === 'vanished') {
        const removal = old && gone(old)
        if (removal) yield [removal]
      } else if (member === 'unreadable') {
        if (old) keep(old)
      } else if (old && isSame(old, found, member)) {
        member.source?.close()
        keep(toIndexEntry(found, found, old.digest, true))
      } else {
        if (member.entry.type === 'directory') member.entry.listing = listingOf(host, found.path)
        member.archived = (line, isWhole) =>
          keep(toIndexEntry(found, member.source?.stat ?? found, digestOf(line), isWhole))
        yield [member]
      }
    }
  }
  for (;;) {
    if (before.isEmpty) await before.fill()
    const old = before.take()
    if (!old) return
    const removal = gone(old)
    if (removal) yield [removal]
  }
}

/** The entries of an index, in the order in which the sources are walked. */
class OldEntries {
  private readonly batches: AsyncIterator<IndexEntry[]>
  private readonly starts: string[]
  private batch: IndexEntry[] = []
  private next = 0
  private isDone = false

  constructor(index: AsyncIterable<IndexEntry[]>, paths: readonly string[]) {
    this.batches = index[Symbol.asyncIterator]()
    this.starts = startPaths(paths)
  }

  get isEmpty(): boolean {
    return this.next >= this.batch.length && !this.isDone
  }

  async fill(): Promise<void> {
    while (this.isEmpty) {
      const result = await this.batches.next()
      this.isDone = result.done === true
      this.batch = result.done ? [] : result.value
      this.next = 0
    }
  }

  get first(): IndexEntry | undefined {
    return this.batch[this.next]
  }

  take(): IndexEntry | undefined {
    return this.batch[this.next++]
  }

  compare(a: string, b: string): number {
    if (this.starts.length === 1) return compareTreeOrder(a, b)
    return this.startOf(a) - this.startOf(b) || compareTreeOrder(a, b)
  }

  /** Position of the source that a path belongs to: the deepest above it. */
  private startOf(path: string): number {
    return this.starts.findLastIndex((start) => isWithin(start, path))
  }
}

/**
 * Whether an entry with other times is what it was: nothing but its status was touched, or it was put back from a
 * copy. Of directories and of files with several names the members matter, so they are never the same.
 */
function isSame(old: IndexEntry, found: Entry, { entry, source }: Member): boolean {
  if (old.size !== found.size || old.mtimeMs !== found.mtimeMs) return false
  if (entry.type === 'symlink') return digestOf(manifestLine(entry, undefined)) === old.digest
  if (entry.type !== 'file' || !source || source.stat.nlink > 1 || entry.ranges) return false
  const sha256 = hashFile(source)
  const after = source.exactStat()
  if (after.size !== entry.size || after.mtimeNs !== entry.mtimeNs) return false
  return digestOf(manifestLine(entry, sha256)) === old.digest
}

function hashFile(source: FileSource): string {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(HASH_BYTES)
  for (let position = 0; ; ) {
    const count = source.read(buffer, position)
    if (count === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, count))
    position += count
  }
}

/** All that is in a directory, also what is not backed up: GNU tar removes what is not in such a list. */
function listingOf(host: HostReader, path: string): Listing {
  return host.list(path).map((name) => {
    const child = path === '/' ? `/${name}` : `${path}/${name}`
    return { name, isDirectory: host.stat(child)?.type === 'directory' }
  })
}
