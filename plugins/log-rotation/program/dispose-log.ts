import type { LogSet } from '../logrotate/settings.ts'
import { mailLog } from './mail-log.ts'
import { removeLog } from './remove-log.ts'
import type { LogRotation } from './rotate-log.ts'

/** Mails what is kept no longer, and removes it if that came to pass. */
export function disposeOf(path: string, { set, mailCommand, output }: LogRotation): void {
  const { settings } = set
  if (!settings.mailFirst && !mailLog(path, subjectOf(path, settings), settings, mailCommand, output)) return
  removeLog(path, set, output)
}

/** Mail is of the uncompressed log, so its subject is that name. */
function subjectOf(path: string, { compress, compressExtension }: LogSet['settings']): string {
  return compress && path.endsWith(compressExtension) ? path.slice(0, -compressExtension.length) : path
}
