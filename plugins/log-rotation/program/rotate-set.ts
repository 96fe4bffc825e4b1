import { existsSync, lstatSync, statSync } from 'node:fs'
import { dirname, isAbsolute } from 'node:path'
import { compressor } from '../../../agent/host/compressor.ts'
import { decide, formatMinute } from '../logrotate/decide.ts'
import type { LogSet, ScriptName, Settings } from '../logrotate/settings.ts'
import { describe } from './describe.ts'
import { LogFinish, syncDirectories } from './finish-log.ts'
import { asUser, isPrivileged } from './identity.ts'
import type { Listener, Verdict } from './listener.ts'
import type { Output } from './output.ts'
import { rotatedNames } from './paths.ts'
import { planNames } from './plan-names.ts'
import { compressEarlier, type LogRotation, rotateLog } from './rotate-log.ts'
import { runScript } from './run-script.ts'

export interface RunOptions {
  forced: boolean
  dryRun: boolean
  mailCommand: string
  now: Date
  listener?: Listener
}

/** Times of the last rotation by log; a log that is seen for the first time is added. */
export type State = Map<string, Date>

/** All logs of a block, with its scripts. Errors are told; none stops the other blocks. */
export function rotateSet(set: LogSet, state: State, options: RunOptions, output: Output): void {
  output.debug(`\nrotating pattern: ${set.pattern}  ${describeSet(set.settings, options.forced)}`)
  output.debug(describePolicy(set.settings))
  if (set.files.length === 0) {
    output.debug('No logs found. Rotation not needed.')
    return
  }
  try {
    // Who only looks for a job may not change users.
    const su = options.dryRun && options.listener ? undefined : set.settings.su
    asUser(su, () => new SetRotation(set, state, options, output).run())
  } catch (error) {
    output.error(`error rotating ${set.pattern}: ${describe(error)}`)
  }
}

/** Logs and their bytes that are compressed at a time. */
const AT_A_TIME = { logs: 16, bytes: 64 * 1_048_576 }

class SetRotation {
  readonly #failed = new Set<string>()
  /** Logs whose compression is under way, the oldest first. */
  #finishing: LogFinish[] = []

  constructor(
    readonly set: LogSet,
    readonly state: State,
    readonly options: RunOptions,
    readonly output: Output,
  ) {}

