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
import { type DestinationConfig, locationOf, pathIn } from './destination/config.ts'
import type { DestinationReader, StoredObject } from './destination/destination.ts'
import { openReader } from './destination/open.ts'
import { judge, type ObjectState, type Observation, type ObservedDestination, soundCopies } from './judge.ts'
import { sealName } from './object-name.ts'
import { hashObject } from './read.ts'
import { loadRecipients } from './recipients.ts'
import { type BackupCopy, type BackupRecord, copyAt, type ProvenCopy, Records } from './records.ts'

export async function check(ctx: CheckContext<BackupConfig>): Promise<Report> {
  const { config, host, now } = ctx
  const blind: Blind[] = []
  const records = Records.load(ctx.state, ctx.stateDir)
  const destinations = await Promise.all(
    config.destinations.map((destination) => lookAtDestination(ctx, destination, records, blind)),
  )
  ctx.signal.throwIfAborted()
  if (destinations.some(({ isRefreshed }) => isRefreshed)) records.save()
  const sources = lookForSources(host, config.sources.paths, blind)
  const recipients = await loadRecipients(host, config, now)
  const seen: Observation = {
    now,
    job: ctx.job,
    config,
    recipients,
    missingSources: sources.missing,
    linkedSources: sources.linked,
    destinations,
  }
  const examined = destinations.reduce((sum, { records }) => sum + records.length, 0)
  return {
    findings: judge(seen),
    blind,
    facts: destinations.flatMap((destination) => soundCopies(destination).map(toFact)),
    metrics: destinations.flatMap((destination) => toMetrics(destination, now)),
    coverage: {
      examined: examined + config.sources.paths.length + config.recipients.length,
      skipped: 0,
    },
  }
}

/** What a destination is like, and what became of all that this job has stored there. */
async function lookAtDestination(
  ctx: CheckContext<BackupConfig>,
  config: DestinationConfig,
  all: Records,
  blind: Blind[],
): Promise<ObservedDestination & { isRefreshed: boolean }> {
  const location = locationOf(config)
  const records = all.at(location)
  const observed: ObservedDestination & { isRefreshed: boolean } = {
    config,
    location,
    state: { kind: 'unavailable', reason: '' },
    records: [],
    isRefreshed: false,
  }
  let reader: DestinationReader | undefined
  try {
    reader = await openReader(config, ctx.host, ctx)
    observed.state = {
      kind: 'ready',
      exposure: await reader.exposure(),
      freeBytes: await reader.freeBytes(),
    }
    const objects = new Map((await reader.list()).map((object) => [object.name, object]))
    for (const record of records) {
      const isSealed =
        record.seal === null || objects.get(sealName(record.name))?.bytes === Buffer.byteLength(record.seal)
      const seen: ObservedDestination['records'][number] = { record, object: 'unknown', isSealed }
      observed.records.push(seen)
      try {
        const copy = copyAt(record, location)
        const found = objects.get(record.name)
        const { object, mtimeMs } = await lookAtObject(reader, record, copy, found, ctx.signal)
        seen.object = object
        if (copy && mtimeMs !== undefined) {
          copy.mtimeMs = mtimeMs
          observed.isRefreshed = true
        }
      } catch (error) {
        ctx.signal.throwIfAborted()
        blind.push({ subject: pathIn(location, record.name), reason: describeError(error) })
      }
    }
  } catch (error) {
    ctx.signal.throwIfAborted()
    observed.state = { kind: 'unavailable', reason: describeError(error) }
    observed.records = records.map((record) => ({ record, object: 'unknown', isSealed: true }))
  } finally {
    await reader?.close()
  }
  return observed
}

/**
 * Size and time tell of nearly every change. Where only the time differs, as after a copy, the content decides;
 * `mtimeMs` is then the new time.
 */
async function lookAtObject(
  reader: DestinationReader,
  record: BackupRecord,
  copy: BackupCopy | undefined,
  found: StoredObject | undefined,
  signal: AbortSignal,
): Promise<{ object: ObjectState; mtimeMs?: number }> {
  if (!record.stored || !found) return { object: 'missing' }
  if (found.bytes !== record.stored.bytes) return { object: 'damaged' }
  if (found.mtimeMs === copy?.mtimeMs) return { object: 'whole' }
  const isSame = (await hashObject(reader.read(record.name), signal)) === record.stored.sha256
  return isSame ? { object: 'whole', mtimeMs: found.mtimeMs } : { object: 'damaged' }
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
    subject: pathIn(copy.destination, record.name),
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

function toMetrics(destination: ObservedDestination, now: Date): Metric[] {
  const sound = soundCopies(destination)
  const labels = { destination: destination.config.name }
  const metric = (name: string, value: number, help: string): Metric => ({ name, value, labels, help })
  const isReady = destination.state.kind === 'ready'
  const count = [
    metric('backup_proven', sound.length, 'Proven backups that are there'),
    metric('backup_destination_available', isReady ? 1 : 0, 'Whether the destination could be looked at'),
  ]
  const newest = sound.at(-1)?.record
  if (!newest) return count
  const ageMs = Math.max(0, now.getTime() - Date.parse(newest.createdAt))
  return [
    ...count,
    metric('backup_proven_age_seconds', ageMs / 1000, 'Age of the newest proven backup'),
    metric('backup_proven_bytes', newest.stored.bytes, 'Size of the newest proven backup'),
    metric(
      'backup_duration_seconds',
      newest.durationMs / 1000,
      'Time that the newest proven backup took, its proof included',
    ),
    metric(
      'backup_restore_seconds',
      restoreMs(sound) / 1000,
      'Time that reading back and comparing the newest proven backup took, with all that it builds upon',
    ),
  ]
}

/** What a restore takes at least: to read, decrypt and compare the whole chain took that long. */
function restoreMs(sound: readonly ProvenCopy[]): number {
  const newest = sound.at(-1)?.record.chain
  const chain = sound.filter(({ record }) => record.chain.full === newest?.full)
  return chain.reduce((sum, { copy }) => sum + copy.proofMs, 0)
}
