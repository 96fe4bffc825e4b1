import type { Fact, Metric, Scalar } from '../../agent/contract/mod.ts'
import type { Credential } from './credential.ts'
import type { User } from './judge/use.ts'
import type { Sighting } from './ledger.ts'
import type { Timing } from './timing.ts'
import { DAY_MS } from './timing.ts'
import { iso } from './words.ts'

/** One place of a credential with all that this run knows of it: a line of the ledger. */
export interface Entry {
  credential: Credential
  sighting: Sighting | undefined
  timing: Timing
  maxAge: number | 'never'
  /** Units that use it. */
  users: User[]
  /** In how many places this very credential is. */
  places: number
  /** Who can open its file. */
  readableBy: string | undefined
}

/**
 * The ledger's line on one credential. Times are absolute, in ISO 8601 and UTC: an age would make every line
 * a changed one at every run.
 */
export function toFact({ credential, timing, sighting, maxAge, users, places, readableBy }: Entry): Fact {
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
    strength: strengthOf(credential),
    publicFingerprint,
    protocol: credential.protocol,
    encrypted,
    revoked,
    superseded: superseded || undefined,
    since: timing.since,
    setAt: iso(timing.setAtMs),
    firstSeenAt: isoOrNone(sighting?.firstSeenAtMs),
    lastChangedAt: isoOrNone(sighting?.changedAtMs),
    dueAt: isoOrNone(timing.dueAtMs),
    expiresAt: isoOrNone(timing.expiresAtMs),
    maxAgeDays: maxAge === 'never' ? undefined : Math.round(maxAge / DAY_MS),
    mode: credential.file?.mode.toString(8).padStart(4, '0'),
    readableBy,
    usedBy: users.map(describeUser).join('; ').slice(0, 1000) || undefined,
    places: places > 1 ? places : undefined,
    // Keyed with this host's key: it tells credentials apart and gives no hold to guess them.
    identity: credential.fingerprint,
  }
  const known = Object.entries(data).flatMap(([key, value]): [string, Scalar][] =>
    value === undefined ? [] : [[key, value]],
  )
  return { kind: 'credential', subject: credential.subject, data: Object.fromEntries(known) }
}

function strengthOf({ weaknesses, placeholder, fingerprint, algorithm }: Credential): string {
  if (fingerprint === undefined) return 'none'
  if (placeholder) return 'known to everybody'
  if (weaknesses.length > 0) return 'weak'
  return algorithm === 'unknown' ? 'unknown' : 'good'
}

/** Its start is that of its newest process: a reload of nginx starts workers anew. */
function describeUser({ unit, newestStartMs }: User): string {
  return newestStartMs === undefined
    ? `${unit} (not running)`
    : `${unit} since ${iso(Math.floor(newestStartMs / 1000) * 1000)}`
}

/** Absolute times, so that the days left are counted when they are asked for. */
export function toMetrics({ credential: { subject }, timing: { dueAtMs, expiresAtMs } }: Entry): Metric[] {
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