  run(): void {
    const due = this.set.files.filter((path) => this.#isDue(path) && !this.options.listener?.holds(path))
    if (due.length === 0) {
      if (this.set.settings.scripts.firstaction) {
        this.output.debug('not running first action script, since no logs will be rotated')
      }
      return
    }
    if (!this.#runForSet('firstaction', 'first action')) return
    if (this.set.settings.sharedScripts) this.#rotate(due)
    else for (const path of due) this.#rotate([path])
    this.#conclude(Number.POSITIVE_INFINITY)
    this.#runForSet('lastaction', 'last action')
  }

  /** The logs between one pair of scripts: all of the set when they are shared, else one. */
  #rotate(paths: string[]): void {
    const shared = this.set.settings.sharedScripts
    // A pattern may match what was rotated, too.
    if (this.#finishing.some(({ rotation: { names } }) => paths.includes(names.final))) {
      this.#conclude(Number.POSITIVE_INFINITY)
    }
    const rotations = paths.flatMap((path) => this.#plan(path) ?? [])
    const [only] = rotations
    if (!only || (shared && this.#failed.size > 0)) return
    if (!this.#runScript('prerotate', shared ? [this.set.pattern] : [only.path], only.path)) {
      for (const { path } of rotations) this.#failed.add(path)
      return
    }
    for (const rotation of rotations) this.#attempt(rotation, () => rotateLog(rotation))
    const isWhole = rotations.every(({ path }) => !this.#failed.has(path))
    if (!isWhole && (shared || rotations.length === 1)) return
    const args = shared ? [this.set.pattern] : [only.path, only.names.final]
    if (!this.#runScript('postrotate', args, only.path)) {
      for (const { path } of rotations) this.#failed.add(path)
      return
    }
    for (const rotation of rotations) this.#finish(rotation)
  }

  #finish(rotation: LogRotation): void {
    if (this.#failed.has(rotation.path)) return
    if (!this.options.dryRun) this.options.listener?.onRotated(rotation)
    this.#attempt(rotation, () => this.#finishing.push(new LogFinish(rotation)))
    if (!this.#finishing.some(({ isCompressing }) => isCompressing)) this.#conclude(Number.POSITIVE_INFINITY)
    const bytes = this.#finishing.reduce((sum, finish) => sum + finish.bytes, 0)
    // Until they are concluded, logs and archives both take room.
    if (this.#finishing.length > compressor.threads && bytes > AT_A_TIME.bytes) this.#conclude(1)
    if (this.#finishing.length > AT_A_TIME.logs) this.#conclude(AT_A_TIME.logs / 2)
  }

  /** Ends the compression of the first logs, and all that waits for it. */
  #conclude(count: number): void {
    const finishes = this.#finishing.splice(0, count)
    for (const finish of finishes) this.#attempt(finish.rotation, () => finish.name())
    const named = finishes.filter(({ rotation }) => !this.#failed.has(rotation.path))
    if (!this.options.dryRun) syncDirectories(named.filter(({ isCompressing }) => isCompressing))
    for (const finish of named) {
      const { rotation } = finish
      this.#attempt(rotation, () => finish.conclude())
      if (!rotation.dryRun && !this.#failed.has(rotation.path)) rotation.listener?.onFinished(rotation)
    }
  }

  #plan(path: string): LogRotation | undefined {
    const { set, output, options } = this
    output.debug(`rotating log ${path}, log->rotateCount is ${set.settings.rotate}`)
    const names = rotatedNames(path, set.settings, options.now)
    if (names.date) output.debug(`dateext suffix '${names.date.text}'`)
    const plan = planNames(names, set.settings, options.now)
    const { now, mailCommand, dryRun, listener } = options
    const modifiedAt = lstatSync(path, { throwIfNoEntry: false })?.mtime ?? now
    const rotation = { path, set, names: plan, modifiedAt, now, mailCommand, output, dryRun, listener }
    if (names.date && (existsSync(plan.first) || existsSync(plan.final + names.compression))) {
      if (!dryRun) this.#attempt(rotation, () => compressEarlier(rotation))
      output.error(`destination ${plan.first} already exists, skipping rotation`)
      this.#failed.add(path)
      // Its name is taken until the date changes: there is nothing to try again before.
      this.state.set(path, now)
      return undefined
    }
    return rotation
  }

  /** A log counts as rotated once it was moved or copied, whatever its compression comes to. */
  #attempt(rotation: LogRotation, act: () => void): void {
    if (this.#failed.has(rotation.path)) return
    try {
      act()
      this.state.set(rotation.path, this.options.now)
    } catch (error) {
      this.#failed.add(rotation.path)
      this.output.error(`error rotating ${rotation.path}: ${describe(error)}`)
    }
  }

  #runForSet(name: 'firstaction' | 'lastaction', words: string): boolean {
    const script = this.set.settings.scripts[name]
    if (script === undefined) return true
    this.#conclude(Number.POSITIVE_INFINITY)
    this.output.debug(`running ${words} script`)
    if (this.options.dryRun || runScript(script, [this.set.pattern], this.output)) return true
    this.output.error(`error running ${words} script for ${this.set.pattern}`)
    return false
  }

  #runScript(name: Extract<ScriptName, 'prerotate' | 'postrotate'>, args: string[], path: string): boolean {
    const script = this.set.settings.scripts[name]
    if (script === undefined) return true
    this.#conclude(Number.POSITIVE_INFINITY)
    this.output.debug(`running ${name} script`)
    if (this.options.dryRun || runScript(script, args, this.output)) return true
    const { pattern } = this.set
    this.output.error(
      this.set.settings.sharedScripts
        ? `error running shared ${name} script for '${pattern}'`
        : `error running non-shared ${name} script for ${path} of '${pattern}'`,
    )
    return false
  }

  #isDue(path: string): boolean {
    const { set, output, options } = this
    output.debug(`considering log ${path}`)
    const settings = set.settings
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (!stat) {
      if (settings.missingOk) output.debug(`  log ${path} does not exist -- skipping`)
      else {
        output.error(`stat of ${path} failed: No such file or directory`)
        this.#failed.add(path)
      }
      this.#tell(path, 'missing', 'it does not exist')
    } else if (!settings.su && isPrivileged() && isInsecure(path)) {
      output.error(
        `skipping "${path}" because parent directory has insecure permissions (It's world writable or writable by group which is not "root") Set "su" directive in config file to tell logrotate which user/group should be used for rotation.`,
      )
      this.#failed.add(path)
      this.#tell(path, 'insecure', 'others than root can write to its directory, and no su is set')
    }
    const rotatedAt = this.#lastRotation(path)
    if (!stat || (!settings.su && isPrivileged() && isInsecure(path))) return false
    if (stat.isSymbolicLink()) {
      output.debug(
        `  log ${path} is symbolic link. Rotation of symbolic links is not allowed to avoid security issues -- skipping.`,
      )
      return this.#tell(path, 'not-a-file', 'it is a symbolic link')
    }
    if (!stat.isFile()) {
      output.debug(`  log ${path} is not a regular file -- skipping.`)
      return this.#tell(path, 'not-a-file', 'it is not a regular file')
    }
    if (stat.nlink !== 1 && !settings.allowHardLink) {
      output.debug(
        `  log ${path} has multiple (${stat.nlink}) hard links. Rotation of files with multiple hard links is not allowed for ${set.pattern} -- skipping.`,
      )
      return this.#tell(path, 'hard-linked', `it has ${stat.nlink} hard links`)
    }
    output.debug(`  Now: ${formatMinute(options.now)}`)
    output.debug(`  Last rotated at ${formatMinute(rotatedAt)}`)
    const log = { sizeBytes: stat.size, modifiedAt: stat.mtime }
    const { rotate, reason } = decide(settings, log, rotatedAt, options.now, options.forced)
    output.debug(
      rotate ? '  log needs rotating' : `  log does not need rotating (${reason ?? 'it is not due'})`,
    )
    return this.#tell(path, rotate ? 'due' : 'not-due', reason ?? 'its time or its size has come')
  }

  /** Whether the log is to be rotated. */
  #tell(path: string, kind: Verdict['kind'], reason: string): boolean {
    this.options.listener?.onVerdict(path, { kind, reason })
    return kind === 'due'
  }

  /** A log seen for the first time counts as rotated at the start of this hour. */
  #lastRotation(path: string): Date {
    const known = this.state.get(path)
    if (known) return known
    this.output.debug('Creating new state')
    const hour = new Date(this.options.now)
    hour.setMinutes(0, 0, 0)
    this.state.set(path, hour)
    return hour
  }
}

function isInsecure(path: string): boolean {
  const stat = statSync(isAbsolute(path) ? dirname(path) : dirname(`./${path}`), { throwIfNoEntry: false })
  if (!stat) return false
  return (stat.gid !== 0 && (stat.mode & 0o020) !== 0) || (stat.mode & 0o002) !== 0
}

function describeSet(settings: Settings, forced: boolean): string {
  const { criterion, rotate } = settings
  const kept = rotate === 0 ? '(no old logs will be kept)' : `(${rotate} rotations)`
  if (forced) return `forced from command line ${kept}`
  switch (criterion.kind) {
    case 'size':
      return `${criterion.bytes} bytes ${kept}`
    case 'daily':
      return `after 1 days ${kept}`
    case 'minutes':
      return `every ${criterion.count} minutes ${kept}`
    default:
      return `${criterion.kind} ${kept}`
  }
}

function describePolicy(settings: Settings): string {
  return [
    settings.oldDirectory === undefined ? '' : `olddir is ${settings.oldDirectory}, `,
    settings.ifEmpty ? 'empty log files are rotated, ' : 'empty log files are not rotated, ',
    settings.minSizeBytes > 0 ? `only log files >= ${settings.minSizeBytes} bytes are rotated, ` : '',
    settings.maxSizeBytes > 0 ? `log files >= ${settings.maxSizeBytes} are rotated earlier, ` : '',
    settings.minAgeDays > 0 ? `only log files older than ${settings.minAgeDays} days are rotated, ` : '',
    settings.mail === undefined ? 'old logs are removed' : `old logs mailed to ${settings.mail}`,
  ].join('')
}
