import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openStore, openStoreForReading } from '../../../agent/store/open.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const OPEN = join(import.meta.dir, '../../../agent/store/open.ts')

test('openStore() makes a database that only its owner may read, whatever the umask', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'deep/er/reeve.db')
  const mask = process.umask(0)
  const store = openStore(path)
  process.umask(mask)
  store.sqlite.run("INSERT INTO tokens (name, sha256, scope, created_at) VALUES ('a', 'b', 'read', 1)")
  const mode = (name: string) => (statSync(name).mode & 0o777).toString(8)
  expect(mode(join(directory.path, 'deep/er'))).toBe('700')
  for (const name of readdirSync(join(directory.path, 'deep/er'))) {
    expect([name, mode(join(directory.path, 'deep/er', name))]).toEqual([name, '600'])
  }
  store.close()
})

test('openStore() asks for durable commits, a write-ahead log, and references that are kept', () => {
  using directory = temporaryDirectory()
  const store = openStore(join(directory.path, 'reeve.db'))
  const pragma = (name: string) => Object.values(store.sqlite.query(`PRAGMA ${name}`).get() ?? {})[0]
  expect([pragma('journal_mode'), pragma('synchronous'), pragma('foreign_keys')]).toEqual(['wal', 2, 1])
  expect(pragma('user_version')).toBe(2)
  expect(pragma('integrity_check')).toBe('ok')
  store.close()
})

test('openStore() opens again what it has made, without a change', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  openStore(path).close()
  const before = readFileSync(path)
  openStore(path).close()
  expect(readFileSync(path).equals(before)).toBe(true)
})

test('transaction() takes back everything when the work throws', () => {
  using directory = temporaryDirectory()
  const store = openStore(join(directory.path, 'reeve.db'))
  const add = (name: string) =>
    store.sqlite.run('INSERT INTO tokens (name, sha256, scope, created_at) VALUES (?, ?, ?, 1)', [
      name,
      name,
      'read',
    ])
  expect(() =>
    store.transaction(() => {
      add('a')
      throw new Error('broken off')
    }),
  ).toThrow('broken off')
  store.transaction(() => add('b'))
  expect(store.sqlite.query('SELECT name FROM tokens').all()).toEqual([{ name: 'b' }])
  store.close()
})

test('openStore() works for several processes that are first at once', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  const script = `const { openStore } = await import(${JSON.stringify(OPEN)}); openStore(${JSON.stringify(path)}).close()`
  const children = Array.from({ length: 6 }, () =>
    Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'pipe' }),
  )
  const ends = await Promise.all(
    children.map(async (child) => [await child.exited, await child.stderr.text()]),
  )
  expect(ends).toEqual(children.map(() => [0, '']))
})

test('openStore() leaves the database of a newer reeve alone', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  const store = openStore(path)
  store.sqlite.run('PRAGMA user_version = 7')
  store.close()
  expect(() => openStore(path)).toThrow(/it was written by a newer reeve \(version 7, this one knows 2\)/)
  expect(() => openStoreForReading(path)).toThrow(/newer reeve/)
})

test('openStoreForReading() does not guess at a database of an older reeve', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  const database = new Database(path)
  database.run('CREATE TABLE other (x)')
  database.close()
  expect(() => openStoreForReading(path)).toThrow(/older reeve/)
})

test('openStoreForReading() makes nothing, and cannot write', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.db')
  expect(() => openStoreForReading(path)).toThrow('it does not exist yet; nothing has run so far')
  expect(existsSync(path)).toBe(false)
  openStore(path).close()
  const store = openStoreForReading(path)
  expect(() => store.sqlite.run('DELETE FROM runs')).toThrow('readonly')
  store.close()
})

for (const [name, prepare, message] of [
  ['is no database', (path: string) => writeFileSync(path, 'text '.repeat(1000)), 'not a database'],
  ['is a directory', (path: string) => mkdirSync(path), 'Cannot open the database'],
] as const) {
  test(`openStore() says so when the file ${name}`, () => {
    using directory = temporaryDirectory()
    const path = join(directory.path, 'reeve.db')
    prepare(path)
    expect(() => openStore(path)).toThrow(message)
  })
}
