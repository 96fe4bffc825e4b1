import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { MAX_PAYLOAD_BYTES, shorten } from '../../../agent/alert/payload.ts'
import { MAX_SINGLE_ALERTS, planAlerts } from '../../../agent/alert/policy.ts'
import type { Scalar } from '../../../agent/contract/report.ts'
import { CONTEXT, transition, webhook } from './kit.ts'

const ops = webhook('https://hooks.example.org/x')
const all = webhook('https://hooks.example.org/x', { name: 'all', minimumSeverity: 'info' })
const plan = (transitions: ReturnType<typeof transition>[], channels = [ops]) =>
  planAlerts(transitions, channels, CONTEXT)

test('planAlerts() makes one message for each change and channel, with the whole finding', () => {
  const [message, ...others] = plan([transition()])
  expect(others).toEqual([])
  expect(message).toMatchObject({ channel: 'ops', type: 'finding.opened' })
  expect(JSON.parse(message?.payload ?? '')).toEqual({
    type: 'finding.opened',
    timestamp: '2026-09-21T14:13:20.000Z',
    data: {
      host: 'web1.example.org',
      job: 'permissions',
      plugin: 'permission-drift',
      runId: 7,
      finding: {
        id: 1,
        fingerprint: '53b5bec2ee55261610a1b46e7a919a58',
        rule: 'mode-differs',
        subject: '/etc/shadow',
        severity: 'critical',
        summary: 'the mode of /etc/shadow is 0644, wanted 0640',
        remedy: 'chmod 0640 /etc/shadow',
        evidence: { mode: '0644', wanted: '0640' },
        openedAt: '2026-09-21T14:13:20.000Z',
        resolvedAt: null,
      },
    },
  })
})

test('planAlerts() tells when a finding was resolved', () => {
  const [message] = plan([transition({ kind: 'resolved', at: 1_790_000_060_000 })])
  expect(message?.type).toBe('finding.resolved')
  expect(JSON.parse(message?.payload ?? '')).toMatchObject({
    type: 'finding.resolved',
    timestamp: '2026-09-21T14:14:20.000Z',
    data: { finding: { openedAt: '2026-09-21T14:13:20.000Z', resolvedAt: '2026-09-21T14:14:20.000Z' } },
  })
})

test('planAlerts() tells a channel nothing below its severity, of other jobs, or that is muted', () => {
  const some = webhook('https://hooks.example.org/x', { name: 'some', jobs: ['backup'] })
  const changes = [
    transition({ findingId: 1, severity: 'info' }),
    transition({ findingId: 2, severity: 'warning' }),
    transition({ findingId: 3, severity: 'critical', job: 'backup' }),
    transition({ findingId: 4, severity: 'critical', muted: true }),
  ]
  const seen = plan(changes, [ops, all, some]).map(
    (message) => `${message.channel} ${JSON.parse(message.payload).data.finding.id}`,
  )
  expect(seen).toEqual(['ops 3', 'ops 2', 'all 3', 'all 2', 'all 1', 'some 3'])
})

test('planAlerts() gives the same message the same id, and every other one another', () => {
  const changes = [
    transition(),
    transition({ kind: 'resolved', at: 1_790_000_060_000 }),
    transition({ kind: 'regressed', at: 1_790_000_120_000 }),
    transition({ kind: 'resolved', at: 1_790_000_180_000 }),
    transition({ findingId: 2 }),
  ]
  const ids = changes.flatMap((change) => plan([change])).map((message) => message.messageId)
  expect(new Set(ids).size).toBe(changes.length)
  expect(changes.flatMap((change) => plan([change])).map((message) => message.messageId)).toEqual(ids)
  expect(new Set(ids.slice(0, 4).map((id) => id.slice(0, 28))).size).toBe(1)
  expect(ids[4]?.slice(0, 28)).not.toBe(ids[0]?.slice(0, 28) ?? '')
  const [elsewhere] = planAlerts([transition()], [ops], { ...CONTEXT, instance: 'installation-2' })
  expect(ids).not.toContain(elsewhere?.messageId ?? '')
})

