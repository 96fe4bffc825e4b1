import { Database } from 'bun:sqlite'
import { existsSync } from 'node:fs'
import { type BunSQLiteDatabase, drizzle } from 'drizzle-orm/bun-sqlite'
import { describeError, UserError } from '../lib/errors.ts'
import { openDatabase } from './database.ts'
import { assertCurrent } from './migrate.ts'
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

/** Opens (and, if needed, makes and migrates) the database as `openDatabase` does. */
export function openStore(path: string): Store {
  return storeOf(openDatabase(path))
}

/** Opens an existing database for reading only. Throws UserError when there is none. */
export function openStoreForReading(path: string): Store {
  if (!existsSync(path)) {
    throw new UserError(`Cannot open the database "${path}": it does not exist yet; nothing has run so far`)
  }
  try {
    const sqlite = new Database(path, { readonly: true, strict: true })
    sqlite.run('PRAGMA busy_timeout = 5000')
    assertCurrent(sqlite, path)
    return storeOf(sqlite)
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`Cannot open the database "${path}": ${describeError(error)}`, { cause: error })
  }
}

/** Queries for an open database. */
export function storeOf(sqlite: Database): Store {
  return {
    orm: drizzle(sqlite, { schema }),
    sqlite,
    transaction: (work) => sqlite.transaction(work).immediate(),
    close: () => sqlite.close(false),
  }
}
