import { createHash } from 'node:crypto'
import { z } from '../../../agent/contract/mod.ts'
import type { ArchiveEntry } from './entry.ts'

// An archive describes itself: after each few thousand entries, and at its end, stands a file with one line of
// JSON for each entry since the last such file. So neither side ever holds more than one part in memory, and
// nothing of it touches a disk in the clear.

/** All parts are below this directory of the archive. */
export const MANIFEST_DIRECTORY = '.reeve-manifest'
/** A part is closed when it has grown beyond this. */
export const MANIFEST_PART_BYTES = 1_048_576
/** Problems that are listed one by one; all are counted. */
export const LISTED_PROBLEMS = 200

export const PROBLEM_KINDS = ['changed', 'unreadable', 'not-entered'] as const

/** Something of the sources that is not, or not as it was, in the archive. */
export interface SourceProblem {
  path: string
  kind: (typeof PROBLEM_KINDS)[number]
  reason: string
}

export interface ArchiveSummary {
  entries: number
  /** Bytes of file content. */
  contentBytes: number
  /** SHA-256 over the lines of all parts: two archives with the same one hold the same. */
  sha256: string
  problems: { count: number; first: SourceProblem[] }
}

/** For what comes from an archive or from the records. */
export const summarySchema = z.strictObject({
  entries: z.number().int().nonnegative(),
  contentBytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  problems: z.strictObject({
    count: z.number().int().nonnegative(),
    first: z.array(z.strictObject({ path: z.string(), kind: z.enum(PROBLEM_KINDS), reason: z.string() })),
  }),
})
const endSchema = z.strictObject({ end: summarySchema })

/** The lines of a manifest, made from entries in their order: by the writer, and again by every reader. */
export class ManifestLines {
  entries = 0
  contentBytes = 0
  private part: string[] = []
  private partLength = 0
  private readonly hash = createHash('sha256')

  add(entry: ArchiveEntry, sha256: string | undefined): void {
    const line = manifestLine(entry, sha256)
    this.hash.update(line)
    this.part.push(line)
    this.partLength += line.length
    this.entries++
    this.contentBytes += entry.size
  }

  get isPartFull(): boolean {
    return this.partLength >= MANIFEST_PART_BYTES
  }

  /** The lines since the last call. */
  takePart(): string {
    const text = this.part.join('')
    this.part = []
    this.partLength = 0
    return text
  }

  /** To be called once, after the last entry. */
  summary(problems: ArchiveSummary['problems']): ArchiveSummary {
    return {
      entries: this.entries,
      contentBytes: this.contentBytes,
      sha256: this.hash.digest('hex'),
      problems,
    }
  }
}

export function manifestName(part: number): string {
  return `${MANIFEST_DIRECTORY}/${String(part).padStart(6, '0')}.jsonl`
}

/** Whether a name belongs to the manifest, or would be taken for it. */
export function isManifestName(name: string): boolean {
  return name === MANIFEST_DIRECTORY || name.startsWith(`${MANIFEST_DIRECTORY}/`)
}

/** The last line of the last part. */
export function endLine(summary: ArchiveSummary): string {
  return `${JSON.stringify({ end: summary })}\n`
}

/** What an end line says; undefined for any other line. */
export function parseEndLine(line: string): ArchiveSummary | undefined {
  if (!line.startsWith('{"end":')) return undefined
  try {
    return endSchema.parse(JSON.parse(line)).end
  } catch (cause) {
    throw new Error('the last line of the manifest is malformed', { cause })
  }
}

function manifestLine(entry: ArchiveEntry, sha256: string | undefined): string {
  const { name, type, mode, uid, gid, userName, groupName, size, mtimeNs, linkName } = entry
  const isDevice = type === 'character-device' || type === 'block-device'
  const line = {
    name,
    type,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    userName,
    groupName,
    mtimeNs: String(mtimeNs),
    ...(linkName === '' ? {} : { linkName }),
    ...(isDevice ? { device: [entry.deviceMajor, entry.deviceMinor] } : {}),
    ...(type === 'file' ? { size, sha256 } : {}),
  }
  return `${JSON.stringify(line)}\n`
}
