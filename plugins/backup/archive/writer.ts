import { type ContentRange, describeError, encodeName, type FileSource } from '../../../agent/contract/mod.ts'
import { BlockBuffer, type BlockPool } from './blocks.ts'
import { type ArchiveEntry, paddingOf, TAR_BLOCK_BYTES } from './entry.ts'
import { encodeEnd, encodeHeader } from './header.ts'
import {
  ABOUT_NAME,
  type AboutBackup,
  type ArchiveSummary,
  aboutText,
  endLine,
  LISTED_PROBLEMS,
  MANIFEST_PART_BYTES,
  ManifestLines,
  manifestName,
  removedName,
  type SourceProblem,
} from './manifest.ts'
import { encodeMap } from './sparse.ts'

/** One entry to be archived. */
export interface Member {
  entry: ArchiveEntry
  /** On the host. */
  path: string
  /** Open, for a file; the writer closes it. */
  source?: FileSource
  /** Called when it is in the archive, with its line in the manifest; not whole when it changed meanwhile. */
  archived?: (line: string, isWhole: boolean) => void
}

/** An entry of the backup before that is gone, with all that was below. */
export interface Removal {
  removed: string
}

/** Keeps what went into an archive, and what could not. */
export class ArchiveLog {
  readonly lines = new ManifestLines()
  private problemCount = 0
  private readonly firstProblems: SourceProblem[] = []

  problem(path: string, kind: SourceProblem['kind'], reason: string): void {
    this.problemCount++
    if (this.firstProblems.length < LISTED_PROBLEMS) this.firstProblems.push({ path, kind, reason })
  }

  /** Undefined until the whole archive was made. */
  summary: ArchiveSummary | undefined

  close(): ArchiveSummary {
    this.summary = this.lines.summary({ count: this.problemCount, first: this.firstProblems })
    return this.summary
  }
}

/**
 * A tar archive of the members, which come in batches, with its manifest, in blocks that the receiver gives back to the
 * pool.
 * A file that changes, shrinks or cannot be read to its end does not break the archive: what is missing is zeros,
 * and `log` has the problem.
 */
export async function* writeArchive(
  batches: AsyncIterable<Iterable<Member | Removal>>,
  log: ArchiveLog,
  pool: BlockPool,
  about?: AboutBackup,
): AsyncGenerator<Uint8Array> {
  const blocks = new BlockBuffer(pool)
  const { lines } = log
  const removals = new Removals()
  const hash = new Bun.CryptoHasher('sha256')
  let part = 0
  const putOwn = (name: string, content: Buffer) => {
    blocks.put(encodeHeader(manifestEntry(name, content.length)))
    blocks.put(content)
    blocks.put(padding(content.length))
  }
  const putManifest = (end = '') => {
    part++
    putOwn(manifestName(part), Buffer.from(lines.takePart() + end, 'utf8'))
  }
  const putRemovals = () => {
    const content = removals.takePart()
    lines.addText(content)
    putOwn(removedName(removals.part), content)
  }
  if (about) {
    const text = Buffer.from(aboutText(about), 'utf8')
    lines.addText(text)
    putOwn(ABOUT_NAME, text)
  }
  for await (const batch of batches) {
    for (const member of batch) {
      if ('removed' in member) {
        removals.add(member.removed)
        if (removals.isPartFull) putRemovals()
        continue
      }
      const { entry, path, source, archived } = member
      blocks.put(encodeHeader(entry))
      if (source) {
        try {
          if (entry.ranges) blocks.put(encodeMap(entry.ranges, entry.size))
          const content = new Content(source, entry, path, log, hash)
          while (content.left > 0) {
            blocks.advance(content.fill(blocks.room(content.left)))
            if (blocks.hasFull) yield* blocks.takeFull()
          }
          blocks.put(padding(content.stored))
          const line = lines.add(entry, content.finish())
          archived?.(line, !content.isBroken)
        } finally {
          source.close()
        }
      } else {
        const line = lines.add(entry, undefined)
        archived?.(line, true)
      }
      if (lines.isPartFull) putManifest()
      if (blocks.hasFull) yield* blocks.takeFull()
    }
  }
  if (removals.isFilled) putRemovals()
  putManifest(endLine(log.close()))
  blocks.put(encodeEnd())
  yield* blocks.takeAll()
}

