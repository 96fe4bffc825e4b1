import { hostname } from 'node:os'
import {
  type ApplyContext,
  type Artifact,
  describeError,
  type Finding,
  type Report,
  UserError,
} from '../../agent/contract/mod.ts'
import type { BackupConfig } from './config.ts'
import { type Expected, proveBackup, type WrittenBackup, writeBackup } from './create.ts'
import { deliver, proveCopy } from './deliver.ts'
import { pathIn } from './destination/config.ts'
import type { Destination } from './destination/destination.ts'
import { newSessionKey } from './encryption.ts'
import { IndexStore, settingsDigest } from './incremental/index-store.ts'
import { type BackupPlan, planBackup } from './incremental/plan.ts'
import { fullName, incrementName, parseBackupName, sealName } from './object-name.ts'
import { deliveryFailed, type Place, Places } from './places.ts'
import { makeWay } from './priority.ts'
import { archiveProgress, proofProgress } from './progress.ts'
import { loadRecipients, type Recipients } from './recipients.ts'
import { type BackupCopy, type BackupRecord, newCopy, type ProvenCopy, provenAt, Records } from './records.ts'
import { planPrune, prune, rulesFor } from './retention/prune.ts'
import { rules } from './rules.ts'
import { HostKey } from './seal/host-key.ts'
import { formatSeal, putSeal, removeBackup } from './seal/seal.ts'
import { runCommand } from './source/commands.ts'
import type { DumpContext } from './source/dumps.ts'

/**
 * Makes a backup in one place, proves it, brings it to all others and proves it there, too. Only where a newer one
 * is proven is anything removed. A place that fails does not stop the others: it is told, and stays due.
 */
export async function apply(ctx: ApplyContext<BackupConfig>): Promise<Report> {
  const due = ctx.findings.filter(({ rule }) => rule === 'backup-due' || rule === 'backup-overdue')
  if (due.length === 0) return { findings: [] }
  const recipients = await loadRecipients(ctx.host, ctx.config, ctx.now)
  refuseUnusable(recipients)
  const passphrase = ctx.config.passphrase === undefined ? undefined : ctx.secret(ctx.config.passphrase)
  const records = Records.load(ctx.state, ctx.stateDir)
  const places = await Places.open(ctx, records)
  try {
    const run = new Run(ctx, records, places, recipients, passphrase)
    const recent = recentBackup(ctx, records, places)
    return recent && !run.isEverywhere(recent.record) ? await run.bringUpToDate(recent) : await run.makeNew()
  } finally {
    await places.close()
  }
}

function refuseUnusable({ refused }: Recipients): void {
  const [first] = refused
  if (first) throw new UserError(`Cannot encrypt to "${first.file}": ${first.reason}`)
}

/** A proven backup that is young enough, where only some places lack it: then it is copied, and none is made. */
function recentBackup(
  { config, now }: ApplyContext<BackupConfig>,
  records: Records,
  places: Places,
): ProvenCopy | undefined {
  for (const record of records.all.toReversed()) {
    const ageMs = now.getTime() - Date.parse(record.createdAt)
    if (ageMs < 0 || ageMs > config.interval) continue
    const found = places.holding(record)
    if (found) return found
  }
  return undefined
}

class Run {
  private readonly findings: Finding[]
  private readonly artifacts: Artifact[] = []

  constructor(
    private readonly ctx: ApplyContext<BackupConfig>,
    private readonly records: Records,
    private readonly places: Places,
    private readonly recipients: Recipients,
    private readonly passphrase: string | undefined,
  ) {
    this.findings = [...places.failures]
  }

  async makeNew(): Promise<Report> {
    const startedAt = performance.now()
    const sessionKey = newSessionKey()
    try {
      const first = await this.withCommands(() => this.makeFirst(sessionKey))
      if (!first) return { findings: this.findings }
      const { proven, expected, skipped } = first
      const { record } = proven
      await this.distribute(proven, (destination) =>
        proveBackup(destination, record.name, expected, () => {}, this.ctx.signal),
      )
      record.durationMs = Math.round(performance.now() - startedAt)
      this.records.save()
      return {
        findings: this.findings,
        artifacts: this.artifacts,
        coverage: { examined: record.summary.entries, skipped },
      }
    } finally {
      sessionKey.fill(0)
    }
  }

  /** Runs what is to be run before, the work, and in any case what is to be run after. */
  private async withCommands<T>(work: () => Promise<T>): Promise<T> {
    const { config, host, signal } = this.ctx
    const secret = (reference: string) => this.ctx.secret(reference)
    try {
      for (const command of config.sources.before) await runCommand(host, command, secret, signal)
      return await work()
    } finally {
      for (const command of config.sources.after) {
        await runCommand(host, command, secret, undefined).catch((error) => {
          this.findings.push({
            rule: 'command-failed',
            subject: command.command[0],
            severity: rules['command-failed'].severity,
            summary: describeError(error).slice(0, 2000),
          })
        })
      }
    }
  }

