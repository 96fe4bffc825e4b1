import { expect, setDefaultTimeout, test } from 'bun:test'
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { z } from 'zod'
import type { Finding, Json } from '../../../agent/contract/mod.ts'
import plugin from '../../../plugins/log-review/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

setDefaultTimeout(30_000)

type Settings = z.input<typeof plugin.config>

const NOW = new Date('2026-11-22T06:00:00Z')
const before = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString()
const after = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000)

function hostWith(files: Record<string, string>, settings: Settings = {}) {
  const root = temporaryDirectory()
  const write = (path: string, text: string) => {
    mkdirSync(dirname(root.path + path), { recursive: true })
    writeFileSync(root.path + path, text)
  }
  for (const [path, text] of Object.entries(files)) write(path, text)
  let memory: Json | undefined
  const check = async (now = NOW) => {
    const report = await pluginUnderTest(plugin, settings, {
      root: root.path,
      stateDir: '/state',
      now,
      ...(memory === undefined ? {} : { memory }),
    }).check()
    memory = report.memory
    const idle = (report.inapplicable ?? []).map(({ rule }) => rule)
    return { ...report, blind: report.blind ?? [], found: brief(report.findings), idle }
  }
  const append = (path: string, text: string) => appendFileSync(root.path + path, text)
  return { path: root.path, write, append, check, [Symbol.dispose]: () => root[Symbol.dispose]() }
}

const brief = (findings: Finding[]) => findings.map(({ rule, subject }) => `${rule} ${subject}`)
const failed = (count: number) =>
  Array.from(
    { length: count },
    (_, index) =>
      `${before(30)} host sshd[${index}]: Failed password for root from 192.0.2.1 port ${index} ssh2\n`,
  ).join('')

test('check says that nothing applies on a host that keeps no logs of logins', async () => {
  using host = hostWith({ '/etc/hostname': 'x' })
  const { found, blind, idle } = await host.check()
  expect({ found, blind, idle: idle.toSorted() }).toEqual({
    found: [],
    blind: [],
    idle: Object.keys(plugin.rules).toSorted(),
  })
})

test('check finds failed logins in auth.log, within its window only', async () => {
  const old = failed(50).replaceAll(before(30), before(90))
  using host = hostWith({ '/var/log/auth.log': old + failed(11) }, { failedLogins: { atMost: 10 } })
  const first = await host.check()
  expect([first.found, first.blind]).toEqual([['failed-logins ssh'], []])
  expect(first.metrics?.[0]).toMatchObject({ name: 'failed_logins', value: 11 })
  host.write('/var/log/auth.log', old + failed(10))
  expect((await host.check()).found).toEqual([])
  appendFileSync(
    `${host.path}/var/log/auth.log`,
    `${before(1)} host sshd[9]: Accepted password for root from 192.0.2.1 port 77 ssh2\n`,
  )
  expect((await host.check()).found).toEqual(['login-after-failures root from 192.0.2.1'])
})

test('check is blind where logs of logins cannot be read, and where systemd keeps them and does not show them', async () => {
  using host = hostWith({ '/etc/hostname': 'x' })
  mkdirSync(`${host.path}/var/log/auth.log`, { recursive: true })
  const unreadable = await host.check()
  expect([unreadable.found, unreadable.blind]).toMatchObject([
    [],
    [{ subject: 'logins', rules: ['failed-logins', 'login-after-failures'] }],
  ])
})

test('check counts what tells of failures in the logs of services', async () => {
  const lines = (count: number) => `${before(10)} login failed for "x"\n`.repeat(count)
  using host = hostWith(
    { '/srv/a.log': lines(4), '/srv/b.log': lines(3) },
    {
      failures: [
        { name: 'a', log: '/srv/a.log', pattern: 'login failed', atMost: 3 },
        { name: 'b', log: '/srv/b.log', pattern: 'login failed', atMost: 3 },
        { name: 'gone', log: '/srv/c.log', pattern: 'x' },
        { name: 'journal', unit: 'a.service', pattern: 'x' },
      ],
    },
  )
  const { found, blind } = await host.check()
  expect(found).toEqual(['too-many-failures a'])
  expect(blind.map(({ subject, rules }) => [subject, rules])).toEqual([
    ['gone', ['too-many-failures']],
    ['journal', ['too-many-failures']],
  ])
})

