import { randomBytes } from 'node:crypto'
import { describeError, type HostWriter, UserError, z } from '../../agent/contract/mod.ts'
import { summarySchema } from './archive/manifest.ts'

// What this job made, in its private state directory. A record is written before the object and completed after:
// whatever happens in between, the next run knows what is its own and what may not be counted.

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

const copySchema = z.strictObject({
  /** `location` of the destination. */
  destination: z.string(),
  /** When the destination says that it was written; null until it is whole there. */
  mtimeMs: z.number().nullable(),
  /** When it was read back from there and found to hold what was read at the source. */
  provenAt: z.iso.datetime().nullable(),
  /** Why it could not be proven. */
  failure: z.string().nullable(),
  /** It is not kept there any longer: its object is removed next, and then this copy. */
  isLeaving: z.boolean(),
  /** Time that reading it back and comparing all of it took: that long a restore takes at least. */
  proofMs: z.number(),
})

const recordSchema = z.strictObject({
  /** The same in all destinations. */
  name: z.string(),
  /** ISO 8601, UTC; when the run began. */
  createdAt: z.iso.datetime(),
  /** Name of the full backup, how many changes follow it up to this one, and the name of the one right before. */
  chain: z.strictObject({
    full: z.string(),
    index: z.number().int().nonnegative(),
    previous: z.string().nullable(),
  }),
  /** What is stored, the same bytes in all destinations; null until all were written. */
  stored: z.strictObject({ bytes: z.number(), sha256 }).nullable(),
  /** The signed text that stands beside each copy; null until it is signed. */
  seal: z.string().nullable(),
  copies: z.array(copySchema),
  /** Fingerprints. */
  recipients: z.array(z.string()),
  hasPassphrase: z.boolean(),
  /** Bytes of each dump that is whole. */
  dumps: z.record(z.string(), z.number()),
  durationMs: z.number(),
  summary: summarySchema.nullable(),
})

const fileSchema = z.strictObject({
  version: z.literal(2),
  /** Random: tells the unfinished files of this job on this host from all others. */
  owner: z.string().regex(/^[0-9a-f]{16}$/),
  backups: z.array(recordSchema),
})

export type BackupRecord = z.infer<typeof recordSchema>
export type BackupCopy = z.infer<typeof copySchema>
/** A record of a backup that was written to its end. */
export type WrittenRecord = BackupRecord & {
  stored: NonNullable<BackupRecord['stored']>
  summary: NonNullable<BackupRecord['summary']>
}
/** A backup and one copy of it that counts. */
export interface ProvenCopy {
  record: WrittenRecord
  copy: BackupCopy & { provenAt: string }
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
    const text = JSON.stringify({ version: 2, owner: this.owner, backups: this.all })
    // Always the same name, so that what a run that died left does not stay.
    const temporaryPath = `${this.path}.new`
    if (this.state.stat(temporaryPath)) this.state.remove(temporaryPath)
    this.state.writeFile(this.path, `${text}\n`, { replace: true, temporaryPath })
  }

  add(record: BackupRecord): void {
    this.all.push(record)
    this.save()
  }

  /** Records with a copy at a destination, oldest first. */
  at(destination: string): BackupRecord[] {
    return this.all.filter((record) => copyAt(record, destination))
  }

  /** A backup and all that it builds upon, in the order of restoring. Throws when a record of it is missing. */
  chainOf(record: BackupRecord): BackupRecord[] {
    const chain = [record]
    for (let { previous } = record.chain; previous !== null; ) {
      const before = this.all.find(({ name }) => name === previous)
      if (!before || chain.includes(before)) {
        throw new Error(`"${record.name}" builds upon "${previous}", of which there is no record`)
      }
      chain.unshift(before)
      previous = before.chain.previous
    }
    return chain
  }

  /** Drops the copies at a destination, or all, from the records, and records without any; not the objects. */
  drop(names: ReadonlySet<string>, destination?: string): void {
    for (const record of this.all) {
      if (names.has(record.name))
        record.copies = record.copies.filter((copy) => destination && copy.destination !== destination)
    }
    const kept = this.all.filter(({ copies }) => copies.length > 0)
    this.all.splice(0, this.all.length, ...kept)
    this.save()
  }
}

export function newCopy(destination: string): BackupCopy {
  return { destination, mtimeMs: null, provenAt: null, failure: null, isLeaving: false, proofMs: 0 }
}

export function copyAt(record: BackupRecord, destination: string): BackupCopy | undefined {
  return record.copies.find((copy) => copy.destination === destination)
}

/** The backup and its copy at a destination where that one counts. */
export function provenAt(record: BackupRecord, destination: string): ProvenCopy | undefined {
  const copy = copyAt(record, destination)
  if (!copy || copy.isLeaving || !isProvenCopy(copy) || !isWritten(record)) return undefined
  return { record, copy }
}

function isProvenCopy(copy: BackupCopy): copy is ProvenCopy['copy'] {
  return copy.provenAt !== null
}

function isWritten(record: BackupRecord): record is WrittenRecord {
  return record.stored !== null && record.summary !== null
}
