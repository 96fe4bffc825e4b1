import {
  describeError,
  type Entry,
  type ExactStat,
  errnoOf,
  type FileStat,
  formatBytes,
  type HostReader,
  isWithin,
} from '../../../agent/contract/mod.ts'
import type { ArchiveEntry, EntryType } from '../archive/entry.ts'
import { isManifestName } from '../archive/manifest.ts'
import type { ArchiveLog, Member } from '../archive/writer.ts'
import { CacheDirectories } from './cache-directories.ts'
import type { Sources } from './config.ts'
import { compileInclude, compilePatterns, startPaths } from './selection.ts'

export interface SourceOptions
  extends Pick<
    Sources,
    'paths' | 'include' | 'exclude' | 'excludeCaches' | 'maxFileBytes' | 'oneFileSystem' | 'databases'
  > {
  /** Left out with all that is below: the destination. */
  neverInclude: string[]
  signal: AbortSignal
}

/** Entries that are left out on purpose. */
export interface Skipped {
  count: number
}

const TYPES: Partial<Record<ExactStat['type'], EntryType>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symlink',
  fifo: 'fifo',
  'block-device': 'block-device',
  'character-device': 'character-device',
}

/** Trees that the kernel makes, and makes anew: nobody misses them in a backup. */
const KERNEL_TREES = ['/proc', '/sys', '/dev', '/run']

/** All entries of the sources, start by start in tree order, in batches. */
export async function* walkSources(
  host: HostReader,
  options: SourceOptions,
  log: ArchiveLog,
  skipped: Skipped,
  onBlind?: (path: string) => void,
): AsyncGenerator<Entry[]> {
  const isExcluded = compilePatterns(options.exclude, options.paths)
  const isIncluded = compileInclude(options.include, options.paths)
  const caches = new CacheDirectories(host)
  const neverInclude = new Set([...options.neverInclude, ...databaseFiles(options.databases)])
  const starts = startPaths(options.paths)
  for (const start of starts) {
    const batches = host.walk(start, {
      exclude: (path, name) => {
        // A source within another one is a start of its own: it may be on another file system.
        if (starts.includes(path)) return true
        const leaveOut =
          neverInclude.has(path) ||
          isExcluded(path, () => host.stat(path)?.type === 'directory') ||
          (options.excludeCaches && caches.isContent(path, name))
        if (leaveOut) skipped.count++
        return leaveOut
      },
      onBlind: (path, reason) => {
        log.problem(path, 'unreadable', reason)
        onBlind?.(path)
      },
      oneFileSystem: options.oneFileSystem,
      signal: options.signal,
    })
    let device: number | undefined
    for await (const batch of batches) {
      device ??= batch[0]?.dev
      yield batch.filter((found) => {
        if (options.oneFileSystem && found.dev !== device && found.type === 'directory') {
          noteNotEntered(found, log)
        }
        const isArchived =
          found.type !== 'socket' &&
          found.path !== '/' &&
          (found.type === 'directory' || isIncluded(found.path)) &&
          !isTooLarge(found, options.maxFileBytes, log)
        if (!isArchived) skipped.count++
        return isArchived
      })
    }
  }
}

function isTooLarge(found: Entry, maxFileBytes: number | undefined, log: ArchiveLog): boolean {
  if (maxFileBytes === undefined || found.type !== 'file' || found.size <= maxFileBytes) return false
  log.problem(found.path, 'too-large', `it has ${formatBytes(found.size)}, and is left out`)
  return true
}

/** A database is backed up by itself, with all that belongs to it. */
function databaseFiles(databases: readonly string[]): string[] {
  return databases.flatMap((path) => [path, `${path}-wal`, `${path}-shm`, `${path}-journal`])
}

/** Called for each entry when it is in the archive. */
export type NoteArchived = (found: Entry, opened: FileStat, line: string, isWhole: boolean) => void

/**
 * All that is to be archived, a batch at a time; a file is opened when it is asked for. What cannot be read is a problem
 * in the log, and left out.
 */
