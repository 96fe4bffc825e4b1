import { decodeName } from '../../../agent/contract/mod.ts'
import type { ArchiveEntry } from './entry.ts'
import {
  ABOUT_NAME,
  type AboutBackup,
  type ArchiveSummary,
  isManifestName,
  MANIFEST_PART_BYTES,
  ManifestLines,
  manifestName,
  parseAbout,
  parseEndLine,
  removedName,
} from './manifest.ts'
import { type ArchiveHandler, ArchiveParser } from './parser.ts'
import { encodeMap } from './sparse.ts'

/** A part holds full lines, the longest of them two names of 4096 bytes, and at last the list of problems. */
const MANIFEST_LARGEST_BYTES = 4 * MANIFEST_PART_BYTES

/** What is told of a whole archive. */
export interface BackupHandler extends ArchiveHandler {
  /** `sha256` is of the content of a file. */
  entryEnd(sha256?: string): void
  /** First of all. */
  about(about: AboutBackup): void
  /** An entry is gone since the backup before, and all that was below. Neither is in this archive again. */
  removed(name: string): void
}

/**
 * Reads an archive and compares all of it with its own manifest: each entry's facts and the SHA-256 of its
 * content. The handler gets the entries without the manifest, and must believe none of them before `finish`
 * has returned. Throws on the first thing that is not as it should be.
 */
export class ArchiveReader {
  private readonly lines = new ManifestLines()
  private readonly parser: ArchiveParser
  private entry: ArchiveEntry | undefined
  /** Begins anew with each digest: one for all files, as it costs as much as to hash a small one. */
  private readonly hash = new Bun.CryptoHasher('sha256')
  private manifest: Buffer[] | undefined
  private parts = 0
  private removedParts = 0
  private summary: ArchiveSummary | undefined

  constructor(private readonly handler?: Partial<BackupHandler>) {
    this.parser = new ArchiveParser({
      entry: (entry) => this.onEntry(entry),
      data: (chunk) => this.onData(chunk),
      hole: (bytes) => this.onHole(bytes),
      entryEnd: () => this.onEntryEnd(),
    })
  }

  push(chunk: Uint8Array): void {
    this.parser.push(chunk)
  }

  /** That have ended so far. */
  get entries(): number {
    return this.lines.entries
  }

  finish(): ArchiveSummary {
    this.parser.finish()
    if (!this.summary) throw new Error('the archive has no end of its manifest')
    return this.summary
  }

  private onEntry(entry: ArchiveEntry): void {
    if (this.summary) throw new Error('entries follow the end of the manifest')
    const isFirst = this.entry === undefined
    this.entry = entry
    if (isManifestName(entry.name)) {
      const isExpected =
        entry.name === manifestName(this.parts + 1) ||
        entry.name === removedName(this.removedParts + 1) ||
        (entry.name === ABOUT_NAME && isFirst)
      if (!isExpected || entry.type !== 'file' || entry.size > MANIFEST_LARGEST_BYTES) {
        throw new Error(`the manifest has an unexpected part "${entry.name}"`)
      }
      this.manifest = []
      return
    }
    if (entry.ranges) this.hash.update(encodeMap(entry.ranges, entry.size))
    this.handler?.entry?.(entry)
  }

  private onData(chunk: Uint8Array): void {
    if (this.manifest) {
      this.manifest.push(Buffer.from(chunk))
      return
    }
    this.hash.update(chunk)
    this.handler?.data?.(chunk)
  }

  private onHole(bytes: number): void {
    if (this.manifest) throw new Error('the manifest has a hole')
    this.handler?.hole?.(bytes)
  }

  private onEntryEnd(): void {
    if (this.manifest) {
      this.takeManifest(this.entry?.name ?? '', Buffer.concat(this.manifest))
      this.manifest = undefined
      return
    }
    const sha256 = this.entry?.type === 'file' ? this.hash.digest('hex') : undefined
    if (this.entry) this.lines.add(this.entry, sha256)
    this.handler?.entryEnd?.(sha256)
  }

  private takeManifest(name: string, content: Buffer): void {
    if (name === ABOUT_NAME) {
      this.lines.addText(content)
      this.handler?.about?.(parseAbout(content.toString('utf8')))
    } else if (name === manifestName(this.parts + 1)) {
      this.compare(content.toString('utf8'))
    } else {
      this.removedParts++
      this.lines.addText(content)
      if (content.at(-1) !== 0) throw new Error(`"${name}" is malformed`)
      for (let offset = 0; offset < content.length; ) {
        const end = content.indexOf(0, offset)
        this.handler?.removed?.(decodeName(content.subarray(offset, end)))
        offset = end + 1
      }
    }
  }

  private compare(said: string): void {
    this.parts++
    const found = this.lines.takePart()
    if (said === found) return
    const end = said.startsWith(found) ? parseEndLine(said.slice(found.length)) : undefined
    if (!end) throw new Error(firstDifference(said, found))
    const summary = this.lines.summary(end.problems)
    if (
      end.entries !== summary.entries ||
      end.contentBytes !== summary.contentBytes ||
      end.sha256 !== summary.sha256
    ) {
      throw new Error('the archive does not hold what the end of its manifest says')
    }
    this.summary = summary
  }
}

function firstDifference(said: string, found: string): string {
  const saidLines = said.split('\n')
  const index = found.split('\n').findIndex((line, at) => line !== saidLines[at])
  const line = saidLines[index] ?? ''
  const name = /^\{"name":("(?:[^"\\]|\\.)*")/.exec(line)?.[1]
  return `the manifest and the archive differ${name ? ` in ${name}` : ''}`
}
