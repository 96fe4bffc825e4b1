import { expect, test } from 'bun:test'
import {
  beginRun,
  closeInterrupted,
  type FinishedRun,
  forgetJobs,
  knownFindings,
  memoryOf,
  recordFindings,
  recordFinished,
  recordUnstarted,
} from '../../../agent/store/record.ts'
import { findings, runs } from '../../../agent/store/schema.ts'
import { NOW, openTestStore, seen } from './kit.ts'

const newRun = (job: string, startedAt = NOW) => ({
  job,
  plugin: 'command',
  trigger: 'manual' as const,
  mode: 'observe' as const,
  startedAt,
  configDigest: 'd',
  actor: null,
  version: '1',
})

function finished(id: number, job: string, more: Partial<FinishedRun> = {}): FinishedRun {
  return {
    id,
    job,
    at: NOW,
    outcome: 'clean',
    reason: null,
    durationMs: 5,
    sandbox: 'off',
    findingCount: 0,
    blind: [],
    inapplicable: [],
    coverage: { examined: 0, skipped: 0 },
    metrics: [],
    facts: [],
    artifacts: [],
    memory: undefined,
    complete: true,
    ...more,
  }
}

test('beginRun() writes what is true when reeve dies at once', () => {
  using host = openTestStore()
  const id = beginRun(host.store, newRun('a'))
  expect(host.store.orm.select().from(runs).all()).toMatchObject([
    { id, outcome: 'interrupted', finishedAt: null, blind: [], findingCount: 0 },
  ])
})

test('closeInterrupted() closes the open runs of one job only', () => {
  using host = openTestStore()
  const [first, other] = [beginRun(host.store, newRun('a')), beginRun(host.store, newRun('b'))]
  const done = beginRun(host.store, newRun('a'))
  recordFinished(host.store, finished(done, 'a'))
  expect(closeInterrupted(host.store, 'a', NOW + 1)).toEqual([first])
  expect(closeInterrupted(host.store, 'a', NOW + 2)).toEqual([])
  expect(host.rows('SELECT id, outcome, finished_at FROM runs ORDER BY id')).toEqual([
    { id: first, outcome: 'interrupted', finished_at: NOW + 1 },
    { id: other, outcome: 'interrupted', finished_at: null },
    { id: done, outcome: 'clean', finished_at: NOW },
  ])
})

test('recordUnstarted() writes a run that took no time', () => {
  using host = openTestStore()
  recordUnstarted(host.store, newRun('a'), 'missed', '3 runs missed')
  expect(host.rows('SELECT outcome, reason, finished_at, duration_ms FROM runs')).toEqual([
    { outcome: 'missed', reason: '3 runs missed', finished_at: NOW, duration_ms: 0 },
  ])
})

test('recordFindings() keeps the row of a finding through its life, with its events', () => {
  using host = openTestStore()
  const { store } = host
  const at = (step: number) => ({ job: 'a', plugin: 'command', runId: step, at: NOW + step })
  const known = () => knownFindings(store, 'a')[0] ?? null
  recordFindings(store, at(1), [seen('/x')], [])
  recordFindings(store, at(2), [seen('/x', { known: known(), transition: null })], [])
  recordFindings(store, at(3), [], knownFindings(store, 'a'))
  const [told] = recordFindings(store, at(4), [seen('/x', { known: known(), transition: 'regressed' })], [])
  expect(store.orm.select().from(findings).all()).toMatchObject([
    {
      id: 1,
      state: 'open',
      openedAt: NOW + 4,
      lastSeenAt: NOW + 4,
      resolvedAt: null,
      regressions: 1,
      lastRunId: 4,
    },
  ])
  expect(told).toMatchObject({ kind: 'regressed', findingId: 1, runId: 4, openedAt: NOW + 4 })
  expect(host.rows('SELECT finding_id, run_id, kind FROM finding_events ORDER BY id')).toEqual([
    { finding_id: 1, run_id: 1, kind: 'opened' },
    { finding_id: 1, run_id: 3, kind: 'resolved' },
    { finding_id: 1, run_id: 4, kind: 'regressed' },
  ])
})

