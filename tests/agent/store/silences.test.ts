import { expect, test } from 'bun:test'
import { concerns } from '../../../agent/lib/target.ts'
import { knownFindings, recordFindings } from '../../../agent/store/record.ts'
import { activeSilences, addSilence, endSilence } from '../../../agent/store/silences.ts'
import { NOW, openTestStore, seen } from './kit.ts'

const silence = {
  kind: 'silenced' as const,
  job: null,
  rule: '**',
  subject: '/srv/*',
  owner: 'ops',
  reason: 'maintenance',
  createdAt: NOW,
  until: NOW + 1000,
}

test('addSilence() marks the open findings that it is about, and no others', () => {
  using host = openTestStore()
  const source = { job: 'permissions', plugin: 'permission-drift', runId: null, at: NOW }
  recordFindings(host.store, source, [seen('/srv/a'), seen('/srv/b'), seen('/etc/c')], [])
  expect(addSilence(host.store, silence, (row) => concerns(silence, row))).toEqual({ id: 1, findings: 2 })
  const muted = knownFindings(host.store, 'permissions').filter((row) => row.muted)
  expect(muted.map((row) => row.subject)).toEqual(['/srv/a', '/srv/b'])
})

test('activeSilences() leaves out what has run out or was ended', () => {
  using host = openTestStore()
  const { id } = addSilence(host.store, silence, () => false)
  expect(activeSilences(host.store, NOW)).toHaveLength(1)
  expect(activeSilences(host.store, NOW + 1000)).toHaveLength(0)
  expect(endSilence(host.store, id, NOW + 1)).toBe(true)
  expect(activeSilences(host.store, NOW + 1)).toHaveLength(0)
  expect(endSilence(host.store, id + 1, NOW)).toBe(false)
})
