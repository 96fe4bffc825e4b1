import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { architecture, NUMBERS, systemCall } from '../../../agent/host/libc.ts'
import { errnoOf } from '../../../agent/lib/errors.ts'
import type { LogSet } from '../logrotate/settings.ts'
import { nameOf } from './bytes.ts'
import { identify } from './file-identity.ts'
import { splitPath, syncDirectory } from './files.ts'
import { asCaller } from './identity.ts'
import {
  type FileIdentity,
  formatLine,
  type JournalContent,
  type JournalLine,
  parseJournal,
  type Step,
} from './journal-format.ts'
import type { LogRotation } from './rotation.ts'
import { dated, numbered, rotationNames } from './rotation-names.ts'

const MAX_BYTES = 256 * 1_048_576
const DONE_AT_A_TIME = 64
const [LOCK_EXCLUSIVE, LOCK_NO_WAIT] = [2, 4]

/** Its numbers in the journal. */
export interface JournalEntry {
  log: number
  group: number
}

/**
 * What a run is about to do, beside the state file and on the disk before it is done, so that the run after one
 * that was cut off can end it. It goes when the state is on the disk.
 */
export class Journal {
  #descriptor: number | undefined
  #next: number
  #isStuck = false
  #hasPlace = true
  /** Told with the next ones. */
  readonly #done: JournalLine[] = []
  readonly #sets = new Map<LogSet, number>()

  private constructor(
    readonly path: string,
    descriptor: number | undefined,
    /** What an earlier run left. */
    readonly left: JournalContent | undefined,
  ) {
    this.#descriptor = descriptor
    this.#next = left?.next ?? 1
  }

  /** Undefined where there is no place for one, and where another run is using it. Throws on a foreign one. */
  static open(statePath: string): Journal | undefined {
    if (statePath === '/dev/null') return undefined
    const path = `${statePath}.reeve-journal`
    if (!lstatSync(nameOf(path), { throwIfNoEntry: false })) return new Journal(path, undefined, undefined)
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const descriptor = openSync(nameOf(path), flags)
    if (!isPrivate(descriptor)) {
      closeSync(descriptor)
      throw new Error(`Cannot use "${path}": it is no file of this user alone. If it is foreign, remove it`)
    }
    if (!lock(descriptor)) {
      closeSync(descriptor)
      return undefined
    }
    return new Journal(path, descriptor, parseJournal(readFileSync(descriptor, 'utf8')))
  }