test('recordFindings() tells findings of two jobs apart, though they are the same', () => {
  using host = openTestStore()
  for (const job of ['a', 'b']) {
    recordFindings(host.store, { job, plugin: 'command', runId: null, at: NOW }, [seen('/x')], [])
  }
  expect(knownFindings(host.store, 'a')).toHaveLength(1)
  expect(host.rows('SELECT job FROM findings ORDER BY id')).toEqual([{ job: 'a' }, { job: 'b' }])
})

test('recordFinished() replaces facts and metrics when the run saw everything, else only adds to them', () => {
  using host = openTestStore()
  const { store } = host
  const report = (names: string[]) => ({
    facts: names.map((subject) => ({ kind: 'log', subject, data: { of: subject } })),
    metrics: names.map((name) => ({ name, value: 1 })),
  })
  const left = () => [
    host.rows('SELECT subject FROM facts ORDER BY subject').map((row) => row.subject),
    host.rows('SELECT name FROM metrics ORDER BY name').map((row) => row.name),
  ]
  const step = (at: number, names: string[], complete: boolean) =>
    recordFinished(
      store,
      finished(beginRun(store, newRun('a')), 'a', { at: NOW + at, complete, ...report(names) }),
    )
  step(1, ['a', 'b'], true)
  step(2, ['c'], false)
  expect(left()).toEqual([
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
  ])
  step(3, ['b'], true)
  expect(left()).toEqual([['b'], ['b']])
})

test('recordFinished() notes when a fact changed, and since when it is known', () => {
  using host = openTestStore()
  const step = (at: number, data: Record<string, number>) =>
    recordFinished(
      host.store,
      finished(beginRun(host.store, newRun('a')), 'a', {
        at: NOW + at,
        facts: [{ kind: 'log', subject: 'x', data }],
      }),
    )
  step(1, { bytes: 1 })
  step(2, { bytes: 1 })
  step(3, { bytes: 2 })
  step(4, { bytes: 2 })
  expect(host.rows('SELECT first_seen_at, changed_at, seen_at FROM facts')).toEqual([
    { first_seen_at: NOW + 1, changed_at: NOW + 3, seen_at: NOW + 4 },
  ])
})

test('recordFinished() keeps the memory of before when the run left none', () => {
  using host = openTestStore()
  const step = (memory: FinishedRun['memory']) =>
    recordFinished(host.store, finished(beginRun(host.store, newRun('a')), 'a', { memory }))
  expect(memoryOf(host.store, 'a')).toBeUndefined()
  step({ deep: [1, null, 'ä'] })
  step(undefined)
  expect(memoryOf(host.store, 'a')).toEqual({ deep: [1, null, 'ä'] })
  step(null)
  expect(memoryOf(host.store, 'a')).toBeNull()
})

test('forgetJobs() closes what belongs to removed jobs, and nothing else', () => {
  using host = openTestStore()
  const { store } = host
  for (const job of ['kept', 'gone']) {
    recordFindings(store, { job, plugin: 'command', runId: null, at: NOW }, [seen('/x')], [])
    recordFinished(
      store,
      finished(beginRun(store, newRun(job)), job, {
        facts: [{ kind: 'log', subject: 'x', data: {} }],
        metrics: [{ name: 'm', value: 1 }],
        memory: 'remembered',
      }),
    )
  }
  forgetJobs(store, ['kept'], NOW + 1)
  expect(host.rows('SELECT job, state FROM findings ORDER BY id')).toEqual([
    { job: 'kept', state: 'open' },
    { job: 'gone', state: 'resolved' },
  ])
  for (const table of ['facts', 'metrics'])
    expect(host.rows(`SELECT job FROM ${table}`)).toEqual([{ job: 'kept' }])
  // Should it come back, it goes on where it was.
  expect(memoryOf(store, 'gone')).toBe('remembered')
  forgetJobs(store, [], NOW + 2)
  expect(host.rows("SELECT job FROM findings WHERE state = 'open'")).toEqual([])
})
