import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 1000

/** `limit` of a list. */
export function limitParameter() {
  return z
    .string()
    .regex(/^\d{1,4}$/, 'wanted a number')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, `wanted 1 to ${MAX_LIMIT}`)
    .optional()
    .transform((limit) => limit ?? DEFAULT_LIMIT)
    .describe(`At most so many items, 1 to ${MAX_LIMIT}. Default ${DEFAULT_LIMIT}`)
}

/** `cursor` of a list that is ordered by descending id: the last id of the page before. */
export function idCursorParameter() {
  return idText().optional().describe('`next` of the page before')
}

/** An id in a path or cursor. */
export function idText() {
  return z
    .string()
    .regex(/^[1-9]\d{0,15}$/, 'wanted a number')
    .transform(Number)
    .refine(Number.isSafeInteger, 'wanted a smaller number')
}

/** A job's name, a plugin's rule, a kind: a short word, whether anything has it or not. */
export function nameParameter(means: string) {
  return z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,99}$/, 'wanted lower-case letters, digits and "-"')
    .optional()
    .describe(means)
}

/** A moment ("2026-11-21T22:00:00Z", "2026-11-21") or how long ago ("24h"); its output makes UTC milliseconds of now. */
export function sinceParameter() {
  return z
    .string()
    .transform((text, context) => {
      const ago = parseDuration(text)
      if (ago !== undefined) return (now: number) => Math.max(0, now - ago)
      const at = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
        ? Date.parse(text)
        : Number.NaN
      if (!Number.isNaN(at)) return () => at
      context.addIssue({ code: 'custom', message: 'wanted a moment such as 2026-11-21T22:00:00Z, or 24h' })
      return z.NEVER
    })
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
