import { errnoOf } from '../../../agent/lib/errors.ts'
import { sortByDate } from '../logrotate/date-order.ts'
import { type Attributes, ageDays, attributesOf } from './attributes.ts'
import { compressLog } from './compress-log.ts'
import { describe } from './describe.ts'
import { glob } from './glob.ts'
import { mailLog } from './mail-log.ts'
import { removeLog } from './remove-log.ts'
import type { LogRotation } from './rotation.ts'
import { dated, numbered } from './rotation-names.ts'

/**
 * Makes room for the log's next generation: compresses what `delaycompress` left, moves the numbered ones one on,
 * mails and removes what is too many or too old. Settles the names. False: an error, which has been told.
 */
export function prepareLog(rotation: LogRotation): boolean {
  const { set, names } = rotation
  const { settings } = set
  let isClean = true
  if (settings.compress && settings.delayCompress) isClean = compressEarlier(rotation)
  names.final = settings.dateExtension ? dated(names, names.date.text) : numbered(names, settings.start)
  names.first = names.final + (settings.delayCompress ? '' : names.compression)
  isClean = settings.dateExtension ? removeSurplus(rotation, isClean) : moveOn(rotation, isClean)
  if (names.dispose !== undefined && !rotation.files.exists(names.dispose)) {
    rotation.output.debug(`log ${names.dispose} doesn't exist -- won't try to dispose of it`)
    names.dispose = undefined
  }
  return isClean
}

function compressEarlier(rotation: LogRotation): boolean {
  const { set, names, output } = rotation
  if (!set.settings.dateExtension) return compressIfThere(numbered(names, set.settings.start), rotation)
  const earlier = datedLogs(rotation, '')
  if (!earlier || earlier.length === 0) output.debug('glob finding logs to compress failed')
  return (earlier ?? []).every((path) => compressIfThere(path, rotation))
}

function compressIfThere(path: string, rotation: LogRotation): boolean {
  const { files, output } = rotation
  let attributes: Attributes
  try {
    attributes = attributesOf(files.target(path))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') output.debug(`previous log ${path} does not exist`)
    else output.error(`cannot stat ${path}: ${describe(error)}`)
    return true
  }
  return compressLog(path, attributes, rotation)
}

/** Old logs with a date in their name, oldest first; undefined when they cannot be looked for. */
export function datedLogs(rotation: LogRotation, compression: string): string[] | undefined {
  const { names, set, files, output } = rotation
  try {
    const found = glob(dated(names, names.date.pattern) + compression, isFailure(rotation), files)
    if (set.settings.dateFormat === undefined) return found
    return sortByDate(found, `${names.directory}/${names.base}`.length, names.date.format)
  } catch (error) {
    output.error(describe(error))
    return undefined
  }
}

/** All but the newest are mailed and removed; the last of those is left for the end of the rotation. */
function removeSurplus(rotation: LogRotation, wasClean: boolean): boolean {
  const { set, names, files, output, now } = rotation
  const { rotate, maxAgeDays } = set.settings
  const limit = rotate === 0 ? 1 : rotate
  let isClean = wasClean
  const found = datedLogs(rotation, names.compression)
  if (!found || found.length === 0) output.debug('glob finding old rotated logs failed')
  const isSurplus = (index: number) => limit >= 0 && found !== undefined && index <= found.length - limit
  for (const [index, path] of (found ?? []).entries()) {
    const attributes = lookAt(path, rotation)
    if (!attributes) continue
    if (!isSurplus(index) && !(maxAgeDays > 0 && ageDays(attributes, now) > maxAgeDays)) continue
    if (names.dispose !== undefined) isClean = retire(names.dispose, rotation, isClean)
    names.dispose = path
  }
  if (files.exists(names.final + names.compression)) {
    output.error(`destination ${names.first} already exists, skipping rotation`)
    isClean = false
  }
  return isClean
}

function retire(path: string, rotation: LogRotation, wasClean: boolean): boolean {
  let isClean = wasClean
  if (isClean && rotation.set.settings.mail !== undefined) isClean = mailLog(path, rotation)
  if (isClean) {
    rotation.output.debug(`removing ${path}`)
    isClean = removeLog(path, rotation)
  }
  return isClean
}

/** Undefined when it cannot be looked at. */
function lookAt(path: string, { files }: LogRotation): Attributes | undefined {
  try {
    return attributesOf(files.target(path))
  } catch {
    return undefined
  }
}

/** `x.1` becomes `x.2` and so on, from the highest number down. */
function moveOn(rotation: LogRotation, wasClean: boolean): boolean {
  const { set, names, output } = rotation
  const { start, rotate, maxAgeDays } = set.settings
  const count = rotate === -1 ? highestNumber(rotation) : rotate === 0 ? 1 : rotate
  if (count === undefined) {
    output.error(
      `could not find last rotated file: ${names.directory}/${names.base}.*${names.extension}${names.compression}`,
    )
    return false
  }
  const at = (number: number) => numbered(names, number) + names.compression
  if (rotate !== -1) names.dispose = at(start + count)
  let isClean = wasClean
  for (let number = start + count - 1; number >= start && isClean; number--) {
    isClean = maxAgeDays > 0 ? moveUnlessAged(number, at, count, rotation) : move(number, at, count, rotation)
  }
  return isClean
}

function move(number: number, at: (number: number) => string, count: number, rotation: LogRotation): boolean {
  const { set, files, output, dryRun } = rotation
  const [from, to] = [at(number), at(number + 1)]
  output.debug(
    `renaming ${from} to ${to} (rotatecount ${count}, logstart ${set.settings.start}, i ${number}), `,
  )
  if (dryRun || rotation.wasMoved?.(from)) return true
  try {
    // Most are missing: to look takes a fraction of what an error does.
    if (files.isMissing(from)) output.debug(`old log ${from} does not exist`)
    else files.rename(from, to)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      output.debug(`old log ${from} does not exist`)
      return true
    }
    output.error(`error renaming ${from} to ${to}: ${describe(error)}`)
    return false
  }
}

function moveUnlessAged(
  number: number,
  at: (number: number) => string,
  count: number,
  rotation: LogRotation,
): boolean {
  const { set, files, output, now } = rotation
  const path = at(number)
  let attributes: Attributes
  try {
    attributes = attributesOf(files.target(path))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      output.debug(`old log ${path} does not exist`)
      return true
    }
    output.error(`cannot stat ${path}: ${describe(error)}`)
    return false
  }
  if (ageDays(attributes, now) <= set.settings.maxAgeDays) return move(number, at, count, rotation)
  return (set.settings.mail === undefined || mailLog(path, rotation)) && removeLog(path, rotation)
}

/** The highest number that an old log has; 0 when there is none. */
function highestNumber(rotation: LogRotation): number | undefined {
  const { names, files, output } = rotation
  const prefix = `${names.directory}/${names.base}.`
  const suffix = names.extension + names.compression
  try {
    const numbers = glob(`${prefix}*${suffix}`, isFailure(rotation), files)
      .filter((path) => path.length > prefix.length + suffix.length)
      .map((path) => path.slice(prefix.length, path.length - suffix.length))
      .map((text) => (/^\s*[-+]?[0-9]+$/.test(text) ? Number(text) : 0))
    return Math.max(0, ...numbers)
  } catch (error) {
    output.error(describe(error))
    return undefined
  }
}

/** In a dry run an olddir that would have been made is not there. */
const isFailure =
  ({ dryRun, set }: LogRotation) =>
  (errno: string): boolean =>
    !(dryRun && set.settings.createOldDirectory && errno === 'ENOENT')
