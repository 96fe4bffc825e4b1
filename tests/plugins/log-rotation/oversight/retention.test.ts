import { expect, test } from 'bun:test'
import { utimesSync, writeFileSync } from 'node:fs'
import {
  judgeRetention,
  type Kept,
  periodOfRule,
} from '../../../../plugins/log-rotation/oversight/retention.ts'
import type { RetentionPolicy } from '../../../../plugins/log-rotation/oversight/retention-policy.ts'
import { AdoptedHost } from '../adopted/fixture.ts'
import { DAY_MS, logFixture, rules } from '../fixture.ts'

const kept = (some: Partial<Kept>): Kept => ({
  path: '/var/log/a.log',
  rule: 'set a',
  periodMs: 7 * DAY_MS,
  keep: 4,
  maxAgeMs: undefined,
  fullAgeMs: undefined,
  ...some,
})
const policy = (atLeast: number | undefined, atMost?: number, source?: string): RetentionPolicy => ({
  paths: ['/var/log/**'],
  atLeast: atLeast && atLeast * DAY_MS,
  atMost: atMost && atMost * DAY_MS,
  source,
})
const judge = (log: Partial<Kept>, ...policies: RetentionPolicy[]) =>
  judgeRetention(kept(log), policies).map(({ rule }) => rule)

test.each([
  ['weekly × 4 against 90 days', {}, [policy(90)], ['retention-too-short']],
  ['weekly × 13 against 90 days', { keep: 13 }, [policy(90)], []],
  ['an age that cuts it short', { keep: 99, maxAgeMs: 30 * DAY_MS }, [policy(90)], ['retention-too-short']],
  ['a size of unknown growth', { periodMs: undefined }, [policy(90)], []],
  [
    'a size whose generations are young',
    { periodMs: undefined, fullAgeMs: 3 * DAY_MS },
    [policy(90)],
    ['retention-too-short'],
  ],
  ['all generations', { keep: Number.POSITIVE_INFINITY }, [policy(90)], []],
  ['weekly × 4 against at most 60 days', {}, [policy(undefined, 60)], []],
  ['weekly × 4 against at most 30 days', {}, [policy(undefined, 30)], ['retention-too-long']],
  ['an age within the limit', { keep: 99, maxAgeMs: 30 * DAY_MS }, [policy(undefined, 30)], []],
  ['without an end', { periodMs: undefined }, [policy(undefined, 30)], ['retention-too-long']],
  ['another path', { path: '/srv/a.log' }, [policy(90, 1)], []],
  [
    'two that cannot be met',
    { keep: 13 },
    [policy(90), policy(undefined, 28)],
    ['retention-conflict', 'retention-too-long'],
  ],
  ['two that can', { keep: 13 }, [policy(90), policy(30, 120)], []],
])('judgeRetention() of %s', (_, log, policies, expected) => {
  expect(judge(log, ...policies)).toEqual(expected)
})

test('judgeRetention() shows both sides of a conflict, and what to set', () => {
  const policies = [policy(90, undefined, 'guide 4'), policy(undefined, 28, 'guide 1')]
  const [conflict, short] = judgeRetention(kept({}), policies)
  expect(conflict?.summary).toContain('at least 90d (guide 4), and at most 28d (guide 1)')
  expect(short?.remedy).toContain('to 13')
})

test.each([
  [DAY_MS, undefined, undefined, DAY_MS],
  [DAY_MS, 100, 200, DAY_MS / 2],
  [DAY_MS, 100, 50, DAY_MS],
  [undefined, 100, 50, 2 * DAY_MS],
  [undefined, 100, undefined, undefined],
])('periodOfRule(%p, %p, %p)', (interval, size, growth, expected) => {
  expect(periodOfRule(interval, size, growth)).toBe(expected)
})

test('a set and a block of logrotate are held against the policies about their logs', async () => {
  using logs = logFixture({ paths: ['a.log'], interval: 'weekly', keep: 4 })
  writeFileSync(logs.path('a.log'), '')
  logs.config.retention = [{ paths: [logs.path('**')], atLeast: '90d', source: 'guide 4' }]
  expect(rules(await logs.check())).toEqual(['retention-too-short'])
  logs.config.retention = [{ paths: [logs.path('**')], atLeast: '28d' }]
  expect(rules(await logs.check())).toEqual([])

  using host = new AdoptedHost({
    'etc/logrotate.d/a': '@/log/a.log {\n daily\n rotate 7\n}\n',
    'log/a.log': '',
  })
  host.config.retention = [{ paths: [host.at('log/*.log')], atLeast: '90d', atMost: '80d' }]
  expect(rules(await host.check())).toEqual(
    expect.arrayContaining(['retention-conflict', 'retention-too-short']),
  )
})

test('check finds a log that is kept longer than a policy allows, or without an end in time', async () => {
  using logs = logFixture({ paths: ['a.log'], interval: 'weekly', keep: 4 })
  writeFileSync(logs.path('a.log'), '')
  const atMost = (days: string) => {
    logs.config.retention = [{ paths: [logs.path('*')], atMost: days, source: 'guide 1' }]
  }
  atMost('35d')
  expect((await logs.check()).findings).toEqual([])
  atMost('34d')
  expect((await logs.check()).findings).toMatchObject([
    {
      rule: 'retention-too-long',
      subject: logs.path('a.log'),
      severity: 'warning',
      summary: expect.stringContaining(
        'is kept for up to 35d (set app: keep 4, weekly), wanted at most 34d (guide 1)',
      ),
      evidence: { rule: 'set app: keep 4, weekly', keep: 4 },
    },
  ])

  using bySize = logFixture({ paths: ['a.log'], size: '1M', keep: 4 })
  writeFileSync(bySize.path('a.log'), '')
  bySize.config.retention = [{ paths: [bySize.path('*')], atMost: '30d' }]
  const [finding] = (await bySize.check()).findings
  expect(finding).toMatchObject({ rule: 'retention-too-long', subject: bySize.path('a.log') })
  expect(finding?.summary).toContain('is kept without an end in time')
  expect(finding?.remedy).toContain('maxAge (maxage in a file of logrotate) to 30 days')
  bySize.config.sets = bySize.config.sets.map((set) => ({ ...set, maxAge: '30d' }))
  expect((await bySize.check()).findings).toEqual([])
})

test('a set by size is held against the age of what it keeps', async () => {
  using logs = logFixture({ paths: ['a.log'], size: '1M', keep: 2 })
  writeFileSync(logs.path('a.log'), '')
  for (const index of [1, 2]) {
    writeFileSync(logs.path(`a.log.${index}.gz`), 'x')
    utimesSync(
      logs.path(`a.log.${index}.gz`),
      (logs.nowMs - index * DAY_MS) / 1000,
      (logs.nowMs - index * DAY_MS) / 1000,
    )
  }
  logs.config.retention = [{ paths: [logs.path('*')], atLeast: '3d' }]
  expect(rules(await logs.check())).toEqual(['retention-too-short'])
  logs.config.retention = [{ paths: [logs.path('*')], atLeast: '47h' }]
  expect(rules(await logs.check())).toEqual([])
})
