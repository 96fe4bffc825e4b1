import { type Json, z } from '../../../agent/contract/mod.ts'
import { type AcceptContext, appendHistory } from '../baseline/accept.ts'
import { BaselineError } from '../baseline/format.ts'
import { KINDS, type Kind, TAKEN_AT_FIRST } from './settings.ts'
import type { Item } from './take.ts'

/** Name under which inventories have their history. */
export const INVENTORIES = 'inventories'

const file = z.strictObject({
  generation: z.number().int().positive(),
  at: z.iso.datetime(),
  by: z.string(),
  items: z.partialRecord(z.enum(KINDS), z.record(z.string(), z.string())),
  seal: z.string(),
})
/** What is accepted, by kind and path. */
export type Accepted = z.output<typeof file>

const MAX_BYTES = 67_108_864
const pathOf = (stateDir: string) => `${stateDir}/inventories.json`

/** Undefined when there is none. Throws BaselineError for one that somebody else wrote, or an older one. */
export function readAccepted(context: AcceptContext, remembered: number | undefined): Accepted | undefined {
  const { state, stateDir, fingerprint } = context
  if (!state.stat(pathOf(stateDir))) {
    if (remembered !== undefined) throw new BaselineError(`${pathOf(stateDir)} is gone`)
    return undefined
  }
  let value: Json
  try {
    value = JSON.parse(state.readText(pathOf(stateDir), { maxBytes: MAX_BYTES }))
  } catch (error) {
    throw new BaselineError('the list of what is accepted is damaged', { cause: error })
  }
  const parsed = file.safeParse(value)
  if (!parsed.success) throw new BaselineError('the list of what is accepted is damaged')
  const { seal, ...open } = parsed.data
  if (fingerprint(sealed(open)) !== seal) throw new BaselineError('the list of what is accepted was changed')
  if (open.generation < (remembered ?? 0)) {
    throw new BaselineError(`the list is generation ${open.generation}, and ${remembered} was seen already`)
  }
  return parsed.data
}

/** Takes items as accepted, and writes who did it into the history. */
export function writeAccepted(
  context: AcceptContext,
  items: readonly Item[],
  {
    generation,
    by,
    how,
    reason,
  }: { generation: number; by: string; how: 'first' | 'command'; reason?: string | undefined },
): Accepted {
  const { state, stateDir, fingerprint, now } = context
  const byKind: Partial<Record<Kind, Record<string, string>>> = {}
  for (const { kind, path, state: value } of items) {
    const known = byKind[kind] ?? {}
    known[path] = value
    byKind[kind] = known
  }
  const open = { generation, at: now.toISOString(), by, items: byKind }
  const whole = { ...open, seal: fingerprint(sealed(open)) }
  state.writeFile(pathOf(stateDir), `${JSON.stringify(whole)}\n`, { replace: true })
  appendHistory(context, INVENTORIES, {
    generation,
    at: open.at,
    by,
    how,
    ...(reason !== undefined && { reason }),
    entries: items.length,
    new: 0,
    removed: 0,
    changed: 0,
    baseline: whole.seal,
  })
  return whole
}

/** Pure: what is not accepted, or was accepted as something else. */
export function notAccepted(
  items: readonly Item[],
  accepted: Accepted | undefined,
): { item: Item; before: string | undefined }[] {
  return items.flatMap((item) => {
    const before = accepted?.items[item.kind]?.[item.path]
    return before === item.state ? [] : [{ item, before }]
  })
}

/** Pure: what the first run takes as it is. */
export function takenAtFirst(items: readonly Item[]): Item[] {
  return items.filter(({ kind }) => TAKEN_AT_FIRST.has(kind))
}

function sealed(open: Omit<Accepted, 'seal'>): string {
  return `inventories ${JSON.stringify(open)}`
}
