import { expect, test } from 'bun:test'
import type { Outcome } from '../../../agent/store/schema.ts'
import {
  hostStatus,
  JOB_STATES,
  type JobState,
  type JobStatus,
  judge,
  type PlannedJob,
} from '../../../agent/store/status.ts'

const NOW = Date.parse('2026-03-10T12:00:00Z')
const NONE = { info: 0, warning: 0, critical: 0 }

function planned(more: Partial<PlannedJob> = {}): PlannedJob {
  return {
    name: 'watch',
    plugin: 'command',
    summary: '',
    mode: 'observe',
    schedule: '@hourly',
    timezone: 'UTC',
    enabled: true,
    refused: null,
    nextRunAt: null,
    expectedAfter: NOW - 3_600_000,
    cutOff: false,
    ...more,
  }
}

const lastRun = (
  outcome: Outcome,
  more: { startedAt?: number; blindCount?: number; reason?: string } = {},
) => ({
  outcome,
  reason: null,
  startedAt: NOW - 60_000,
  finishedAt: NOW,
  blindCount: 0,
  ...more,
})

const cases: [
  state: JobState,
  name: string,
  job: Partial<PlannedJob>,
  run: ReturnType<typeof lastRun> | null,
  open?: Partial<typeof NONE>,
][] = [
  ['ok', 'its last run was clean', {}, lastRun('clean')],
  ['ok', 'its findings are notes', {}, lastRun('findings'), { info: 3 }],
  ['ok', 'it has no schedule and was clean', { expectedAfter: null }, lastRun('clean', { startedAt: 1 })],
  ['warning', 'there is a warning', {}, lastRun('findings'), { info: 1, warning: 1 }],
  ['critical', 'there is something critical', {}, lastRun('findings'), { warning: 1, critical: 1 }],
  ['pending', 'it has never run', { expectedAfter: null }, null],
  ['late', 'it has never run and should have', {}, null],
  ['late', 'its last run is too old', {}, lastRun('clean', { startedAt: NOW - 2 * 3_600_000 })],
  [
    'late',
    'its last run is too old, with findings',
    {},
    lastRun('findings', { startedAt: 1 }),
    { critical: 1 },
  ],
  ['blind', 'it could not see everything', {}, lastRun('findings', { blindCount: 1 }), { critical: 1 }],
  ['blind', 'it could see nothing', {}, lastRun('blind', { blindCount: 1 })],
  ['failed', 'its last run failed', {}, lastRun('failed'), { critical: 1 }],
  ['failed', 'its last run took too long', {}, lastRun('timeout')],
  ['failed', 'its last run was interrupted', {}, lastRun('interrupted')],
  ['failed', 'its last run failed long ago', {}, lastRun('failed', { startedAt: 1 })],
  ['failed', 'its last run was cut off', { cutOff: true }, lastRun('clean')],
  ['refused', 'it may not run', { refused: 'no' }, lastRun('clean')],
  ['refused', 'it may not run and was cut off', { refused: 'no', cutOff: true }, null],
  [
    'disabled',
    'it is disabled',
    { enabled: false, refused: 'no', cutOff: true },
    lastRun('failed'),
    { critical: 1 },
  ],
]
for (const [state, name, job, run, open] of cases) {
  test(`judge() is ${state} when ${name}`, () => {
    const judged = judge(planned(job), run, { ...NONE, ...open })
    expect(judged.state).toBe(state)
    if (!['ok', 'disabled'].includes(state)) expect(judged.reason).toBeString()
  })
}

test('judge() is ok for no outcome but clean and findings', () => {
  const outcomes: Outcome[] = ['clean', 'findings', 'blind', 'failed', 'timeout', 'interrupted']
  expect(outcomes.filter((outcome) => judge(planned(), lastRun(outcome), NONE).state === 'ok')).toEqual([
    'clean',
    'findings',
  ])
})

const status = (state: JobState, more: Partial<JobStatus> = {}): JobStatus => ({
  ...planned({ enabled: state !== 'disabled' }),
  state,
  reason: null,
  lastRun: null,
  lastGoodAt: NOW,
  openFindings: NONE,
  ...more,
})

test('hostStatus() is the most urgent of its jobs', () => {
  const order = JOB_STATES.filter((state) => state !== 'disabled')
  for (const [index, worse] of order.entries()) {
    for (const better of order.slice(index)) {
      expect(hostStatus([status(better), status(worse)]).state).toBe(worse)
    }
  }
})

test('hostStatus() is pending where nobody looks', () => {
  expect(hostStatus([]).state).toBe('pending')
  expect(hostStatus([status('disabled')]).state).toBe('pending')
  expect(hostStatus([status('disabled'), status('ok')]).state).toBe('ok')
})

test('hostStatus() counts what reeve finds about itself', () => {
  expect(hostStatus([status('ok')], { critical: 1 })).toMatchObject({
    state: 'critical',
    openFindings: { critical: 1 },
  })
  expect(hostStatus([status('ok')], { warning: 1 }).state).toBe('warning')
  expect(hostStatus([status('failed')], { critical: 1 }).state).toBe('failed')
  expect(hostStatus([status('ok')], { info: 1 }).state).toBe('ok')
})

test('hostStatus() is good since the oldest good look of all enabled jobs', () => {
  const looks = (...times: (number | null)[]) =>
    hostStatus(times.map((lastGoodAt) => status('ok', { lastGoodAt }))).goodSince
  expect(looks(5, 3, 9)).toBe(3)
  expect(looks(5, null)).toBeNull()
  expect(looks()).toBeNull()
  expect(
    hostStatus([status('ok', { lastGoodAt: 5 }), status('disabled', { lastGoodAt: null })]).goodSince,
  ).toBe(5)
})