  /** Copies a backup to where it is missing. */
  async bringUpToDate(proven: ProvenCopy): Promise<Report> {
    makeWay(this.ctx)
    await this.distribute(proven, undefined)
    return { findings: this.findings, artifacts: this.artifacts }
  }

  /**
   * Writes the archive to the first place that takes it, and proves it there. Undefined when it could not be proven
   * anywhere: the check that follows says why, and goes on saying it.
   */
  private async makeFirst(sessionKey: Uint8Array) {
    let failure: unknown
    const { plan, indexStore, settings } = await this.plan()
    const hostKey = await HostKey.loadOrMake(this.ctx.state, this.ctx.stateDir, this.ctx.job)
    if (plan.kind === 'full') this.ctx.log.info('full backup', { reason: plan.reason })
    for (const [attempt, place] of this.places.firstChoices().entries()) {
      const { ctx, recipients, passphrase } = this
      const { destination } = place
      const copy = newCopy(destination.location)
      // Another attempt is another backup: the names of both may be needed.
      const record = newRecord(ctx, recipients, copy, plan, new Date(ctx.now.getTime() + 1000 * attempt))
      this.records.add(record)
      const before = plan.kind === 'changes' ? await indexStore?.open() : undefined
      const index = indexStore?.create({ backup: record.name, settings })
      try {
        const written = await writeBackup(
          ctx.host,
          {
            sources: { ...ctx.config.sources, neverInclude: this.neverInclude(), signal: ctx.signal },
            about: { job: ctx.job, host: hostname(), createdAt: record.createdAt, chain: record.chain },
            compressionLevel: ctx.config.compressionLevel,
            before: before?.entries,
            dumps: { programs: ctx.config.sources.dumps, context: this.dumpContext() },
            onDatabasesRead: () => makeWay(ctx),
            index,
          },
          sessionKey,
          { publicKeys: recipients.usable.map(({ key }) => key), passphrase, now: ctx.now },
          destination,
          record.name,
          archiveProgress(ctx, this.records, plan),
        )
        record.stored = { bytes: written.bytes, sha256: written.sha256 }
        record.summary = written.summary
        record.dumps = written.dumps
        record.seal = await this.seal(hostKey, record, written)
        const keyIds = recipients.usable.map(({ encryptionKeyId }) => encryptionKeyId)
        const expected: Expected = { written, sessionKey, keyIds, passphrase }
        const isProven = await proveCopy(ctx, this.records, destination, record, copy, () =>
          proveBackup(destination, record.name, expected, proofProgress(ctx, written.bytes), ctx.signal),
        )
        const proven = isProven ? provenAt(record, destination.location) : undefined
        if (!proven) continue
        index?.commit()
        this.noteProven(place, proven)
        return { proven, expected, skipped: written.skipped }
      } catch (error) {
        ctx.signal.throwIfAborted()
        if (error instanceof UserError) throw error
        failure ??= error
        this.findings.push(deliveryFailed(destination.location, error))
      } finally {
        index?.abort()
        await before?.entries.return(undefined)
      }
    }
    if (failure !== undefined) throw failure
    return undefined
  }

  /** A dump that failed has no size: the last one that was whole counts. */
  private dumpContext(): DumpContext {
    const { signal, now } = this.ctx
    const lastBytes = Object.assign({}, ...this.records.all.map(({ dumps }) => dumps))
    return { signal, now, lastBytes, secret: (reference) => this.ctx.secret(reference) }
  }

  /** The signed text that goes with a backup. */
  private seal(key: HostKey, record: BackupRecord, { bytes, sha256 }: WrittenBackup): Promise<string> {
    const { job, now } = this.ctx
    const { name, createdAt, chain } = record
    const before = this.records.all.find((other) => other.name === chain.previous)
    const previous = before?.stored ? { name: before.name, sha256: before.stored.sha256 } : null
    const { full, index } = chain
    const text = formatSeal({ job, host: hostname(), createdAt, full, index, previous, name, bytes, sha256 })
    return key.sign(text, now)
  }

  /** Seals that somebody has taken away, or changed. */
  private async repairSeals({ destination, objects }: Place): Promise<void> {
    const { location } = destination
    for (const record of this.records.at(location)) {
      if (!record.seal || !provenAt(record, location) || !objects.has(record.name)) continue
      const found = objects.get(sealName(record.name))
      if (found?.bytes !== Buffer.byteLength(record.seal)) await putSeal(destination, record)
    }
  }

  private async plan() {
    const { ctx, records } = this
    const policy = ctx.config.incremental
    const indexStore = policy && new IndexStore(ctx.state, ctx.stateDir)
    const index = await indexStore?.header()
    const settings = settingsDigest(ctx.config, this.recipients)
    // Two backups must not build upon the same one.
    const newest = records.all.findLast(({ copies }) => copies.some(({ provenAt }) => provenAt !== null))
    const last = newest?.name === index?.backup ? newest : undefined
    const plan = planBackup({
      now: ctx.now,
      policy,
      index,
      chain: last ? this.chainAtHand(last) : [],
      settings,
    })
    return { plan, indexStore, settings }
  }

