import { basename, dirname } from 'node:path'
import { type DateExtension, dateExtension } from '../logrotate/date-extension.ts'
import type { Settings } from '../logrotate/settings.ts'

export const directoryOf = (path: string): string => dirname(path)

/** A relative olddir lies beside the log. */
export function oldDirectoryOf(log: string, directory: string): string {
  return directory.startsWith('/') ? directory : `${dirname(log)}/${directory}`
}

/** The names that a rotated log gets: directory/base + number or date + extension + compression. */
export interface RotatedNames {
  directory: string
  base: string
  /** Behind the number or date, without the compression's. */
  extension: string
  /** '' when nothing is compressed. */
  compression: string
  date: DateExtension | undefined
}

export function rotatedNames(log: string, settings: Settings, now: Date): RotatedNames {
  const directory =
    settings.oldDirectory === undefined ? dirname(log) : oldDirectoryOf(log, settings.oldDirectory)
  const name = basename(log)
  let [base, extension] = [name, '']
  if (settings.addExtension !== undefined) {
    extension = settings.addExtension
    if (name.endsWith(extension)) base = name.slice(0, name.length - extension.length)
  } else if (settings.extension !== undefined && name.endsWith(settings.extension)) {
    extension = settings.extension
    base = name.slice(0, name.length - extension.length)
  }
  const format = settings.dateFormat ?? (settings.criterion.kind === 'hourly' ? '-%Y%m%d%H' : '-%Y%m%d')
  return {
    directory,
    base,
    extension,
    compression: settings.compress ? settings.compressExtension : '',
    date: settings.dateExtension ? dateExtension(format, shifted(now, settings.dateShift)) : undefined,
  }
}

function shifted(now: Date, shift: Settings['dateShift']): Date {
  const at = new Date(now)
  // Noon of the day before, as logrotate has it: a change of the clock cannot make it another day.
  if (shift === 'yesterday') at.setDate(at.getDate() - 1)
  if (shift === 'yesterday') at.setHours(12)
  if (shift === 'hour-ago') at.setTime(at.getTime() - 3_600_000)
  return at
}

export const numbered = (names: RotatedNames, number: number): string =>
  `${names.directory}/${names.base}.${number}${names.extension}`
