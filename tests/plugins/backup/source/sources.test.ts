import { Database } from 'bun:sqlite'
import { expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { sourcesSchema } from '../../../../plugins/backup/source/config.ts'
import { whyImplausible } from '../../../../plugins/backup/source/dumps.ts'
import { BackupFixture, DAY_MS, rulesOf } from '../fixture.ts'

setDefaultTimeout(60_000)

/** A fixture with these sources, besides its own directory. */
function withSources(sources: (fixture: BackupFixture) => z.input<typeof sourcesSchema>): BackupFixture {
  const fixture = new BackupFixture()
  fixture.change({ sources: { paths: [fixture.source], ...sources(fixture) } })
  return fixture
}

/** Where the newest backup was restored to. */
async function restored(fixture: BackupFixture): Promise<string> {
  const to = join(fixture.path, 'to')
  rmSync(to, { recursive: true, force: true })
  fixture.makeDirectory('to')
  await fixture.command('restore', { values: { to } })
  return to
}

async function namesOf(fixture: BackupFixture): Promise<string[]> {
  const below = join(await restored(fixture), fixture.source)
  return (readdirSync(below, { recursive: true }) as string[]).sort()
}

test('patterns of gitignore leave out, and take back in', async () => {
  using fixture = withSources(() => ({ exclude: ['*.log', '!keep.log', 'build/', 'doc/*.txt'] }))
  for (const name of ['a.log', 'keep.log', 'build/x', 'sub/build', 'doc/a.txt', 'doc/a.md'])
    fixture.write(name, 'x')
  await fixture.enforce()
  expect(await namesOf(fixture)).toEqual(['doc', 'doc/a.md', 'keep.log', 'sub', 'sub/build'])
})

test('include chooses files by name, or by a directory above', async () => {
  using fixture = withSources(() => ({ include: ['*.conf', 'keys/'] }))
  for (const name of ['a.conf', 'a.txt', 'keys/deep/k', 'sub/b.conf']) fixture.write(name, 'x')
  await fixture.enforce()
  expect(await namesOf(fixture)).toEqual(['a.conf', 'keys', 'keys/deep', 'keys/deep/k', 'sub', 'sub/b.conf'])
})

test('of a directory with a CACHEDIR.TAG only the tag is backed up', async () => {
  using fixture = withSources(() => ({}))
  fixture.write('cache/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55\n# of a test\n')
  fixture.write('cache/A before it', 'x')
  fixture.write('cache/deep/er', 'x')
  fixture.write('no cache/CACHEDIR.TAG', 'anything')
  fixture.write('no cache/x', 'x')
  await fixture.enforce()
  expect(await namesOf(fixture)).toEqual([
    'cache',
    'cache/CACHEDIR.TAG',
    'no cache',
    'no cache/CACHEDIR.TAG',
    'no cache/x',
  ])
  fixture.change({ sources: { paths: [fixture.source], excludeCaches: false } })
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  await fixture.enforce()
  expect(await namesOf(fixture)).toContain('cache/deep/er')
})

test('a file that is larger than the limit is left out, and told', async () => {
  using fixture = withSources(() => ({ maxFileBytes: '1k' }))
  fixture.write('small', 'x'.repeat(1024))
  const large = fixture.write('large', 'x'.repeat(1025))
  const { after } = await fixture.enforce()
  expect(after.findings).toMatchObject([{ rule: 'source-too-large', subject: large, severity: 'info' }])
  expect(await namesOf(fixture)).toEqual(['small'])
})

function writeLines(database: Database, count: number): void {
  database.run('CREATE TABLE IF NOT EXISTS line (text TEXT)')
  const insert = database.prepare('INSERT INTO line VALUES (?)')
  for (let line = 0; line < count; line++) insert.run(`line ${line}`.repeat(20))
}

test.each(['wal', 'delete'])(
  'a live SQLite database (%s) is backed up whole while it is written to',
  async (mode) => {
    using fixture = withSources((own) => ({ databases: [join(own.source, 'app.db')] }))
    const path = join(fixture.source, 'app.db')
    using database = new Database(path)
    database.run(`PRAGMA journal_mode = ${mode}`)
    database.run('PRAGMA wal_autocheckpoint = 0')
    writeLines(database, 500)
    database.run("UPDATE line SET text = text || 'more' WHERE rowid % 3 = 0")
    const { after } = await fixture.enforce()
    expect(after.findings).toEqual([])
    if (mode === 'wal') expect(existsSync(`${path}-wal`)).toBe(true)
    expect(await namesOf(fixture)).toEqual(['app.db'])
    using copy = new Database(join(fixture.path, 'to', path))
    expect(copy.query('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    expect(copy.query('SELECT * FROM line').all()).toEqual(database.query('SELECT * FROM line').all())
    // Nothing holds the writer up any longer.
    writeLines(database, 10)
  },
)

test('a SQLite database that nobody has open is backed up, from a place that cannot be written to', async () => {
  using fixture = withSources((own) => ({ databases: [join(own.path, 'elsewhere.db')] }))
  const path = join(fixture.path, 'elsewhere.db')
  const database = new Database(path)
  database.run('PRAGMA journal_mode = wal')
  writeLines(database, 100)
  database.close(true)
  fixture.write('a', 'a')
  expect((await fixture.enforce()).after.findings).toEqual([])
  using copy = new Database(join(await restored(fixture), path), { readonly: true })
  expect(copy.query('SELECT count(*) AS lines FROM line').get()).toEqual({ lines: 100 })
})

test('a damaged SQLite database, and one that is none, are told', async () => {
  using fixture = withSources((own) => ({
    databases: ['damaged.db', 'none.db', 'missing.db'].map((name) => join(own.source, name)),
  }))
  const path = join(fixture.source, 'damaged.db')
  const database = new Database(path)
  writeLines(database, 500)
  database.close(true)
  const bytes = readFileSync(path)
  bytes.fill(0xff, 8192, 8400)
  writeFileSync(path, bytes)
  fixture.write('none.db', 'x'.repeat(200))
  fixture.write('a', 'a')
  const rules = rulesOf((await fixture.enforce()).after)
  expect(new Set(rules)).toEqual(new Set(['database-damaged', 'source-unreadable']))
})

test('the output of a program is backed up as it comes, in parts where it is long', async () => {
  using fixture = withSources(() => ({
    dumps: [
      {
        name: 'small.sql',
        command: ['/bin/sh', '-c', 'echo "a dump"; echo "-- Dump completed"'],
        endsWith: '-- Dump completed',
      },
      { name: 'large.bin', command: ['/bin/sh', '-c', 'head -c 40000000 /dev/zero | tr "\\0" x'] },
    ],
  }))
  fixture.write('a', 'a')
  expect((await fixture.enforce()).after.findings).toEqual([])
  const dumps = join(await restored(fixture), 'reeve-dumps')
  expect(readFileSync(join(dumps, 'small.sql'), 'utf8')).toBe('a dump\n-- Dump completed\n')
  const parts = readdirSync(dumps)
    .filter((name) => name.startsWith('large.bin'))
    .sort()
  expect(parts).toEqual(['large.bin.part-000001', 'large.bin.part-000002', 'large.bin.part-000003'])
  const joined = Buffer.concat(parts.map((name) => readFileSync(join(dumps, name))))
  expect(joined.equals(Buffer.alloc(40_000_000, 'x'))).toBe(true)
})

test.each<[string, string[], string]>([
  [
    'ends with an error',
    ['/bin/sh', '-c', 'echo half; echo "no such role" >&2; exit 3'],
    'it ended with 3: no such role',
  ],
  ['is empty', ['/bin/true'], 'it is empty'],
  ['lacks its end', ['/bin/echo', 'half'], 'it does not end with'],
  ['does not exist', ['/nonexistent/pg_dump'], 'no such program'],
])('a dump that %s is told, on every check until one is good', async (_what, command, reason) => {
  using fixture = withSources(() => ({ dumps: [{ name: 'app.sql', command, endsWith: 'END' }] }))
  fixture.write('a', 'a')
  const { after } = await fixture.enforce()
  expect(after.findings).toMatchObject([
    { rule: 'dump-failed', subject: 'dump app.sql', severity: 'critical' },
  ])
  expect(after.findings[0]?.summary).toContain(reason)
  fixture.change({
    sources: {
      paths: [fixture.source],
      dumps: [{ name: 'app.sql', command: ['/bin/echo', 'good END'], endsWith: 'END' }],
    },
  })
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  expect((await fixture.enforce()).after.findings).toEqual([])
})

test('a dump that has shrunk too much is told', async () => {
  using fixture = withSources((own) => ({
    dumps: [{ name: 'app.sql', command: ['/bin/cat', join(own.path, 'data')] }],
  }))
  writeFileSync(join(fixture.path, 'data'), 'x'.repeat(1000))
  await fixture.enforce()
  writeFileSync(join(fixture.path, 'data'), 'x'.repeat(499))
  fixture.now = new Date(fixture.now.getTime() + DAY_MS)
  expect((await fixture.enforce()).after.findings).toMatchObject([{ rule: 'dump-failed' }])
})

test.each<[{ bytes: number; tail: string }, number | undefined, boolean]>([
  [{ bytes: 100, tail: 'END' }, undefined, true],
  [{ bytes: 99, tail: 'END' }, undefined, false],
  [{ bytes: 100, tail: 'EN' }, undefined, false],
  [{ bytes: 100, tail: 'END' }, 200, true],
  [{ bytes: 100, tail: 'END' }, 201, false],
  [{ bytes: 100_000, tail: 'END' }, 200, true],
])('whyImplausible(%p) after one of %p bytes: plausible %p', (dump, lastBytes, isPlausible) => {
  const rules = { minBytes: 100, endsWith: 'END', maxShrink: 2 }
  expect(whyImplausible(rules, dump, lastBytes) === undefined).toBe(isPlausible)
})

test('programs are run before and after; one that fails before stops the backup, one after is told', async () => {
  using fixture = withSources((own) => ({
    before: [{ command: ['/bin/cp', join(own.path, 'from'), join(own.source, 'made before')] }],
    after: [{ command: ['/bin/false'] }],
  }))
  await expect(fixture.enforce()).rejects.toThrow('Cannot run "/bin/cp')
  expect(readdirSync(fixture.destination)).toEqual([])
  writeFileSync(join(fixture.path, 'from'), 'x')
  const { applied, after } = await fixture.enforce()
  expect(applied.findings).toMatchObject([{ rule: 'command-failed', subject: '/bin/false' }])
  expect(after.findings).toEqual([])
  expect(await namesOf(fixture)).toEqual(['made before'])
})