/** Names that are gone, until they make a part of the manifest. */
class Removals {
  part = 0
  private names: Buffer[] = []
  private bytes = 0

  add(name: string): void {
    const encoded = Buffer.concat([encodeName(name), Buffer.alloc(1)])
    this.names.push(encoded)
    this.bytes += encoded.length
  }

  get isFilled(): boolean {
    return this.bytes > 0
  }

  get isPartFull(): boolean {
    return this.bytes >= MANIFEST_PART_BYTES
  }

  takePart(): Buffer {
    const content = Buffer.concat(this.names)
    this.names = []
    this.bytes = 0
    this.part++
    return content
  }
}

const ZEROS = new Uint8Array(TAR_BLOCK_BYTES)

function padding(size: number): Uint8Array {
  return ZEROS.subarray(0, paddingOf(size))
}

/** The content of one file: exactly as many bytes as its header says, whatever happens to the file. */
class Content {
  /** Bytes to be stored, and those that are still to come. */
  readonly stored: number
  left: number
  private readonly ranges: ContentRange[]
  private next = 0
  private position = 0
  /** It is not, or perhaps not, what the file held at one time. */
  isBroken = false

  constructor(
    private readonly source: FileSource,
    private readonly entry: ArchiveEntry,
    private readonly path: string,
    private readonly log: ArchiveLog,
    /** Begins anew with each digest: one for all files, as it costs as much as to hash a small one. */
    private readonly hash: Bun.CryptoHasher,
  ) {
    this.ranges = entry.ranges ?? [{ offset: 0, bytes: entry.size }]
    this.stored = this.ranges.reduce((sum, { bytes }) => sum + bytes, 0)
    this.left = this.stored
    if (entry.ranges) this.hash.update(encodeMap(entry.ranges, entry.size))
  }

  /** Fills the beginning of `room`, and returns how much of it. */
  fill(room: Uint8Array): number {
    const range = this.ranges[this.next]
    if (!range) throw new Error('there is no content left')
    this.position = Math.max(this.position, range.offset)
    const wanted = room.subarray(0, range.offset + range.bytes - this.position)
    const count = this.isBroken ? 0 : this.read(wanted)
    const filled = count > 0 ? count : wanted.fill(0).length
    this.hash.update(wanted.subarray(0, filled))
    this.left -= filled
    this.position += filled
    if (this.position === range.offset + range.bytes) this.next++
    return filled
  }

  private read(room: Uint8Array): number {
    try {
      const count = this.source.read(room, this.position)
      if (count === 0) this.report('changed', 'it became shorter while it was read; the rest is zeros')
      return count
    } catch (error) {
      this.report('unreadable', `${describeError(error)}; the rest is zeros`)
      return 0
    }
  }

  /** SHA-256 of what was archived; of a sparse file its map counts, too. */
  finish(): string {
    if (!this.isBroken) {
      const now = this.source.exactStat()
      if (now.size !== this.entry.size || now.mtimeNs !== this.entry.mtimeNs) {
        this.report('changed', 'it was written to while it was read: it may be half old, half new')
      }
    }
    return this.hash.digest('hex')
  }

  private report(kind: SourceProblem['kind'], reason: string): void {
    this.isBroken = true
    this.log.problem(this.path, kind, reason)
  }
}

function manifestEntry(name: string, size: number): ArchiveEntry {
  return {
    name,
    type: 'file',
    mode: 0o600,
    uid: 0,
    gid: 0,
    userName: 'root',
    groupName: 'root',
    size,
    mtimeNs: 0n,
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  }
}