  /** A backup and all that it builds upon; nothing when some of it is in no place any more. */
  private chainAtHand(last: BackupRecord): BackupRecord[] {
    try {
      const chain = this.records.chainOf(last)
      return chain.every((record) => this.places.holding(record)) ? chain : []
    } catch {
      return [] // a record is missing: a full backup begins anew
    }
  }

  /** What a job must not back up: backups, and what it writes while it runs. */
  private neverInclude(): string[] {
    return [...Places.directoriesOf(this.ctx.config, this.ctx.stateDir), this.ctx.stateDir]
  }

  /** To all places that do not have it; then each of them removes what it does not keep any longer. */
  private async distribute(
    newest: ProvenCopy,
    proof: ((destination: Destination) => Promise<void>) | undefined,
  ): Promise<void> {
    await Promise.all(
      this.places.all.map(async (place) => {
        try {
          await this.completeChain(place, newest.record, proof)
          await this.repairSeals(place)
          await this.prune(place)
        } catch (error) {
          this.ctx.signal.throwIfAborted()
          this.findings.push(deliveryFailed(place.destination.location, error))
        }
      }),
    )
    await this.clearSpool()
  }

  /** Brings the newest backup to a place, and before it what it builds upon. */
  private async completeChain(
    place: Place,
    newest: BackupRecord,
    proof: ((destination: Destination) => Promise<void>) | undefined,
  ): Promise<void> {
    const { ctx, records, places } = this
    for (const record of records.chainOf(newest)) {
      if (places.has(place, record)) continue
      const source = places.holding(record)
      const from = source && places.at(source.copy.destination)
      if (!from) {
        throw new Error(
          `it needs "${record.name}", which is in no other place: the next full backup begins anew`,
        )
      }
      const proven = await deliver(ctx, records, {
        from: from.destination,
        to: place.destination,
        bandwidth: place.config?.bandwidth,
        record: source.record,
        // Only of the newest there is still the key.
        proof: record === newest ? proof : undefined,
      })
      if (!proven) return
      this.noteProven(place, proven)
    }
  }

  isEverywhere(record: BackupRecord): boolean {
    return this.places.all.every((place) => this.places.has(place, record))
  }

  private noteProven(place: Place, proven: ProvenCopy): void {
    this.places.noteProven(proven)
    if (!this.places.isSpool(place)) this.artifacts.push(toArtifact(proven))
    const { record, copy } = proven
    const { name, stored } = record
    this.ctx.log.info('backup proven', { name, destination: copy.destination, bytes: stored.bytes })
  }

  private async prune({ config, destination }: Place): Promise<void> {
    if (!config) return
    const plan = await planPrune(destination, this.records, rulesFor(this.ctx.config, config, this.ctx.now))
    const { held, removed } = await prune(destination, this.records, plan)
    if (removed.length > 0) {
      this.ctx.log.info('backups removed', { destination: destination.location, removed: removed.length })
    }
    if (held !== undefined) {
      this.findings.push({
        rule: 'retention-held',
        subject: destination.location,
        severity: rules['retention-held'].severity,
        summary: `Nothing is removed from "${destination.location}" for now: ${held}`.slice(0, 2000),
      })
    }
  }

  /** What has arrived somewhere can be copied on from there. */
  private async clearSpool(): Promise<void> {
    const { spool } = this.places
    if (!spool) return
    const { location } = spool.destination
    const arrived = this.records
      .at(location)
      .filter((record) => this.places.all.some((place) => this.places.has(place, record)))
    for (const { name } of arrived) await removeBackup(spool.destination, name)
    this.records.drop(new Set(arrived.map(({ name }) => name)), location)
  }
}

function newRecord(
  ctx: ApplyContext<BackupConfig>,
  recipients: Recipients,
  copy: BackupCopy,
  plan: BackupPlan,
  now: Date,
): BackupRecord {
  const chain = chainFor(plan, ctx.job, now)
  return {
    name: chain.name,
    createdAt: now.toISOString(),
    chain: { full: chain.full, index: chain.index, previous: chain.previous },
    stored: null,
    seal: null,
    copies: [copy],
    recipients: recipients.usable.map(({ fingerprint }) => fingerprint),
    hasPassphrase: ctx.config.passphrase !== undefined,
    dumps: {},
    durationMs: 0,
    summary: null,
  }
}

function chainFor(plan: BackupPlan, job: string, now: Date) {
  if (plan.kind === 'full') {
    const name = fullName(job, now)
    return { name, full: name, index: 0, previous: null }
  }
  const { full, previous } = plan
  const index = previous.chain.index + 1
  const chain = parseBackupName(full.name)?.chain ?? job
  return { name: incrementName(chain, index, now), full: full.name, index, previous: previous.name }
}

function toArtifact({ record, copy }: ProvenCopy): Artifact {
  return {
    kind: 'backup',
    path: pathIn(copy.destination, record.name),
    bytes: record.stored.bytes,
    sha256: record.stored.sha256,
    data: {
      entries: record.summary.entries,
      contentBytes: record.summary.contentBytes,
      provenAt: copy.provenAt,
    },
  }
}
