import { Database } from 'bun:sqlite'
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type BunSQLiteDatabase, drizzle } from 'drizzle-orm/bun-sqlite'
import { describeError, UserError } from '../lib/errors.ts'
import { migrate } from './migrate.ts'
import * as schema from './schema.ts'

export type Orm = BunSQLiteDatabase<typeof schema>

export interface Store {
  /** Queries by Drizzle. */
  readonly orm: Orm
  /** For prepared bulk statements: the query builder is ten times slower for thousands of rows. */
  readonly sqlite: Database
  /** All or nothing; takes the write lock at its start, so two writers never deadlock. */
  transaction<T>(work: () => T): T
  close(): void
}

/**
 * Opens (and, if needed, makes and migrates) the database. Mode 0600 in a directory of 0700.
 * Throws UserError when it cannot be used: unwritable, damaged, or written by a newer reeve.
 */
export function openStore(path: string): Store {
  let sqlite: Database
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const isNew = !existsSync(path)
    const previousMask = process.umask(0o077)
    try {
      sqlite = new Database(path, { create: true, strict: true })
      sqlite.run('PRAGMA busy_timeout = 5000')
      sqlite.run('PRAGMA journal_mode = WAL')
    } finally {
      process.umask(previousMask)
    }
    if (isNew) chmodSync(path, 0o600)
    // FULL: a run that was reported as finished is still there after a power cut.
    sqlite.run('PRAGMA synchronous = FULL')
    sqlite.run('PRAGMA foreign_keys = ON')
    sqlite.run('PRAGMA journal_size_limit = 16777216')
    sqlite.run('PRAGMA cache_size = -2048')
  } catch (error) {
    throw new UserError(`Cannot open the database "${path}": ${describeError(error)}`, { cause: error })
  }
  migrate(sqlite, path)
  return wrap(sqlite)
}

/** Opens an existing database for reading only. Throws UserError when there is none. */
export function openStoreForReading(path: string): Store {
  if (!existsSync(path)) {
    throw new UserError(`Cannot open the database "${path}": it does not exist yet; nothing has run so far`)
  }
  try {
    const sqlite = new Database(path, { readonly: true, strict: true })
    sqlite.run('PRAGMA busy_timeout = 5000')
    return wrap(sqlite)
  } catch (error) {
    throw new UserError(`Cannot open the database "${path}": ${describeError(error)}`, { cause: error })
  }
}

function wrap(sqlite: Database): Store {
  return {
    orm: drizzle(sqlite, { schema }),
    sqlite,
    transaction: (work) => sqlite.transaction(work).immediate(),
    close: () => sqlite.close(false),
  }
}
