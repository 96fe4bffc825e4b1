import { compressor } from '../../../agent/host/compressor.ts'
import { UselessFormat } from '../logrotate/date-extension.ts'
import type { LogSet, ScriptName } from '../logrotate/settings.ts'
import { considerLog } from './consider-log.ts'
import { describe } from './describe.ts'
import { describeSet } from './describe-set.ts'
import { isDiskTrouble } from './disk-trouble.ts'
import { Files } from './files.ts'
import { LogFinish } from './finish-log.ts'
import { asUser, SwitchFailure } from './identity.ts'
import type { Journal } from './journal.ts'
import type { Listener } from './listener.ts'
import type { Output } from './output.ts'
import { prepareLog } from './prepare-log.ts'
import { rotateLog } from './rotate-log.ts'
import type { LogRotation } from './rotation.ts'
import { rotationNames } from './rotation-names.ts'
import { runScript } from './run-script.ts'
import type { State } from './state-file.ts'
import { worksOnHandles } from './works-on-handles.ts'

export interface RunOptions {
  forced: boolean
  dryRun: boolean
  mailCommand: string
  now: Date
  /** Gets the logs that were found. */
  seen?: Set<string>
  listener?: Listener
  journal?: Journal | undefined
  /** Logs whose last rotation could still not be ended. */
  unfinished?: ReadonlySet<string>
}

/** All logs of a block, with its scripts. False: something went wrong, which has been told. */
export function rotateSet(set: LogSet, state: State, options: RunOptions, output: Output): boolean {
  output.debug(describeSet(set, options.forced))
  if (set.files.length === 0) {
    output.debug('No logs found. Rotation not needed.')
    return true
  }
  // Who only looks for a job may not change users.
  const su = options.dryRun && options.listener ? undefined : set.settings.su
  using files = new Files(worksOnHandles(su))
  try {
    const rotate = () => {
      const isClean = new SetRotation(set, state, options, files, output).run()
      files.sync()
      return isClean
    }
    return asUser(su, rotate, output.debug)
  } catch (error) {
    const isSwitch = error instanceof SwitchFailure
    output.error(isSwitch ? error.message : `error rotating ${set.pattern}: ${describe(error)}`)
    if (isDiskTrouble(error)) options.journal?.keep()
    return false
  }
}

/** Logs and their bytes that are compressed at a time. */
const AT_A_TIME = { logs: 16, bytes: 64 * 1_048_576 }

class SetRotation {
  readonly #failed = new Set<string>()
  #hasFailed = false
  /** Logs whose compression is under way, the oldest first. */
  readonly #finishing: LogFinish[] = []
  readonly #isDone = new Set<LogRotation>()
  #isStuck = false

  constructor(
    readonly set: LogSet,
    readonly state: State,
    readonly options: RunOptions,
    readonly files: Files,
    readonly output: Output,
  ) {}

