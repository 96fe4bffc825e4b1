import { expect, test } from 'bun:test'
import { appendFileSync, closeSync, openSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { judgeRecords, type KeptFile } from '../../../plugins/log-rotation/records/judge.ts'
import { findRecord, type GenerationRecord } from '../../../plugins/log-rotation/records/records.ts'
import { AdoptedHost } from './adopted/fixture.ts'
import { DAY_MS, logFixture, rules } from './fixture.ts'

const record = (some: Partial<GenerationRecord>): GenerationRecord => ({
  log: '/l',
  set: 's',
  ino: 1,
  fileBytes: 10,
  mtimeMs: 1000,
  fileSha256: '0'.repeat(64),
  compression: 'none',
  bytesIn: 10,
  bytesArchived: 10,
  contentSha256: '0'.repeat(64),
  rotatedMs: 1000,
  reopened: true,
  writers: null,
  ...some,
})
const file = (some: Partial<KeptFile>): KeptFile => ({
  path: '/l.1',
  ino: 1,
  size: 10,
  mtimeMs: 1000,
  ...some,
})
const judge = (files: KeptFile[], records: GenerationRecord[], keep = 5, maxAgeMs?: number) =>
  judgeRecords('/l', files, records, { keep, maxAgeMs }, 100_000).map(({ rule }) => rule)

test('judgeRecords() tells what was changed or is gone, and is silent about what is whole or was never recorded', () => {
  expect(judge([file({})], [record({})])).toEqual([])
  expect(judge([file({ ino: 9, size: 3, mtimeMs: 5 })], [])).toEqual([])
  expect(judge([file({ size: 11 })], [record({})])).toEqual(['archive-changed'])
  expect(judge([file({ mtimeMs: 5000 })], [record({})])).toEqual(['archive-changed'])
  expect(judge([], [record({})])).toEqual(['archive-missing'])
})

test('judgeRecords() is silent about what would be gone by now, by count or by age', () => {
  const newer = [2, 3].map((ino) => record({ ino, rotatedMs: 1000 + ino, mtimeMs: 1000 + ino }))
  const files = newer.map(({ ino, mtimeMs }) => file({ ino, mtimeMs, path: `/l.${ino}` }))
  expect(judge(files, [record({}), ...newer], 3)).toEqual(['archive-missing'])
  expect(judge(files, [record({}), ...newer], 2)).toEqual([])
  expect(judge([], [record({})], 5, 50_000)).toEqual([])
})

test('findRecord() knows a file that was restored under another inode', () => {
  expect(findRecord([record({})], file({ ino: 77 }))).toBeDefined()
  expect(findRecord([record({})], file({ ino: 77, size: 9 }))).toBeUndefined()
})

test('a generation that was changed, or is gone, is a finding of the next check', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, compress: 'gzip', keep: 3 })
  for (const text of ['one', 'two', 'three', 'four', 'five']) {
    writeFileSync(logs.path('app.log'), text)
    logs.nowMs += DAY_MS
    expect((await logs.enforce()).after.findings).toEqual([])
  }
  appendFileSync(logs.path('app.log.2.gz'), 'x')
  rmSync(logs.path('app.log.3.gz'))
  expect(rules(await logs.check())).toEqual(['archive-changed', 'archive-missing'])
  // What was removed because it was too much is no loss, and what is lost is forgotten when it would have gone.
  const kept = readFileSync(`${logs.stateDir}/generations.json`, 'utf8')
  expect(JSON.parse(kept).generations).toHaveLength(3)
  for (const text of ['six', 'seven', 'eight']) {
    writeFileSync(logs.path('app.log'), text)
    logs.nowMs += DAY_MS
    await logs.enforce()
  }
  expect((await logs.check()).findings).toEqual([])
})

test('a log of logrotate keeps its proof through delaycompress and every further rotation', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': '@/log/app.log {\n size 1\n rotate 3\n compress\n delaycompress\n create\n}\n',
  })
  for (const text of ['one', 'two', 'three', 'four', 'five']) {
    host.write('log/app.log', text)
    host.nowMs += DAY_MS
    const { applied, after } = await host.enforce()
    expect(rules(applied)).toEqual([])
    expect(rules(after).filter((rule) => rule.startsWith('archive'))).toEqual([])
  }
  const { generations } = JSON.parse(readFileSync(host.at('state/generations.json'), 'utf8'))
  expect(
    generations.map(({ bytesIn, compression }: GenerationRecord) => [bytesIn, compression]).sort(),
  ).toEqual(
    [
      [4, 'none'],
      [4, 'gzip'],
      [5, 'gzip'],
    ].sort(),
  )
  utimesSync(host.at('log/app.log.3.gz'), 1, 1)
  expect(rules(await host.check())).toContain('archive-changed')
})

test('the proof says whether the writer had let go', async () => {
  using logs = logFixture({ paths: ['app.log'], size: 1, compress: 'gzip' })
  const writer = openSync(logs.path('app.log'), 'a')
  appendFileSync(logs.path('app.log'), 'line')
  const { after } = await logs.enforce()
  expect(rules(after)).toEqual(['writer-not-reopened'])
  closeSync(writer)
  const { applied } = await logs.enforce()
  expect(applied.artifacts).toMatchObject([{ data: { reopened: true, bytesIn: 4, bytesArchived: 4 } }])
})
