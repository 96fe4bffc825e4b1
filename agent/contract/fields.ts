import { z } from 'zod'
import { parseBytes } from '../lib/bytes.ts'
import { parseDuration } from '../lib/duration.ts'
import { isNormalPath } from '../lib/path.ts'
import { SECRET_REFERENCE } from '../lib/secret-names.ts'

const A_DURATION = 'wanted a duration such as 90d, 15m or 1h30m'
const A_REFERENCE = 'wanted a reference: env:NAME, file:/path or credential:NAME'
const A_PATH = 'wanted an absolute path without ".." and without a trailing slash'
const A_MODE = 'wanted a mode in octal and in quotes, such as "0640"'

/** A duration such as "90d" or "1h30m"; its output is milliseconds. */
export const duration = z.string({ error: A_DURATION }).transform((text, context) => {
  const milliseconds = parseDuration(text)
  if (milliseconds !== undefined) return milliseconds
  context.addIssue({ code: 'custom', message: A_DURATION })
  return z.NEVER
})

/** A size such as "100M"; its output is bytes. A bare number is bytes. */
export const byteSize = z.union([z.string(), z.number().int().nonnegative()]).transform((value, context) => {
  const bytes = typeof value === 'number' ? value : parseBytes(value)
  if (bytes !== undefined) return bytes
  context.addIssue({ code: 'custom', message: `wanted a size such as 512k, 100M or 2G` })
  return z.NEVER
})

/** An absolute, normal path: no "..", no ".", no double or trailing slash. */
export const absolutePath = z.string({ error: A_PATH }).refine(isNormalPath, { message: A_PATH })

/** File permission bits in octal, as text: "0640". Its output is the number. */
export const fileMode = z.string({ error: A_MODE }).transform((text, context) => {
  if (/^0?[0-7]{3,4}$/.test(text)) return Number.parseInt(text, 8)
  context.addIssue({ code: 'custom', message: A_MODE })
  return z.NEVER
})

/** Where a secret is to be found, never the secret itself. */
export const secretReference = z
  .string({ error: A_REFERENCE })
  .regex(SECRET_REFERENCE, { message: A_REFERENCE })
