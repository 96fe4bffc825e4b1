import type { Blind, CheckContext, Finding, HostReader, Report } from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type { Credential, CredentialFile } from './credential.ts'
import { findCredentials } from './find.ts'
import { type Incident, Incidents } from './incident/incident.ts'
import { type Evidence, judgeIncident } from './incident/runbook.ts'
import { type Entry, toFact, toMetrics } from './inventory.ts'
import { judgeCredential } from './judge/credential.ts'
import { judgeModes, judgeReuse } from './judge/places.ts'
import { judgeTokenOverlap } from './judge/tokens.ts'
import { judgeUndeclared } from './judge/undeclared.ts'
import { judgeExposures, judgeLoaded, usersOf } from './judge/use.ts'
import { emptyLedger, type Ledger, parseLedger, recordSightings } from './ledger.ts'
import { isFileDeclaration } from './places.ts'
import { journalsOf } from './rotation/command.ts'
import { judgeRotation } from './rotation/judge.ts'
import { rotatablesOf } from './rotation/rotatable.ts'
import { rules } from './rules.ts'
import { timingOf } from './timing.ts'
import { lookAtUse } from './use/look.ts'
import { iso } from './words.ts'

/** Clocks are corrected by seconds; more than this is a wrong clock, and every age is wrong with it. */
const CLOCK_TOLERANCE_MS = 3_600_000
const MAX_LEDGER_BYTES = 1_000_000

export async function check(ctx: CheckContext<Config>): Promise<Report> {
  const nowMs = ctx.now.getTime()
  const { ledger: before, blind: ledgerBlind } = openLedger(ctx, nowMs)
  const found = await findCredentials(ctx, (fingerprint) => Object.hasOwn(before.values, fingerprint))
  const seen = found.credentials.flatMap(({ subject, fingerprint, file }) =>
    fingerprint === undefined ? [] : [{ subject, fingerprint, mtimeMs: file?.mtimeMs ?? nowMs }],
  )
  const { ledger, sightings } = recordSightings(before, seen, nowMs)
  if (Buffer.byteLength(JSON.stringify(ledger)) > MAX_LEDGER_BYTES) {
    throw new Error(
      `Cannot keep the ledger of "${ctx.job}": it has too many credentials; split the job in two`,
    )
  }
  const use = await lookAtUse(ctx, found.credentials, found)
  const places = Map.groupBy(found.credentials, ({ fingerprint }) => fingerprint)
  const entries = found.credentials.map((credential): Entry => {
    const sighting = sightings.get(credential.subject)
    return {
      credential,
      sighting,
      timing: timingOf(credential, sighting, ctx.config, nowMs),
      maxAge: credential.declaration.maxAge ?? ctx.config.maxAge,
      users: usersOf(credential, use),
      places: credential.fingerprint === undefined ? 1 : (places.get(credential.fingerprint)?.length ?? 1),
      readableBy: credential.file && readersOf(ctx.host, credential.file),
    }
  })
  const journals = journalsOf(ctx)
  const incidents = new Incidents(ctx.state, ctx.stateDir, ctx.fingerprint).all()
  const unknown = found.credentials.filter(({ algorithm }) => algorithm === 'unknown')
  return {
    findings: [
      ...judgeClock(before, found.credentials, nowMs),
      ...found.findings,
      ...entries.flatMap(({ credential, timing }) => judgeCredential(credential, timing, ctx.config, nowMs)),
      ...judgeModes(found.credentials),
      ...judgeReuse(found.credentials),
      ...entries.flatMap(({ credential, sighting, users }) => judgeLoaded(credential, sighting, users)),
      ...rotatablesOf(ctx.config).flatMap((rotatable) =>
        judgeRotation(rotatable, journals.load(rotatable.name), entries, nowMs),
      ),
      ...incidents.flatMap((incident) => judgeIncident(incident, evidenceOf(incident, entries))),
      ...judgeTokenOverlap(entries, nowMs),
      ...judgeExposures(use.exposures),
      ...judgeUndeclared(use.references, declaredPaths(ctx.config, found.credentials)),
    ],
    blind: [
      ...ledgerBlind,
      ...found.blind,
      ...unknown.map(({ subject }) => ({ subject, reason: 'the strength of its kind of key is not known' })),
    ],
    facts: entries.map(toFact),
    metrics: entries.flatMap((entry) => (entry.credential.superseded ? [] : toMetrics(entry))),
    coverage: { examined: found.credentials.length, skipped: found.skipped },
    memory: ledger,
  }
}

