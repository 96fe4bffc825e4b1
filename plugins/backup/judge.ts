import {
  type Finding,
  formatBytes,
  formatDuration,
  printablePath,
  type Scalar,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { SourceProblem } from './archive/manifest.ts'
import type { BackupConfig } from './config.ts'
import { type DestinationConfig, pathIn } from './destination/config.ts'
import type { Recipients } from './recipients.ts'
import { type BackupRecord, copyAt, type ProvenCopy, provenAt, type WrittenRecord } from './records.ts'
import { type RuleName, rules } from './rules.ts'

export type DestinationState =
  | { kind: 'ready'; exposure: { reason: string; remedy: string } | undefined; freeBytes: number | undefined }
  | { kind: 'unavailable'; reason: string }

/** How a recorded object was found; `unknown` where it could not be looked at. */
export type ObjectState = 'whole' | 'missing' | 'damaged' | 'unknown'

/** All that a check has seen. */
export interface Observation {
  now: Date
  job: string
  config: BackupConfig
  recipients: Recipients
  missingSources: string[]
  /** Paths of sources that are links, and what they point at. */
  linkedSources: { path: string; target: string }[]
  destinations: ObservedDestination[]
}

export interface ObservedDestination {
  config: DestinationConfig
  location: string
  state: DestinationState
  /** What this job has stored there, oldest first. */
  records: {
    record: BackupRecord
    object: ObjectState
    /** Its seal stands beside it. */
    isSealed: boolean
  }[]
}

const EXPIRES_SOON_MS = 30 * 86_400_000
/** A clock is set right by less; what was made later than this from now has a wrong time. */
const CLOCK_TOLERANCE_MS = 300_000
/** The next backup may be larger than the last one by this factor. */
const GROWTH = 1.2

/** What is wrong, from what was seen. */
export function judge(seen: Observation): Finding[] {
  const { destinations } = seen
  return [
    ...judgeRecipients(seen),
    ...destinations.flatMap(judgeDestination),
    ...judgeSources(seen),
    ...destinations.flatMap((destination) => judgeStored(destination, seen.job)),
    ...judgeContent(seen),
    ...destinations.flatMap((destination) => judgeAge(seen, destination)),
  ]
}

/** The proven backups whose objects are still what was written. */
export function soundCopies({
  records,
  location,
}: Pick<ObservedDestination, 'records' | 'location'>): ProvenCopy[] {
  return records.flatMap(({ record, object }) => {
    const proven = provenAt(record, location)
    return proven && (object === 'whole' || object === 'unknown') ? [proven] : []
  })
}

function canBackUp(seen: Observation, { state }: ObservedDestination): boolean {
  const { paths, databases, dumps } = seen.config.sources
  const isAnyThere = seen.missingSources.length < paths.length + databases.length + dumps.length
  return seen.recipients.refused.length === 0 && state.kind === 'ready' && isAnyThere
}

function judgeAge(seen: Observation, destination: ObservedDestination): Finding[] {
  const { now, job, config } = seen
  const newest = soundCopies(destination).at(-1)?.record
  const ageMs = newest ? now.getTime() - Date.parse(newest.createdAt) : undefined
  const subject = destination.location
  const fixable = canBackUp(seen, destination)
  const remedy = fixable
    ? `Let the job make one: "mode: enforce" in its configuration, then reeve run ${shellWord(job)}`
    : 'Put right first what the other findings of this job say; until then no backup gets there'
  if (!newest || ageMs === undefined) {
    const summary = `There is no proven backup in "${subject}" yet`
    return [finding('backup-overdue', subject, summary, { remedy, fixable })]
  }
  const evidence = { newest: newest.name, createdAt: newest.createdAt }
  if (ageMs < -CLOCK_TOLERANCE_MS) {
    const summary = `The newest proven backup in "${subject}" is from the future (${newest.createdAt}): its age cannot be told`
    return [finding('backup-due', subject, summary, { remedy, fixable, evidence })]
  }
  if (ageMs <= config.interval) return []
  const isOverdue = ageMs > config.maxAge
  const [rule, limit] = isOverdue
    ? (['backup-overdue', config.maxAge] as const)
    : (['backup-due', config.interval] as const)
  const summary = `The newest proven backup in "${subject}" is ${formatDuration(ageMs)} old, wanted ${formatDuration(limit)} at most`
  return [finding(rule, subject, summary, { remedy, fixable, evidence })]
}

function judgeRecipients({ recipients, now }: Observation): Finding[] {
  const refused = recipients.refused.map(({ file, reason }) =>
    finding('recipient-unusable', file, `Nothing can be encrypted to "${file}": ${reason}`, {
      remedy: `Export a valid key to it, on the machine that has the key: gpg --armor --export FINGERPRINT > ${shellWord(file)}`,
    }),
  )
  const expiring = recipients.usable.flatMap((recipient) => {
    const { expiresAt, fingerprint, userId, file } = recipient
    if (!expiresAt || expiresAt.getTime() - now.getTime() > EXPIRES_SOON_MS) return []
    return [
      finding(
        'recipient-expiring',
        fingerprint,
        `The key ${fingerprint} of ${printablePath(userId) || 'nobody'} expires on ${expiresAt.toISOString().slice(0, 10)}`,
        {
          remedy: `Extend it where the private key is (gpg --quick-set-expire ${fingerprint} 1y, and for its subkeys gpg --quick-set-expire ${fingerprint} 1y '*'), and export it again to ${file}`,
          evidence: { file, expiresAt: expiresAt.toISOString() },
        },
      ),
    ]
  })
  return [...refused, ...expiring]
}

function judgeDestination(destination: ObservedDestination): Finding[] {
  const { location, state } = destination
  if (state.kind === 'unavailable') {
    const summary = `Cannot keep backups in "${location}": ${state.reason}`
    const remedy = 'Put right what is said above; the next run then brings this destination up to date'
    return [finding('destination-unavailable', location, summary, { remedy })]
  }
  const found: Finding[] = []
  if (state.exposure) {
    const { reason, remedy } = state.exposure
    const summary = `Backups in "${location}" are not safe from others: ${reason}`
    found.push(finding('destination-exposed', location, summary, { remedy }))
  }
  const newest = soundCopies(destination).at(-1)?.record
  if (newest && state.freeBytes !== undefined && state.freeBytes < newest.stored.bytes * GROWTH) {
    found.push(
      finding(
        'destination-full',
        location,
        `${formatBytes(state.freeBytes)} are free in "${location}", and the last backup has ${formatBytes(newest.stored.bytes)}`,
        {
          remedy: 'Make room, or keep fewer backups (retention)',
          evidence: { freeBytes: state.freeBytes, lastBackupBytes: newest.stored.bytes },
        },
      ),
    )
  }
  return found
}

function judgeSources({ missingSources, linkedSources }: Observation): Finding[] {
  const missing = missingSources.map((path) =>
    finding(
      'source-missing',
      subjectOf(path),
      `"${printablePath(path)}" is to be backed up but does not exist`,
      { remedy: 'Correct sources.paths of the job, or bring it back' },
    ),
  )
  const linked = linkedSources.map(({ path, target }) =>
    finding(
      'source-is-link',
      subjectOf(path),
      `"${printablePath(path)}" is a link to "${printablePath(target)}": nothing but the link is backed up`,
      { remedy: 'Name the directory that it points at in sources.paths' },
    ),
  )
  return [...missing, ...linked]
}

/** What became of the objects that were stored. */
function judgeStored({ records, location }: ObservedDestination, job: string): Finding[] {
  return records.flatMap(({ record, object, isSealed }) => {
    const path = pathIn(location, record.name)
    const forget = `reeve backup forget --job ${shellWord(job)} ${shellWord(record.name)}`
    const failure = copyAt(record, location)?.failure ?? null
    if (failure !== null) {
      return [
        finding('proof-failed', path, `"${path}" cannot be restored from: ${failure}`, {
          remedy:
            'Check the disk of the destination (its SMART values, the kernel log); the next run makes a new one',
        }),
      ]
    }
    const proven = provenAt(record, location)
    if (!proven) return []
    if (object === 'missing') {
      return [
        finding('backup-missing', path, `"${path}" is gone: a proven backup was removed by somebody else`, {
          remedy: `Find out who removed it. When it is meant to be gone: ${forget}`,
        }),
      ]
    }
    if (object === 'damaged') {
      return [
        finding('backup-damaged', path, `"${path}" is not what was written`, {
          remedy: `Put it back from a copy, or move it away and: ${forget}`,
          evidence: { bytes: proven.record.stored.bytes, sha256: proven.record.stored.sha256 },
        }),
      ]
    }
    if (!isSealed) {
      return [
        finding('seal-missing', path, `The seal of "${path}" is gone, or not what was written`, {
          remedy: 'Find out who removed it; the next run writes it again',
        }),
      ]
    }
    return []
  })
}

const CONTENT_RULES: Record<SourceProblem['kind'], [RuleName, remedy: string]> = {
  changed: [
    'source-changed',
    'Back it up when nothing writes to it, back up a dump of it, or leave it out (sources.exclude)',
  ],
  unreadable: ['source-unreadable', 'Let reeve read it, or leave it out (sources.exclude)'],
  'not-entered': [
    'source-not-entered',
    'Add it to sources.paths, leave it out (sources.exclude), or set sources.oneFileSystem to false',
  ],
  'too-large': ['source-too-large', 'Leave it out (sources.exclude), or raise sources.maxFileBytes'],
  damaged: [
    'database-damaged',
    'Restore the database from the last backup before this was told, or repair it (sqlite3 DATABASE .recover)',
  ],
  'dump-failed': ['dump-failed', 'Run the program by hand to see why, then reeve run the job again'],
}

/** What the newest backup that counts does not hold as it should. */
function judgeContent(seen: Observation): Finding[] {
  const newest = newestOf(seen.destinations)
  if (!newest) return []
  const { count, first } = newest.summary.problems
  const findings = first.map(({ path, kind, reason }) => {
    const [rule, remedy] = CONTENT_RULES[kind]
    const summary = `"${printablePath(path)}" is not in the backup as it should be: ${reason}`
    return finding(rule, subjectOf(path), summary, { remedy, evidence: { backup: newest.name } })
  })
  if (count > first.length) {
    const summary = `${count - first.length} more entries are not in the backup as they should be`
    findings.push(finding('source-unreadable', 'sources', summary, { evidence: { backup: newest.name } }))
  }
  return findings
}

/** The newest backup that counts anywhere; of several copies of it, any. */
function newestOf(destinations: readonly ObservedDestination[]): WrittenRecord | undefined {
  let newest: WrittenRecord | undefined
  for (const destination of destinations) {
    const last = soundCopies(destination).at(-1)?.record
    if (last && (!newest || last.createdAt > newest.createdAt)) newest = last
  }
  return newest
}

/** A path as the subject of a finding, which is limited in length. */
function subjectOf(path: string): string {
  return printablePath(path).slice(0, 4096)
}

function finding(
  rule: RuleName,
  subject: string,
  summary: string,
  more: { remedy?: string; evidence?: Record<string, Scalar>; fixable?: boolean },
): Finding {
  return { rule, subject, severity: rules[rule].severity, summary: summary.slice(0, 2000), ...more }
}
