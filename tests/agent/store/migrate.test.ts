import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { is } from 'drizzle-orm'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { migrate } from '../../../agent/store/migrate.ts'
import * as schema from '../../../agent/store/schema.ts'

test('migrate() leaves a database as it was when a step fails', () => {
  const database = new Database(':memory:')
  // In the way of the first migration, which by then has made other tables.
  database.run('CREATE TABLE tokens (mine)')
  expect(() => migrate(database, 'x')).toThrow('Cannot migrate the database "x"')
  const names = database.query("SELECT name FROM sqlite_master WHERE type = 'table'").all()
  expect(names).toEqual([{ name: 'tokens' }])
  expect(database.query('PRAGMA user_version').get()).toEqual({ user_version: 0 })
})

test('the tables are those that the queries are made for', () => {
  const database = new Database(':memory:')
  migrate(database, 'x')
  const tables = Object.values(schema).filter((item) => is(item, SQLiteTable))
  expect(tables.length).toBeGreaterThan(5)
  for (const table of tables) {
    const { name, columns } = getTableConfig(table)
    const there = database.query<{ name: string; notnull: number }, []>(`PRAGMA table_info(${name})`).all()
    expect([name, there.map((column) => column.name).toSorted()]).toEqual([
      name,
      columns.map((column) => column.name).toSorted(),
    ])
  }
})
