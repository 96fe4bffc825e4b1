import { spawnSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { LogSet } from '../logrotate/settings.ts'
import { temporaryArchive } from './compress-log.ts'
import { beginsWith, nameCopy } from './copy-log.ts'
import { temporaryName } from './create-file.ts'
import { describe } from './describe.ts'
import { cleanEnvironment } from './environment.ts'
import { identify, isSameFile } from './file-identity.ts'
import { Files } from './files.ts'
import { LogFinish } from './finish-log.ts'
import { asUser } from './identity.ts'
import { bootId, type Journal } from './journal.ts'
import type { JournalContent, UnfinishedLog, UnfinishedSet } from './journal-format.ts'
import { openLog } from './open-log.ts'
import type { Output } from './output.ts'
import { datedLogs, prepareLog } from './prepare-log.ts'
import { createSuccessor, openForAttributes, rotateLog, temporaryOf } from './rotate-log.ts'
import type { LogRotation } from './rotation.ts'
import { dated, numbered, rotationNames } from './rotation-names.ts'
import { runScript } from './run-script.ts'
import type { State } from './state-file.ts'
import { worksOnHandles } from './works-on-handles.ts'

/**
 * Ends the rotations that an earlier run left unfinished, by what it wrote down and by what it did. Returns the logs
 * of which that failed: they may not be rotated until it succeeds.
 */
export function recover(journal: Journal, state: State, mailCommand: string, output: Output): Set<string> {
  const { left } = journal
  const failed = new Set<string>()
  if (!left) return failed
  for (const { path, nowMs } of left.rotated) setTime(state, path, nowMs)
  for (const unfinished of left.sets) {
    output.debug(`\nending what an earlier run left of pattern: ${unfinished.pattern}`)
    const { pattern, settings } = unfinished
    const set: LogSet = { pattern, settings, files: [] }
    journal.adopt(set, unfinished.set)
    using files = new Files(worksOnHandles(settings.su))
    const recovery = new SetRecovery(set, unfinished, left, journal, state, mailCommand, files, output)
    try {
      asUser(settings.su, () => recovery.run(), output.debug)
    } catch (error) {
      output.error(`error ending the rotation of ${pattern}: ${describe(error)}`)
      journal.keep()
      for (const { path } of unfinished.groups.flatMap(({ logs }) => logs)) failed.add(path)
    }
    for (const path of recovery.failed) failed.add(path)
  }
  return failed
}

function setTime(state: State, path: string, nowMs: number): void {
  const known = state.get(path)
  if (!known || known.getTime() < nowMs) state.set(path, new Date(nowMs))
}

class SetRecovery {
  readonly failed = new Set<string>()

  constructor(
    readonly set: LogSet,
    readonly unfinished: UnfinishedSet,
    readonly left: JournalContent,
    readonly journal: Journal,
    readonly state: State,
    readonly mailCommand: string,
    readonly files: Files,
    readonly output: Output,
  ) {}

  run(): void {
    for (const { group, scripted, logs } of this.unfinished.groups) this.#endGroup(group, scripted, logs)
    this.files.sync()
    const { lastaction } = this.set.settings.scripts
    if (lastaction === undefined || this.failed.size > 0) return
    this.output.debug('running last action script')
    if (!runScript(lastaction, [this.set.pattern], false, this.output)) {
      this.output.error(`error running last action script for ${this.set.pattern}`)
    }
    this.journal.ended(this.set)
  }

  #endGroup(group: number, scripted: boolean, logs: UnfinishedLog[]): void {
    const rotations = logs.map((log) => ({ log, rotation: this.#rotationOf(log) }))
    for (const { log, rotation } of rotations) {
      setTime(this.state, log.path, log.nowMs)
      this.#attempt(log, () => this.#move(log, rotation))
    }
    if (logs.some(({ path }) => this.failed.has(path))) return
    const [first] = rotations
    if (first && !scripted && !this.#runPostrotate(first.rotation)) {
      for (const { log } of logs) this.journal.step(log, 'done')
      return
    }
    this.journal.scripted(group)
    for (const { log, rotation } of rotations) {
      this.#attempt(log, () => this.#finish(log, rotation))
      if (!this.failed.has(log.path)) this.journal.step(log.log, 'done')
    }
  }

  /** What goes wrong once more is tried again by the next run, when it is the disk. */
  #attempt(log: UnfinishedLog, act: () => boolean): void {
    if (this.failed.has(log.path)) return
    const troublesBefore = this.output.diskTroubles
    let isClean = false
    try {
      isClean = act()
    } catch (error) {
      this.output.note(error)
      this.output.error(`error ending the rotation of ${log.path}: ${describe(error)}`)
    }
    if (isClean) return
    this.failed.add(log.path)
    this.journal.step(log.log, this.output.diskTroubles > troublesBefore ? 'stuck' : 'failed')
  }

  #rotationOf(log: UnfinishedLog): LogRotation {
    const { set, files, mailCommand, output } = this
    const { settings } = set
    const now = new Date(log.nowMs)
    const parts = rotationNames(log.path, settings, now)
    const final = settings.dateExtension ? dated(parts, parts.date.text) : numbered(parts, settings.start)
    const isPacked = settings.compress && !settings.delayCompress
    const moves = !settings.copy && !settings.copyTruncate
    const dispose = settings.rotate === 0 && moves ? final + (isPacked ? parts.compression : '') : log.dispose
    const { accessedNs, modifiedNs } = log.attributes
    return {
      path: log.path,
      set,
      names: { ...parts, final, first: final + (settings.delayCompress ? '' : parts.compression), dispose },
      attributes: { ...log.attributes, accessedNs: BigInt(accessedNs), modifiedNs: BigInt(modifiedNs) },
      now,
      mailCommand,
      files,
      output,
      dryRun: false,
      onStep: (step) => this.journal.step(log.log, step),
      wasMoved: (from) =>
        log.files[from] !== undefined && !isSameFile(identify(files, from), log.files[from]),
    }
  }

  #move(log: UnfinishedLog, rotation: LogRotation): boolean {
    const { files } = this
    const { path, names, set } = rotation
    const { copy, copyTruncate, renameCopy, create } = set.settings
    files.removeIfThere(temporaryName(path, 'new'))
    for (const plain of [names.final, ...this.#earlier(rotation)]) this.#removeArchived(plain, rotation)
    if (copy || copyTruncate) return this.#copy(log, rotation)
    const isNow = (name: string) => isSameFile(identify(files, name), log.files[path])
    if (isNow(path)) return this.#rotate(rotation)
    const target = renameCopy ? temporaryOf(path) : names.final
    if (!create || !isNow(target) || files.exists(path)) return true
    const source = openForAttributes(rotation, target)
    try {
      return createSuccessor(rotation, source)
    } finally {
      if (source !== undefined) closeSync(source)
    }
  }

  #rotate(rotation: LogRotation): boolean {
    rotation.names.dispose = undefined
    const isPrepared = prepareLog(rotation)
    this.journal.prepared(rotation)
    return isPrepared && rotateLog(rotation)
  }

  /** What `delaycompress` left. */
  #earlier(rotation: LogRotation): string[] {
    const { compress, delayCompress, dateExtension } = rotation.set.settings
    return compress && delayCompress && dateExtension ? (datedLogs(rotation, '') ?? []) : []
  }

  #copy(log: UnfinishedLog, rotation: LogRotation): boolean {
    const { files } = this
    const { path, names, set } = rotation
    const { copyTruncate, rotate, mail } = set.settings
    // Without a copy there is no telling what was written since.
    if ((rotate === 0 && mail === undefined) || !files.exists(path)) return true
    const temporary = temporaryName(names.final, 'copy')
    const known = Object.values(log.files)
    const isMade = (name: string) => {
      const now = identify(files, name)
      return now !== undefined && !known.some((file) => isSameFile(now, file))
    }
    if (isMade(names.final) || isMade(names.first)) {
      files.removeIfThere(temporary)
      return true
    }
    if (!files.exists(temporary) || !copyTruncate || !this.#wasTruncated(log, temporary)) {
      files.removeIfThere(temporary)
      return this.#rotate(rotation)
    }
    rotation.names.dispose = undefined
    if (!prepareLog(rotation)) return false
    nameCopy(rotation)
    return true
  }

  /** What a killed run wrote down is all that it did; after a power loss the files have to tell. */
  #wasTruncated({ path, steps }: UnfinishedLog, temporary: string): boolean {
    const isSameBoot = this.left.bootId !== '' && this.left.bootId === bootId()
    if (isSameBoot && steps.includes('truncated')) return true
    if (isSameBoot && !steps.includes('truncating')) return false
    return !beginsWith(path, temporary, this.files)
  }

  /** A log whose archive is there, and whose removal was cut off. */
  #removeArchived(plain: string, rotation: LogRotation): void {
    const { files } = this
    const { compress, compressExtension } = rotation.set.settings
    if (!compress) return
    files.removeIfThere(temporaryArchive(plain + compressExtension))
    if (!files.exists(plain) || !files.exists(plain + compressExtension)) return
    if (holdsSame(plain + compressExtension, plain, rotation)) files.unlink(plain)
  }

  #finish(log: UnfinishedLog, rotation: LogRotation): boolean {
    const { files } = this
    const { path, names, set } = rotation
    const waiting = temporaryOf(path)
    if (set.settings.renameCopy && isSameFile(identify(files, waiting), log.files[path])) {
      // A copy that has its name is whole.
      const final = identify(files, names.final)
      if (final && !Object.values(log.files).some((file) => isSameFile(final, file))) files.unlink(waiting)
    }
    const finish = new LogFinish(rotation)
    if (!finish.start() || !finish.name()) return false
    files.sync()
    if (names.dispose !== undefined && !files.exists(names.dispose)) names.dispose = undefined
    return finish.conclude()
  }

  #runPostrotate({ path, names, set }: LogRotation): boolean {
    const { postrotate } = set.settings.scripts
    if (postrotate === undefined) return true
    this.output.debug('running postrotate script')
    const args = set.settings.sharedScripts ? [set.pattern] : [path, names.final]
    if (runScript(postrotate, args, false, this.output)) return true
    this.output.error(`error running postrotate script for ${path} of '${set.pattern}'`)
    return false
  }
}

/** By programs, as logs of any size and any compression have to be compared. */
function holdsSame(archive: string, plain: string, { set, files }: LogRotation): boolean {
  const [packed, unpacked] = [archive, plain].map((path) => openLog(files, path, set.settings, 'read'))
  if (packed === undefined || unpacked === undefined) return false
  try {
    const script = '"$1" | cmp -s - /dev/fd/3'
    const { status } = spawnSync('/bin/sh', ['-c', script, 'sh', set.settings.uncompressCommand], {
      stdio: [packed, 'ignore', 'ignore', unpacked],
      env: cleanEnvironment(process.env),
    })
    return status === 0
  } finally {
    closeSync(packed)
    closeSync(unpacked)
  }
}
