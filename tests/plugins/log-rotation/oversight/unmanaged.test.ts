import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { toGrants } from '../../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../../agent/host/reader.ts'
import { findRivals } from '../../../../plugins/log-rotation/adopted/rival.ts'
import { AdoptedHost } from '../adopted/fixture.ts'
import { DAY_MS, logFixture, rules } from '../fixture.ts'

const ours = (found: { findings: { rule: string; subject: string }[] }) =>
  found.findings
    .map(({ rule, subject }) => [rule, subject])
    .filter(([rule]) => rule !== 'logrotate-still-active')

test('a log that no rule covers is a note, and a warning when it grows', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'yearly' })
  const other = logs.path('deep/other.log')
  mkdirSync(logs.path('deep'))
  logs.config.unmanaged = { roots: [logs.logs], ignore: [logs.path('ignored/**')], growsPerDay: '1k' }
  mkdirSync(logs.path('ignored'))
  for (const name of [
    'app.log',
    'app.log.1.gz',
    'deep/other.log',
    'deep/old.log.3.xz',
    'lastlog',
    'ignored/x.log',
  ]) {
    writeFileSync(logs.path(name), 'x')
  }
  writeFileSync(logs.path('empty.log'), '')
  const first = await logs.check()
  expect(ours(first)).toEqual([['log-unmanaged', other]])
  expect(first.findings[0]).toMatchObject({ severity: 'info' })
  writeFileSync(other, 'x'.repeat(5000))
  logs.nowMs += DAY_MS
  const second = await logs.underTest().check(first.memory)
  expect(ours(second)).toEqual([['log-grows-unmanaged', other]])
  expect(second.findings[0]).toMatchObject({ severity: 'warning', evidence: { bytesPerDay: 4999 } })
  // What grows slower than that stays a note.
  logs.config.unmanaged.growsPerDay = '10k'
  expect(ours(await logs.underTest().check(first.memory))).toEqual([['log-unmanaged', other]])
})

test('a log of an adopted block is covered, and a block or set without logs is told', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app':
      '@/log/app.log {\n missingok\n weekly\n}\n@/log/none/*.log {\n missingok\n weekly\n}\n',
    'log/app.log': 'x',
    'log/nobody.log': 'x',
  })
  expect(ours(await host.check())).toEqual([])
  host.config.unmanaged = { roots: [host.at('log')] }
  host.config.sets = [{ name: 'idle', paths: [host.at('log/idle.log')], size: 1, missingOk: true }]
  expect(ours(await host.check())).toEqual([
    ['rule-matches-nothing', host.at('log/none/*.log')],
    ['log-unmanaged', host.at('log/nobody.log')],
    ['rule-matches-nothing', 'idle'],
  ])
})

test('a log of a set and of a block is told once, and rotated by the set alone', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': '@/log/*.log {\n size 1\n rotate 1\n}\n',
    'log/a.log': 'x',
    'log/b.log': 'x',
  })
  host.config.sets = [{ name: 'own', paths: [host.at('log/a.log')], size: '1M' }]
  const { before, after } = await host.enforce()
  expect(ours(before)).toEqual([
    ['rotation-due', host.at('log/b.log')],
    ['log-in-two-sets', host.at('log/a.log')],
  ])
  expect(ours(after)).toEqual([['log-in-two-sets', host.at('log/a.log')]])
})

test('what logrotate itself rotates counts as managed while the host starts it, and a set about it is told', async () => {
  using host = new AdoptedHost({
    'etc/logrotate.d/app': '@/log/*.log {\n weekly\n}\n',
    'log/a.log': 'x',
    'log/b.log': 'x',
  })
  host.config = {
    sets: [{ name: 'own', paths: [host.at('log/a.log')], interval: 'yearly' }],
    unmanaged: { roots: [host.at('log')], logrotate: [host.at('etc/logrotate.conf')] },
    logrotateIncludes: [host.at('etc/logrotate.d')],
  }
  const reader = new LocalHostReader(
    '/',
    toGrants({ read: ['/etc'] }, '/state', (path) => [path]),
  )
  const isActive = findRivals(reader).length > 0
  expect(ours(await host.check())).toEqual([
    isActive ? ['log-in-two-sets', host.at('log/a.log')] : ['log-unmanaged', host.at('log/b.log')],
  ])
})

test('a directory that cannot be looked into is blind', async () => {
  using logs = logFixture({ paths: ['app.log'], interval: 'yearly' })
  writeFileSync(logs.path('app.log'), 'x')
  logs.config.unmanaged = { roots: [logs.path('gone')] }
  const report = await logs.check()
  expect(report.blind?.map(({ subject }) => subject)).toEqual([logs.path('gone')])
  expect(rules(report)).toEqual([])
})
