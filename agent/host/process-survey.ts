import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { ProcessSurvey } from '../contract/host.ts'
import { errnoOf } from '../lib/errors.ts'

export const SURVEYS = ['files', 'sockets'] as const
export type Survey = (typeof SURVEYS)[number]

/** It goes to the worker in its environment, where one text has at most 128 KiB. */
const MAX_BYTES = 120_000
/** Listening sockets are among the first that a process opens. */
const MAX_DESCRIPTORS = 2048
const DELETED = ' (deleted)'
const LISTEN = '0A'

/**
 * What the kernel tells of other processes, of which it tells nothing in a Landlock jail, and of other users' only with
 * CAP_SYS_PTRACE. A process that ends meanwhile is left out.
 */
export function surveyProcesses(wanted: readonly Survey[]): ProcessSurvey {
  const survey: ProcessSurvey = {
    programs: {},
    replaced: {},
    removed: {},
    listeners: {},
    hidden: [],
    isCut: false,
  }
  const sockets = wanted.includes('sockets') ? listeningSockets() : new Set<string>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    try {
      // A thread of the kernel has none: ENOENT.
      const program = readlinkSync(`/proc/${name}/exe`)
      if (wanted.includes('files')) noteFiles(survey, Number(name), program)
      if (sockets.size > 0) noteSockets(survey, Number(name), sockets)
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'EACCES' || code === 'EPERM') survey.hidden.push(Number(name))
    }
  }
  return withinBounds(survey)
}

function noteFiles(survey: ProcessSurvey, pid: number, program: string): void {
  const isGone = program.endsWith(DELETED)
  note(survey.programs, withoutMark(program), pid)
  const mapped = removedMappings(readFileSync(`/proc/${pid}/maps`, 'latin1'))
  for (const path of isGone ? [withoutMark(program), ...mapped] : mapped) {
    // As the process itself sees it: it may be in a container.
    const isBack = existsSync(`/proc/${pid}/root${path}`)
    note(isBack ? survey.replaced : survey.removed, path, pid)
  }
}

/** Files of which code is mapped and that are no longer where they were, from the text of /proc/PID/maps. Pure. */
export function removedMappings(maps: string): string[] {
  if (!maps.includes(`${DELETED}\n`)) return []
  const paths = new Set<string>()
  for (const line of maps.split('\n')) {
    if (!line.endsWith(DELETED)) continue
    const [, path] = /^\S+ ..x. \S+ \S+ \d+\s+(\/.*) \(deleted\)$/.exec(line) ?? []
    if (path !== undefined) paths.add(path)
  }
  return [...paths]
}

function noteSockets(survey: ProcessSurvey, pid: number, sockets: ReadonlySet<string>): void {
  const descriptors = readdirSync(`/proc/${pid}/fd`).toSorted((a, b) => Number(a) - Number(b))
  for (const descriptor of descriptors.slice(0, MAX_DESCRIPTORS)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1]
      if (inode !== undefined && sockets.has(inode)) note(survey.listeners, inode, pid)
    } catch {
      // It was closed meanwhile.
    }
  }
}

/** Inodes of the TCP sockets that listen; those of other network namespaces are not to be seen here. */
function listeningSockets(): Set<string> {
  const inodes = new Set<string>()
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string
    try {
      text = readFileSync(file, 'latin1')
    } catch {
      continue // a kernel without IPv6
    }
    for (const line of text.split('\n')) {
      const [, , , state, , , , , , inode = '0'] = line.trim().split(/\s+/)
      if (state === LISTEN && inode !== '0') inodes.add(inode)
    }
  }
  return inodes
}

function note(map: Record<string, number[]>, key: string, pid: number): void {
  const known = map[key]
  if (!known) map[key] = [pid]
  else if (known.at(-1) !== pid) known.push(pid)
}

function withoutMark(path: string): string {
  return path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path
}

/** Pure. What counts most is kept: who runs what, which can be seen elsewhere in part, goes first. */
export function withinBounds(survey: ProcessSurvey): ProcessSurvey {
  const isSmall = () => Buffer.byteLength(JSON.stringify(survey)) <= MAX_BYTES
  for (const part of ['programs', 'listeners', 'removed', 'replaced'] as const) {
    if (isSmall()) return survey
    survey.isCut = true
    survey[part] = {}
  }
  if (!isSmall()) {
    survey.isCut = true
    survey.hidden = survey.hidden.slice(0, 1000)
  }
  return survey
}
