import { expect, test } from 'bun:test'
import { prune } from '../../../agent/store/prune.ts'
import { knownFindings, recordFindings } from '../../../agent/store/record.ts'
import { NOW, openTestStore, seen } from './kit.ts'

const DAY = 86_400_000

test('prune() removes what is older than the retention, but never what the state of a job is read from', () => {
  using host = openTestStore()
  const { store } = host
  const run = (job: string, ageDays: number, outcome: string) =>
    store.sqlite.run(
      `INSERT INTO runs (job, plugin, trigger, mode, outcome, started_at, config_digest, version) VALUES (?, 'p', 'timer', 'observe', ?, ?, '', '')`,
      [job, outcome, NOW - ageDays * DAY],
    )
  run('often', 300, 'clean')
  run('often', 200, 'clean')
  run('often', 1, 'clean')
  run('rarely', 300, 'clean')
  run('rarely', 250, 'findings')
  run('rarely', 200, 'missed')
  run('rarely', 190, 'skipped')
  const resolved = (subject: string, ageDays: number) => {
    const at = NOW - ageDays * DAY
    recordFindings(store, { job: 'often', plugin: 'p', runId: null, at }, [seen(subject)], [])
    recordFindings(
      store,
      { job: 'often', plugin: 'p', runId: null, at },
      [],
      knownFindings(store, 'often').filter((row) => row.subject === subject),
    )
  }
  resolved('/old', 400)
  resolved('/new', 10)
  recordFindings(store, { job: 'often', plugin: 'p', runId: null, at: NOW - 900 * DAY }, [seen('/open')], [])
  prune(store, { runs: 180 * DAY, findings: 365 * DAY }, NOW)
  expect(host.rows('SELECT job, outcome FROM runs ORDER BY id')).toEqual([
    { job: 'often', outcome: 'clean' },
    { job: 'rarely', outcome: 'findings' },
    { job: 'rarely', outcome: 'skipped' },
  ])
  expect(host.rows('SELECT subject FROM findings ORDER BY id')).toEqual([
    { subject: '/new' },
    { subject: '/open' },
  ])
  // The events of a finding go with it.
  expect(host.rows('SELECT DISTINCT finding_id FROM finding_events ORDER BY 1')).toEqual([
    { finding_id: 2 },
    { finding_id: 3 },
  ])
})
