import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { JournalSettings } from '../../../agent/contract/mod.ts'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import type { Policy } from '../../../plugins/log-review/config.ts'
import { lookForForwarding } from '../../../plugins/log-review/forwarding.ts'
import {
  parseRotation,
  parseState,
  type RotationRule,
  readRotation,
} from '../../../plugins/log-review/logrotate.ts'
import {
  judgeConflict,
  judgeJournal,
  judgeRetention,
  logOf,
  matchPolicies,
} from '../../../plugins/log-review/retention.ts'
import { testWith } from '../../kit/needs.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const DAY_MS = 86_400_000
const NOW = Date.parse('2026-11-22T06:00:00Z')

const rules = (text: string) =>
  parseRotation('/f', text, { periodMs: 7 * DAY_MS, keep: 0, maxAgeMs: undefined }, () => {})
const shown = (text: string) =>
  rules(text).map(({ patterns, periodMs, keep, maxAgeMs, line }) => [
    line,
    patterns.join(' '),
    periodMs === undefined ? null : periodMs / DAY_MS,
    keep,
    maxAgeMs === undefined ? null : maxAgeMs / DAY_MS,
  ])

test.each<[string, string, unknown[]]>([
  ['a block', '/var/log/a {\n daily\n rotate 7\n}\n', [[1, '/var/log/a', 1, 7, null]]],
  [
    'what holds for all before it',
    'monthly\nrotate 3\n/var/log/a { }\n/b {\n weekly\n}\n',
    [
      [3, '/var/log/a', 30, 3, null],
      [4, '/b', 7, 3, null],
    ],
  ],
  [
    'names over lines and in quotes',
    '/a\n"/b c"\n/d/*.log\n{\n rotate 2\n}',
    [[1, '/a /b c /d/*.log', 7, 2, null]],
  ],
  [
    'a script with braces',
    '/a {\n postrotate\n  if true; then { rotate 9; }\n }\n endscript\n rotate 2\n}',
    [[1, '/a', 7, 2, null]],
  ],
  [
    'maxage, size and all',
    '/a {\n size 10M\n rotate -1\n maxage 30\n}',
    [[1, '/a', null, Number.POSITIVE_INFINITY, 30]],
  ],
  ['comments and equals signs', '# a\nrotate=4\n/a {\n # rotate 9\n}', [[3, '/a', 7, 4, null]]],
])('parseRotation() reads %s', (_, text, expected) => expect<unknown[]>(shown(text)).toEqual(expected))

test('parseRotation() refuses a block without an end', () => {
  expect(() => rules('/a {\n rotate 1\n')).toThrow('does not end')
  expect(() => rules('/a\n/b\n')).toThrow('does not end')
})

const host = new LocalHostReader('/', ALL_GRANTS)

testWith({ programs: ['logrotate'] })(
  'readRotation() sees the rules that logrotate does, of this very machine',
  () => {
    const { rules: found, problems } = readRotation(host, ['/etc/logrotate.conf'])
    const { stderr } = Bun.spawnSync(['logrotate', '-d', '/etc/logrotate.conf'])
    // "rotating pattern: /var/log/a /var/log/b  weekly (12 rotations)"
    const theirs = [
      ...stderr
        .toString()
        .matchAll(/^rotating pattern: (.*?) +(?:after \d+ days|weekly|monthly|daily) \((\d+) rotations\)$/gm),
    ]
    expect(problems).toEqual([])
    expect(found.map(({ patterns, keep }) => [patterns.join(' '), keep])).toEqual(
      theirs.map(([, names = '', count]) => [names.trim().split(/\s+/).join(' '), Number(count)]),
    )
  },
)

test('readRotation() follows includes, leaves out what logrotate leaves out, and tells what it cannot read', () => {
  using directory = temporaryDirectory()
  const write = (name: string, text: string) => {
    mkdirSync(dirname(`${directory.path}/${name}`), { recursive: true })
    writeFileSync(`${directory.path}/${name}`, text)
  }
  write('main', `rotate 5\ninclude ${directory.path}/d\ninclude ${directory.path}/gone\n`)
  write('d/a', '/a { }')
  write('d/b.dpkg-old', '/b { }')
  write('d/c', '/c {')
  const { rules: found, problems } = readRotation(host, [`${directory.path}/main`, `${directory.path}/none`])
  expect(found.map(({ patterns, keep }) => [patterns, keep])).toEqual([[['/a'], 5]])
  expect(problems.map(({ path }) => path.slice(directory.path.length))).toEqual(['/d/c', '/gone'])
  write('loop', `include ${directory.path}/loop`)
  expect(readRotation(host, [`${directory.path}/loop`]).problems[0]?.reason).toContain('without end')
})