test('check finds too many failures of a service, and no more when they are older than the window', async () => {
  const line = `${before(10)} login failed for "x"\n`
  using host = hostWith(
    { '/srv/a.log': `${before(11)} all is well\n${line.repeat(3)}` },
    { failures: [{ name: 'a', log: '/srv/a.log', pattern: 'login failed', atMost: 3, window: '1h' }] },
  )
  const few = await host.check()
  expect([few.found, few.blind, few.idle.includes('too-many-failures')]).toEqual([[], [], false])
  expect(few.metrics).toMatchObject([{ name: 'log_failures', value: 3, labels: { name: 'a' } }])
  host.append('/srv/a.log', line)
  const many = await host.check()
  expect(many.found).toEqual(['too-many-failures a'])
  expect(many.findings[0]).toMatchObject({
    summary: '4 lines of /srv/a.log tell of a failure (a) within 1h, wanted at most 3',
    evidence: { failures: 4, path: '/srv/a.log' },
  })
  const later = await host.check(after(60))
  expect([later.found, later.blind, later.metrics?.[0]?.value]).toEqual([[], [], 0])
})

test('check finds that a log has gone quiet, by its lines or by its file, until it is written to', async () => {
  const logs = [
    { path: '/srv/a.log', writtenWithin: '1h' },
    { path: '/srv/b.log', writtenWithin: '1h', times: false },
  ]
  using host = hostWith({ '/srv/a.log': `${before(90)} x\n`, '/srv/b.log': 'no time\n' }, { logs })
  const touch = (path: string, time: string) => utimesSync(host.path + path, new Date(time), new Date(time))
  // What its lines say goes before the time of its file.
  touch('/srv/a.log', before(1))
  touch('/srv/b.log', before(120))
  const quiet = await host.check()
  expect([quiet.found, quiet.blind]).toEqual([
    ['log-not-growing /srv/a.log', 'log-not-growing /srv/b.log'],
    [],
  ])
  expect(quiet.findings.map(({ summary, evidence }) => [summary, evidence?.quietSeconds])).toEqual([
    ['Nothing was written to /srv/a.log for 1h 30m, wanted at least every 1h', 5400],
    ['Nothing was written to /srv/b.log for 2h, wanted at least every 1h', 7200],
  ])
  host.append('/srv/a.log', `${before(2)} x\n`)
  host.append('/srv/b.log', 'no time\n')
  touch('/srv/b.log', before(2))
  const { found, blind, idle } = await host.check()
  expect([found, blind, idle.includes('log-not-growing')]).toEqual([[], [], false])
})

test('check finds a gap between lines of two runs, and tells of it for a day', async () => {
  const logs = [{ path: '/srv/a.log', maxGap: '1h' }]
  using host = hostWith({ '/srv/a.log': `${before(250)} x\n${before(200)} x\n` }, { logs })
  const whole = await host.check()
  expect([whole.found, whole.blind, whole.idle.includes('log-gap')]).toEqual([[], [], false])
  host.append('/srv/a.log', `${before(10)} x\n`)
  const gap = await host.check()
  expect(gap.found).toEqual(['log-gap /srv/a.log'])
  expect(gap.findings[0]?.evidence).toEqual({ path: '/srv/a.log', from: before(200), to: before(10) })
  // From then on there is a line every half hour.
  for (let minutes = 0; minutes <= 24 * 60; minutes += 30)
    host.append('/srv/a.log', `${before(-minutes)} x\n`)
  expect((await host.check(after(23 * 60))).findings).toEqual(gap.findings)
  const next = await host.check(after(24 * 60))
  expect([next.found, next.blind]).toEqual([[], []])
})

test('check finds that times go back behind those of the last run, until new lines are in order', async () => {
  using host = hostWith({ '/srv/a.log': `${before(10)} x\n` }, { logs: [{ path: '/srv/a.log' }] })
  const first = await host.check()
  expect([first.found, first.blind, first.idle.includes('log-disorder')]).toEqual([[], [], false])
  host.append('/srv/a.log', `${before(60)} x\n${before(40)} x\n`)
  const back = await host.check()
  expect(back.found).toEqual(['log-disorder /srv/a.log'])
  expect(back.findings[0]).toMatchObject({
    summary: '/srv/a.log: times go back 2 times, by up to 50m',
    evidence: { path: '/srv/a.log', line: 2 },
  })
  expect((await host.check()).findings).toEqual(back.findings)
  host.append('/srv/a.log', `${before(5)} x\n`)
  const last = await host.check()
  expect([last.found, last.blind]).toEqual([[], []])
})

