import type { WaiverConfig } from '../config/schema.ts'
import { concerns, type FindingIdentity } from '../lib/target.ts'
import type { StoredFinding } from '../store/read-findings.ts'
import type { Silence } from '../store/silences.ts'

/** Whether a waiver holds today; its last day belongs to it. Days are UTC. */
export function isActive(waiver: Pick<WaiverConfig, 'expires'>, now: number): boolean {
  return waiver.expires >= new Date(now).toISOString().slice(0, 10)
}

/** The waiver that accepts a finding today, if any. Pure. */
export function waiverFor(
  waivers: WaiverConfig[],
  finding: FindingIdentity,
  now: number,
): WaiverConfig | undefined {
  return waivers.find((waiver) => isActive(waiver, now) && concerns(waiver, finding))
}

/** The first of the active silences that keeps a finding quiet, as it is kept with the finding. Pure. */
export function silenceFor(active: Silence[], finding: FindingIdentity): StoredFinding['silenced'] {
  const found = active.find((silence) => concerns(silence, finding))
  return found ? { owner: found.owner, reason: found.reason, until: found.until } : null
}