/** The ledger of the last run. Where it or the clock cannot be trusted, ages may be too small: that is blind. */
function openLedger(ctx: CheckContext<Config>, nowMs: number): { ledger: Ledger; blind: Blind[] } {
  const fresh = emptyLedger(nowMs)
  if (ctx.memory === undefined) return { ledger: fresh, blind: [] }
  const ledger = parseLedger(ctx.memory)
  if (!ledger) {
    const reason = 'it cannot be read; ages are counted from the times of files again'
    return { ledger: fresh, blind: [{ subject: 'ledger', reason }] }
  }
  if (nowMs >= ledger.lastRunAtMs - CLOCK_TOLERANCE_MS) return { ledger, blind: [] }
  const reason = `it is earlier than at the last run (${iso(ledger.lastRunAtMs)}): no age can be trusted; see timedatectl status`
  return { ledger, blind: [{ subject: 'clock', reason }] }
}

/** A clock that is behind what it said before, or behind the files of this host. */
function judgeClock(before: Ledger, credentials: Credential[], nowMs: number): Finding[] {
  const behind = nowMs + CLOCK_TOLERANCE_MS
  const newest = credentials
    .filter(({ file }) => file !== undefined && file.mtimeMs > behind)
    .toSorted((a, b) => (b.file?.mtimeMs ?? 0) - (a.file?.mtimeMs ?? 0))[0]
  const proof =
    before.lastRunAtMs > behind
      ? `the last run was at ${iso(before.lastRunAtMs)}`
      : newest?.file && `${newest.path} was written at ${iso(newest.file.mtimeMs)}`
  if (!proof) return []
  return [
    {
      rule: 'clock-wrong',
      subject: 'clock',
      severity: rules['clock-wrong'].severity,
      summary: `The clock of this host says ${iso(nowMs)}, but ${proof}`,
      remedy:
        'Look at it with: timedatectl status; set it right, or put the time of that file right: touch FILE',
    },
  ]
}

/** What this look says of a compromised credential. */
function evidenceOf({ subject, fingerprint, openedAtMs }: Incident, entries: Entry[]): Evidence {
  const own = entries.find(({ credential }) => credential.subject === subject)
  const starts = own?.users.map(({ newestStartMs }) => newestStartMs ?? 0) ?? []
  return {
    placesWithOld: entries.flatMap(({ credential }) =>
      credential.fingerprint === fingerprint ? [credential.subject] : [],
    ),
    now: own?.credential.fingerprint,
    restarted:
      starts.length === 0
        ? undefined
        : starts.every((startMs) => startMs > Math.max(openedAtMs, own?.timing.setAtMs ?? 0)),
  }
}

function declaredPaths(config: Config, credentials: Credential[]): Set<string> {
  return new Set([
    ...config.credentials.filter(isFileDeclaration).map(({ path }) => path),
    ...config.credentials.flatMap((one) => ('keyFile' in one ? (one.keyFile ?? []) : [])),
    ...credentials.map(({ path }) => path),
  ])
}

/** "root, group ssl-cert": who can open a file, as far as its mode says. */
function readersOf(host: HostReader, { mode, uid, gid }: CredentialFile): string {
  if (mode & 0o004) return 'everyone'
  const owner = mode & 0o400 && uid !== 0 ? host.userName(uid) : 'root'
  const readers = [...new Set(['root', owner])]
  if (mode & 0o040) readers.push(`group ${host.groupName(gid)}`)
  return readers.join(', ')
}