test('check reads a log from where it ended, and keeps what it found until there are new lines', async () => {
  const entry = (fields: object) => `${JSON.stringify({ time: before(5), ...fields })}\n`
  using host = hostWith(
    { '/srv/audit.log': entry({ ip: 'a' }) + entry({}) },
    {
      logs: [{ path: '/srv/audit.log', format: 'json', fields: ['ip'], writtenWithin: '1h', maxBytes: 200 }],
    },
  )
  const first = await host.check()
  expect([first.found, first.findings[0]?.evidence]).toMatchObject([
    ['audit-log-unusable /srv/audit.log'],
    { path: '/srv/audit.log', line: 2 },
  ])
  expect((await host.check()).findings).toEqual(first.findings)
  appendFileSync(`${host.path}/srv/audit.log`, entry({ ip: 'b' }))
  expect((await host.check()).found).toEqual([])
  appendFileSync(`${host.path}/srv/audit.log`, 'no JSON\n'.repeat(20))
  const last = await host.check()
  expect([last.found, last.findings[1]?.evidence?.line]).toEqual([
    ['log-too-large /srv/audit.log', 'log-unparsable /srv/audit.log', 'audit-log-unusable /srv/audit.log'],
    4,
  ])
})

test('check never passes for a log that is not there', async () => {
  const logs = [{ path: '/srv/a.log' }, { path: '/srv/*.json', missing: 'inapplicable' as const }]
  using host = hostWith({ '/etc/hostname': 'x' }, { logs })
  expect((await host.check()).found).toEqual(['log-missing /srv/a.log'])
  const { blind } = await host.check()
  expect(blind).toMatchObject([{ subject: '/srv/*.json', reason: 'there is no such log' }])
  using other = hostWith({ '/etc/hostname': 'x' }, { logs: logs.slice(1) })
  const { found, idle, blind: none } = await other.check()
  expect([found, none, idle.includes('log-unparsable')]).toEqual([[], [], true])
})

test('check is blind of a log that is a link, a directory, or longer than is read', async () => {
  using host = hostWith(
    { '/srv/a.log': `${before(1)} x\n`.repeat(1000) },
    { logs: [{ path: '/srv/*.log' }], maxReadBytes: 1000 },
  )
  symlinkSync('a.log', `${host.path}/srv/b.log`)
  symlinkSync('c.log', `${host.path}/srv/c.log`)
  const { found, blind } = await host.check()
  expect(found).toEqual([])
  expect(blind.map(({ subject }) => subject)).toEqual(['/srv/a.log', '/srv/b.log', '/srv/c.log'])
  expect(blind[0]?.reason).toContain('left for the next run')
})

test('check finds a log that no rule rotates, and one that was rotated too long ago', async () => {
  const line = `${before(1)} x\n`
  using host = hostWith(
    {
      '/var/log/a.log': line,
      '/var/log/b.log': line,
      '/var/log/c.log': line,
      '/etc/logrotate.conf': 'include /etc/logrotate.d\n',
      '/etc/logrotate.d/a': '/var/log/[ac].log {\n weekly\n rotate 4\n}\n',
      '/var/lib/logrotate/status':
        'logrotate state -- version 2\n"/var/log/a.log" 2026-11-20-0:0:0\n"/var/log/c.log" 2026-11-1-0:0:0\n',
    },
    {
      logs: [
        { path: '/var/log/b.log', rotated: true },
        { path: '/var/log/a.log', rotated: true, rotatedWithin: '8d' },
        { path: '/var/log/c.log', rotated: true, rotatedWithin: '8d' },
      ],
      retention: [{ paths: ['/var/log/**'], atLeast: '90d' }],
    },
  )
  const { found, findings, blind } = await host.check()
  expect([found, blind]).toEqual([
    [
      'retention-too-short /var/log/[ac].log',
      'rotation-missing /var/log/b.log',
      'rotation-overdue /var/log/c.log',
    ],
    [],
  ])
  // The command of the remedy, carried out on this host.
  const remedy = findings[1]?.remedy ?? ''
  Bun.spawnSync(['sh', '-c', remedy.replace('> /etc', `> ${host.path}/etc`)])
  expect((await host.check()).found).not.toContain('rotation-missing /var/log/b.log')
  expect(findings[2]?.evidence?.rotatedAt).toBe(new Date(2026, 10, 1).toISOString())
  const state = readFileSync(`${host.path}/var/lib/logrotate/status`, 'utf8')
  host.write('/var/lib/logrotate/status', state.replace('2026-11-1-', '2026-11-21-'))
  const rotated = await host.check()
  expect([rotated.found, rotated.blind]).toEqual([['retention-too-short /var/log/[ac].log'], []])
})

