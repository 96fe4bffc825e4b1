import { expect, test } from 'bun:test'
import type { Incident } from '../../../plugins/credential-age/incident/incident.ts'
import { judgeIncident, stepsOf } from '../../../plugins/credential-age/incident/runbook.ts'

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
