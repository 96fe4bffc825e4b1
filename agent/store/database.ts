import { Database } from 'bun:sqlite'
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { describeError, UserError } from '../lib/errors.ts'
import { migrate } from './migrate.ts'

/**
 * Opens (and, if needed, makes and migrates) the database. Mode 0600 in a directory of 0700.
 * Throws UserError when it cannot be used: unwritable, damaged, or written by a newer reeve.
 */
export function openDatabase(path: string): Database {
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
    sqlite.run(`PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
      PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -2048`)
  } catch (error) {
    throw new UserError(`Cannot open the database "${path}": ${describeError(error)}`, { cause: error })
  }
  migrate(sqlite, path)
  return sqlite
}
