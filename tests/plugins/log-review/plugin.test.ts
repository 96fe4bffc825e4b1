import { expect, setDefaultTimeout, test } from 'bun:test'
import { appendFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { z } from 'zod'
import type { Finding, Json } from '../../../agent/contract/mod.ts'
import plugin from '../../../plugins/log-review/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

setDefaultTimeout(30_000)

type Settings = z.input<typeof plugin.config>

const NOW = new Date('2026-11-22T06:00:00Z')
const before = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString()

function hostWith(files: Record<string, string>, settings: Settings = {}) {
  const root = temporaryDirectory()
  const write = (path: string, text: string) => {
    mkdirSync(dirname(root.path + path), { recursive: true })
    writeFileSync(root.path + path, text)
  }
  for (const [path, text] of Object.entries(files)) write(path, text)
  let memory: Json | undefined
  const check = async () => {
    const report = await pluginUnderTest(plugin, settings, {
      root: root.path,
      stateDir: '/state',
      now: NOW,
      ...(memory === undefined ? {} : { memory }),
    }).check()
    memory = report.memory
    const idle = (report.inapplicable ?? []).map(({ rule }) => rule)
    return { ...report, blind: report.blind ?? [], found: brief(report.findings), idle }
  }
  return { path: root.path, write, check, [Symbol.dispose]: () => root[Symbol.dispose]() }
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
