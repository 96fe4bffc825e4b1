import type { DateExtension } from '../logrotate/date-extension.ts'
import type { LogSet } from '../logrotate/settings.ts'
import type { Attributes } from './attributes.ts'
import type { Files } from './files.ts'
import type { JournalEntry } from './journal.ts'
import type { Step } from './journal-format.ts'
import type { Listener } from './listener.ts'
import type { Output } from './output.ts'

/** The names of one rotation: directory/base + number or date + extension + compression. */
export interface RotationNames {
  directory: string
  base: string
  /** Behind the number or date, without the compression's. */
  extension: string
  /** '' when nothing is compressed. */
  compression: string
  date: DateExtension
  /** What the log is moved or copied to. */
  final: string
  /** The newest old log once all is done, as `mailfirst` mails it. */
  first: string
  /** The one that is to go at the end. */
  dispose: string | undefined
}

/** One log on its way through a rotation. */
export interface LogRotation {
  path: string
  set: LogSet
  names: RotationNames
  /** Of the log before it is rotated. */
  attributes: Attributes
  now: Date
  mailCommand: string
  files: Files
  output: Output
  dryRun: boolean
  listener?: Listener | undefined
  /** Its numbers in the journal. */
  entry?: JournalEntry | undefined
  /** Told how far it is, for the journal. */
  onStep?: ((step: Step) => void) | undefined
  /** Whether an old log has been moved already, by a run that was cut off. */
  wasMoved?: ((from: string) => boolean) | undefined
}
