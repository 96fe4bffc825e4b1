import { randomBytes } from 'node:crypto'
import { describeError, type HostWriter, UserError, z } from '../../agent/contract/mod.ts'
import { summarySchema } from './archive/manifest.ts'

// What this job made, in its private state directory. A record is written before the object and completed after:
// whatever happens in between, the next run knows what is its own and what may not be counted.

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

const recordSchema = z.strictObject({
  name: z.string(),
  destination: z.string(),
  /** ISO 8601, UTC; when the run began. */
  createdAt: z.iso.datetime(),
  /** What is stored; null until the object is whole. `mtimeMs` may change when a file is copied back. */
  stored: z.strictObject({ bytes: z.number(), sha256, mtimeMs: z.number() }).nullable(),
  /** When it was read back and found to hold what was read at the source. */
  provenAt: z.iso.datetime().nullable(),
  /** Why it could not be proven. */
  failure: z.string().nullable(),
  /** It is not kept any longer: its object is removed next, and then this record. */
  isLeaving: z.boolean(),
  /** Fingerprints. */
  recipients: z.array(z.string()),
  hasPassphrase: z.boolean(),
  durationMs: z.number(),
  summary: summarySchema.nullable(),
})

const fileSchema = z.strictObject({
  version: z.literal(1),
  /** Random: tells the unfinished files of this job on this host from all others. */
  owner: z.string().regex(/^[0-9a-f]{16}$/),
  backups: z.array(recordSchema),
})

export type BackupRecord = z.infer<typeof recordSchema>
/** A record of a backup that counts. */
export type ProvenRecord = BackupRecord & {
  stored: NonNullable<BackupRecord['stored']>
  provenAt: string
  summary: NonNullable<BackupRecord['summary']>
}

const MAX_BYTES = 64 * 1_048_576

/** The records of a job, oldest first: the order in which they were made, whatever the clock said. */
export class Records {
  private constructor(
    private readonly state: HostWriter,
    private readonly path: string,
    readonly owner: string,
    readonly all: BackupRecord[],
  ) {}

  /** Throws when the file is there and cannot be believed: without it nothing can be said about the backups. */
  static load(state: HostWriter, stateDir: string): Records {
    const path = `${stateDir}/backups.json`
    if (!state.stat(path)) return new Records(state, path, randomBytes(8).toString('hex'), [])
    try {
      const { owner, backups } = fileSchema.parse(JSON.parse(state.readText(path, { maxBytes: MAX_BYTES })))
      return new Records(state, path, owner, backups)
    } catch (cause) {
      throw new UserError(
        `Cannot use the records "${path}": ${describeError(cause)}. Move the file away to begin anew; the backups ` +
          'stay where they are, and "reeve backup restore --from" reads them without it',
        { cause },
      )
    }
  }

  save(): void {
    const text = JSON.stringify({ version: 1, owner: this.owner, backups: this.all })
    // Always the same name, so that what a run that died left does not stay.
    const temporaryPath = `${this.path}.new`
    if (this.state.stat(temporaryPath)) this.state.remove(temporaryPath)
    this.state.writeFile(this.path, `${text}\n`, { replace: true, temporaryPath })
  }

  add(record: BackupRecord): void {
    this.all.push(record)
    this.save()
  }

  /** Drops records, not objects. */
  drop(names: ReadonlySet<string>): void {
    const kept = this.all.filter(({ name }) => !names.has(name))
    this.all.splice(0, this.all.length, ...kept)
    this.save()
  }
}

export function isProven(record: BackupRecord): record is ProvenRecord {
  return !record.isLeaving && record.provenAt !== null && record.stored !== null && record.summary !== null
}
