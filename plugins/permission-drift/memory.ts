import { type Json, z } from '../../agent/contract/mod.ts'
import type { Header, Trailer } from './baseline/format.ts'

const baseline = z.object({
  generation: z.number().int(),
  fingerprint: z.string(),
  /** Seal of the last line of its history. */
  history: z.string().optional(),
  /** When the tree was last compared, in milliseconds. */
  checkedAt: z.number().optional(),
  /** Inodes whose contents were found to differ though nothing else of them did: they are read every time. */
  suspects: z.array(z.number()).optional(),
})
const memory = z.looseObject({ baselines: z.record(z.string(), baseline) })

/** Which baseline was last seen, by tree. It lives in the store, so that the file cannot vanish or go back unseen. */
export type Remembered = z.output<typeof baseline>

export function parseMemory(value: Json | undefined): Map<string, Remembered> {
  if (value === undefined || value === null) return new Map()
  return new Map(Object.entries(memory.parse(value).baselines))
}

export function toMemory(remembered: ReadonlyMap<string, Remembered>): { baselines: Record<string, Json> } {
  const baselines = [...remembered].map(
    ([tree, { generation, fingerprint, history, checkedAt, suspects }]): [string, Json] => [
      tree,
      {
        generation,
        fingerprint,
        ...(history !== undefined && { history }),
        ...(checkedAt !== undefined && { checkedAt }),
        ...(suspects && { suspects }),
      },
    ],
  )
  return { baselines: Object.fromEntries(baselines) }
}

/** Generation of the inventories that were accepted when they were last seen. */
export function parseInventories(value: Json | undefined): number | undefined {
  return z.looseObject({ inventories: z.number().optional() }).safeParse(value).data?.inventories
}

/** Why a baseline, though made by this host, is not the one to compare with; undefined when it is. */
export function distrust(
  tree: string,
  header: Pick<Header, 'tree' | 'generation'>,
  trailer: Pick<Trailer, 'fingerprint'>,
  remembered: Pick<Remembered, 'generation' | 'fingerprint'> | undefined,
): string | undefined {
  if (header.tree !== tree) return `it is the one of "${header.tree}"`
  if (!remembered || header.generation > remembered.generation) return undefined
  if (header.generation < remembered.generation) {
    return `it is generation ${header.generation}, and generation ${remembered.generation} was seen already`
  }
  if (trailer.fingerprint !== remembered.fingerprint) return 'it is another one than was seen last'
  return undefined
}