test('check finds rules that keep logs too short or too long, until what it says is written there', async () => {
  using host = hostWith(
    {
      '/etc/logrotate.conf': 'include /etc/logrotate.d\n',
      '/etc/logrotate.d/a': '/var/log/a.log {\n weekly\n rotate 4\n}\n',
      '/etc/logrotate.d/b': '/var/log/b.log {\n weekly\n rotate 52\n}\n',
    },
    {
      retention: [
        { paths: ['/var/log/a.log'], atLeast: '90d', source: 'guide' },
        { paths: ['/var/log/b.log'], atMost: '30d' },
      ],
    },
  )
  const { found, findings, blind } = await host.check()
  expect([found, blind]).toEqual([
    ['retention-too-short /var/log/a.log', 'retention-too-long /var/log/b.log'],
    [],
  ])
  expect(findings.map(({ summary }) => summary)).toEqual([
    '/var/log/a.log is kept for 28d (/etc/logrotate.d/a:1), wanted at least 90d (guide)',
    '/var/log/b.log is kept for up to 371d (/etc/logrotate.d/b:1), wanted at most 30d',
  ])
  for (const { remedy = '' } of findings) {
    const [, line = '', path = ''] = /^Write "(.+)" in the block at (.+):1$/.exec(remedy) ?? []
    host.write(path, readFileSync(host.path + path, 'utf8').replace('}', ` ${line}\n}`))
  }
  const mended = await host.check()
  expect([mended.found, mended.blind]).toEqual([[], []])
  const judged = ['retention-too-short', 'retention-too-long', 'retention-conflict']
  expect(judged.filter((rule) => mended.idle.includes(rule))).toEqual([])
})

test('check finds two policies that cannot both be met, until a log is in one of them only', async () => {
  const files = { '/etc/logrotate.conf': '/var/log/a.log {\n weekly\n rotate 13\n}\n' }
  const policies = (atMostOf: string) => [
    { paths: ['/var/log/a.log'], atLeast: '90d', source: 'audit' },
    { paths: [atMostOf], atMost: '30d', source: 'privacy' },
  ]
  using clash = hostWith(files, { retention: policies('/var/log/**') })
  const { found, findings, blind } = await clash.check()
  expect([found, blind]).toEqual([
    ['retention-conflict /var/log/a.log', 'retention-too-long /var/log/a.log'],
    [],
  ])
  expect(findings[0]?.summary).toBe(
    '/var/log/a.log is to be kept at least 90d (audit), and at most 30d (privacy)',
  )
  using apart = hostWith(files, { retention: policies('/var/log/b.log') })
  const agreed = await apart.check()
  expect([agreed.found, agreed.blind, agreed.idle.includes('retention-conflict')]).toEqual([[], [], false])
})

test('check is blind where the rules or the state of logrotate cannot be read', async () => {
  using host = hostWith(
    { '/var/log/a.log': `${before(1)} x\n`, '/etc/logrotate.conf': '/var/log/a.log {\n' },
    {
      logs: [{ path: '/var/log/a.log', rotatedWithin: '8d' }],
      retention: [{ paths: ['/var/log/a.log'], atLeast: '1d' }],
    },
  )
  const { found, blind } = await host.check()
  expect([found, blind.map(({ subject, rules }) => [subject, rules?.[0]])]).toEqual([
    [],
    [
      ['/etc/logrotate.conf', 'rotation-missing'],
      ['/var/lib/logrotate/status', 'rotation-overdue'],
    ],
  ])
})

