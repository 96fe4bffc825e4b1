import { expect, test } from 'bun:test'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { jobSchema } from '../../../agent/config/schema.ts'
import { configSchema } from '../../../plugins/attestation/config.ts'
import { judgeItem } from '../../../plugins/attestation/judge.ts'
import plugin from '../../../plugins/attestation/plugin.ts'
import { commandOf, pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

const DAY = 86_400_000
const NOW = Date.parse('2027-03-01T12:00:00Z')
const config = {
  items: [
    { name: 'access-review', means: 'Review who has access', every: '90d', evidence: 'required' as const },
    { name: 'drill', means: 'Go through an incident', every: '90d', since: '2027-02-01' },
  ],
}

function attesting(directory: string) {
  const stateDir = join(directory, 'state')
  const at = (nowMs: number) => ({ stateDir, now: new Date(nowMs) })
  return {
    stateDir,
    check: (nowMs: number) => pluginUnderTest(plugin, config, at(nowMs)).check(),
    attest: (nowMs: number, name: string, values: Record<string, string>) =>
      commandOf(plugin, 'attest', config, at(nowMs))({ positionals: [name], values }),
  }
}

test('the sample is a complete and valid job', () => {
  const text = readFileSync(join(import.meta.dir, '../../../plugins/attestation/sample.yaml'), 'utf8')
  const jobs = z.record(z.string(), jobSchema).parse(parse(text))
  for (const job of Object.values(jobs)) configSchema.parse(job.config)
})

test.each([
  [undefined, undefined, 'attestation-overdue'],
  [undefined, '2027-02-28', undefined],
  [undefined, '2026-12-10', 'attestation-due-soon'],
  [undefined, '2026-12-01', 'attestation-overdue'],
  [89, undefined, 'attestation-due-soon'],
  [90, undefined, 'attestation-overdue'],
  [1, '2020-01-01', undefined],
])('judgeItem() of one stated %p days ago, or done on %p, is %p', (days, since, rule) => {
  const [item] = configSchema.parse({ items: [{ name: 'a', means: 'Look', every: '90d', since }] }).items
  if (!item) throw new Error('no item')
  const last =
    days === undefined
      ? undefined
      : { item: 'a', atMs: NOW - days * DAY, by: 'ops', note: 'x', evidence: null, previous: '' }
  expect(judgeItem(item, last, NOW, 'people')[0]?.rule).toBe(rule as never)
})

test('attest signs and dates a statement with its evidence; the finding is gone, and comes back when it is due', async () => {
  using work = temporaryDirectory()
  const job = attesting(work.path)
  expect((await job.check(NOW)).findings.map(({ subject }) => subject)).toEqual(['access-review'])
  const file = join(work.path, 'list.csv')
  writeFileSync(file, 'user,role\n')
  const { exitCode, text } = await job.attest(NOW, 'access-review', {
    note: 'two accounts removed',
    evidence: file,
  })
  expect(exitCode).toBe(0)
  expect(text).toContain('Due again on 2027-05-30')
  const report = await job.check(NOW + DAY)
  expect(report.findings).toEqual([])
  expect(report.facts?.[0]?.data).toMatchObject({
    lastAt: new Date(NOW).toISOString(),
    note: 'two accounts removed',
    evidence: 'list.csv',
  })
  expect((await job.check(NOW + 91 * DAY)).findings.map(({ rule }) => rule)).toContain('attestation-overdue')
})

test('check finds what is due soon from the days on that were asked for, until it is stated again', async () => {
  using work = temporaryDirectory()
  const job = attesting(work.path)
  await job.attest(NOW, 'drill', { note: 'done' })
  const drillAt = async (time: string) =>
    (await job.check(Date.parse(time))).findings.filter(({ subject }) => subject === 'drill')
  expect(await drillAt('2027-05-16T11:59:59Z')).toEqual([])
  expect(await drillAt('2027-05-16T12:00:00Z')).toMatchObject([
    {
      rule: 'attestation-due-soon',
      severity: 'info',
      summary: 'Go through an incident: due on 2027-05-30',
      evidence: { every: '90d', lastAt: new Date(NOW).toISOString() },
    },
  ])
  await job.attest(Date.parse('2027-05-16T12:00:00Z'), 'drill', { note: 'done again' })
  expect(await drillAt('2027-05-30T12:00:00Z')).toEqual([])
})

test('attest refuses what is not known, has no note, or lacks the evidence', async () => {
  using work = temporaryDirectory()
  const { attest } = attesting(work.path)
  expect(attest(NOW, 'acces-review', { note: 'x' })).rejects.toThrow('there are access-review, drill')
  expect(attest(NOW, 'drill', {})).rejects.toThrow('without a note')
  expect(attest(NOW, 'access-review', { note: 'x' })).rejects.toThrow('without evidence')
})

test('check finds a record that was changed, shortened in its middle, or made by somebody else', async () => {
  using work = temporaryDirectory()
  const job = attesting(work.path)
  for (const day of [0, 1, 2]) await job.attest(NOW + day * DAY, 'drill', { note: `round ${day}` })
  const path = join(job.stateDir, 'statements.jsonl')
  const good = readFileSync(path, 'utf8')
  const lines = good.trimEnd().split('\n')
  const rulesAfter = async (text: string) => {
    writeFileSync(path, text)
    return (await job.check(NOW + 3 * DAY)).findings.map(({ rule }) => rule)
  }
  expect(await rulesAfter(good)).toEqual(['attestation-overdue'])
  expect(await rulesAfter(good.replace('round 1', 'round 9'))).toEqual(['attestation-forged'])
  expect(await rulesAfter(`${lines[0]}\n${lines[2]}\n`)).toEqual(['attestation-forged'])
  expect(await rulesAfter(`${good}{"statement":\n`)).toEqual(['attestation-forged'])
})

test('check finds evidence that is gone or is another file', async () => {
  using work = temporaryDirectory()
  const job = attesting(work.path)
  const file = join(work.path, 'report.txt')
  writeFileSync(file, 'all went well')
  await job.attest(NOW, 'drill', { note: 'done', evidence: file })
  const [sha256 = ''] = [(await job.check(NOW)).facts?.[1]?.data.evidenceSha256].map(String)
  const copy = join(job.stateDir, 'evidence', sha256)
  const rulesNow = async () => (await job.check(NOW)).findings.map(({ rule }) => rule)
  expect(await rulesNow()).toEqual(['attestation-overdue'])
  writeFileSync(copy, 'all went badly')
  expect(await rulesNow()).toContain('attestation-evidence-missing')
  rmSync(copy)
  expect(await rulesNow()).toContain('attestation-evidence-missing')
})