export async function* collectMembers(
  host: HostReader,
  options: SourceOptions,
  log: ArchiveLog,
  skipped: Skipped,
  noteArchived?: NoteArchived,
): AsyncGenerator<Iterable<Member>> {
  const links = new HardLinks()
  function* membersOf(batch: Entry[]): Generator<Member> {
    for (const found of batch) {
      const member = toMember(host, found, links, log)
      if (typeof member === 'string') continue
      if (noteArchived) {
        member.archived = (line, isWhole) => noteArchived(found, member.source?.stat ?? found, line, isWhole)
      }
      yield member
    }
  }
  for await (const batch of walkSources(host, options, log, skipped)) yield membersOf(batch)
}

function noteNotEntered({ path }: Entry, log: ArchiveLog): void {
  if (KERNEL_TREES.some((tree) => isWithin(tree, path))) return
  log.problem(path, 'not-entered', 'another file system is mounted there')
}

/** An entry as it goes into the archive, or why it does not. */
export function toMember(
  host: HostReader,
  found: Entry,
  links: HardLinks,
  log: ArchiveLog,
): Member | 'vanished' | 'unreadable' {
  const { path } = found
  if (isManifestName(path.slice(1))) {
    log.problem(path, 'unreadable', 'this name is kept for the manifest of the backup')
    return 'unreadable'
  }
  try {
    if (found.type === 'file') return fileMember(host, path, links)
    const stat = host.exactStat(path)
    if (!stat) throw Object.assign(new Error('no such file or directory'), { code: 'ENOENT' })
    const entry = toEntry(host, path, stat)
    addAttributes(entry, host.extendedAttributes(path))
    if (entry.type === 'symlink') entry.linkName = host.readLink(path)
    return { entry, path }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      log.problem(path, 'changed', 'it vanished while the backup ran')
      return 'vanished'
    }
    log.problem(path, 'unreadable', describeError(error))
    return 'unreadable'
  }
}

function fileMember(host: HostReader, path: string, links: HardLinks): Member {
  const source = host.open(path)
  try {
    const { stat } = source
    const entry = toEntry(host, path, stat)
    addAttributes(entry, source.extendedAttributes())
    const first = links.firstName(stat, entry.name)
    if (first === undefined) {
      entry.size = stat.size
      if (stat.storedBytes < stat.size) entry.ranges = source.contentRanges()
      return { entry, path, source }
    }
    source.close()
    return { entry: { ...entry, type: 'hard-link', linkName: first }, path }
  } catch (error) {
    source.close()
    throw error
  }
}

function addAttributes(entry: ArchiveEntry, attributes: ReadonlyMap<string, Uint8Array>): void {
  if (attributes.size > 0) entry.attributes = attributes
}

export function toEntry(host: HostReader, path: string, stat: ExactStat): ArchiveEntry {
  const type = TYPES[stat.type]
  if (!type) throw new Error('it was replaced while the backup ran')
  return {
    name: path.slice(1),
    type,
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    userName: nameOrNothing(host.userName(stat.uid), stat.uid),
    groupName: nameOrNothing(host.groupName(stat.gid), stat.gid),
    size: 0,
    mtimeNs: stat.mtimeNs,
    linkName: '',
    deviceMajor: type.endsWith('device') ? stat.deviceMajor : 0,
    deviceMinor: type.endsWith('device') ? stat.deviceMinor : 0,
  }
}

/** An id without a name is shown as its number, which an archive must not take for a name. */
function nameOrNothing(name: string, id: number): string {
  return name === String(id) ? '' : name
}

/** Names under which content was archived already, for files with more than one name. */
export class HardLinks {
  private readonly seen = new Map<string, { name: string; left: number }>()

  /** The name that was archived first; undefined when it is this one. */
  firstName(stat: ExactStat, name: string): string | undefined {
    if (stat.nlink < 2) return undefined
    const key = `${stat.dev}:${stat.ino}`
    const known = this.seen.get(key)
    if (!known) {
      this.seen.set(key, { name, left: stat.nlink - 1 })
      return undefined
    }
    known.left--
    if (known.left <= 0) this.seen.delete(key)
    return known.name
  }
}
