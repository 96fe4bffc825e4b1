import {
  type Blind,
  type Finding,
  globBase,
  globMatcher,
  type HostReader,
  isWithin,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { LogSet } from '../logrotate/settings.ts'
import { splitWords } from '../logrotate/words.ts'
import { Output } from '../program/output.ts'
import { readConfigurations } from '../program/read-configuration.ts'
import { directoryOf as oldDirectoryOf } from '../program/rotation-names.ts'
import { judgeComplaints, parseComplaints } from './judge.ts'
import { findRivals } from './rival.ts'

/** The blocks of the adopted files, with the logs that this job may touch. */
export interface Adopted {
  sets: LogSet[]
  findings: Finding[]
  blind: Blind[]
  /** Logs that a set of this job rotates already, with its name: the block leaves them alone. */
  shared: { path: string; set: string; pattern: string }[]
}

/** Reads the files as logrotate's program does. `dryRun`: no missing olddir is made. */
export function readAdopted(host: HostReader, config: Config, dryRun: boolean): Adopted {
  if (host.root !== '/') throw new Error('Cannot follow files of logrotate below another root directory')
  const shown: string[] = []
  const sets = readConfigurations(
    config.logrotate,
    new Output(false, (text) => shown.push(text), true),
    dryRun,
  )
  const fullPath = (file: string) => {
    if (file.startsWith('/')) return file
    const paths = config.logrotateIncludes.map((directory) => `${directory}/${file}`)
    return paths.find((path) => host.stat(path)) ?? file
  }
  const { findings, blind } = judgeComplaints(parseComplaints(shown), fullPath, (pattern) =>
    closedTo(pattern, directoryOf(pattern), config),
  )
  const isOpen = (path: string) => config.logrotateDirectories.some((directory) => isWithin(directory, path))
  const shared: Adopted['shared'] = []
  const ownerOf = nativeOwner(config)
  for (const set of sets) {
    const closed = patternsOf(set).filter((pattern) => !isOpen(globBase(pattern)))
    blind.push(...closed.map((pattern) => closedTo(pattern, directoryOf(pattern), config)))
    set.files = set.files.filter((file) => {
      if (!isOpen(file)) return false
      const owner = ownerOf(file)
      if (owner !== undefined) {
        shared.push({ path: file, set: owner, pattern: set.pattern })
        return false
      }
      const target = set.settings.oldDirectory
      const directory = target === undefined ? undefined : oldDirectoryOf(file, set.settings)
      if (directory === undefined || isOpen(directory)) return true
      blind.push(closedTo(file, directory, config))
      return false
    })
  }
  return { sets, findings, blind, shared }
}

/** The set of this job that has a path among its own. */
function nativeOwner({ sets }: Config): (path: string) => string | undefined {
  const matchers = sets.map(({ name, paths }) => ({ name, matches: globMatcher(paths) }))
  return (path) => matchers.find(({ matches }) => matches(path))?.name
}

/** What logrotate itself rotates on this host, when something still starts it. */
export function readForeign(host: HostReader, config: Config): Map<string, string> {
  if (!config.unmanaged || config.logrotate.length > 0 || findRivals(host).length === 0) return new Map()
  const files = config.unmanaged.logrotate.filter((path) => host.statTarget(path))
  const sets = readConfigurations(files, new Output(false, () => {}, true), true)
  return new Map(sets.flatMap((set) => set.files.map((path) => [path, set.pattern] as const)))
}

/** The words in front of a block. */
export function patternsOf(set: LogSet): string[] {
  return splitWords(set.pattern) ?? []
}

function directoryOf(pattern: string): string {
  const base = globBase(pattern)
  return base === pattern ? pattern.slice(0, pattern.lastIndexOf('/')) || '/' : base
}

function closedTo(subject: string, directory: string, { logrotateDirectories }: Config): Blind {
  const list = [...logrotateDirectories, directory].join(', ')
  return {
    subject,
    reason: `"${directory}" is not open to this job, so the log is not rotated; write: logrotateDirectories: [${list}]`,
  }
}
