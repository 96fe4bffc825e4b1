import {
  type Blind,
  type CheckContext,
  describeError,
  type Fact,
  type HostReader,
  type Metric,
  type Report,
} from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import type { DestinationReader } from './destination.ts'
import { DirectoryReader } from './directory.ts'
import { type DestinationState, judge, type ObjectState, type Observation, soundCopies } from './judge.ts'
import { StreamDigest } from './read.ts'
import { loadRecipients } from './recipients.ts'
import { type BackupCopy, type BackupRecord, copyAt, type ProvenCopy, Records } from './records.ts'

export async function check(ctx: CheckContext<BackupConfig>): Promise<Report> {
  const { config, host, now } = ctx
  const blind: Blind[] = []
  const records = Records.load(ctx.state, ctx.stateDir)
  const { directory } = config.destination
  const destination = lookAtDestination(host, directory)
  const reader = new DirectoryReader(host, directory)
  const observed: Observation['records'] = []
  let isRefreshed = false
  for (const record of records.at(directory)) {
    ctx.signal.throwIfAborted()
    if (destination.kind === 'missing') {
      observed.push({ record, object: 'unknown' })
      continue
    }
    try {
      const copy = copyAt(record, directory)
      const { object, mtimeMs } = await lookAtObject(reader, record, copy, ctx.signal)
      if (copy && mtimeMs !== undefined) {
        copy.mtimeMs = mtimeMs
        isRefreshed = true
      }
      observed.push({ record, object })
    } catch (error) {
      ctx.signal.throwIfAborted()
      blind.push({ subject: `${directory}/${record.name}`, reason: describeError(error) })
      observed.push({ record, object: 'unknown' })
    }
  }
  if (isRefreshed) records.save()
  const sources = lookForSources(host, config.sources.paths, blind)
  const recipients = await loadRecipients(host, config, now)
  const seen: Observation = {
    now,
    job: ctx.job,
    config,
    recipients,
    missingSources: sources.missing,
    linkedSources: sources.linked,
    destination,
    records: observed,
  }
  return {
    findings: judge(seen),
    blind,
    facts: soundCopies(seen).map(toFact),
    metrics: toMetrics(seen),
    coverage: {
      examined: observed.length + config.sources.paths.length + config.recipients.length,
      skipped: 0,
    },
  }
}

function lookAtDestination(host: HostReader, directory: string): DestinationState {
  try {
    const stat = host.statTarget(directory)
    if (!stat) return { kind: 'missing', reason: 'no such directory' }
    if (stat.type !== 'directory') return { kind: 'missing', reason: `it is a ${stat.type}` }
    return { kind: 'ready', mode: stat.mode, freeBytes: host.freeBytes(directory) }
  } catch (error) {
    return { kind: 'missing', reason: describeError(error) }
  }
}

/**
 * Size and time tell of nearly every change. Where only the time differs, as after a copy, the content decides;
 * `mtimeMs` is then the new time.
 */
async function lookAtObject(
  reader: DestinationReader,
  record: BackupRecord,
  copy: BackupCopy | undefined,
  signal: AbortSignal,
): Promise<{ object: ObjectState; mtimeMs?: number }> {
  const found = await reader.stat(record.name)
  if (!record.stored || !found) return { object: 'missing' }
  if (found.bytes !== record.stored.bytes) return { object: 'damaged' }
  if (found.mtimeMs === copy?.mtimeMs) return { object: 'whole' }
  const isSame = (await hashObject(reader, record.name, signal)) === record.stored.sha256
  return isSame ? { object: 'whole', mtimeMs: found.mtimeMs } : { object: 'damaged' }
}

/** SHA-256 of a stored object. */
export async function hashObject(
  reader: DestinationReader,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const digest = new StreamDigest()
  for await (const chunk of reader.read(name)) {
    signal.throwIfAborted()
    digest.add(chunk)
  }
  return digest.sha256()
}

function lookForSources(host: HostReader, paths: string[], blind: Blind[]) {
  const missing: string[] = []
  const linked: Observation['linkedSources'] = []
  for (const path of paths) {
    try {
      const stat = host.stat(path)
      if (!stat) missing.push(path)
      else if (stat.type === 'symlink') linked.push({ path, target: host.readLink(path) })
    } catch (error) {
      blind.push({ subject: path, reason: describeError(error) })
    }
  }
  return { missing, linked }
}

function toFact({ record, copy }: ProvenCopy): Fact {
  return {
    kind: 'backup',
    subject: record.name,
    data: {
      destination: copy.destination,
      chain: record.chain.full,
      index: record.chain.index,
      bytes: record.stored.bytes,
      sha256: record.stored.sha256,
      createdAt: record.createdAt,
      provenAt: copy.provenAt,
      entries: record.summary.entries,
      contentBytes: record.summary.contentBytes,
      problems: record.summary.problems.count,
      recipients: record.recipients.join(' '),
      hasPassphrase: record.hasPassphrase,
    },
  }
}

function toMetrics(seen: Observation): Metric[] {
  const sound = soundCopies(seen)
  const count: Metric = { name: 'backup_proven', value: sound.length, help: 'Proven backups that are there' }
  const newest = sound.at(-1)?.record
  if (!newest) return [count]
  const ageMs = Math.max(0, seen.now.getTime() - Date.parse(newest.createdAt))
  return [
    count,
    { name: 'backup_proven_age_seconds', value: ageMs / 1000, help: 'Age of the newest proven backup' },
    { name: 'backup_proven_bytes', value: newest.stored.bytes, help: 'Size of the newest proven backup' },
    {
      name: 'backup_duration_seconds',
      value: newest.durationMs / 1000,
      help: 'Time that the newest proven backup took, its proof included',
    },
  ]
}