  /**
   * Has it on the disk that these logs are going to be rotated, and gives them their numbers. Those of a group have a
   * postrotate script in common.
   */
  begin(set: LogSet, groups: LogRotation[][]): void {
    const lines: JournalLine[] = []
    let number = this.#sets.get(set)
    if (number === undefined) {
      number = this.#next++
      this.#sets.set(set, number)
      lines.push({ kind: 'set', set: number, pattern: set.pattern, settings: set.settings })
    }
    for (const rotations of groups) {
      const group = this.#next++
      for (const rotation of rotations) {
        const log = this.#next++
        const { path, attributes, now } = rotation
        const times = { accessedNs: String(attributes.accessedNs), modifiedNs: String(attributes.modifiedNs) }
        lines.push({
          kind: 'log',
          log,
          set: number,
          group,
          path,
          attributes: { ...attributes, ...times },
          files: filesOf(rotation),
          nowMs: now.getTime(),
        })
        rotation.entry = { log, group }
        const canWait = set.settings.mail === undefined && Object.keys(set.settings.scripts).length === 0
        rotation.onStep = (step) => (canWait && step === 'done' ? this.#noteLater(log) : this.step(log, step))
      }
    }
    this.#append(lines)
    if (this.#descriptor !== undefined) fdatasyncSync(this.#descriptor)
  }

  /** The names are settled. */
  prepared({ entry, names: { dispose } }: LogRotation): void {
    if (entry && dispose !== undefined) this.#note({ kind: 'prepared', log: entry.log, dispose })
  }

  /** How far a log is. Not synced: after a power loss the files themselves tell. */
  step(log: number, step: Step): void {
    if (step === 'stuck') this.#isStuck = true
    this.#note({ kind: 'step', log, step })
  }

  scripted(group: number): void {
    this.#note({ kind: 'scripted', group })
  }

  /** The last script of a set has run. */
  ended(set: LogSet): void {
    const number = this.#sets.get(set)
    if (number !== undefined && set.settings.scripts.lastaction) this.#note({ kind: 'ended', set: number })
  }

  /** After an earlier run's logs: the number by which `ended` knows their set. */
  adopt(set: LogSet, number: number): void {
    this.#sets.set(set, number)
  }

  /** The next run has to look at what is not done. */
  keep(): void {
    this.#isStuck = true
  }

  /** All that it told is in the state, and the state on the disk: it starts anew. */
  clear(): void {
    if (this.#isStuck || this.#descriptor === undefined) return
    ftruncateSync(this.#descriptor, 0)
    this.#done.length = 0
    this.#sets.clear()
  }

  /** The same at the end of a run. Nothing is removed that the next run has to know. */
  close(isStateWritten: boolean): void {
    if (this.#descriptor === undefined) return
    if (isStateWritten && !this.#isStuck) unlinkSync(nameOf(this.path))
    else {
      const last = this.#done.pop()
      if (last) this.#note(last)
    }
    closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  /** What has no room in the journal is done all the same, and looked at again by the next run. */
  #note(line: JournalLine): void {
    try {
      this.#append([line])
    } catch {
      this.#isStuck = true
    }
  }

  /** A log that is done. What a kill leaves untold is looked at again, and found to be done, without a trace. */
  #noteLater(log: number): void {
    this.#done.push({ kind: 'step', log, step: 'done' })
    if (this.#done.length < DONE_AT_A_TIME) return
    const last = this.#done.pop()
    if (last) this.#note(last)
  }

  #append(lines: JournalLine[]): void {
    if (!this.#hasPlace) return
    this.#descriptor ??= asCaller(() => this.#create())
    if (this.#descriptor === undefined) return
    const before = fstatSync(this.#descriptor).size
    const first: JournalLine[] = before === 0 ? [{ kind: 'run', bootId: bootId() }] : []
    const bytes = Buffer.from([...first, ...this.#done.splice(0), ...lines].map(formatLine).join(''))
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done)
    } catch (error) {
      // Half a line would hide those after it.
      ftruncateSync(this.#descriptor, before)
      throw error
    }
  }

  /** Where the state has no place, neither has this: logrotate rotates all the same, and tells at the end. */
  #create(): number | undefined {
    const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    try {
      const name = nameOf(this.path)
      const descriptor = openSync(name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
      lock(descriptor)
      syncDirectory(splitPath(this.path).directory)
      return descriptor
    } catch (error) {
      this.#hasPlace = !['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')
      if (this.#hasPlace) throw error
      return undefined
    }
  }
}

function isPrivate(descriptor: number): boolean {
  const stat = fstatSync(descriptor)
  const isMine = stat.isFile() && stat.uid === process.geteuid?.() && stat.nlink === 1
  return isMine && (stat.mode & 0o077) === 0 && stat.size <= MAX_BYTES
}

function lock(descriptor: number): boolean {
  return systemCall(NUMBERS[architecture()].flock, descriptor, LOCK_EXCLUSIVE | LOCK_NO_WAIT) === 0
}

/** The log, what it becomes, and the numbered ones that move on. */
function filesOf(rotation: LogRotation): Record<string, FileIdentity> {
  const { path, set, files, now } = rotation
  const { settings } = set
  const paths = [path]
  try {
    const names = rotationNames(path, settings, now)
    if (settings.dateExtension)
      paths.push(dated(names, names.date.text), dated(names, names.date.text) + names.compression)
    else {
      const last = settings.start + oldLogs(rotation, names)
      for (let number = settings.start; number <= last; number++) {
        paths.push(numbered(names, number), numbered(names, number) + names.compression)
      }
    }
  } catch {
    // A date format of no use: the rotation will say so.
  }
  return Object.fromEntries(
    [...new Set(paths)].flatMap((each) => {
      const identity = identify(files, each)
      return identity ? [[each, identity]] : []
    }),
  )
}

/** So many places may be taken. */
function oldLogs({ set: { settings }, files }: LogRotation, names: ReturnType<typeof rotationNames>): number {
  if (settings.rotate !== -1) return Math.max(1, settings.rotate)
  const prefix = `${names.base}.`
  const numbers = files
    .list(names.directory)
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number.parseInt(name.slice(prefix.length), 10))
  return Math.max(1, ...numbers.filter(Number.isFinite)) + 1
}

/** Changes with every start of the system. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return '' // not readable in every jail: then the files alone tell
  }
}