test('parseState() reads the times of logrotate, of this host', () => {
  const state = parseState(
    'logrotate state -- version 2\n"/var/log/a" 2026-11-22-6:25:1\n"/b \\"c" 2026-1-2\nrubbish\n',
  )
  expect([...state]).toEqual([
    ['/var/log/a', new Date(2026, 10, 22, 6, 25, 1).getTime()],
    ['/b "c', new Date(2026, 0, 2).getTime()],
  ])
})

const judgeRotation = (blocks: RotationRule[], policies: Policy[]) =>
  matchPolicies(blocks, policies, new Map()).flatMap((one) => [...judgeConflict(one), ...judgeRetention(one)])
const WEEKLY = '/var/log/a.log /home/*/.rostr/logs/*.log {\n weekly\n rotate 4\n}'

test.each<[string, { paths: string[]; atLeast?: number; atMost?: number; source?: string }[], string[]]>([
  ['nothing is demanded', [], []],
  ['less is demanded', [{ paths: ['/var/log/**'], atLeast: 20 }], []],
  [
    'more is demanded',
    [{ paths: ['/var/log/**'], atLeast: 90, source: 'guide' }],
    ['retention-too-short /var/log/a.log'],
  ],
  [
    'more is demanded of one log that a pattern matches',
    [{ paths: ['/home/kim/.rostr/logs/api.log'], atLeast: 90 }],
    ['retention-too-short /home/kim/.rostr/logs/api.log'],
  ],
  ['more is demanded of another', [{ paths: ['/var/log/b.log'], atLeast: 90 }], []],
  ['less is allowed', [{ paths: ['/var/log/a.log'], atMost: 14 }], ['retention-too-long /var/log/a.log']],
  ['enough is allowed', [{ paths: ['/var/log/a.log'], atMost: 35 }], []],
  [
    'two policies cannot both be met',
    [
      { paths: ['/var/log/a.log'], atLeast: 90 },
      { paths: ['/var/log/**'], atMost: 30 },
    ],
    [
      'retention-conflict /var/log/a.log',
      'retention-too-short /var/log/a.log',
      'retention-too-long /var/log/a.log',
    ],
  ],
])('policies are judged by what logrotate is told when %s', (_, policies, found) => {
  const inMs = policies.map(({ atLeast, atMost, ...rest }) => ({
    ...rest,
    ...(atLeast === undefined ? {} : { atLeast: atLeast * DAY_MS }),
    ...(atMost === undefined ? {} : { atMost: atMost * DAY_MS }),
  }))
  expect(judgeRotation(rules(WEEKLY), inMs).map(({ rule, subject }) => `${rule} ${subject}`)).toEqual(found)
})

test.each([
  ['/var/log/a.log', '/var/log/a.log'],
  ['/var/log/a.log.1', '/var/log/a.log'],
  ['/var/log/a.log.12.gz', '/var/log/a.log'],
  ['/var/log/a.log-20261122-1763769600.zst', '/var/log/a.log'],
  ['/var/log/a.log-2026-11-22', '/var/log/a.log'],
  ['/var/log/Xorg.0.log', '/var/log/Xorg.0.log'],
  ['/var/log/binlog.000123', '/var/log/binlog.000123'],
  ['/srv/.1', '/srv/.1'],
])('logOf() says where %s comes from', (path, log) => expect(logOf(path)).toBe(log))

test('judgeRetention() tells the place, and what to write there keeps it long enough', () => {
  const policies = [{ paths: ['/var/log/a.log'], atLeast: 90 * DAY_MS, source: 'security guide' }]
  const [finding] = judgeRotation(rules(WEEKLY), policies)
  expect(finding).toMatchObject({
    evidence: { path: '/f', line: 1 },
    summary: expect.stringContaining('90d (security guide)'),
  })
  const [, wanted = ''] = /Write "(rotate \d+)"/.exec(finding?.remedy ?? '') ?? []
  expect(judgeRotation(rules(WEEKLY.replace('rotate 4', wanted)), policies)).toEqual([])
})

const JOURNAL: JournalSettings = { storage: 'auto', maxUseBytes: undefined, maxRetentionMs: 0 }
const USE = {
  isPersistent: true,
  hasFiles: true,
  bytes: 1000,
  oldestMs: NOW - 10 * DAY_MS,
  fileSystemBytes: 1e12,
}

