import { lstatSync, unlinkSync } from 'node:fs'
import { type LogCompression, startCompression } from './compress-log.ts'
import { copyLog } from './copy-log.ts'
import { syncDirectoryOf } from './create-file.ts'
import { disposeOf } from './dispose-log.ts'
import { mailLog } from './mail-log.ts'
import { removeLog } from './remove-log.ts'
import { type LogRotation, temporaryOf } from './rotate-log.ts'

/** What is left of a rotation after its scripts, in three steps, so that many logs are compressed at a time. */
export class LogFinish {
  #compression: LogCompression | undefined
  readonly bytes: number

  /** Makes the copy of `renamecopy`, and starts to compress. Throws. */
  constructor(readonly rotation: LogRotation) {
    const { path, set, names, now, output, dryRun, listener } = rotation
    this.bytes = lstatSync(names.final, { throwIfNoEntry: false })?.size ?? 0
    if (dryRun) return
    if (set.settings.keep === 'renamecopy') {
      copyLog(temporaryOf(path), names.final, false, now, output)
      output.debug(`removing tmp log ${temporaryOf(path)}`)
      unlinkSync(temporaryOf(path))
    }
    const { compress, delayCompress } = set.settings
    if (compress && !delayCompress && exists(names.final) && (listener?.mayCompress(rotation) ?? true)) {
      this.#compression = startCompression(names.final, set.settings, output)
    }
  }

  get isCompressing(): boolean {
    return this.#compression !== undefined
  }

  /** Gives the archive its name. Throws. Until the directory is on the disk, the log has to stay. */
  name(): void {
    this.#compression?.finish(this.rotation.now, this.rotation.modifiedAt)
  }

  /** Removes what was compressed, mails, and removes what is kept no longer. Throws. */
  conclude(): void {
    const { path, set, names, output, dryRun, mailCommand } = this.rotation
    const { settings } = set
    if (this.#compression) removeLog(names.final, set, output)
    if (settings.mailFirst && !dryRun && exists(names.first)) {
      mailLog(names.first, path, settings, mailCommand, output)
    }
    for (const gone of names.dispose) {
      if (!dryRun && !exists(gone)) {
        output.debug(`log ${gone} doesn't exist -- won't try to dispose of it`)
        continue
      }
      output.debug(`removing old log ${gone}`)
      if (!dryRun) disposeOf(gone, this.rotation)
    }
  }
}

/** One fsync for each directory in which archives were named. */
export function syncDirectories(finishes: LogFinish[]): void {
  const samples = new Map(
    finishes.map(({ rotation: { names } }) => [names.final.replace(/[^/]*$/, ''), names.final]),
  )
  for (const path of samples.values()) syncDirectoryOf(path)
}

const exists = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined
