import type { Database } from 'bun:sqlite'
import { describeError, UserError } from '../lib/errors.ts'
import first from './migrations/0000_first.sql' with { type: 'text' }
import silences from './migrations/0001_silences.sql' with { type: 'text' }

/** In order; number n brings a database of `user_version` n to n + 1. Never change one that was released. */
const migrations: string[] = [first, silences]

/** Brings the database to this version, all or nothing. Throws UserError for one of a newer reeve. */
export function migrate(sqlite: Database, path: string): void {
  if (versionOf(sqlite, path) === migrations.length) return
  try {
    sqlite
      .transaction(() => {
        // Asked again under the lock: another process may have been first.
        for (const sql of migrations.slice(versionOf(sqlite, path))) {
          for (const statement of sql.split('--> statement-breakpoint')) sqlite.run(statement)
        }
        sqlite.run(`PRAGMA user_version = ${migrations.length}`)
      })
      .immediate()
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`Cannot migrate the database "${path}": ${describeError(error)}`, { cause: error })
  }
}

/** For one who may only read: throws UserError unless the database is of this very version. */
export function assertCurrent(sqlite: Database, path: string): void {
  const version = versionOf(sqlite, path)
  if (version === migrations.length) return
  throw new UserError(
    `Cannot read the database "${path}": it was written by an older reeve (version ${version}, this one reads ` +
      `${migrations.length}). The service brings it up to date at its start: systemctl restart reeve`,
  )
}

/** How many migrations a database has seen. Throws UserError when that is more than this reeve has. */
function versionOf(sqlite: Database, path: string): number {
  const version = sqlite.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version ?? 0
  if (version <= migrations.length) return version
  throw new UserError(
    `Cannot use the database "${path}": it was written by a newer reeve (version ${version}, this one knows ` +
      `${migrations.length}). Install the newer reeve again, or restore a backup of the state directory`,
  )
}
