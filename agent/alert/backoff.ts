/**
 * What is waited after the first, second, … failed attempt, in milliseconds: the schedule that Standard
 * Webhooks 1.0.0 recommends. After ten attempts in three days a message is given up.
 */
export const RETRY_DELAYS_MS = [
  5_000, // 5 s
  300_000, // 5 min
  1_800_000, // 30 min
  7_200_000, // 2 h
  18_000_000, // 5 h
  36_000_000, // 10 h
  50_400_000, // 14 h
  72_000_000, // 20 h
  86_400_000, // 24 h
]

const JITTER = 0.2
/** No receiver can silence a channel for longer than this. */
export const LONGEST_RETRY_AFTER_MS = 86_400_000

/**
 * When to try again after `attempts` attempts, in UTC milliseconds; undefined when it is time to give up.
 * Never before its time and up to a fifth later, so that hosts do not come back at once. A longer
 * Retry-After of the receiver is kept to, up to a day. `random` is in [0, 1).
 */
export function retryAt(attempts: number, now: number, random: number, retryAfterMs = 0): number | undefined {
  const delay = RETRY_DELAYS_MS[attempts - 1]
  if (delay === undefined) return undefined
  const wait = Math.max(delay, Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS))
  return now + Math.round(wait * (1 + JITTER * random))
}

/** Milliseconds of a Retry-After header, which holds seconds or a date; undefined for anything else. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  // Date.parse guesses at almost anything: only what looks like the date of RFC 9110 is given to it.
  const date = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} /.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
