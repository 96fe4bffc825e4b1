import { setTimeout } from 'node:timers/promises'
import { type Evidence, readEvidence } from '../evidence.ts'
import { DPKG } from './database.ts'

const LOG = '/var/log/dpkg.log'
const RECENT_MS = 120_000
const PATIENCE_MS = 60_000
const LOOK_MS = 500

/**
 * Waits, a minute at most, while dpkg is in the middle of something: of what is half there nobody can say yet
 * where it comes from. A package that is broken for long is not waited for.
 */
export async function waitForDpkg(evidence: Evidence, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (isAtWork(evidence)) {
    if (performance.now() > deadline) {
      evidence.onBlind(`${DPKG}/status`, 'packages are being installed: what they change may be told')
      return
    }
    await setTimeout(LOOK_MS, undefined, { signal })
  }
}

function isAtWork(evidence: Evidence): boolean {
  const log = evidence.host.stat(LOG)
  if (!log || Date.now() - log.mtimeMs > RECENT_MS) return false
  return /^Status: \S+ \S+ (?:half-|unpacked|triggers-)/m.test(readEvidence(evidence, `${DPKG}/status`) ?? '')
}
