import { lstatSync, readdirSync, statSync } from 'node:fs'
import { sortByDate } from '../logrotate/date-extension.ts'
import type { Settings } from '../logrotate/settings.ts'
import { numbered, type RotatedNames } from './paths.ts'

/** All names of one rotation, before anything is touched. */
export interface NamePlan {
  /** What the log is moved or copied to. */
  final: string
  /** The same, compressed if it is to be at once. */
  first: string
  /** Earlier ones that are to be compressed now (`delaycompress`). */
  compress: string[]
  /** One after another, the oldest first. */
  renames: { from: string; to: string }[]
  /** What is too old is removed before the others move on. */
  aged: string[]
  /** What is to go when all else is done. */
  dispose: string[]
}

export function planNames(names: RotatedNames, settings: Settings, now: Date): NamePlan {
  return names.date ? planDated(names, settings, now) : planNumbered(names, settings, now)
}

const packed = (path: string, names: RotatedNames) => path + names.compression

function planNumbered(names: RotatedNames, settings: Settings, now: Date): NamePlan {
  const { start, compress, delayCompress } = settings
  const final = numbered(names, start)
  const first = compress && !delayCompress ? packed(final, names) : final
  const previous = compress && delayCompress && exists(final) ? [final] : []
  const at = (number: number) => packed(numbered(names, number), names)
  const isThere = (path: string) => exists(path) || (previous.length > 0 && path === at(start))
  // Without old logs one place is kept free all the same: what is there from other times moves on.
  let count = settings.rotate === 0 ? 1 : settings.rotate
  if (count === -1) for (count = 0; isThere(at(start + count)); ) count++
  const numbers = Array.from({ length: count }, (_, index) => start + count - 1 - index).filter((number) =>
    isThere(at(number)),
  )
  const aged = numbers.map(at).filter((path) => isOld(exists(path) ? path : final, settings, now))
  const renames = numbers
    .filter((number) => !aged.includes(at(number)))
    .map((number) => ({ from: at(number), to: at(number + 1) }))
  const last = at(start + count)
  const isCopy = settings.keep.startsWith('copy')
  const dispose = settings.rotate === 0 && !isCopy ? [first] : settings.rotate === -1 ? [] : [last]
  const isToGo = (path: string) => renames.some(({ to }) => to === path) || exists(path)
  return {
    final,
    first,
    compress: previous,
    renames,
    aged,
    dispose: dispose.filter((path) => path === first || isToGo(path)),
  }
}

function planDated(names: RotatedNames, settings: Settings, now: Date): NamePlan {
  const { date } = names
  if (!date) throw new Error('A rotation without dates was planned as one with them')
  const final = `${names.directory}/${names.base}${date.text}${names.extension}`
  const delayed = settings.compress && settings.delayCompress
  const first = delayed ? final : packed(final, names)
  const compress = delayed ? siblings({ ...names, compression: '' }, date.source) : []
  const all = sortByDate(
    [...new Set([...siblings(names, date.source), ...compress.map((path) => packed(path, names))])],
    date,
  )
  const surplus = settings.rotate === -1 ? 0 : Math.max(0, all.length - settings.rotate + 1)
  const dispose = all.filter(
    (path, index) =>
      index < surplus ||
      isOld(exists(path) ? path : path.slice(0, path.length - names.compression.length), settings, now),
  )
  return {
    final,
    first,
    compress,
    renames: [],
    aged: [],
    dispose: settings.rotate === 0 ? [...dispose, first] : dispose,
  }
}

/** Files beside the rotated log with a number or date of the form given. */
function siblings(names: RotatedNames, source: string): string[] {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const matcher = new RegExp(
    `^${literal(names.base)}${source}${literal(names.extension + names.compression)}$`,
  )
  try {
    return readdirSync(names.directory)
      .filter((name) => matcher.test(name))
      .map((name) => `${names.directory}/${name}`)
  } catch {
    return []
  }
}

function isOld(path: string, { maxAgeDays }: Settings, now: Date): boolean {
  if (maxAgeDays === 0) return false
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Math.floor((now.getTime() - stat.mtimeMs) / 86_400_000) > maxAgeDays
}

const exists = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined
