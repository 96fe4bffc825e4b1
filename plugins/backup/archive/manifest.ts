import { createHash } from 'node:crypto'
import { z } from '../../../agent/contract/mod.ts'
import type { ArchiveEntry, Listing } from './entry.ts'
import { encodeListing } from './extended-header.ts'

// An archive describes itself. First stands a file that says which backup it is. After each few thousand entries, and
// at its end, stands a file with one line of JSON for each entry since the last such file. A backup of changes also
// has files with the names that are gone since the one before, each with a NUL behind. So neither side ever holds
// more than one part in memory, and nothing of it touches a disk in the clear.

/** All parts are below this directory of the archive. */
export const MANIFEST_DIRECTORY = '.reeve-manifest'
/** A part is closed when it has grown beyond this. */
export const MANIFEST_PART_BYTES = 1_048_576
/** Problems that are listed one by one; all are counted. */
export const LISTED_PROBLEMS = 200

export const PROBLEM_KINDS = [
  'changed',
  'unreadable',
  'not-entered',
  'too-large',
  'damaged',
  'dump-failed',
] as const

/** Something of the sources that is not, or not as it was, in the archive. */
export interface SourceProblem {
  path: string
  kind: (typeof PROBLEM_KINDS)[number]
  reason: string
}

/** Which backup an archive is. */
export interface AboutBackup {
  job: string
  /** Name of the machine. */
  host: string
  /** ISO 8601, UTC. */
  createdAt: string
  /** Names of the full backup of its chain and of the one right before; its place among the changes. */
  chain: { full: string; index: number; previous: string | null }
}

export interface ArchiveSummary {
  entries: number
  /** Bytes of file content. */
  contentBytes: number
  /** SHA-256 over all that the manifest says: two archives with the same one hold the same. */
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
const aboutSchema = z.strictObject({
  version: z.literal(1),
  job: z.string(),
  host: z.string(),
  createdAt: z.iso.datetime(),
  chain: z.strictObject({
    full: z.string(),
    index: z.number().int().nonnegative(),
    previous: z.string().nullable(),
  }),
})
const endSchema = z.strictObject({ end: summarySchema })

/** The lines of a manifest, made from entries in their order: by the writer, and again by every reader. */
export class ManifestLines {
  entries = 0
  contentBytes = 0
  /** Lines of the part, those that are hashed and those that are not: many at once cost much less than each alone. */
  private hashed = ''
  private unhashed = ''
  private readonly hash = createHash('sha256')

  /** Returns the line. */
  add(entry: ArchiveEntry, sha256: string | undefined): string {
    const line = manifestLine(entry, sha256)
    this.unhashed += line
    this.entries++
    this.contentBytes += entry.size
    return line
  }

  /** What else stands in the manifest, in its order. */
  addText(text: string | Uint8Array): void {
    this.hashLines()
    this.hash.update(text)
  }

  get isPartFull(): boolean {
    return this.hashed.length + this.unhashed.length >= MANIFEST_PART_BYTES
  }

  /** The lines since the last call. */
  takePart(): string {
    this.hashLines()
    const text = this.hashed
    this.hashed = ''
    return text
  }

  /** To be called once, after the last entry. */
  summary(problems: ArchiveSummary['problems']): ArchiveSummary {
    this.hashLines()
    return {
      entries: this.entries,
      contentBytes: this.contentBytes,
      sha256: this.hash.digest('hex'),
      problems,
    }
  }

  private hashLines(): void {
    if (this.unhashed === '') return
    this.hash.update(this.unhashed)
    this.hashed += this.unhashed
    this.unhashed = ''
  }
}

export const ABOUT_NAME = `${MANIFEST_DIRECTORY}/about.json`

export function aboutText(about: AboutBackup): string {
  return `${JSON.stringify({ version: 1, ...about })}\n`
}

export function parseAbout(text: string): AboutBackup {
  try {
    const { version: _, ...about } = aboutSchema.parse(JSON.parse(text))
    return about
  } catch (cause) {
    throw new Error('what the archive says of itself is malformed', { cause })
  }
}

export function removedName(part: number): string {
  return `${MANIFEST_DIRECTORY}/removed-${String(part).padStart(6, '0')}`
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

/** What a manifest says of an entry, on one line. `sha256` is that of a file's content. */
export function manifestLine(entry: ArchiveEntry, sha256: string | undefined): string {
  const { name, type, mode, uid, gid, userName, groupName, mtimeNs, linkName } = entry
  const { stringify } = JSON
  // Put together by hand: one of each entry is made on either side, and an object for each is felt.
  let line = `{"name":${stringify(name)},"type":"${type}","mode":"${mode.toString(8).padStart(4, '0')}","uid":${uid},"gid":${gid}`
  line += `,"userName":${stringify(userName)},"groupName":${stringify(groupName)},"mtimeNs":"${mtimeNs}"`
  if (linkName !== '') line += `,"linkName":${stringify(linkName)}`
  if (type === 'character-device' || type === 'block-device') {
    line += `,"device":[${entry.deviceMajor},${entry.deviceMinor}]`
  }
  // A file may have holes of a terabyte: they are not hashed, but where they are.
  if (type === 'file')
    line += `,"size":${entry.size},"${entry.ranges ? 'sparseSha256' : 'sha256'}":"${sha256}"`
  if (entry.attributes) line += `,"attributes":${stringify(attributesOf(entry.attributes))}`
  if (entry.listing) line += `,"listing":"${listingDigest(entry.listing)}"`
  return `${line}}\n`
}

function attributesOf(attributes: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  return Object.fromEntries(
    [...attributes].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  )
}

function listingDigest(listing: Listing): string {
  return createHash('sha256').update(encodeListing(listing)).digest('hex')
}
