import type { ApplyContext, Artifact, Finding } from '../../../agent/contract/mod.ts'
import { type Digest, digestOfContent, digestOfFile } from '../codec.ts'
import type { Config } from '../config.ts'
import { compressionOf } from '../format.ts'
import type { LogSet } from '../logrotate/settings.ts'
import type { LogRotation } from '../program/rotation.ts'
import { artifactOf } from '../records/artifact.ts'
import { type KeptFile, pruneOutlived } from '../records/judge.ts'
import { findRecord, type GenerationRecord, type Records, writersText } from '../records/records.ts'
import { KeptGenerations, retentionOf } from './generations.ts'
import { firstWords } from './judge.ts'

/** Keeps of each rotated log what it held before it was compressed, and looks for all of it in what is left. */
export class Proofs {
  readonly findings: Finding[] = []
  readonly artifacts: Artifact[] = []
  private readonly before = new Map<
    string,
    { digest: Digest; reopened: boolean | null; writers: string | null }
  >()
  private readonly rotations: LogRotation[] = []

  constructor(
    private readonly ctx: ApplyContext<Config>,
    private readonly records: Records,
  ) {}

  /** After a log was moved or copied and its scripts have run, before it is compressed. */
  note(rotation: LogRotation, reopened: boolean | null): void {
    const { path, set, names } = rotation
    if (set.settings.rotate === 0 || set.settings.renameCopy) return
    // What is still written to is proven when its writer lets go of it.
    if (reopened !== false) {
      const stat = this.ctx.host.stat(names.final)
      const writers = writersText(stat && this.ctx.host.writersOf(stat))
      this.before.set(path, { digest: this.hash(names.final), reopened, writers })
    }
    this.rotations.push(rotation)
  }

  /** A rotated log that had waited for its writer. */
  async proveReleased(set: LogSet, log: string, digest: Digest, rotatedMs: number): Promise<void> {
    const files = new KeptGenerations(this.ctx.host).of(log, set.settings, this.ctx.now)
    const file = files.toSorted((a, b) => b.mtimeMs - a.mtimeMs)[0]
    const known = { bytesIn: digest.bytes, rotatedMs, reopened: true, writers: null }
    if (file) await this.prove({ path: log, set }, file, digest, known)
  }

  /** After a block: what it left is read back. */
  async settle(): Promise<void> {
    const kept = new KeptGenerations(this.ctx.host)
    for (const rotation of this.rotations.splice(0)) {
      const { path: log, set, names, now } = rotation
      const files = kept.of(log, set.settings, now)
      const taken = this.before.get(log)
      const newest =
        files.find(({ path }) => path === names.first) ?? files.find(({ path }) => path === names.final)
      if (taken && newest) {
        await this.prove(rotation, newest, taken.digest, {
          bytesIn: taken.digest.bytes,
          rotatedMs: now.getTime(),
          reopened: taken.reopened,
          writers: taken.writers,
        })
      }
      for (const file of files) if (file !== newest) await this.follow(rotation, file)
      pruneOutlived(this.records, log, files, retentionOf(set.settings), now.getTime())
    }
    this.before.clear()
    this.records.save(this.ctx.state)
  }

  /** A log that was left uncompressed by an earlier rotation has become an archive: the same content, another file. */
  private async follow(rotation: LogRotation, file: KeptFile): Promise<void> {
    const records = this.records.ofLog(rotation.path)
    if (findRecord(records, file)) return
    const source = records.find(
      ({ compression, mtimeMs }) => compression === 'none' && Math.abs(mtimeMs - file.mtimeMs) < 1000,
    )
    if (!source) return
    const digest = { bytes: source.bytesIn, sha256: source.contentSha256 }
    await this.prove(rotation, file, digest, source, source)
  }

  private async prove(
    { path: log, set }: Pick<LogRotation, 'path' | 'set'>,
    file: KeptFile,
    content: Digest,
    known: Pick<GenerationRecord, 'bytesIn' | 'rotatedMs' | 'reopened' | 'writers'>,
    madeOf?: GenerationRecord,
  ): Promise<void> {
    const suffix = set.settings.compressExtension
    const isPacked = set.settings.compress && file.path.endsWith(suffix)
    const byName = compressionOf(suffix)
    const format = byName === 'none' ? undefined : byName
    const source = this.ctx.host.open(file.path)
    try {
      const archived = !isPacked
        ? digestOfFile(source, this.ctx.signal)
        : format && (await digestOfContent(this.ctx.host, source, format, this.ctx.signal))
      if (archived && (archived.sha256 !== content.sha256 || archived.bytes !== content.bytes)) {
        this.findings.push(mismatch(log, file.path, content, archived))
        return
      }
      const whole = digestOfFile(source, this.ctx.signal)
      const record: GenerationRecord = {
        log,
        set: firstWords(set.pattern),
        ino: source.stat.ino,
        fileBytes: whole.bytes,
        mtimeMs: source.stat.mtimeMs,
        fileSha256: whole.sha256,
        compression: isPacked ? (format ?? suffix) : 'none',
        bytesIn: known.bytesIn,
        bytesArchived: archived?.bytes ?? null,
        contentSha256: content.sha256,
        rotatedMs: known.rotatedMs,
        reopened: known.reopened,
        writers: known.writers,
      }
      this.records.put(record, madeOf)
      this.artifacts.push(artifactOf(record, file.path))
    } finally {
      source.close()
    }
  }

  hash(path: string): Digest {
    const source = this.ctx.host.open(path)
    try {
      return digestOfFile(source, this.ctx.signal)
    } finally {
      source.close()
    }
  }
}

function mismatch(log: string, path: string, content: Digest, archived: Digest): Finding {
  return {
    rule: 'compression-failed',
    subject: path,
    severity: 'critical',
    summary: `${path} does not hold what ${log} held: ${archived.bytes} bytes, not the same ${content.bytes}`,
    remedy: `Was it written to while it was compressed? "reeve logs ${log}" shows what is kept of it`,
    evidence: { log, bytesIn: content.bytes, bytesArchived: archived.bytes },
  }
}
