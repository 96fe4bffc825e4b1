import { type LogCompression, startCompression } from './compress-log.ts'
import { copyLog } from './copy-log.ts'
import { mailLog } from './mail-log.ts'
import { Told } from './output.ts'
import { removeLog } from './remove-log.ts'
import { temporaryOf } from './rotate-log.ts'
import type { LogRotation } from './rotation.ts'

/** What is left of a rotation after its scripts, in three steps, so that many logs are compressed at a time. */
export class LogFinish {
  #compression: LogCompression | undefined
  readonly bytes: number
  /** What is said of this log from now on, and what is said of the next ones until then. */
  readonly said = new Told()
  readonly saidMeanwhile = new Told()

  constructor(readonly rotation: LogRotation) {
    this.bytes = rotation.attributes.sizeBytes
  }

  get isCompressing(): boolean {
    return this.#compression !== undefined
  }

  /** Makes the copy of `renamecopy`, and starts to compress. False: an error, which has been told. */
  start(): boolean {
    const { rotation } = this
    const { path, set, names, attributes, files, output, dryRun, listener } = rotation
    const { renameCopy, compress, delayCompress } = set.settings
    // Of a run that was cut off some of this is done.
    const isLeft = (name: string) => rotation.wasMoved === undefined || files.exists(name)
    if (renameCopy && isLeft(temporaryOf(path))) {
      const temporary = temporaryOf(path)
      const isCopied = copyLog(rotation, temporary, true)
      output.debug(`removing tmp log ${temporary}`)
      if (!isCopied) return false
      if (!dryRun) files.unlink(temporary)
    }
    if (!compress || delayCompress || !isThere(rotation) || !isLeft(names.final)) return true
    if (!(listener?.mayCompress(rotation) ?? true)) return true
    this.#compression = startCompression(names.final, attributes, rotation)
    return this.#compression !== undefined
  }

  /** Gives the archive its name. Until the directory is on the disk, the log has to stay. */
  name(): boolean {
    return this.#compression?.name() ?? true
  }

  /** Instead of that: what was begun is undone. */
  abandon(): void {
    this.#compression?.abandon()
  }

  /** Removes what was compressed, mails, and removes what is kept no longer. */
  conclude(): boolean {
    const { rotation } = this
    const { set, names } = rotation
    if (this.#compression && !this.#compression.removeLog()) return false
    if (set.settings.mail !== undefined) {
      const mailed = set.settings.mailFirst ? names.first : names.dispose
      if (mailed !== undefined && !mailLog(mailed, rotation)) return false
    }
    return names.dispose === undefined || removeLog(names.dispose, rotation)
  }
}

/** A copy that nobody would keep was never made. */
function isThere({ set }: LogRotation): boolean {
  const { copy, copyTruncate, renameCopy, rotate, mail } = set.settings
  return !((copy || copyTruncate) && !renameCopy && rotate === 0 && mail === undefined)
}