test('check judges the journal, and says when there is none', async () => {
  const retention = [{ paths: ['/var/log/journal'], atLeast: '90d' }]
  using host = hostWith(
    {
      '/var/log/journal/x/system.journal': '',
      '/etc/systemd/journald.conf': '[Journal]\nMaxRetentionSec=30day\n',
    },
    { retention },
  )
  const { found, findings } = await host.check()
  expect(found).toEqual(['journal-retention /var/log/journal'])
  const remedy = findings[0]?.remedy?.split(' && systemctl')[0] ?? ''
  Bun.spawnSync(['sh', '-c', remedy.replaceAll(' /etc', ` ${host.path}/etc`)])
  expect((await host.check()).found).toEqual([])
  using volatile = hostWith(
    { '/run/systemd/journal/socket': '' },
    { retention, failedLogins: { enabled: false } },
  )
  expect((await volatile.check()).found).toEqual(['journal-retention /var/log/journal'])
  // Then it only hands on what others keep.
  volatile.write('/etc/systemd/system/multi-user.target.wants/rsyslog.service', '')
  expect((await volatile.check()).idle).toContain('journal-retention')
  using bare = hostWith({ '/etc/hostname': 'x' }, { retention })
  expect((await bare.check()).idle).toContain('journal-retention')
})

test('check finds that no log leaves the host, where that is wanted', async () => {
  using host = hostWith({ '/etc/rsyslog.conf': '*.* /var/log/syslog\n' }, { forwarding: 'required' })
  expect((await host.check()).found).toEqual(['forwarding-missing forwarding'])
  host.write('/etc/rsyslog.d/out.conf', '*.* @@logs.example.org:6514\n')
  const idle = await host.check()
  expect(idle.findings[0]?.remedy).toBe('systemctl enable --now rsyslog.service')
  host.write('/etc/systemd/system/multi-user.target.wants/rsyslog.service', '')
  expect((await host.check()).found).toEqual([])
})

test('check takes memory of another version for none', async () => {
  using host = hostWith({ '/srv/a.log': `${before(1)} x\n` })
  const run = pluginUnderTest(
    plugin,
    { logs: [{ path: '/srv/a.log' }] },
    { root: host.path, stateDir: '/state', now: NOW },
  )
  expect((await run.check({ logs: 'nonsense' })).findings).toEqual([])
})

const RETENTION = ['retention-too-short', 'retention-too-long', 'retention-conflict']
const ofRetention = (rules: string[]) => RETENTION.filter((rule) => rules.includes(rule))

test('check tells of policies that clash over the journal, and what it breaks, and of neither that it does not apply', async () => {
  const paths = ['/var/log/journal']
  using host = hostWith(
    { '/var/log/journal/x/system.journal': '', '/var/log/a.log': '' },
    {
      retention: [
        { paths, atLeast: '90d' },
        { paths, atMost: '30d' },
      ],
    },
  )
  const { found, blind, idle, coverage } = await host.check()
  expect([found, blind, ofRetention(idle), coverage?.examined]).toEqual([
    ['retention-conflict /var/log/journal', 'journal-retention /var/log/journal'],
    [],
    ['retention-too-short', 'retention-too-long'],
    1,
  ])
})

test('check finds that a log which nothing rotates is kept too long, until what it says is carried out', async () => {
  const retention = [{ paths: ['/var/log/*.log'], atMost: '30d', source: 'privacy' }]
  using host = hostWith(
    { '/var/log/a.log': '', '/var/log/a.log.1': '', '/var/log/b.log': '' },
    { retention: [...retention, { paths: ['/var/log/b.log'], atLeast: '90d' }] },
  )
  const { found, findings, blind, idle, coverage } = await host.check()
  expect([found, blind, ofRetention(idle), coverage?.examined]).toEqual([
    [
      'retention-too-long /var/log/a.log',
      'retention-conflict /var/log/b.log',
      'retention-too-long /var/log/b.log',
    ],
    [],
    [],
    2,
  ])
  expect(findings[0]?.summary).toBe(
    '/var/log/a.log is kept without an end in time (nothing rotates it), wanted at most 30d (privacy)',
  )
  host.write('/etc/logrotate.conf', 'include /etc/logrotate.d\n')
  mkdirSync(`${host.path}/etc/logrotate.d`)
  Bun.spawnSync(['sh', '-c', findings[0]?.remedy?.replace('> /etc', `> ${host.path}/etc`) ?? ''])
  expect((await host.check()).found).toEqual([
    'retention-conflict /var/log/b.log',
    'retention-too-long /var/log/b.log',
  ])
})

