import { expect, test } from 'bun:test'
import type { Incident } from '../../../plugins/credential-age/incident/incident.ts'
import { judgeIncident, stepsOf } from '../../../plugins/credential-age/incident/runbook.ts'
import { hostWith, rulesOf } from './host.ts'
import { DAY, NOW } from './material.ts'

const incident = (kind: string, ticks: Incident['ticks'] = {}): Incident => ({
  version: 1,
  subject: 'app',
  kind,
  openedAtMs: Date.parse('2026-11-20T08:00:00Z'),
  reason: 'in a log',
  fingerprint: 'old',
  ticks,
})
const ticked = (kind: string) =>
  Object.fromEntries(stepsOf(kind).map(({ id }) => [id, { atMs: 1, by: 'ops', note: 'done' }]))

test('judgeIncident() finds a compromised credential until every step is proven or ticked', () => {
  const before = { placesWithOld: ['/etc/app/env'], now: 'old', restarted: false }
  const [finding, ...others] = judgeIncident(incident('env-file'), before)
  expect([finding?.rule, finding?.severity, others]).toEqual(['credential-compromised', 'critical', []])
  expect(finding?.summary).toContain('5 of 5 steps are open')
  expect(finding?.evidence).toMatchObject({ stillIn: '/etc/app/env' })
  const after = { placesWithOld: [], now: 'new', restarted: true }
  expect(judgeIncident(incident('env-file', ticked('env-file')), after)).toEqual([])
})

test('judgeIncident() believes no tick of what can be seen, and opens a step anew when the old value is back', () => {
  const back = { placesWithOld: ['/etc/other'], now: 'new', restarted: true }
  const [finding] = judgeIncident(incident('env-file', ticked('env-file')), back)
  expect(finding?.summary).toContain('1 of 5 steps are open: update')
})

test('check finds what was declared compromised until its runbook is through, and when the old value is back', async () => {
  using host = hostWith([{ kind: 'env-file', path: '/etc/env', service: 'app' }])
  const subject = '/etc/env#API_TOKEN'
  const old = 'API_TOKEN=k7Q2vXw9Lr4TzB8mNc3Pf6HsJd5Ga1Ye\n'
  const after = (days: number) => new Date(NOW.getTime() + days * DAY)
  const startedAt = (days: number) =>
    host.processes([{ pid: 10, unit: 'app.service', startedAt: after(days) }])
  host.write('/etc/env', old)
  startedAt(0.5)
  const before = await host.check({ now: after(1) })
  expect(rulesOf(before)).toEqual([])
  const compromised = (days: number, memory: typeof before.memory, values: Record<string, string>) =>
    host.command('compromised', { positionals: [subject], values }, { now: after(days), memory })
  expect((await compromised(1, before.memory, { reason: 'in a log' })).exitCode).toBe(3)
  const found = await host.check({ now: after(2), memory: before.memory })
  expect(found.findings).toMatchObject([
    {
      rule: 'credential-compromised',
      subject,
      severity: 'critical',
      summary: expect.stringContaining('5 of 5 steps are open: new, update, restart, clients, logs'),
      evidence: { openedAt: after(1).toISOString(), open: 5, stillIn: subject },
    },
  ])
  host.write('/etc/env', 'API_TOKEN=Zp8Wq3RtYv6Mx1Kb7Nc4Lf9Hs2Jd5Ga0\n', after(3))
  startedAt(3.5)
  const replaced = await host.check({ now: after(4), memory: found.memory })
  expect(replaced.findings[0]?.summary).toContain('2 of 5 steps are open: clients, logs')
  for (const tick of ['clients', 'logs']) await compromised(4, replaced.memory, { tick, note: 'done' })
  const through = await host.check({ now: after(5), memory: replaced.memory })
  expect(rulesOf(through)).toEqual([])
  host.write('/etc/env', old, after(6))
  startedAt(6.5)
  const back = await host.check({ now: after(7), memory: through.memory })
  expect(rulesOf(back)).toEqual([`credential-compromised ${subject}`])
  expect(back.findings[0]?.evidence).toMatchObject({ stillIn: subject })
})
