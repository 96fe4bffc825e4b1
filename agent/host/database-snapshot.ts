import { Database, constants as sqlite } from 'bun:sqlite'
import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import type { DatabaseSource, ExactStat } from '../contract/host.ts'
import { describeError } from '../lib/errors.ts'
import { toExactStat } from './exact-stat.ts'
import { type CommittedLog, readCommittedLog } from './write-ahead-log.ts'

const MAGIC = 'SQLite format 3\0'
const BUSY_TIMEOUT_MS = 10_000
const INTEGRITY_ERRORS = 10
/** A writer commits now and then; so often it is tried to catch a moment between. */
const ATTEMPTS = 20

/**
 * A SQLite database as of one moment, page by page, without a copy of it in memory or on a disk: while a read
 * transaction is open, what it sees stays in the file and in its write-ahead log, and both are read as they are.
 */
export function openDatabaseSnapshot(path: string): DatabaseSource {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  // Closing any descriptor of the file gives up this process's locks on it: these two are closed last of all.
  const descriptor = openSync(path, flags)
  let log: number | undefined
  let database: Database | undefined
  const close = () => {
    try {
      database?.close()
    } finally {
      if (log !== undefined) closeSync(log)
      closeSync(descriptor)
    }
  }
  try {
    const pageBytes = pageBytesOf(descriptor)
    const opened = openReadOnly(path)
    database = opened.database
    if (existsSync(`${path}-wal`)) log = openSync(`${path}-wal`, flags)
    const { committed, pageCount } = begin(database, log, pageBytes)
    const stat = toExactStat(fstatSync(descriptor, { bigint: true }))
    const frozen: ExactStat = { ...stat, size: pageCount * pageBytes, storedBytes: pageCount * pageBytes }
    const errors = integrityErrors(database)
    const snapshot = new Pages(descriptor, log, committed, pageBytes, frozen.size)
    return {
      stat: frozen,
      integrityErrors: errors,
      read: (buffer, position) => snapshot.read(buffer, position),
      exactStat: () => {
        // Nothing locks a database that is taken for one that nobody writes to: then it must not have changed.
        const now = toExactStat(fstatSync(descriptor, { bigint: true }))
        const isWritten = now.mtimeNs !== stat.mtimeNs || now.size !== stat.size || existsSync(`${path}-wal`)
        return opened.isLocked || !isWritten ? frozen : { ...frozen, mtimeNs: now.mtimeNs + 1n }
      },
      extendedAttributes: () => new Map(),
      contentRanges: () => undefined,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

function pageBytesOf(descriptor: number): number {
  const header = Buffer.alloc(100)
  const count = readSync(descriptor, header, 0, header.length, 0)
  if (count < header.length || header.toString('latin1', 0, 16) !== MAGIC) {
    throw new Error('it is no SQLite database')
  }
  const size = header.readUInt16BE(16)
  return size === 1 ? 65_536 : size
}

function openReadOnly(path: string): { database: Database; isLocked: boolean } {
  const database = new Database(path, { readonly: true })
  try {
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    database.query('SELECT count(*) FROM sqlite_schema').get()
    return { database, isLocked: true }
  } catch (error) {
    database.close()
    // A log that nobody has open, in a directory where its index cannot be made: then nobody writes.
    if (existsSync(`${path}-wal`) || existsSync(`${path}-journal`)) throw error
    const uri = `file:${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}?immutable=1`
    const immutable = new Database(uri, sqlite.SQLITE_OPEN_READONLY | sqlite.SQLITE_OPEN_URI)
    return { database: immutable, isLocked: false }
  }
}

/** Opens a read transaction at a moment when the log is what it is a moment later. */
function begin(
  database: Database,
  log: number | undefined,
  pageBytes: number,
): { committed: CommittedLog | undefined; pageCount: number } {
  for (let attempt = 1; ; attempt++) {
    const before = log === undefined ? undefined : readCommittedLog(log, pageBytes)
    database.run('BEGIN')
    database.query('SELECT count(*) FROM sqlite_schema').get()
    const committed = log === undefined ? undefined : readCommittedLog(log, pageBytes)
    const { page_count: pageCount } = database
      .query<{ page_count: number }, []>('PRAGMA page_count')
      .get() ?? {
      page_count: 0,
    }
    const isSame = before?.state === committed?.state && pageCount === (committed?.pageCount ?? pageCount)
    if (isSame) return { committed, pageCount }
    database.run('COMMIT')
    if (attempt === ATTEMPTS)
      throw new Error('it is written to all the time: no moment between two commits was found')
  }
}

function integrityErrors(database: Database): string[] {
  try {
    const rows = database
      .query<{ integrity_check: string }, []>(`PRAGMA integrity_check(${INTEGRITY_ERRORS})`)
      .all()
    return rows.map((row) => row.integrity_check).filter((line) => line !== 'ok')
  } catch (error) {
    return [describeError(error)] // so damaged that the check itself ends
  }
}

class Pages {
  constructor(
    private readonly file: number,
    private readonly log: number | undefined,
    private readonly committed: CommittedLog | undefined,
    private readonly pageBytes: number,
    private readonly size: number,
  ) {}

  /** As `FileSource.read`. */
  read(buffer: Uint8Array, position: number): number {
    const wanted = Math.min(buffer.length, this.size - position)
    if (wanted <= 0) return 0
    const inPage = position % this.pageBytes
    const at = this.logOffset(position)
    if (at !== undefined && this.log !== undefined) {
      return readSync(this.log, buffer, 0, Math.min(wanted, this.pageBytes - inPage), at + inPage)
    }
    // As many pages as the log has nothing of.
    let count = Math.min(wanted, this.pageBytes - inPage)
    while (count < wanted && this.logOffset(position + count) === undefined) {
      count = Math.min(wanted, count + this.pageBytes)
    }
    return readSync(this.file, buffer, 0, count, position)
  }

  private logOffset(position: number): number | undefined {
    return this.committed?.pages.get(Math.floor(position / this.pageBytes) + 1)
  }
}
