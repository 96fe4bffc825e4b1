import { type DateExtension, dateExtension } from '../logrotate/date-extension.ts'
import { momentOf, wallTime } from '../logrotate/local-time.ts'
import type { Settings } from '../logrotate/settings.ts'
import { splitPath } from './files.ts'
import type { RotationNames } from './rotation.ts'

/** A relative olddir lies beside the log. */
export function directoryOf(log: string, { oldDirectory }: Settings): string {
  const { directory } = splitPath(log)
  if (oldDirectory === undefined) return directory
  return oldDirectory.startsWith('/') ? oldDirectory : `${directory}/${oldDirectory}`
}

/** The parts of the names that old logs get. Throws when the date format is of no use. */
export function rotationNames(
  log: string,
  settings: Settings,
  now: Date,
): Omit<RotationNames, 'final' | 'first' | 'dispose'> {
  const { addExtension, extension: wanted } = settings
  let base = splitPath(log).name
  let extension = ''
  if (addExtension !== undefined) {
    if (base.endsWith(addExtension)) base = base.slice(0, base.length - addExtension.length)
    extension = addExtension
  }
  if (wanted !== undefined && base.endsWith(wanted)) {
    base = base.slice(0, base.length - wanted.length)
    extension = wanted
  }
  return {
    directory: directoryOf(log, settings),
    base,
    extension,
    compression: settings.compress ? settings.compressExtension : '',
    date: dateOf(settings, now),
  }
}

function dateOf(settings: Settings, now: Date): DateExtension {
  const { year, month, day, minute, second } = wallTime(now)
  // At noon a change of the clock cannot make it another day.
  const at = settings.dateYesterday ? momentOf(year, month, day - 1, 12, minute, second) : new Date(now)
  if (settings.dateHourAgo) at.setTime(at.getTime() - 3_600_000)
  return dateExtension(
    settings.dateFormat ?? (settings.criterion.kind === 'hourly' ? '-%Y%m%d%H' : '-%Y%m%d'),
    at,
  )
}

type Parts = Pick<RotationNames, 'directory' | 'base' | 'extension'>

export const numbered = ({ directory, base, extension }: Parts, number: number): string =>
  `${directory}/${base}.${number}${extension}`

export const dated = ({ directory, base, extension }: Parts, date: string): string =>
  `${directory}/${base}${date}${extension}`