test('check is content with a log that has to be kept and that nothing rotates, but not with one that is not there', async () => {
  const kept = { paths: ['/var/log/a.log'], atLeast: '90d' }
  const gone = { paths: ['/var/log/gone.log', '/srv/none/**'], atLeast: '90d', atMost: '365d' }
  using host = hostWith({ '/var/log/a.log': '' }, { retention: [kept] })
  const alone = await host.check()
  expect([alone.found, alone.blind, ofRetention(alone.idle)]).toEqual([[], [], ['retention-too-long']])
  using other = hostWith({ '/var/log/a.log': '' }, { retention: [kept, gone] })
  const beside = await other.check()
  expect([beside.found, ofRetention(beside.idle)]).toEqual([[], ['retention-too-long']])
  expect(beside.blind).toEqual(
    gone.paths.map((subject) => ({
      subject,
      reason: 'there is no such log',
      rules: ['retention-too-short'],
    })),
  )
  using none = hostWith({ '/etc/hostname': 'x' }, { retention: [gone] })
  const absent = await none.check()
  expect([absent.found, absent.blind, ofRetention(absent.idle)]).toEqual([[], [], RETENTION])
  expect(absent.coverage).toEqual({ examined: 0, skipped: 0 })
})

test('check judges no policies without a log for them, whether or not another log has to be rotated', async () => {
  using host = hostWith(
    { '/var/log/a.log': `${before(1)} x\n` },
    {
      logs: [{ path: '/var/log/a.log', rotated: true }],
      retention: [{ paths: ['/var/log/b.log'], atLeast: '90d', atMost: '100d' }],
    },
  )
  const { found, blind, idle } = await host.check()
  expect([found, blind]).toEqual([['rotation-missing /var/log/a.log'], []])
  expect([ofRetention(idle), idle.includes('rotation-missing')]).toEqual([RETENTION, false])
})

test('check judges each log that a policy and a rule of logrotate both match', async () => {
  using host = hostWith(
    {
      '/var/log/a.log': '',
      '/var/log/a.log.1': '',
      '/var/log/b.log': '',
      '/etc/logrotate.conf': '/var/log/*.log {\n daily\n rotate 1\n}\n',
    },
    { retention: [{ paths: ['/var/log/a*.log'], atLeast: '30d' }] },
  )
  const { found, findings, blind } = await host.check()
  expect([found, blind]).toEqual([['retention-too-short /var/log/a.log'], []])
  expect(findings[0]?.evidence).toMatchObject({ path: '/etc/logrotate.conf', line: 1, keptSeconds: 86_400 })
  host.write('/etc/logrotate.conf', '/var/log/*.log {\n daily\n rotate 30\n}\n')
  const longer = await host.check()
  expect([longer.found, longer.blind, longer.idle.includes('retention-too-short')]).toEqual([[], [], false])
})

test('check takes what logrotate has moved elsewhere for no log of its own, and nothing but files for logs', async () => {
  using host = hostWith(
    {
      '/var/log/a.log': '',
      '/var/log/old/a.log.1.gz': '',
      '/var/log/journal/x/system.journal': '',
      '/etc/logrotate.conf': '/var/log/a.log {\n daily\n rotate 7\n olddir /var/log/old\n}\n',
    },
    { retention: [{ paths: ['/var/log/**'], atMost: '30d' }] },
  )
  symlinkSync('/srv/README', `${host.path}/var/log/README`)
  const { findings, blind } = await host.check()
  expect([brief(findings.filter(({ rule }) => rule !== 'journal-retention')), blind]).toEqual([[], []])
  using named = hostWith(
    { '/var/log/app/a.log': '' },
    { retention: [{ paths: ['/var/log/app'], atMost: '30d' }] },
  )
  expect((await named.check()).blind).toEqual([
    { subject: '/var/log/app', reason: 'it is no file: name the log, or a pattern', rules: RETENTION },
  ])
})

