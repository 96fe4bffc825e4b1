import { createHash } from 'node:crypto'
import { type HostReader, type HostWriter, z } from '../../../agent/contract/mod.ts'
import { BaselineError, type Fingerprint, type Header, parseLine, type Trailer } from './format.ts'

/**
 * Who accepted what, when and why: a JSON line for each generation of a baseline. Every line is sealed with the
 * key of this host over itself and the seal of the one before, so that none can be changed, left out or put in.
 */
const record = z.strictObject({
  generation: z.number().int().positive(),
  at: z.iso.datetime(),
  by: z.string(),
  /** "first": it was made; "anew": made again, whatever was there; "command": accepted by a person; "cause": explained. */
  how: z.enum(['first', 'anew', 'command', 'cause', 'completed']),
  reason: z.string().optional(),
  entries: z.number().int().nonnegative(),
  new: z.number().int().nonnegative(),
  removed: z.number().int().nonnegative(),
  changed: z.number().int().nonnegative(),
  /** Causes, with how many changes each explains. */
  causes: z.record(z.string(), z.number()).optional(),
  /** SHA-256 of the file that lists the changes one by one. */
  changes: z.string().optional(),
  /** Fingerprint of the baseline that came of it. */
  baseline: z.string(),
  previous: z.string(),
  seal: z.string(),
})
export type HistoryRecord = z.output<typeof record>
export type NewRecord = Omit<HistoryRecord, 'previous' | 'seal'>

const MAX_BYTES = 67_108_864

/** Sealed and chained to the last of those before. Pure. */
export function sealRecord(
  before: readonly HistoryRecord[],
  next: NewRecord,
  fingerprint: Fingerprint,
): HistoryRecord {
  const open = { ...next, previous: before.at(-1)?.seal ?? '' }
  return { ...open, seal: sealOf(open, fingerprint) }
}

/** The records of a history; none when it is not there. Throws BaselineError for one that was changed. */
export function readHistory(
  state: Pick<HostReader, 'stat' | 'readText'>,
  file: string,
  fingerprint: Fingerprint,
): HistoryRecord[] {
  if (!state.stat(file)) return []
  const lines = state.readText(file, { maxBytes: MAX_BYTES }).split('\n')
  if (lines.pop() !== '') throw new BaselineError('its history is cut off')
  const records: HistoryRecord[] = []
  for (const [index, line] of lines.entries()) {
    const { seal, ...open } = parseLine(record, `history, line ${index + 1},`, line)
    const before = records.at(-1)
    const isNext = open.previous === (before?.seal ?? '') && open.generation > (before?.generation ?? 0)
    if (!isNext || sealOf(open, fingerprint) !== seal) {
      throw new BaselineError(`its history was changed: line ${index + 1} does not verify`)
    }
    records.push({ ...open, seal })
  }
  return records
}

/** The whole file, atomically: what stands there already is written again as it is. */
export function writeHistory(state: HostWriter, file: string, records: readonly HistoryRecord[]): void {
  state.writeFile(file, `${records.map((each) => JSON.stringify(each)).join('\n')}\n`, { replace: true })
}

function sealOf(open: Omit<HistoryRecord, 'seal'>, fingerprint: Fingerprint): string {
  const text = JSON.stringify(Object.entries(open).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return fingerprint(createHash('sha256').update('history').update(text).digest('hex'))
}

/** A baseline whose history has no line of it yet: reeve was ended between the two. Its header says it all. */
export function completingRecord(header: Header, { entries, fingerprint }: Trailer): NewRecord {
  return {
    generation: header.generation,
    at: header.madeAt,
    by: header.by,
    how: header.generation === 1 ? 'first' : 'completed',
    ...(header.reason !== undefined && { reason: header.reason }),
    entries,
    new: 0,
    removed: 0,
    changed: 0,
    baseline: fingerprint,
  }
}
