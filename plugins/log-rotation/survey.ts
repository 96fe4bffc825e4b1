import {
  type Blind,
  describeError,
  type FileStat,
  type HostReader,
  isGlob,
} from '../../agent/contract/mod.ts'
import type { LogSet } from './config.ts'
import {
  type Generation,
  type Leftover,
  looksRotated,
  parseGenerationName,
  parseLeftoverName,
  sameFile,
} from './generation.ts'
import { type DirectoryOnTheWay, judgeSafety } from './safety.ts'

/** A log with all that belongs to it, as it was found on the host. */
export interface SurveyedLog {
  set: LogSet
  path: string
  directory: string
  /** Undefined when the log is gone but its rotation is still under way. */
  stat: FileStat | undefined
  generations: Generation[]
  leftovers: Leftover[]
  /** Something that is no file stands where a generation would be. */
  obstacle: string | undefined
  /** Why it must not be touched. */
  unsafe: string | undefined
}

export interface Survey {
  logs: SurveyedLog[]
  missing: { set: string; pattern: string }[]
  /** Logs that a later set matches too. */
  shared: { path: string; set: string; other: string }[]
  blind: Blind[]
}

/**
 * Finds every log of the sets with its generations and with what a crash left beside it.
 * `pending` are logs whose rotation is under way, with the name of their set: they count even when they are gone.
 */
export function survey(host: HostReader, sets: LogSet[], pending: Map<string, string>): Survey {
  const uid = process.geteuid?.() ?? 0
  const result: Survey = { logs: [], missing: [], shared: [], blind: [] }
  const directories = new Directories(host)
  const owners = new Map<string, string>()
  const onBlind = (subject: string, reason: string) => result.blind.push({ subject, reason })
  const attend = (set: LogSet, path: string, stat: FileStat | undefined) => {
    const owner = owners.get(path)
    if (owner === set.name) return
    if (owner !== undefined) {
      result.shared.push({ path, set: owner, other: set.name })
      return
    }
    owners.set(path, set.name)
    try {
      result.logs.push(surveyLog(host, directories, set, path, stat, uid))
    } catch (error) {
      onBlind(path, describeError(error))
    }
  }
  const unfinished = new Set(pending.values())
  for (const set of sets) {
    for (const pattern of set.paths) {
      const blindBefore = result.blind.length
      const found = host
        .glob(pattern, onBlind)
        .filter(
          (entry) => !isGlob(pattern) || (entry.type !== 'directory' && !looksRotated(nameOf(entry.path))),
        )
      for (const { path, ...stat } of found) attend(set, path, stat)
      const expected = found.length > 0 || set.missingOk || unfinished.has(set.name)
      if (!expected && result.blind.length === blindBefore) result.missing.push({ set: set.name, pattern })
    }
  }
  for (const [path, name] of pending) {
    const set = sets.find((candidate) => candidate.name === name)
    if (set && !owners.has(path)) attend(set, path, host.stat(path))
  }
  return result
}

function surveyLog(
  host: HostReader,
  directories: Directories,
  set: LogSet,
  path: string,
  stat: FileStat | undefined,
  uid: number,
): SurveyedLog {
  const name = nameOf(path)
  const directory = path.slice(0, -name.length - 1) || '/'
  const log: SurveyedLog = {
    set,
    path,
    directory,
    stat,
    generations: [],
    leftovers: [],
    obstacle: undefined,
    unsafe: undefined,
  }
  for (const member of directories.membersOf(directory, name)) {
    const memberPath = `${directory === '/' ? '' : directory}/${member}`
    const memberStat = host.stat(memberPath)
    if (!memberStat) continue // removed since the directory was listed
    const generation = parseGenerationName(name, member)
    const kind = parseLeftoverName(name, member)
    if (memberStat.type !== 'file') log.obstacle = memberPath
    else if (generation) log.generations.push({ path: memberPath, ...generation, stat: memberStat })
    else if (kind) log.leftovers.push({ path: memberPath, kind, stat: memberStat })
  }
  log.generations.sort((a, b) => a.index - b.index)
  if (stat) {
    const family = [...log.generations, ...log.leftovers].filter((member) => sameFile(member.stat, stat))
    log.unsafe = judgeSafety(stat, directories.onTheWayTo(directory), 1 + family.length, uid)
  }
  return log
}

/** What directories hold, each listed once. */
class Directories {
  private readonly members = new Map<string, Map<string, string[]>>()
  private readonly ways = new Map<string, DirectoryOnTheWay[]>()

  constructor(private readonly host: HostReader) {}

  /** Names in a directory that could be a generation or a leftover of the log `name`. */
  membersOf(directory: string, name: string): string[] {
    let byLog = this.members.get(directory)
    if (!byLog) {
      byLog = new Map()
      for (const member of this.host.list(directory)) {
        const log = logNameOf(member)
        if (log === undefined) continue
        const known = byLog.get(log)
        if (known) known.push(member)
        else byLog.set(log, [member])
      }
      this.members.set(directory, byLog)
    }
    return byLog.get(name) ?? []
  }

  onTheWayTo(directory: string): DirectoryOnTheWay[] {
    let way = this.ways.get(directory)
    if (!way) {
      const parent = directory.slice(0, directory.lastIndexOf('/')) || '/'
      const stat = this.host.stat(directory)
      way = directory === '/' ? [] : [...this.onTheWayTo(parent)]
      if (stat) way.push({ path: directory, stat })
      this.ways.set(directory, way)
    }
    return way
  }
}

/** The log that a generation or leftover belongs to, by its name alone. */
function logNameOf(member: string): string | undefined {
  const leftover = /^\.(.+)\.reeve-(new|copy|archive)$/s.exec(member)
  const file = leftover?.[1] ?? member
  if (leftover && leftover[2] !== 'archive') return file
  return /^(.+)\.[1-9]\d{0,8}(?:\.gz|\.zst|\.xz|\.bz2)?$/s.exec(file)?.[1]
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
