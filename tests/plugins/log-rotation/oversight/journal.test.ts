import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { toGrants } from '../../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../../agent/host/reader.ts'
import type { JournalSettings } from '../../../../agent/lib/journald-settings.ts'
import { beginOf, checkJournal, judgeJournal } from '../../../../plugins/log-rotation/oversight/journal.ts'
import plugin from '../../../../plugins/log-rotation/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../../kit/plugin.ts'

const DAY_MS = 86_400_000
const now = Date.parse('2026-06-10T00:00:00Z')

const use = { exists: true, bytes: 1024 ** 3, oldestMs: now - 10 * DAY_MS, fileSystemBytes: 1000 * 1024 ** 3 }
const settings: JournalSettings = { storage: 'auto', maxUseBytes: undefined, maxRetentionMs: 0 }
const atLeast = (days: number) => [{ paths: ['/var/log/journal'], atLeast: days * DAY_MS }]
const atMost = (days: number) => [{ paths: ['/var/log/journal'], atMost: days * DAY_MS }]
const judge = (
  some: Partial<JournalSettings>,
  used: Partial<typeof use>,
  policies: Parameters<typeof judgeJournal>[2],
) => judgeJournal({ ...settings, ...some }, { ...use, ...used }, policies, now).map(({ summary }) => summary)

test('judgeJournal() tells what is kept too short: by time, by size, by a start of the host', () => {
  expect(judge({ maxRetentionMs: 30 * DAY_MS }, {}, atLeast(90))[0]).toContain('MaxRetentionSec')
  // 4 GiB is systemd's own limit: at a gibibyte in ten days that is forty.
  expect(judge({}, {}, atLeast(90))[0]).toContain('after 40d')
  expect(judge({}, { exists: false }, atLeast(90))[0]).toContain('with every start')
})

test('judgeJournal() tells what is kept too long, and policies that cannot both be met', () => {
  expect(judge({}, {}, atMost(30))[0]).toContain('without an end')
  expect(judge({ maxRetentionMs: 60 * DAY_MS }, {}, atMost(30))[0]).toContain('wanted at most 30d')
  expect(judge({}, {}, [...atLeast(90), ...atMost(30)])[0]).toContain('at least 90d and at most 30d')
})

test('judgeJournal() is silent about a journal that is kept as it should be', () => {
  expect(judge({}, {}, atLeast(39))).toEqual([])
  expect(
    judge({ maxRetentionMs: 90 * DAY_MS, maxUseBytes: 100 * 1024 ** 3 }, {}, [...atLeast(90), ...atMost(90)]),
  ).toEqual([])
  expect(judge({}, { oldestMs: now - DAY_MS / 2 }, atLeast(90))).toEqual([])
})

test('beginOf() reads the time in the name of an archived file', () => {
  const hex = (BigInt(now) * 1000n).toString(16).padStart(16, '0')
  expect(
    beginOf(`/var/log/journal/${'a'.repeat(32)}/system@${'b'.repeat(32)}-${'0'.repeat(16)}-${hex}.journal`),
  ).toBe(now)
  expect(beginOf('/var/log/journal/x/system.journal')).toBeUndefined()
})

test('checkJournal() reads the configuration with its drop-ins, and the files of the journal', async () => {
  using root = temporaryDirectory('reeve-journal')
  const write = (path: string, text: string) => {
    mkdirSync(`${root.path}${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true })
    writeFileSync(`${root.path}${path}`, text)
  }
  const host = new LocalHostReader(
    root.path,
    toGrants({ read: ['/etc', '/usr'], list: ['/var'] }, '/state', (path) => [path]),
  )
  const check = () => checkJournal(host, atLeast(90), now, new AbortController().signal)
  write('/etc/systemd/journald.conf', '[Journal]\nStorage=persistent\nMaxRetentionSec=90day\n')
  expect(await check()).toEqual({ findings: [], blind: [] })
  write('/usr/lib/systemd/journald.conf.d/10-short.conf', '[Journal]\nMaxRetentionSec=1week\n')
  expect((await check()).findings).toMatchObject([{ rule: 'journal-retention', subject: '/var/log/journal' }])
  write('/etc/systemd/journald.conf.d/10-short.conf', '[Journal]\n')
  expect((await check()).findings).toEqual([])
  const hex = (BigInt(now - 2 * DAY_MS) * 1000n).toString(16).padStart(16, '0')
  write(`/var/log/journal/m/system@${'b'.repeat(32)}-${'0'.repeat(16)}-${hex}.journal`, 'x'.repeat(1000))
  write('/etc/systemd/journald.conf.d/20.conf', '[Journal]\nSystemMaxUse=10K\n')
  expect((await check()).findings[0]?.summary).toContain('reaches its 10.0 KiB after 20d')
  expect((await checkJournal(host, [], now, new AbortController().signal)).findings).toEqual([])
})

test('check finds a journal that does not outlive the host, or is kept too long, until it is as the policies say', async () => {
  using root = temporaryDirectory('reeve-journal')
  const write = (path: string, text: string) => {
    mkdirSync(`${root.path}${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true })
    writeFileSync(`${root.path}${path}`, text)
  }
  const check = async () => {
    const retention = [{ paths: ['/var/log/journal'], atLeast: '30d', atMost: '90d' }]
    const config = { sets: [{ name: 'app', paths: ['/var/log/app.log'], size: '1M' }], retention }
    const run = { root: root.path, stateDir: '/state', now: new Date(now) }
    const { findings, blind } = await pluginUnderTest(plugin, config, run).check()
    expect(blind).toEqual([])
    return findings
  }
  const conf = '/etc/systemd/journald.conf.d/retention.conf'
  write('/var/log/app.log', 'a line\n')
  write('/etc/systemd/journald.conf', '[Journal]\nStorage=volatile\n')
  const summary = 'The journal is lost with every start of the host (Storage=volatile), wanted at least 30d'
  expect(await check()).toMatchObject([
    { rule: 'journal-retention', subject: '/var/log/journal', severity: 'warning', summary },
  ])
  write(conf, '[Journal]\nStorage=persistent\n')
  expect(await check()).toMatchObject([
    {
      rule: 'journal-retention',
      summary: 'The journal is kept without an end in time, wanted at most 90d',
      remedy: `Set MaxRetentionSec=90day in ${conf}`,
    },
  ])
  write(conf, '[Journal]\nStorage=persistent\nMaxRetentionSec=90day\n')
  expect(await check()).toEqual([])
})
