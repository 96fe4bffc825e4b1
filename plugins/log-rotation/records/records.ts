import { describeError, type FileStat, type HostWriter, z } from '../../../agent/contract/mod.ts'

const recordSchema = z.strictObject({
  log: z.string(),
  /** Set, or pattern of a block of logrotate. */
  set: z.string(),
  /** The file, as it was when it was proven: by these it is found again after it was renamed. */
  ino: z.number(),
  fileBytes: z.number(),
  mtimeMs: z.number(),
  fileSha256: z.string(),
  /** "none", "gzip", …; a suffix such as ".lz" where only a program knows the format. */
  compression: z.string(),
  /** Size of the log when it was rotated. */
  bytesIn: z.number(),
  /** Found again in the archive; null where that could not be read back. */
  bytesArchived: z.number().nullable(),
  /** Of the content, as it was before it was compressed. */
  contentSha256: z.string(),
  rotatedMs: z.number(),
  /** Whether its writer had let go of it; null where the kernel does not tell, or for a copy. */
  reopened: z.boolean().nullable(),
  /** Who had it open for writing when it was rotated: "nginx[812], nginx[813]"; '' is nobody, null where that is not to be seen. */
  writers: z.string().nullable(),
})

const fileSchema = z.strictObject({ version: z.literal(1), generations: z.array(recordSchema) })

/** What is proven of one rotated log. */
export type GenerationRecord = z.output<typeof recordSchema>

export type Identity = Pick<FileStat, 'ino' | 'size' | 'mtimeMs'>

const MAX_BYTES = 256 * 1024 * 1024

/** The records of all rotated logs that are kept, in the state directory. */
export class Records {
  private readonly byLog = new Map<string, GenerationRecord[]>()
  private changed = false

  private constructor(
    private readonly path: string,
    generations: GenerationRecord[],
  ) {
    for (const record of generations) this.ofLog(record.log).push(record)
  }

  static read(state: HostWriter, stateDir: string): Records {
    const path = `${stateDir}/generations.json`
    if (!state.stat(path)) return new Records(path, [])
    try {
      const text = state.readText(path, { maxBytes: MAX_BYTES })
      return new Records(path, fileSchema.parse(JSON.parse(text)).generations)
    } catch (error) {
      throw new Error(
        `Cannot use "${path}": ${describeError(error)}. Move it away: what is archived then counts as not recorded`,
        { cause: error },
      )
    }
  }

  ofLog(log: string): GenerationRecord[] {
    const known = this.byLog.get(log)
    if (known) return known
    const none: GenerationRecord[] = []
    this.byLog.set(log, none)
    return none
  }

  /** Keeps a record; what was known of the same file, or of the file that it was made of, is replaced. */
  put(record: GenerationRecord, madeOf?: Pick<FileStat, 'ino'>): void {
    const others = this.ofLog(record.log).filter(({ ino }) => ino !== record.ino && ino !== madeOf?.ino)
    this.byLog.set(record.log, [...others, record])
    this.changed = true
  }

  /** A rotated log was removed on purpose. */
  forget(log: string, file: Identity): void {
    const record = findRecord(this.ofLog(log), file)
    if (!record) return
    this.drop(record)
  }

  drop(record: GenerationRecord): void {
    this.byLog.set(
      record.log,
      this.ofLog(record.log).filter((other) => other !== record),
    )
    this.changed = true
  }

  /** Atomically and durably, where anything changed. */
  save(state: HostWriter): void {
    if (!this.changed) return
    const generations = [...this.byLog.values()].flat()
    state.writeFile(this.path, JSON.stringify({ version: 1, generations }), { replace: true })
    this.changed = false
  }
}

/** The record of a file: by its inode, or, after it was restored elsewhere, by size and time. Pure. */
export function findRecord(records: GenerationRecord[], file: Identity): GenerationRecord | undefined {
  return (
    records.find(({ ino }) => ino === file.ino) ??
    records.find(({ fileBytes, mtimeMs }) => fileBytes === file.size && sameTime(mtimeMs, file.mtimeMs))
  )
}

/** Whether a file still looks as when it was proven, without reading it. */
export function looksSame(record: GenerationRecord, file: Identity): boolean {
  return record.fileBytes === file.size && sameTime(record.mtimeMs, file.mtimeMs)
}

/** Times of files come as floating point numbers. */
function sameTime(a: number, b: number): boolean {
  return Math.abs(a - b) < 1
}

/** "nginx[812], nginx[813]"; null where it was not to be seen, '' when nobody had it open. */
export function writersText(writers: string[] | undefined): string | null {
  return writers === undefined ? null : writers.join(', ')
}
