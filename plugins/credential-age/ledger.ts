import { type Json, z } from '../../agent/contract/mod.ts'

/**
 * What is remembered from run to run: when each value was first seen, by its keyed fingerprint, and which
 * value each place held last. A value that moves keeps its age; one that comes back has its old age again.
 */
const ledgerSchema = z.strictObject({
  version: z.literal(1),
  lastRunAtMs: z.number(),
  values: z.record(
    z.string(),
    z.strictObject({
      firstSeenAtMs: z.number(),
      lastSeenAtMs: z.number(),
      /** The latest time at which it can have come into being. */
      setAtMs: z.number(),
      since: z.enum(['observed', 'mtime']),
    }),
  ),
  places: z.record(
    z.string(),
    z.strictObject({ fingerprint: z.string(), changedAtMs: z.number().nullable() }),
  ),
})

export type Ledger = z.infer<typeof ledgerSchema>

/** How old a value is at least, and how we know. */
export interface Sighting {
  firstSeenAtMs: number
  setAtMs: number
  since: 'observed' | 'mtime'
  /** When a run found that this place holds another value than before. */
  changedAtMs: number | null
}

/** A value that is in no place any more is remembered this long, in case that it comes back. */
const KEEP_MS = 400 * 86_400_000
/** Of those, the ones seen last are kept, at most this many. */
const KEEP_VALUES = 500

export function emptyLedger(nowMs: number): Ledger {
  return { version: 1, lastRunAtMs: nowMs, values: {}, places: {} }
}

/** The ledger of the run before; undefined when that is none of ours. */
export function parseLedger(memory: Json): Ledger | undefined {
  return ledgerSchema.safeParse(memory).data
}

/**
 * Enters what was seen now. At first sight the age of a value is only known from below: the file was last
 * written at its mtime and the value was in it then. When a known place holds a new value, that came
 * between the last run and now.
 */
export function recordSightings(
  before: Ledger,
  seen: { subject: string; fingerprint: string; mtimeMs: number }[],
  nowMs: number,
): { ledger: Ledger; sightings: Map<string, Sighting> } {
  const values = new Map(Object.entries(before.values))
  const places = new Map(Object.entries(before.places))
  for (const { subject, fingerprint, mtimeMs } of seen) {
    const known = values.get(fingerprint)
    const place = places.get(subject)
    const isChange = place !== undefined && place.fingerprint !== fingerprint
    if (known && known.setAtMs <= nowMs) {
      // Two places seen first in one run: the older file tells more.
      const isNew = known.firstSeenAtMs === nowMs && known.since === 'mtime'
      const setAtMs = isNew ? Math.min(known.setAtMs, mtimeMs) : known.setAtMs
      values.set(fingerprint, { ...known, setAtMs, lastSeenAtMs: nowMs })
    } else {
      const earliest = isChange
        ? (values.get(place.fingerprint)?.lastSeenAtMs ?? before.lastRunAtMs)
        : mtimeMs
      values.set(fingerprint, {
        firstSeenAtMs: nowMs,
        lastSeenAtMs: nowMs,
        setAtMs: Math.min(nowMs, Math.max(earliest, mtimeMs)),
        since: isChange ? 'observed' : 'mtime',
      })
    }
    places.set(subject, { fingerprint, changedAtMs: isChange ? nowMs : (place?.changedAtMs ?? null) })
  }
  const sightings = new Map<string, Sighting>()
  for (const { subject, fingerprint } of seen) {
    const value = values.get(fingerprint)
    if (!value) continue
    const { firstSeenAtMs, setAtMs, since } = value
    sightings.set(subject, {
      firstSeenAtMs,
      setAtMs,
      since,
      changedAtMs: places.get(subject)?.changedAtMs ?? null,
    })
  }
  return { ledger: prune(values, places, nowMs), sightings }
}

/** Forgets values that nobody has seen for long, and places whose value is forgotten. */
function prune(
  values: Map<string, Ledger['values'][string]>,
  places: Map<string, Ledger['places'][string]>,
  nowMs: number,
): Ledger {
  const absent = [...values]
    .filter(([, { lastSeenAtMs }]) => lastSeenAtMs !== nowMs)
    .toSorted(([, a], [, b]) => b.lastSeenAtMs - a.lastSeenAtMs)
  const forgotten = absent.filter(
    ([, { lastSeenAtMs }], index) => index >= KEEP_VALUES || nowMs - lastSeenAtMs > KEEP_MS,
  )
  for (const [fingerprint] of forgotten) values.delete(fingerprint)
  return {
    version: 1,
    lastRunAtMs: nowMs,
    values: Object.fromEntries(values),
    places: Object.fromEntries([...places].filter(([, { fingerprint }]) => values.has(fingerprint))),
  }
}
