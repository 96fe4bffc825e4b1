import { createHash } from 'node:crypto'
import { describeError, type FileSource } from '../../../agent/contract/mod.ts'
import { BlockBuffer, type BlockPool } from './blocks.ts'
import { type ArchiveEntry, paddingOf, TAR_BLOCK_BYTES } from './entry.ts'
import { encodeEnd, encodeHeader } from './header.ts'
import {
  type ArchiveSummary,
  endLine,
  LISTED_PROBLEMS,
  ManifestLines,
  manifestName,
  type SourceProblem,
} from './manifest.ts'

/** One entry to be archived. */
export interface Member {
  entry: ArchiveEntry
  /** On the host. */
  path: string
  /** Open, for a file; the writer closes it. */
  source?: FileSource
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
 * A tar archive of the members, with its manifest, in blocks that the receiver gives back to the pool.
 * A file that changes, shrinks or cannot be read to its end does not break the archive: what is missing is zeros,
 * and `log` has the problem.
 */
export async function* writeArchive(
  members: AsyncIterable<Member>,
  log: ArchiveLog,
  pool: BlockPool,
): AsyncGenerator<Uint8Array> {
  const blocks = new BlockBuffer(pool)
  const { lines } = log
  let part = 0
  const putManifest = (end = '') => {
    const text = Buffer.from(lines.takePart() + end, 'utf8')
    part++
    blocks.put(encodeHeader(manifestEntry(manifestName(part), text.length)))
    blocks.put(text)
    blocks.put(padding(text.length))
  }
  for await (const { entry, path, source } of members) {
    blocks.put(encodeHeader(entry))
    if (source) {
      try {
        const content = new Content(source, entry, path, log)
        while (content.left > 0) {
          blocks.advance(content.fill(blocks.room(content.left)))
          if (blocks.hasFull) yield* blocks.takeFull()
        }
        blocks.put(padding(entry.size))
        lines.add(entry, content.finish())
      } finally {
        source.close()
      }
    } else {
      lines.add(entry, undefined)
    }
    if (lines.isPartFull) putManifest()
    if (blocks.hasFull) yield* blocks.takeFull()
  }
  putManifest(endLine(log.close()))
  blocks.put(encodeEnd())
  yield* blocks.takeAll()
}

const ZEROS = new Uint8Array(TAR_BLOCK_BYTES)

function padding(size: number): Uint8Array {
  return ZEROS.subarray(0, paddingOf(size))
}

/** The content of one file: exactly as many bytes as its header says, whatever happens to the file. */
class Content {
  left: number
  private readonly hash = createHash('sha256')
  private isBroken = false

  constructor(
    private readonly source: FileSource,
    private readonly entry: ArchiveEntry,
    private readonly path: string,
    private readonly log: ArchiveLog,
  ) {
    this.left = entry.size
  }

  /** Fills the beginning of `room`, and returns how much of it. */
  fill(room: Uint8Array): number {
    const count = this.isBroken ? 0 : this.read(room)
    const filled = count > 0 ? count : room.fill(0).length
    this.hash.update(room.subarray(0, filled))
    this.left -= filled
    return filled
  }

  private read(room: Uint8Array): number {
    try {
      const count = this.source.read(room, this.entry.size - this.left)
      if (count === 0) this.report('changed', 'it became shorter while it was read; the rest is zeros')
      return count
    } catch (error) {
      this.report('unreadable', `${describeError(error)}; the rest is zeros`)
      return 0
    }
  }

  /** SHA-256 of what was archived. */
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
