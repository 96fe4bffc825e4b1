import type { Fact, Metric, Scalar } from '../../agent/contract/mod.ts'
import type { Credential } from './credential.ts'
import type { Sighting } from './ledger.ts'
import type { Timing } from './timing.ts'
import { iso } from './words.ts'

/**
 * The ledger's line on one credential. Times are absolute, in ISO 8601 and UTC: an age would make every line
 * a changed one at every run.
 */
export function toFact(credential: Credential, timing: Timing, sighting: Sighting | undefined): Fact {
  const { declaration, path, label, algorithm, bits, publicFingerprint, encrypted, revoked, superseded } =
    credential
  const { name, owner, service, runbook, kind } = declaration
  const data: Record<string, Scalar | undefined> = {
    kind,
    path,
    name,
    owner,
    service,
    runbook,
    label: label || undefined,
    algorithm,
    bits,
    publicFingerprint,
    encrypted,
    revoked,
    superseded: superseded || undefined,
    since: timing.since,
    setAt: iso(timing.setAtMs),
    firstSeenAt: isoOrNone(sighting?.firstSeenAtMs),
    lastChangedAt: isoOrNone(sighting?.changedAtMs),
    dueAt: isoOrNone(timing.dueAtMs),
    expiresAt: isoOrNone(timing.expiresAtMs),
    // Keyed with this host's key: it tells credentials apart and gives no hold to guess them.
    identity: credential.fingerprint,
  }
  const known = Object.entries(data).flatMap(([key, value]): [string, Scalar][] =>
    value === undefined ? [] : [[key, value]],
  )
  return { kind: 'credential', subject: credential.subject, data: Object.fromEntries(known) }
}

/** Absolute times, so that the days left are counted when they are asked for. */
export function toMetrics({ subject }: Credential, { dueAtMs, expiresAtMs }: Timing): Metric[] {
  const metric = (name: string, atMs: number | undefined, help: string): Metric[] =>
    atMs === undefined
      ? []
      : [{ name, value: Math.floor(atMs / 1000), labels: { subject: subject.slice(0, 1024) }, help }]
  return [
    ...metric('credential_due_timestamp_seconds', dueAtMs, 'When a credential has to be rotated'),
    ...metric('credential_expires_timestamp_seconds', expiresAtMs, 'When a credential expires by itself'),
  ]
}

function isoOrNone(atMs: number | null | undefined): string | undefined {
  return atMs === undefined || atMs === null ? undefined : iso(atMs)
}
