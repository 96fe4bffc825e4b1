import { createHash } from 'node:crypto'
import type { Settings } from '../logrotate/settings.ts'
import type { Attributes } from './attributes.ts'

/** Which file it is, whatever it is called; its birth tells it from one that got its inode later. */
export interface FileIdentity {
  dev: number
  ino: number
  bornMs: number
}

/** A log whose rotation was begun, with all that is needed to end it without the configuration. */
export interface JournaledLog {
  log: number
  set: number
  /** Logs of one group have their postrotate script in common. */
  group: number
  path: string
  attributes: JournaledAttributes
  /** The log and its old ones, as they were before anything was done. */
  files: Record<string, FileIdentity>
  nowMs: number
}

/** JSON has no large integers. */
export type JournaledAttributes = Omit<Attributes, 'accessedNs' | 'modifiedNs'> & {
  accessedNs: string
  modifiedNs: string
}

/** A log that is not done. */
export interface UnfinishedLog extends JournaledLog {
  steps: Step[]
  /** The old log that is to go at the end, once that is known. */
  dispose: string | undefined
}

/**
 * `truncating` and `truncated`: of a log that was copied. `done`: it was rotated, and there is nothing left to do.
 * `failed`: it was not rotated. `stuck`: the disk is full or failed; the next run goes on.
 */
export type Step = 'truncating' | 'truncated' | 'done' | 'failed' | 'stuck'

export type JournalLine =
  | { kind: 'run'; bootId: string }
  | { kind: 'set'; set: number; pattern: string; settings: Settings }
  | ({ kind: 'log' } & JournaledLog)
  | { kind: 'prepared'; log: number; dispose?: string | undefined }
  | { kind: 'step'; log: number; step: Step }
  /** The postrotate script of a group has run, whatever came of it. */
  | { kind: 'scripted'; group: number }
  /** The lastaction script of a set has run. */
  | { kind: 'ended'; set: number }

export interface UnfinishedSet {
  set: number
  pattern: string
  settings: Settings
  groups: { group: number; scripted: boolean; logs: UnfinishedLog[] }[]
}

/** What a journal says: sets of which a log is not done, with all logs that were begun. */
export interface JournalContent {
  bootId: string | undefined
  sets: UnfinishedSet[]
  /** Logs that are done: their times may not have reached the state. */
  rotated: { path: string; nowMs: number }[]
  /** Larger than every number in it. */
  next: number
}

export function formatLine(line: JournalLine): string {
  const json = JSON.stringify(line)
  return `${checksum(json)} ${json}\n`
}

const checksum = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** A line that a power loss cut off ends the journal: what follows was never acted upon. */
export function parseJournal(text: string): JournalContent {
  const lines: JournalLine[] = []
  for (const line of text.split('\n')) {
    const [sum, json] = [line.slice(0, 16), line.slice(17)]
    if (line === '' || checksum(json) !== sum) break
    lines.push(JSON.parse(json))
  }
  return collect(lines)
}

function collect(lines: JournalLine[]): JournalContent {
  const steps = new Map<number, Step[]>()
  const dispose = new Map<number, string | undefined>()
  const [scripted, ended] = [new Set<number>(), new Set<number>()]
  const logs: JournaledLog[] = []
  const sets = new Map<number, { pattern: string; settings: Settings }>()
  let bootId: string | undefined
  let next = 1
  for (const line of lines) {
    if (line.kind === 'run') bootId = line.bootId
    else if (line.kind === 'set') sets.set(line.set, line)
    else if (line.kind === 'log') logs.push(line)
    else if (line.kind === 'prepared') dispose.set(line.log, line.dispose)
    else if (line.kind === 'step') steps.set(line.log, [...(steps.get(line.log) ?? []), line.step])
    else if (line.kind === 'scripted') scripted.add(line.group)
    else ended.add(line.set)
    if (line.kind === 'log') next = Math.max(next, line.log + 1, line.group + 1, line.set + 1)
  }
  const last = ({ log }: JournaledLog) => steps.get(log)?.at(-1)
  const isDone = (log: JournaledLog) => last(log) === 'done' || last(log) === 'failed'
  const unfinished = [...sets].flatMap(([number, { pattern, settings }]): UnfinishedSet[] => {
    const members = logs.filter(({ set }) => set === number)
    const hasEnded = ended.has(number) || settings.scripts.lastaction === undefined
    if (members.every(isDone) && hasEnded) return []
    const groups = [...new Set(members.map(({ group }) => group))].map((group) => ({
      group,
      scripted: scripted.has(group),
      logs: members
        .filter((log) => log.group === group && !isDone(log))
        .map((log) => ({ ...log, steps: steps.get(log.log) ?? [], dispose: dispose.get(log.log) })),
    }))
    return [{ set: number, pattern, settings, groups }]
  })
  const rotated = logs.filter((log) => last(log) === 'done').map(({ path, nowMs }) => ({ path, nowMs }))
  return { bootId, sets: unfinished, rotated, next }
}
