import { type Json, z } from '../../agent/contract/mod.ts'
import type { Header, Trailer } from './baseline/baseline-format.ts'

const baseline = z.object({ generation: z.number().int(), fingerprint: z.string() })
const memory = z.object({ baselines: z.record(z.string(), baseline) })

/** Which baseline was last seen, by tree. It lives in the store, so that the file cannot vanish or go back unseen. */
export type Remembered = z.output<typeof baseline>

export function parseMemory(value: Json | undefined): Map<string, Remembered> {
  if (value === undefined || value === null) return new Map()
  return new Map(Object.entries(memory.parse(value).baselines))
}

export function toMemory(remembered: ReadonlyMap<string, Remembered>): Json {
  return { baselines: Object.fromEntries(remembered) }
}

/** Why a baseline, though made by this host, is not the one to compare with; undefined when it is. */
export function distrust(
  tree: string,
  header: Header,
  trailer: Trailer,
  remembered: Remembered | undefined,
): string | undefined {
  if (header.tree !== tree) return `it is the one of "${header.tree}"`
  if (!remembered || header.generation > remembered.generation) return undefined
  if (header.generation < remembered.generation) {
    return `it is generation ${header.generation}, and generation ${remembered.generation} was seen already`
  }
  if (trailer.fingerprint !== remembered.fingerprint) return 'it is another one than was seen last'
  return undefined
}
