import {
  type ApplyContext,
  type Artifact,
  describeError,
  type Report,
  UserError,
} from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import { proveBackup, type WrittenBackup, writeBackup } from './create.ts'
import type { Destination } from './destination.ts'
import { DirectoryDestination } from './directory.ts'
import { newSessionKey } from './encryption.ts'
import { fullName } from './object-name.ts'
import { loadRecipients, type Recipients } from './recipients.ts'
import { type BackupCopy, type BackupRecord, copyAt, provenAt, Records } from './records.ts'
import { planRetention } from './retention.ts'

/** Makes a backup, proves it, and only then removes what is not kept any longer. */
export async function apply(ctx: ApplyContext<BackupConfig>): Promise<Report> {
  if (!ctx.findings.some(({ rule }) => rule === 'backup-due' || rule === 'backup-overdue')) {
    return { findings: [] }
  }
  const { config, host } = ctx
  const recipients = await loadRecipients(host, config, ctx.now)
  refuseUnusable(recipients)
  const passphrase = config.passphrase === undefined ? undefined : ctx.secret(config.passphrase)
  const records = Records.load(ctx.state, ctx.stateDir)
  const destination = new DirectoryDestination(host, config.destination.directory, records.owner)
  await cleanUp(destination, records)

  const copy = newCopy(destination.location)
  const record = newRecord(ctx, recipients, copy)
  records.add(record)
  const startedAt = performance.now()
  const sessionKey = newSessionKey()
  const written = await write(ctx, destination, record.name, sessionKey, recipients, passphrase)
  const stored = await destination.stat(record.name)
  copy.mtimeMs = stored?.mtimeMs ?? 0
  record.stored = { bytes: written.bytes, sha256: written.sha256 }
  record.summary = written.summary
  records.save()

  const proofStartedAt = performance.now()
  try {
    const keyIds = recipients.usable.map(({ encryptionKeyId }) => encryptionKeyId)
    const expected = { written, sessionKey, keyIds, passphrase }
    const report = (bytes: number) => ctx.progress(bytes, written.bytes, 'proving')
    await proveBackup(destination, record.name, expected, report, ctx.signal)
  } catch (error) {
    ctx.signal.throwIfAborted()
    copy.failure = describeError(error)
    records.save()
    return { findings: [] } // The check that follows says it, and goes on saying it.
  } finally {
    sessionKey.fill(0)
  }
  copy.provenAt = new Date().toISOString()
  copy.proofMs = Math.round(performance.now() - proofStartedAt)
  record.durationMs = Math.round(performance.now() - startedAt)
  records.save()
  const removed = await prune(ctx, destination, records, record)
  ctx.log.info('backup proven', { name: record.name, bytes: written.bytes, removed })
  return {
    findings: [],
    artifacts: [toArtifact(ctx, record, written)],
    coverage: { examined: written.summary.entries, skipped: written.skipped },
  }
}

function refuseUnusable({ refused }: Recipients): void {
  const [first] = refused
  if (first) throw new UserError(`Cannot encrypt to "${first.file}": ${first.reason}`)
}

function write(
  ctx: ApplyContext<BackupConfig>,
  destination: Destination,
  name: string,
  sessionKey: Uint8Array,
  recipients: Recipients,
  passphrase: string | undefined,
): Promise<WrittenBackup> {
  const { sources, compressionLevel } = ctx.config
  return writeBackup(
    ctx.host,
    { ...sources, neverInclude: [destination.location], signal: ctx.signal },
    compressionLevel,
    sessionKey,
    { publicKeys: recipients.usable.map(({ key }) => key), passphrase, now: ctx.now },
    destination,
    name,
    (bytes) => ctx.progress(bytes, 0, 'backing up'),
  )
}

/** What a run that died left: an unfinished file, and the record of an object that is not there (yet, or any more). */
async function cleanUp(destination: Destination, records: Records): Promise<void> {
  await destination.removeUnfinished()
  const lost = new Set<string>()
  for (const record of records.at(destination.location)) {
    if (provenAt(record, destination.location)) continue
    if (!(await destination.stat(record.name))) lost.add(record.name)
  }
  if (lost.size > 0) records.drop(lost, destination.location)
}

function newCopy(destination: string): BackupCopy {
  return { destination, mtimeMs: null, provenAt: null, failure: null, isLeaving: false, proofMs: 0 }
}

function newRecord(ctx: ApplyContext<BackupConfig>, recipients: Recipients, copy: BackupCopy): BackupRecord {
  const name = fullName(ctx.job, ctx.now)
  const createdAt = ctx.now.toISOString()
  return {
    name,
    createdAt,
    chain: { full: name, index: 0, previous: null },
    stored: null,
    copies: [copy],
    recipients: recipients.usable.map(({ fingerprint }) => fingerprint),
    hasPassphrase: ctx.config.passphrase !== undefined,
    durationMs: 0,
    summary: null,
  }
}

/**
 * Removes proven backups beyond the retention, and what never was proven, now that there is a newer one which is.
 * An object that is not what this job wrote stays, whatever its name.
 */
async function prune(
  ctx: ApplyContext<BackupConfig>,
  destination: Destination,
  records: Records,
  newest: BackupRecord,
): Promise<number> {
  const mine = records.at(destination.location)
  const whole: BackupRecord[] = []
  for (const record of mine) {
    const found = await destination.stat(record.name)
    // Without `stored` a run died right after the object had got its name, which is this job's alone.
    const { stored } = record
    const mtimeMs = copyAt(record, destination.location)?.mtimeMs
    if (found && (!stored || (found.bytes === stored.bytes && found.mtimeMs === mtimeMs))) {
      whole.push(record)
    }
  }
  const candidates = whole
    .filter((record) => provenAt(record, destination.location))
    .map(({ name, createdAt }) => ({ name, createdAt: new Date(createdAt) }))
  const remove = new Set(planRetention(candidates, ctx.config.retention).remove)
  for (const record of whole) if (!provenAt(record, destination.location)) remove.add(record.name)
  remove.delete(newest.name)
  if (remove.size === 0) return 0
  for (const record of mine) {
    const copy = copyAt(record, destination.location)
    if (copy && remove.has(record.name)) copy.isLeaving = true
  }
  records.save()
  for (const name of remove) await destination.remove(name)
  records.drop(remove, destination.location)
  return remove.size
}

function toArtifact(ctx: ApplyContext<BackupConfig>, record: BackupRecord, written: WrittenBackup): Artifact {
  return {
    kind: 'backup',
    path: `${ctx.config.destination.directory}/${record.name}`,
    bytes: written.bytes,
    sha256: written.sha256,
    data: {
      entries: written.summary.entries,
      contentBytes: written.summary.contentBytes,
      provenAt: copyAt(record, ctx.config.destination.directory)?.provenAt ?? null,
    },
  }
}
