import { lstatSync, readdirSync, statSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { isMissing, listNames, reasonOf } from '../../host/files.ts'
import { Inotify, type InotifyEvent } from '../../host/inotify.ts'
import { toSystemPath } from '../../host/names.ts'
import { globMatcher } from '../../lib/glob.ts'
import { isWithin } from '../../lib/path.ts'
import { below, interestedIn, namesIn, ownersOf, startOf, step, type Wanted } from './patterns.ts'

/** What is watched for one job. */
export interface WatchedPaths {
  job: string
  /** Patterns, as of `PluginSpec.watch`. */
  paths: readonly string[]
  exclude: readonly string[]
}

/** How well a job's paths are watched. */
export interface WatchState {
  /** `partial`: some directories are not watched; the schedule looks after them. */
  state: 'watching' | 'partial' | 'off'
  directories: number
  reason: string | null
}

/** Kernel memory is about 1 KB for each, and cannot be swapped. */
export const MAX_DIRECTORIES = 10_000
const BATCH_DIRECTORIES = 100
const MAX_READS = 16

interface Directory {
  path: string
  wanted: Wanted
}

/**
 * Watches the directories in which something may appear, change or vanish that a pattern matches: directories
 * and not files, for a file that is replaced by renaming would take its watch with it. Whatever is not certain
 * is told as a change: an overflow, a directory that came with something in it, one that could not be watched.
 */
export class Watcher {
  private readonly directories = new Map<number, Directory>()
  private readonly byPath = new Map<string, number>()
  private readonly excludes: ReadonlyMap<string, (path: string) => boolean>
  private readonly start: Wanted
  private readonly refused = new Map<string, { count: number; reason: string }>()
  private isClosed = false

  constructor(
    private readonly jobs: readonly WatchedPaths[],
    private readonly onChange: (job: string) => void,
    private readonly maxDirectories = MAX_DIRECTORIES,
    private readonly inotify = Inotify.open(),
  ) {
    this.start = startOf(new Map(jobs.map(({ job, paths }) => [job, paths])))
    this.excludes = new Map(jobs.map(({ job, exclude }) => [job, globMatcher(exclude)]))
  }

  /** Watches all that there is now. Gives way to other work in between; what appears meanwhile is watched, too. */
  async watchAll(): Promise<void> {
    await this.descend({ path: '/', wanted: this.start })
  }

  /** How well the paths of each job are watched. */
  states(): Map<string, WatchState> {
    return new Map(
      this.jobs.map(({ job }) => {
        const directories = [...this.directories.values()].filter(({ wanted }) =>
          interestedIn(wanted).has(job),
        ).length
        const refused = this.refused.get(job)
        const state = refused ? 'partial' : 'watching'
        return [
          job,
          {
            state: directories === 0 ? 'off' : state,
            directories,
            reason: refused ? `${refused.count} directories are not watched: ${refused.reason}` : null,
          },
        ]
      }),
    )
  }

  /** Reads what has happened; to be called again and again. Never blocks. */
  poll(): void {
    for (let read = 0; read < MAX_READS && !this.isClosed; read++) {
      const events = this.inotify.read()
      for (const event of events) this.take(event)
      if (events.length === 0) return
    }
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.inotify.close()
  }

  private take(event: InotifyEvent): void {
    if (event.kind === 'overflow') {
      // Nobody knows what happened: every job looks, and the directories are gone through anew.
      for (const { job } of this.jobs) this.onChange(job)
      void this.watchAll()
      return
    }
    const directory = this.directories.get(event.watch)
    if (!directory) return
    if (event.kind === 'ended' || event.kind === 'self-gone') {
      this.forget(directory.path)
      for (const job of interestedIn(directory.wanted)) this.onChange(job)
      return
    }
    if (event.name === '') return // of a directory itself, its parent tells
    const path = directory.path === '/' ? `/${event.name}` : `${directory.path}/${event.name}`
    const wanted = step(directory.wanted, event.name)
    const isNews = event.isDirectory && event.kind !== 'changed'
    for (const job of isNews ? interestedIn(wanted) : ownersOf(wanted)) {
      if (!this.excludes.get(job)?.(path)) this.onChange(job)
    }
    if (!isNews) return
    if (event.kind === 'gone') this.forget(path)
    else void this.descend({ path, wanted })
  }

  /** Watches a directory, then what is in it: what appears in between is told or found. */
  private async descend(first: Directory): Promise<void> {
    const open = [first]
    for (let count = 1; ; count++) {
      const next = open.pop()
      if (!next || this.isClosed) return
      const wanted = below(next.wanted, (job) => this.excludes.get(job)?.(next.path) ?? false)
      if (wanted.length === 0) continue
      const directory = { path: next.path, wanted }
      if (this.watch(directory)) open.push(...this.directoriesIn(directory))
      if (count % BATCH_DIRECTORIES === 0) await setImmediate()
    }
  }

  private watch(directory: Directory): boolean {
    const { path, wanted } = directory
    const known = this.byPath.get(path)
    if (known !== undefined) {
      this.directories.set(known, directory)
      return true
    }
    if (this.directories.size >= this.maxDirectories) {
      this.note(wanted, `more than ${this.maxDirectories} would have to be`)
      return false
    }
    const result = this.inotify.add(path)
    if ('watch' in result) {
      // A directory that was moved keeps its watch: its old path is no more.
      const before = this.directories.get(result.watch)
      if (before) this.byPath.delete(before.path)
      this.directories.set(result.watch, directory)
      this.byPath.set(path, result.watch)
      return true
    }
    if (result.refused !== 'missing') this.note(wanted, `${path}: ${result.reason}`)
    return false
  }

  private note(wanted: Wanted, reason: string): void {
    for (const job of interestedIn(wanted)) {
      const before = this.refused.get(job)
      this.refused.set(job, { count: (before?.count ?? 0) + 1, reason: before?.reason ?? reason })
    }
  }

  private directoriesIn({ path, wanted }: Directory): Directory[] {
    const prefix = path === '/' ? '' : path
    const named = namesIn(wanted)
    let names: string[]
    try {
      names = named ?? directoryNames(path)
    } catch (error) {
      if (!isMissing(error)) this.note(wanted, `${path}: ${reasonOf(error)}`)
      return []
    }
    return names.flatMap((name) => {
      const place = { path: `${prefix}/${name}`, wanted: step(wanted, name) }
      if (place.wanted.length === 0) return []
      if (named === undefined) return [place]
      const real = directoryAt(place.path)
      return real === undefined ? [] : [{ ...place, path: real }]
    })
  }

  private forget(path: string): void {
    for (const [known, watch] of this.byPath) {
      if (!isWithin(path, known)) continue
      this.byPath.delete(known)
      this.directories.delete(watch)
      this.inotify.remove(watch)
    }
  }
}

/** Names of the directories in a directory, links left out: a pattern does not follow them. */
function directoryNames(path: string): string[] {
  const entries = readdirSync(toSystemPath(path) as string, { withFileTypes: true })
  if (entries.some(({ name }) => name.includes('\uFFFD'))) {
    return listNames(toSystemPath(path)).filter((name) => directoryAt(`${path}/${name}`, false) !== undefined)
  }
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** The directory at a path; of a link of root or of this user, which a pattern names, the one it leads to. */
function directoryAt(path: string, follow = true): string | undefined {
  const stat = lstatSync(toSystemPath(path), { throwIfNoEntry: false })
  if (stat?.isDirectory()) return path
  if (!follow || !stat?.isSymbolicLink()) return undefined
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) return undefined
  // Beyond a "/." the kernel follows the link although the watch does not.
  return statSync(toSystemPath(path), { throwIfNoEntry: false })?.isDirectory() ? `${path}/.` : undefined
}
