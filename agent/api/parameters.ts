import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'

// `asSent` in the metadata is what the API description says where the schema itself cannot.

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 1000

/** `limit` of a list. */
export function limitParameter() {
  return z
    .string()
    .regex(/^\d{1,4}$/, 'wanted a number')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, `wanted 1 to ${MAX_LIMIT}`)
    .optional()
    .transform((limit) => limit ?? DEFAULT_LIMIT)
    .meta({
      description: 'At most so many items',
      asSent: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT },
    })
}

/** `cursor` of a list that is ordered by descending id: the last id of the page before. */
export function idCursorParameter() {
  return idText().optional().describe('`next` of the page before')
}

/** An id in a path or cursor. */
export function idText() {
  return z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'wanted a number')
    .transform(Number)
}

/** A job's name, a plugin's rule, a kind: a short word, whether anything has it or not. */
export function nameParameter(means: string) {
  return z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,99}$/, 'wanted lower-case letters, digits and "-"')
    .optional()
    .describe(means)
}

/** A moment or how long ago; its output makes UTC milliseconds of the present time. */
export function sinceParameter() {
  const moment = (text: string) => () => Date.parse(text)
  const ago = (text: string) => (now: number) => Math.max(0, now - (parseDuration(text) ?? 0))
  return z
    .union(
      [
        z.iso.datetime({ offset: true }).transform(moment),
        z.iso.date().transform(moment),
        z
          .string()
          .regex(/^(\d{1,6}(ms|s|m|h|d|w)){1,6}$/)
          .transform(ago),
      ],
      'wanted a moment such as 2026-11-21T22:00:00Z, or 24h',
    )
    .optional()
    .describe(
      'Only what began at or after this moment, or so long ago: 2026-11-21T22:00:00Z, 2026-11-21, 24h',
    )
}

/** Cuts a list, of which one more item than `limit` was read, and says where the next page begins. */
export function pageOf<T>(
  rows: T[],
  limit: number,
  cursorOf: (last: T) => string,
): { items: T[]; next: string | null } {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}
