import { type Config, DEFAULT_REMINDERS_MS } from './config.ts'
import type { Credential } from './credential.ts'
import type { Sighting } from './ledger.ts'

export const DAY_MS = 86_400_000

/** Times of one credential, in UTC milliseconds. */
export interface Timing {
  setAtMs: number
  /**
   * `issued`: it says so itself. `declared`: the operator says so. `observed`: a run found it changed.
   * `mtime`: its file was written then, so it is at least that old.
   */
  since: 'issued' | 'declared' | 'observed' | 'mtime'
  /** When it must be rotated. */
  dueAtMs?: number
  /** When it stops to work by itself. */
  expiresAtMs?: number
  /** The declared rotation cannot be true, and why. */
  disproved?: string
}

/** Since when a credential has its value, and until when it may have it. */
export function timingOf(
  credential: Credential,
  sighting: Sighting | undefined,
  config: Pick<Config, 'maxAge'>,
  nowMs: number,
): Timing {
  const origin = originOf(credential, sighting, nowMs)
  const { expiresAtMs } = credential
  // What expires by itself needs no second day on which it is due, unless the operator wants one.
  const maxAge = credential.declaration.maxAge ?? (expiresAtMs === undefined ? config.maxAge : 'never')
  return {
    ...origin,
    ...(maxAge === 'never' ? {} : { dueAtMs: origin.setAtMs + maxAge }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  }
}

type Origin = Pick<Timing, 'setAtMs' | 'since' | 'disproved'>

function originOf(credential: Credential, sighting: Sighting | undefined, nowMs: number): Origin {
  if (credential.issuedAtMs !== undefined) return { setAtMs: credential.issuedAtMs, since: 'issued' }
  const seen: Origin = sighting
    ? { setAtMs: sighting.setAtMs, since: sighting.since }
    : { setAtMs: Math.min(credential.file?.mtimeMs ?? nowMs, nowMs), since: 'mtime' }
  const declaredAtMs = credential.rotatedAtMs ?? credential.declaration.rotatedAt?.atMs
  if (declaredAtMs === undefined) return seen
  // A date has no hour and no zone: a day is the tolerance.
  if (declaredAtMs > nowMs + DAY_MS) return { ...seen, disproved: 'that day is still to come' }
  if (sighting && sighting.firstSeenAtMs < declaredAtMs - DAY_MS) {
    const seenOn = new Date(sighting.firstSeenAtMs).toISOString().slice(0, 10)
    return { ...seen, disproved: `its value is the one that was there on ${seenOn}` }
  }
  const isOutdated = seen.since === 'observed' && seen.setAtMs > declaredAtMs + DAY_MS
  return isOutdated ? seen : { setAtMs: Math.min(declaredAtMs, nowMs), since: 'declared' }
}

/** The reminder that has been reached, in milliseconds before the deadline; undefined when none has. */
export function reminderReached(
  deadlineMs: number,
  startMs: number,
  reminders: number[] | undefined,
  nowMs: number,
): number | undefined {
  const remaining = deadlineMs - nowMs
  // What is renewed at two thirds of its life, as ACME clients do, is renewed in time.
  const steps = reminders ?? DEFAULT_REMINDERS_MS.filter((step) => step <= (deadlineMs - startMs) / 3)
  return steps.toSorted((a, b) => a - b).find((step) => remaining <= step)
}
