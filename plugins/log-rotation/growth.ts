import { z } from '../../agent/contract/mod.ts'

/** Time in minutes since the epoch, and a number of bytes then. */
const point = z.tuple([z.number(), z.number()])

const history = z.strictObject({
  ino: z.number(),
  size: z.number(),
  /** All that was seen to be written since the first point. */
  written: z.number(),
  points: z.array(point),
})

const memorySchema = z.strictObject({
  version: z.literal(1),
  logs: z.record(z.string(), history),
  /** Free bytes by mount point. */
  spaces: z.record(z.string(), z.array(point)),
})

export type Memory = z.output<typeof memorySchema>
export type Point = z.output<typeof point>

export interface SeenLog {
  path: string
  ino: number
  size: number
}

export const MINUTE_MS = 60_000
const DAY_MINUTES = 1440
const KEPT_DAYS = 8
/** A memory has at most 1 MiB: of more logs than this the largest are kept. */
const MAX_LOGS = 2500
/** In less time than this a rate says nothing. */
const LEAST_MINUTES = 60

/** What the runs before remembered; nothing when it is of another form. */
export function readMemory(memory: unknown): Memory {
  const parsed = memorySchema.safeParse(memory)
  return parsed.success ? parsed.data : { version: 1, logs: {}, spaces: {} }
}

/** Takes the sizes of now to those before. Logs that are gone are forgotten. Pure. */
export function rememberSizes(before: Memory['logs'], seen: SeenLog[], nowMs: number): Memory['logs'] {
  const now = Math.floor(nowMs / MINUTE_MS)
  const kept = seen.toSorted((a, b) => b.size - a.size).slice(0, MAX_LOGS)
  return Object.fromEntries(
    kept.map(({ path, ino, size }) => {
      const known = Object.hasOwn(before, path) ? before[path] : undefined
      if (!known) return [path, { ino, size, written: 0, points: [[now, 0] satisfies Point] }]
      const written = known.written + grown(known, { ino, size })
      return [path, { ino, size, written, points: keepPoints(known.points, [now, written], DAY_MINUTES) }]
    }),
  )
}

/** A log that was renamed or truncated has begun anew. */
function grown(before: { ino: number; size: number }, now: { ino: number; size: number }): number {
  return now.ino === before.ino && now.size >= before.size ? now.size - before.size : now.size
}

/** Adds a point when the last one is old enough, and lets go of those before the last eight days. */
export function keepPoints(points: Point[], added: Point, everyMinutes: number): Point[] {
  const last = points.at(-1)
  if (last && added[0] >= last[0] && added[0] - last[0] < everyMinutes) return points
  // A clock that was set back makes what comes after it worthless.
  const sound = points.filter(([minute]) => minute <= added[0])
  return [...sound, added].filter(([minute]) => added[0] - minute <= KEPT_DAYS * DAY_MINUTES)
}

/** Bytes a day of one log; undefined when it was not watched for an hour yet. Pure. */
export function growthPerDay(memory: Memory, path: string, nowMs: number): number | undefined {
  const known = Object.hasOwn(memory.logs, path) ? memory.logs[path] : undefined
  const first = known?.points[0]
  if (!known || !first) return undefined
  const minutes = nowMs / MINUTE_MS - first[0]
  if (minutes < LEAST_MINUTES) return undefined
  return Math.round(((known.written - first[1]) / minutes) * DAY_MINUTES)
}
