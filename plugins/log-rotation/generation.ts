import type { FileStat } from '../../agent/contract/mod.ts'
import { type Compression, compressionOf, SUFFIXES } from './format.ts'

/** A rotated log: `app.log.3.zst` has index 3; 1 is the newest. */
export interface Generation {
  path: string
  index: number
  compression: Compression
  stat: FileStat
}

/** What a crash can leave beside a log, under a name that only this plugin uses. */
export type LeftoverKind = 'new' | 'copy' | 'archive'

export interface Leftover {
  path: string
  kind: LeftoverKind
  stat: FileStat
}

export interface Move {
  from: string
  to: string
}

export function generationPath(log: string, index: number, compression: Compression = 'none'): string {
  return `${log}.${index}${SUFFIXES[compression]}`
}

/** Index and compression of a name such as "app.log.3.zst", seen from the log "app.log". */
export function parseGenerationName(
  log: string,
  name: string,
): { index: number; compression: Compression } | undefined {
  if (!name.startsWith(`${log}.`)) return undefined
  const match = /^([1-9]\d{0,8})(\.(?:gz|zst|xz|bz2))?$/.exec(name.slice(log.length + 1))
  if (!match) return undefined
  return { index: Number(match[1]), compression: compressionOf(match[2] ?? '') ?? 'none' }
}

const LEFTOVER = /^\.(.+)\.reeve-(new|copy|archive)$/s

/** Temporary name for the file that shall be `path`: hidden, in the same directory, and the same in every run. */
export function leftoverPath(path: string, kind: LeftoverKind): string {
  const slash = path.lastIndexOf('/') + 1
  return `${path.slice(0, slash)}.${path.slice(slash)}.reeve-${kind}`
}

/** What kind of leftover of the log "app.log" a name is: of itself, or of the archive of a generation of it. */
export function parseLeftoverName(log: string, name: string): LeftoverKind | undefined {
  const [, file = '', kind] = LEFTOVER.exec(name) ?? []
  if (kind === 'archive') return parseGenerationName(log, file) ? kind : undefined
  if (file !== log) return undefined
  return kind === 'new' || kind === 'copy' ? kind : undefined
}

/** Whether a name that a wildcard matches is that of a rotated or temporary file, not of a log. */
export function looksRotated(name: string): boolean {
  return /(\.\d{1,9}|-\d{8,12}|\.(gz|zst|xz|bz2|lz4|Z))$/.test(name) || LEFTOVER.test(name)
}

/**
 * The renames, in order, that make index 1 free. Only the unbroken row from 1 on moves: after a crash in the
 * middle there is a gap in it, and the same plan then finishes the row instead of moving it twice.
 */
export function planShifts(log: string, generations: Generation[]): Move[] {
  const taken = new Set(generations.map((generation) => generation.index))
  let free = 1
  while (taken.has(free)) free++
  return generations
    .filter((generation) => generation.index < free)
    .sort((a, b) => b.index - a.index)
    .map(({ path, index, compression }) => ({ from: path, to: generationPath(log, index + 1, compression) }))
}

/** Names to remove because a rename was cut off after its first half: the file has its new name already. */
export function planUnlinks(generations: Generation[]): Generation[] {
  return generations.filter((generation) =>
    generations.some((other) => other.index > generation.index && sameFile(other.stat, generation.stat)),
  )
}

/** Generations to remove: all beyond the newest `keep`, and those last written before `now - maxAge`. */
export function planRetention(
  generations: Generation[],
  rule: { keep: number; maxAge?: number | undefined },
  now: number,
): { generation: Generation; reason: 'keep' | 'maxAge' }[] {
  const indices = [...new Set(generations.map((generation) => generation.index))].sort((a, b) => a - b)
  const kept = new Set(indices.slice(0, rule.keep))
  const oldest = rule.maxAge === undefined ? Number.NEGATIVE_INFINITY : now - rule.maxAge
  return generations.flatMap((generation): { generation: Generation; reason: 'keep' | 'maxAge' }[] => {
    if (!kept.has(generation.index)) return [{ generation, reason: 'keep' }]
    return generation.stat.mtimeMs < oldest ? [{ generation, reason: 'maxAge' }] : []
  })
}

/** Generations that the set wants compressed and that are not. */
export function planCompression(
  generations: Generation[],
  rule: { compress: Compression; delayCompress: boolean },
): Generation[] {
  if (rule.compress === 'none') return []
  const first = rule.delayCompress ? 2 : 1
  return generations.filter(({ index, compression }) => compression === 'none' && index >= first)
}

export function sameFile(a: Pick<FileStat, 'dev' | 'ino'>, b: Pick<FileStat, 'dev' | 'ino'>): boolean {
  return a.dev === b.dev && a.ino === b.ino
}