test('planAlerts() sends the most severe one by one and the rest as a summary when one run opens many', () => {
  const changes = Array.from({ length: 100 }, (_, index) =>
    transition({
      findingId: index,
      subject: `/srv/${index}`,
      severity: index >= 95 ? 'critical' : 'warning',
      rule: index % 2 === 0 ? 'mode-differs' : 'owner-differs',
    }),
  )
  const messages = plan(changes)
  expect(messages.length).toBe(MAX_SINGLE_ALERTS + 1)
  const singles = messages.slice(0, -1).map((message) => JSON.parse(message.payload).data.finding)
  expect(singles.slice(0, 6).map((finding) => finding.subject)).toEqual([
    '/srv/95',
    '/srv/96',
    '/srv/97',
    '/srv/98',
    '/srv/99',
    '/srv/0',
  ])
  const summary = messages.at(-1)
  expect(summary?.type).toBe('findings.opened')
  expect(JSON.parse(summary?.payload ?? '')).toMatchObject({
    type: 'findings.opened',
    data: {
      host: 'web1.example.org',
      runId: 7,
      summary: '80 more findings opened at once: 80 warning',
      total: 80,
      severities: { info: 0, warning: 80, critical: 0 },
      jobs: { permissions: 80 },
      rules: { 'mode-differs': 40, 'owner-differs': 40 },
    },
  })
  expect(JSON.parse(summary?.payload ?? '').data.first).toHaveLength(10)
})

test('planAlerts() makes no summary when all fit', () => {
  const changes = Array.from({ length: MAX_SINGLE_ALERTS }, (_, findingId) => transition({ findingId }))
  expect(plan(changes).map((message) => message.type)).toEqual(changes.map(() => 'finding.opened'))
})

test('planAlerts() loses no finding: every one is in a message of its own or counted, for any mix', () => {
  const change = fc.record({
    kind: fc.constantFrom('opened' as const, 'regressed' as const, 'resolved' as const),
    severity: fc.constantFrom('info' as const, 'warning' as const, 'critical' as const),
    muted: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 120 }), (changes) => {
      const transitions = changes.map((partial, findingId) => transition({ ...partial, findingId }))
      const payloads = plan(transitions, [all]).map((message) => JSON.parse(message.payload))
      const told = payloads.reduce((sum, { data }) => sum + (data.finding ? 1 : data.total), 0)
      expect(told).toBe(changes.filter(({ muted }) => !muted).length)
      expect(payloads.length).toBeLessThanOrEqual(3 * (MAX_SINGLE_ALERTS + 1))
    }),
    { seed: 3 },
  )
})

test('planAlerts() cuts texts in a fixed order and says which when a message would be too large', () => {
  const [message] = plan([
    transition({
      remedy: 'r'.repeat(8000),
      evidence: { diff: 'd'.repeat(4096), other: 'o'.repeat(4096), n: 1 },
    }),
  ])
  const { data } = JSON.parse(message?.payload ?? '')
  expect(data.truncated).toBeUndefined()
  const [large] = plan([
    transition({
      remedy: 'r'.repeat(8000),
      evidence: { a: 'a'.repeat(4096), b: 'b'.repeat(4096), c: 'c'.repeat(4096) },
    }),
  ])
  const cut = JSON.parse(large?.payload ?? '').data
  expect(cut.truncated).toEqual(['evidence'])
  expect(cut.finding.evidence.a).toBe(`${'a'.repeat(200)}… (3896 more)`)
  expect(cut.finding.remedy).toHaveLength(8000)
  expect(cut.finding.fingerprint).toBe(data.finding.fingerprint)
})

test('planAlerts() stays below the limit for texts of any kind and length', () => {
  const nasty = (maxLength: number) =>
    fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength }),
      fc
        .tuple(
          fc.constantFrom('\u0000', '"', '😀', '\udc80', 'ü', 'x'),
          fc.integer({ min: 1, max: maxLength }),
        )
        .map(([unit, length]) => unit.repeat(Math.ceil(length / unit.length))),
    )
  const evidence: fc.Arbitrary<Record<string, Scalar>> = fc.dictionary(
    nasty(100),
    fc.oneof(nasty(4096), fc.double(), fc.boolean(), fc.constant(null)),
    { maxKeys: 60 },
  )
  const change = fc.record({
    subject: nasty(4096),
    summary: nasty(2000),
    remedy: nasty(8000),
    evidence,
    rule: fc.stringMatching(/^[a-z-]{1,300}$/),
    job: fc.stringMatching(/^[a-z0-9-]{1,63}$/),
    plugin: nasty(400),
  })
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 12 }),
      (changes, times) => {
        const transitions = Array.from({ length: changes.length * times }, (_, findingId) =>
          transition({ ...changes[findingId % changes.length], findingId }),
        )
        for (const message of plan(transitions)) {
          expect(Buffer.byteLength(message.payload)).toBeLessThan(MAX_PAYLOAD_BYTES)
          expect(() => JSON.parse(message.payload)).not.toThrow()
        }
      },
    ),
    { seed: 4, numRuns: 60 },
  )
})

test('shorten() keeps whole characters and says how much is missing', () => {
  expect(shorten('abc', 3)).toBe('abc')
  expect(shorten('abcd', 3)).toBe('abc… (1 more)')
  expect(shorten('ab😀d', 3)).toBe('ab… (3 more)')
})
