import { describeError, type HostReader, UserError } from '../../agent/contract/mod.ts'
import { BlockPool } from './archive/blocks.ts'
import type { AboutBackup, ArchiveSummary } from './archive/manifest.ts'
import { ArchiveLog, type Member, type Removal, writeArchive } from './archive/writer.ts'
import { compress, FRAME_CONTENT_BYTES } from './compression.ts'
import type { Destination } from './destination/destination.ts'
import { type Addressees, encrypt, type OpenedMessage } from './encryption.ts'
import { collectChanges, digestOf, toIndexEntry } from './incremental/changes.ts'
import type { IndexEntry, IndexWriter } from './incremental/index-file.ts'
import { collecting } from './memory.ts'
import { observe, readBackup, StreamDigest } from './read.ts'
import type { DumpConfig } from './source/config.ts'
import { collectDatabases } from './source/databases.ts'
import { collectDumps, type DumpContext } from './source/dumps.ts'
import { collectMembers, type NoteArchived, type Skipped, type SourceOptions } from './source/members.ts'

/** Called with the bytes, and the entries, done so far. */
export type Progress = (bytes: number, entries: number) => void

export interface WrittenBackup {
  bytes: number
  sha256: string
  summary: ArchiveSummary
  skipped: number
  /** Bytes of each dump that is whole. */
  dumps: Record<string, number>
}

/** What goes into a backup. */
export interface BackupContent {
  sources: SourceOptions
  about: AboutBackup
  /** From 1 to 19. */
  compressionLevel: number
  /** From here on no writer of a database waits for the backup. */
  onDatabasesRead?: () => void
  /** The index of the backup before: only what has changed since is archived. Undefined for a full backup. */
  before?: AsyncIterable<IndexEntry[]> | undefined
  dumps: { programs: readonly DumpConfig[]; context: DumpContext }
  /** Gets what the next backup has to know; committed by the caller. */
  index?: IndexWriter | undefined
}

/** Sources → archive → compression → encryption → destination: one stream, nothing of it in the clear on a disk. */
export async function writeBackup(
  host: HostReader,
  content: BackupContent,
  sessionKey: Uint8Array,
  addressees: Addressees,
  destination: Destination,
  name: string,
  progress: Progress,
): Promise<WrittenBackup> {
  const log = new ArchiveLog()
  const skipped: Skipped = { count: 0 }
  const dumps: Record<string, number> = {}
  const { sources } = content
  const pool = new BlockPool(FRAME_CONTENT_BYTES)
  const archive = observe(
    collecting(
      writeArchive(membersOf(host, content, log, skipped, dumps), log, pool, content.about),
      () => log.lines.entries,
    ),
    (bytes) => {
      sources.signal.throwIfAborted()
      progress(bytes, log.lines.entries)
    },
  )
  const encrypted = encrypt(compress(archive, content.compressionLevel, pool), sessionKey, addressees)
  const sink = await destination.create(name)
  const digest = new StreamDigest()
  try {
    for await (const chunk of digest.observe(encrypted)) await sink.write(chunk)
    const { summary } = log
    if (!summary || (summary.entries === 0 && !content.before)) {
      const [problem] = summary?.problems.first ?? []
      throw new UserError(
        `Cannot back up: nothing in the sources can be read${problem ? ` ("${problem.path}": ${problem.reason})` : ''}`,
      )
    }
    await sink.commit()
    return { bytes: digest.bytes, sha256: digest.sha256(), summary, skipped: skipped.count, dumps }
  } finally {
    await sink.abort()
  }
}

/** First what is of one moment, then the tree. */
async function* membersOf(
  host: HostReader,
  { sources, before, index, dumps, onDatabasesRead }: BackupContent,
  log: ArchiveLog,
  skipped: Skipped,
  dumped: Record<string, number>,
): AsyncGenerator<Iterable<Member | Removal>> {
  yield* collectDatabases(host, sources.databases, log)
  onDatabasesRead?.()
  yield* collectDumps(host, dumps.programs, log, dumps.context, (name, bytes) => {
    dumped[name] = bytes
  })
  if (before) {
    yield* collectChanges(host, sources, log, skipped, before, (entry) => index?.add(entry))
    return
  }
  const note: NoteArchived | undefined =
    index &&
    ((found, opened, line, isWhole) => index.add(toIndexEntry(found, opened, digestOf(line), isWhole)))
  yield* collectMembers(host, sources, log, skipped, note)
}

/** What a backup must be to be proven. */
export interface Expected {
  written: WrittenBackup
  sessionKey: Uint8Array
  /** Key IDs of all recipients. */
  keyIds: string[]
  passphrase: string | undefined
}

/**
 * Reads a stored backup back and compares all of it with what was read at the source. Throws with the reason when
 * anything differs, or when somebody who should be able to decrypt it could not.
 */
export async function proveBackup(
  destination: Destination,
  name: string,
  expected: Expected,
  progress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { written, sessionKey } = expected
  const stored = observe(destination.read(name), (bytes) => {
    signal.throwIfAborted()
    progress(bytes)
  })
  const found = await readBackup(stored, async (message) => {
    await proveAddressees(message, expected)
    return sessionKey
  })
  if (found.bytes !== written.bytes || found.sha256 !== written.sha256) {
    throw new Error('what is stored is not what was written')
  }
  if (found.summary.sha256 !== written.summary.sha256 || found.summary.entries !== written.summary.entries) {
    throw new Error('its entries are not those that were read at the source')
  }
}

async function proveAddressees(message: OpenedMessage, expected: Expected): Promise<void> {
  const { sessionKey, keyIds, passphrase } = expected
  const missing = keyIds.find((keyId) => !message.keyIds.includes(keyId))
  if (missing) throw new Error(`it is not encrypted to the key ${missing}`)
  if (passphrase === undefined) return
  const keys = await message.unlock({ passphrase }).catch((cause) => {
    throw new Error(`the passphrase does not open it: ${describeError(cause)}`, { cause })
  })
  if (!keys.some((key) => Buffer.from(key).equals(sessionKey))) {
    throw new Error('the passphrase opens it with another key')
  }
}