test('check leaves to a log-rotation job how long it keeps its logs, but not whether policies clash over them', async () => {
  using root = temporaryDirectory()
  mkdirSync(`${root.path}/var/log`, { recursive: true })
  for (const name of ['a.log', 'a.log.1.zst', 'b.log']) writeFileSync(`${root.path}/var/log/${name}`, '')
  const job = { job: 'rotate', plugin: 'log-rotation', runId: 1, startedMs: 0, finishedMs: 1 }
  const actions = [{ ...job, write: [], attributes: [], subjects: ['/var/log/a.log'] }]
  const rotating: typeof plugin = { ...plugin, check: (ctx) => plugin.check({ ...ctx, actions }) }
  const look = (retention: Settings['retention'], logs: Settings['logs'] = []) =>
    pluginUnderTest(rotating, { retention, logs }, { root: root.path, stateDir: '/state', now: NOW }).check()
  const [paths, files] = [['/var/log/a.log'], ['/var/log/*.log*']]
  const alone = await look([{ paths, atMost: '30d' }], [{ path: '/var/log/*.log', rotated: true }])
  expect(brief(alone.findings)).toEqual(['rotation-missing /var/log/b.log'])
  expect(ofRetention((alone.inapplicable ?? []).map(({ rule }) => rule))).toEqual([
    'retention-too-short',
    'retention-too-long',
  ])
  const clash = await look([
    { paths, atLeast: '90d' },
    { paths: files, atMost: '30d' },
  ])
  expect([brief(clash.findings), clash.blind]).toEqual([
    ['retention-conflict /var/log/a.log', 'retention-too-long /var/log/b.log'],
    [],
  ])
})

test('check says of no log that nothing rotates it while a file of logrotate cannot be read', async () => {
  using host = hostWith(
    { '/var/log/a.log': `${before(1)} x\n`, '/etc/logrotate.conf': '/var/log/a.log {\n' },
    {
      logs: [{ path: '/var/log/a.log', rotated: true }],
      retention: [{ paths: ['/var/log/a.log', '/var/log/b.log'], atMost: '30d' }],
    },
  )
  const { found, blind, idle } = await host.check()
  expect([found, blind.map(({ subject, rules }) => [subject, rules]), ofRetention(idle)]).toEqual([
    [],
    [['/etc/logrotate.conf', ['rotation-missing', ...RETENTION]]],
    ['retention-too-short'],
  ])
})

test('check judges the rotation of no log that is not there, and never lets it pass with another', async () => {
  const gone = { path: '/srv/gone.log', missing: 'inapplicable' as const, rotated: true, rotatedWithin: '8d' }
  const rotation = (rules: string[] = []) => rules.filter((rule) => rule.startsWith('rotation-'))
  using none = hostWith({ '/etc/hostname': 'x' }, { logs: [gone] })
  const absent = await none.check()
  expect([absent.found, absent.blind, rotation(absent.idle)]).toEqual([
    [],
    [],
    ['rotation-missing', 'rotation-overdue'],
  ])
  using host = hostWith(
    {
      '/srv/a.log': `${before(1)} x\n`,
      '/etc/logrotate.conf': '/srv/*.log {\n weekly\n rotate 4\n}\n',
      '/var/lib/logrotate/status': '"/srv/a.log" 2026-11-21-0:0:0\n',
    },
    { logs: [gone, { ...gone, path: '/srv/a.log' }] },
  )
  const { found, blind, idle } = await host.check()
  expect([found, rotation(idle), blind.map(({ subject, rules }) => [subject, rotation(rules)])]).toEqual([
    [],
    [],
    [['/srv/gone.log', ['rotation-missing', 'rotation-overdue']]],
  ])
})

test('check judges by whom a log is rotated that cannot be read', async () => {
  using host = hostWith({ '/srv/a.log': '' }, { logs: [{ path: '/srv/b.log', rotated: true }] })
  symlinkSync('a.log', `${host.path}/srv/b.log`)
  const { found, blind } = await host.check()
  expect([found, blind.map(({ subject }) => subject)]).toEqual([
    ['rotation-missing /srv/b.log'],
    ['/srv/b.log'],
  ])
})