  /** One log in error holds up the other ones only where they share scripts. */
  run(): boolean {
    const { sharedScripts } = this.set.settings
    const rotations = this.set.files.flatMap((path) => this.#consider(path) ?? [])
    if (rotations.length === 0) this.#tellIdle('first action')
    else if (!this.#runForSet('firstaction', 'first action')) return false
    const { prerotate, postrotate } = this.set.settings.scripts
    // Where no script can change what is there, one entry for all.
    if (!sharedScripts && prerotate === undefined && postrotate === undefined) {
      this.#journal(rotations.map((rotation) => [rotation]))
    }
    if (sharedScripts) this.#rotate(rotations)
    else for (const rotation of rotations) this.#rotate([rotation])
    this.#concludeAll()
    this.#closeJournal(rotations)
    if (rotations.length === 0) {
      if (sharedScripts) this.#tellIdleScripts()
      this.#tellIdle('last action')
    } else {
      this.#runForSet('lastaction', 'last action')
      this.options.journal?.ended(this.set)
    }
    return !this.#hasFailed
  }

  /** Has it on the disk what is going to be done. */
  #journal(groups: LogRotation[][]): void {
    const { journal, dryRun } = this.options
    if (journal && !dryRun && groups.flat().length > 0) journal.begin(this.set, groups)
  }

  /** What failed is left as logrotate leaves it; unless it was the disk, and the next run goes on. */
  #closeJournal(rotations: LogRotation[]): void {
    if (this.#isStuck) return
    for (const rotation of rotations) if (!this.#isDone.has(rotation)) rotation.onStep?.('failed')
  }

  #consider(path: string): LogRotation | undefined {
    const { set, state, options, files, output } = this
    if (options.unfinished?.has(path)) return undefined
    const considered = considerLog(path, { set, state, options, files, output })
    if (considered === 'failed') this.#fail(path)
    if (typeof considered === 'string' || options.listener?.holds(path)) return undefined
    const { now, mailCommand, dryRun, listener } = options
    return {
      path,
      set,
      attributes: considered,
      now,
      mailCommand,
      files,
      output,
      dryRun,
      listener,
      names: UNKNOWN,
    }
  }

  /** The logs between one pair of scripts: all of the set when they are shared, else one. */
  #rotate(rotations: LogRotation[]): void {
    const [first] = rotations
    if (!first) return
    // A pattern may match what was rotated, too.
    if (
      this.#finishing.some(({ rotation: { names } }) => rotations.some(({ path }) => path === names.final))
    ) {
      this.#concludeAll()
    }
    const isShared = this.set.settings.sharedScripts
    const { postrotate } = this.set.settings.scripts
    if (isShared && this.#hasFailed) return
    const args = isShared ? [this.set.pattern] : [first.path]
    this.#runScript('prerotate', args, first.path)
    if (rotations.some(({ entry }) => entry === undefined)) this.#journal([rotations])
    for (const rotation of rotations) this.#attempt(rotation, prepare)
    for (const rotation of rotations) this.options.journal?.prepared(rotation)
    for (const rotation of rotations) this.#attempt(rotation, rotateLog)
    if (this.#mayGoOn(first.path)) {
      this.#runScript('postrotate', isShared ? args : [first.path, first.names.final], first.path)
      if (postrotate !== undefined && first.entry) this.options.journal?.scripted(first.entry.group)
    }
    for (const rotation of rotations) this.#finish(rotation)
  }

  /** A log counts as rotated from the moment on when work on it begins. */
  #attempt(rotation: LogRotation, act: (rotation: LogRotation, state: State) => boolean): void {
    if (!this.#mayGoOn(rotation.path)) return
    let isClean = false
    const troublesBefore = this.output.diskTroubles
    try {
      isClean = act(rotation, this.state)
    } catch (error) {
      this.output.note(error)
      this.output.error(`error rotating ${rotation.path}: ${describe(error)}`)
    }
    if (isClean) return
    this.#fail(rotation.path)
    if (this.output.diskTroubles === troublesBefore) return
    this.#isStuck = true
    rotation.onStep?.('stuck')
  }

  #finish(rotation: LogRotation): void {
    if (!this.#mayGoOn(rotation.path)) return
    if (!rotation.dryRun) rotation.listener?.onRotated(rotation)
    const finish = new LogFinish(rotation)
    this.#attempt(rotation, () => finish.start())
    if (this.#failed.has(rotation.path)) return
    this.#finishing.push(finish)
    // What is said of later logs is told when their turn has come.
    this.output.keepIn(finish.saidMeanwhile)
    if (!this.#finishing.some(({ isCompressing }) => isCompressing)) this.#concludeAll()
    const bytes = this.#finishing.reduce((sum, { bytes }) => sum + bytes, 0)
    // Until they are concluded, logs and archives both take room.
    if (this.#finishing.length > compressor.threads && bytes > AT_A_TIME.bytes) this.#conclude(1)
    if (this.#finishing.length > AT_A_TIME.logs) this.#conclude(AT_A_TIME.logs / 2)
  }

  #concludeAll(): void {
    this.#conclude(this.#finishing.length)
  }

  /** Ends the compression of the first logs, and all that waits for it. */
  #conclude(count: number): void {
    const finishes = this.#finishing.splice(0, count)
    for (const finish of finishes) {
      this.output.keeping(finish.said, () => {
        if (this.#mayGoOn(finish.rotation.path)) this.#attempt(finish.rotation, () => finish.name())
        else finish.abandon()
      })
    }
    if (finishes.some(({ isCompressing }) => isCompressing)) this.files.sync()
    for (const finish of finishes) {
      const { rotation } = finish
      this.output.release(finish.said)
      // All before it is told, so that a script's own words come where they belong.
      this.output.keeping(undefined, () => this.#attempt(rotation, () => finish.conclude()))
      this.output.release(finish.saidMeanwhile)
      if (this.#mayGoOn(rotation.path)) {
        this.#isDone.add(rotation)
        rotation.onStep?.('done')
      }
      if (!rotation.dryRun && !this.#failed.has(rotation.path)) rotation.listener?.onFinished(rotation)
    }
    if (this.#finishing.length === 0) this.output.keepIn(undefined)
  }

  #mayGoOn(path: string): boolean {
    return this.set.settings.sharedScripts ? !this.#hasFailed : !this.#failed.has(path)
  }

  #fail(path: string): void {
    this.#failed.add(path)
    this.#hasFailed = true
  }

  #runForSet(name: 'firstaction' | 'lastaction', words: string): boolean {
    const script = this.set.settings.scripts[name]
    if (script === undefined) return true
    this.#concludeAll()
    this.output.debug(`running ${words} script`)
    if (this.#run(script, [this.set.pattern])) return true
    this.output.error(`error running ${words} script for ${this.set.pattern}`)
    this.#hasFailed = true
    return false
  }

  #runScript(name: Extract<ScriptName, 'prerotate' | 'postrotate'>, args: string[], path: string): void {
    const { settings, pattern } = this.set
    const script = settings.scripts[name]
    if (script === undefined) return
    this.#concludeAll()
    this.output.debug(`running ${name} script`)
    if (this.#run(script, args)) return
    this.output.error(
      settings.sharedScripts
        ? `error running shared ${name} script for '${pattern}'`
        : `error running non-shared ${name} script for ${path} of '${pattern}'`,
    )
    this.#fail(path)
  }

  #run(script: string, args: string[]): boolean {
    const isClean = runScript(script, args, this.options.dryRun, this.output)
    this.files.forget()
    return isClean
  }

  #tellIdle(words: 'first action' | 'last action'): void {
    const name = words === 'first action' ? 'firstaction' : 'lastaction'
    if (this.set.settings.scripts[name] === undefined) return
    this.output.debug(`not running ${words} script, since no logs will be rotated`)
  }

  #tellIdleScripts(): void {
    if (this.#hasFailed) return
    const { prerotate, postrotate } = this.set.settings.scripts
    if (prerotate !== undefined) {
      this.output.debug('not running prerotate script, since no logs will be rotated')
    }
    if (postrotate !== undefined) {
      this.output.debug('not running postrotate script, since no logs were rotated')
    }
  }
}

const UNKNOWN = {
  directory: '',
  base: '',
  extension: '',
  compression: '',
  date: { text: '', pattern: '', format: '' },
  final: '',
  first: '',
  dispose: undefined,
}

function prepare(rotation: LogRotation, state: State): boolean {
  const { path, set, now, output } = rotation
  output.debug(`rotating log ${path}, log->rotateCount is ${set.settings.rotate}`)
  state.set(path, now)
  const tellFormat = (format: string) => {
    const given = set.settings.dateFormat
    if (given !== undefined) output.debug(`Converted '${given}' -> '${format}'`)
  }
  try {
    rotation.names = { ...UNKNOWN, ...rotationNames(path, set.settings, now) }
  } catch (error) {
    if (error instanceof UselessFormat) tellFormat(error.format)
    output.error(describe(error))
    return false
  }
  const { date } = rotation.names
  tellFormat(date.format)
  output.debug(`dateext suffix '${date.text}'`)
  output.debug(`glob pattern '${date.pattern}'`)
  return prepareLog(rotation)
}