test.each<
  [string, Partial<JournalSettings>, Partial<typeof USE>, { atLeast?: number; atMost?: number }, string]
>([
  ['it is kept without an end', {}, {}, { atLeast: 90 }, ''],
  ['it is kept for longer', { maxRetentionMs: 100 * DAY_MS }, {}, { atLeast: 90 }, ''],
  ['it is kept for less', { maxRetentionMs: 30 * DAY_MS }, {}, { atLeast: 90 }, 'MaxRetentionSec'],
  ['it is lost with each start', {}, { isPersistent: false }, { atLeast: 90 }, 'with every start'],
  ['it is persistent by its name', { storage: 'persistent' }, { isPersistent: false }, { atLeast: 90 }, ''],
  ['its size has cut it short', { maxUseBytes: 1050 }, {}, { atLeast: 90 }, 'goes back 10d only'],
  ['it is full and old enough', { maxUseBytes: 1050 }, { oldestMs: NOW - 100 * DAY_MS }, { atLeast: 90 }, ''],
  ['it is kept without an end, and may not be', {}, {}, { atMost: 30 }, 'without an end'],
])('judgeJournal() when %s', (_, settings, use, { atLeast, atMost }, says) => {
  const policy = {
    paths: ['/var/log/journal'],
    ...(atLeast === undefined ? {} : { atLeast: atLeast * DAY_MS }),
    ...(atMost === undefined ? {} : { atMost: atMost * DAY_MS }),
  }
  const [finding, ...others] = judgeJournal({ ...JOURNAL, ...settings }, { ...USE, ...use }, [policy], NOW)
  expect([finding?.summary ?? '', others]).toEqual([says === '' ? '' : expect.stringContaining(says), []])
})

test.each([0, 7, 60, 100])('judgeJournal() tells of a clash, and of the policy that %pd break', (days) => {
  const policies = [{ paths: ['/var/log/journal'], atLeast: 90 * DAY_MS, atMost: 30 * DAY_MS }]
  const found = judgeJournal({ ...JOURNAL, maxRetentionMs: days * DAY_MS }, USE, policies, NOW)
  expect(found.map(({ rule }) => rule)).toEqual(['retention-conflict', 'journal-retention'])
})

test.each<[string, Record<string, string>, string[], string[]]>([
  ['nothing', { '/etc/rsyslog.conf': '*.* /var/log/all\n# *.* @@logs.example.org\n' }, [], []],
  ['rsyslog to this host', { '/etc/rsyslog.conf': '*.* @@127.0.0.1:514\nmail.* -/var/log/mail\n' }, [], []],
  ['rsyslog over UDP', { '/etc/rsyslog.d/9.conf': '*.*  @logs.example.org:514\n' }, [], ['rsyslog']],
  [
    'rsyslog by an action',
    { '/etc/rsyslog.conf': 'action(type="omfwd" target="logs.example.org")\n', 'rsyslog.service': '' },
    ['rsyslog'],
    [],
  ],
  [
    'the journal',
    {
      '/etc/systemd/journal-upload.conf': '[Upload]\nURL=https://logs.example.org\n',
      'systemd-journal-upload.service': '',
    },
    ['systemd-journal-upload'],
    [],
  ],
  [
    'the journal without an URL',
    { '/etc/systemd/journal-upload.conf': '[Upload]\n# URL=\n', 'systemd-journal-upload.service': '' },
    [],
    [],
  ],
  [
    'promtail',
    { '/etc/promtail/config.yml': 'clients:\n  - url: http://loki:3100/push\n', 'promtail.service': '' },
    ['promtail'],
    [],
  ],
  [
    'Vector',
    { '/etc/vector/vector.toml': '[sinks.out]\ntype = "http"\n', 'vector.service': '' },
    ['Vector'],
    [],
  ],
])('lookForForwarding() finds %s', (_, files, active, idle) => {
  using root = temporaryDirectory()
  for (const [path, text] of Object.entries(files)) {
    const place = path.startsWith('/') ? path : `/etc/systemd/system/multi-user.target.wants/${path}`
    mkdirSync(dirname(root.path + place), { recursive: true })
    writeFileSync(root.path + place, text)
  }
  const found = lookForForwarding(new LocalHostReader(root.path, ALL_GRANTS))
  expect([found.active, found.idle.map(({ name }) => name), found.blind]).toEqual([active, idle, []])
})
