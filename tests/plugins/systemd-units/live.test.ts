import { expect, test } from 'bun:test'
import { toGrants } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { judgeChanges, rememberFile } from '../../../plugins/systemd-units/judge/changes.ts'
import { judgeFailed, judgeReloadNeeded } from '../../../plugins/systemd-units/judge/failed.ts'
import { judgePurpose } from '../../../plugins/systemd-units/judge/purpose.ts'
import { reactionTo, reloadSignal } from '../../../plugins/systemd-units/judge/signals.ts'
import { calendarsOf, judgeTimers, type TimerFacts } from '../../../plugins/systemd-units/judge/timers.ts'
import { parseExposures } from '../../../plugins/systemd-units/live/exposure.ts'
import { parsePeriods } from '../../../plugins/systemd-units/live/periods.ts'
import {
  type Properties,
  parseShow,
  parseSpan,
  parseTimestamp,
} from '../../../plugins/systemd-units/live/show.ts'
import { ask } from '../../../plugins/systemd-units/live/systemctl.ts'
import type { Unit } from '../../../plugins/systemd-units/unit.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOW = Date.parse('2026-11-22T12:00:00Z')

test('parseShow() has the properties of each unit, those that occur twice joined', () => {
  const text =
    'OnCalendar=a\nOnCalendar=b\nId=x.timer\nLoadState=loaded\nActiveState=active\n\nId=y.service\nLoadState=loaded\nActiveState=failed\nExec=a=b\n'
  const units = parseShow(text)
  expect([...units.keys()]).toEqual(['x.timer', 'y.service'])
  expect(units.get('x.timer')?.get('OnCalendar')).toBe('a\nb')
  expect(units.get('y.service')?.get('Exec')).toBe('a=b')
})

test.each([
  'nonsense',
  'ActiveState=active\nLoadState=loaded\n',
  'Id=a\nId=b\nLoadState=x\nActiveState=y',
  'Id=a.service\n',
  '<html>',
])('parseShow() refuses %j', (text) => {
  expect(() => parseShow(text)).toThrow('Cannot understand')
})

test.each([
  ['Sun 2026-11-22 05:00:35 UTC', Date.parse('2026-11-22T05:00:35Z')],
  ['Sun 2026-11-22 05:00:35.123456 UTC', Date.parse('2026-11-22T05:00:35Z')],
  ['n/a', undefined],
  ['', undefined],
  [undefined, undefined],
  ['Sun 2026-11-22 05:00:35 CET', undefined],
])('parseTimestamp() of %p is %p', (text, ms) => {
  expect(parseTimestamp(text)).toBe(ms as never)
})

test.each([
  ['1d 6h 28min 28.5s', 30 * HOUR_MS + 28 * 60_000 + 28_500],
  ['0', 0],
  ['500ms', 500],
  ['1month 1w', 2_629_800_000 + 604_800_000],
  ['infinity', undefined],
  ['a while', undefined],
  ['', undefined],
])('parseSpan() of "%s" is %p', (text, ms) => {
  expect(parseSpan(text)).toBe(ms as never)
})

test('parseExposures() has the level of each unit', () => {
  const text =
    '✗ UMask= x 0.1\n\n→ Overall exposure level for dbus.service: 9.6 UNSAFE :-{\n→ Overall exposure level for a@b.service: 1.0 OK 🙂\n'
  expect([...parseExposures(text)]).toEqual([
    ['dbus.service', 9.6],
    ['a@b.service', 1],
  ])
  expect(parseExposures('').size).toBe(0)
})

test('parsePeriods() has the longest gap, under both forms of an expression', () => {
  const text = `  Original form: Mon..Fri
Normalized form: Mon..Fri *-*-* 00:00:00
    Next elapse: Thu 2026-11-26 00:00:00 UTC
       From now: 3 days left
       Iter. #2: Fri 2026-11-27 00:00:00 UTC
       From now: 4 days left
   Iteration #3: Mon 2026-11-30 00:00:00 UTC
       From now: 1 week left

  Original form: 2020-01-01
Normalized form: 2020-01-01 00:00:00
    Next elapse: never
`
  expect([...parsePeriods(text)]).toEqual([
    ['Mon..Fri', 3 * DAY_MS],
    ['Mon..Fri *-*-* 00:00:00', 3 * DAY_MS],
  ])
})

const stamp = (ms: number) =>
  `${new Date(ms).toUTCString().slice(0, 3)} ${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`

function timer(change: Record<string, string>): Map<string, Properties> {
  const properties = {
    Id: 'a.timer',
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'waiting',
    Unit: 'a.service',
    Persistent: 'no',
    TimersCalendar: '{ OnCalendar=*-*-* 00:00:00 ; next_elapse=… }',
    NextElapseUSecRealtime: stamp(NOW + HOUR_MS),
    NextElapseUSecMonotonic: '0',
    LastTriggerUSec: stamp(NOW - 23 * HOUR_MS),
    ActiveEnterTimestamp: stamp(NOW - 10 * DAY_MS),
    AccuracyUSec: '1min',
    RandomizedDelayUSec: '0',
    ...change,
  }
  return new Map([['a.timer', new Map(Object.entries(properties))]])
}

const FACTS: TimerFacts = {
  nowMs: NOW,
  graceMs: HOUR_MS,
  ignored: [],
  memory: {},
  periods: new Map([['*-*-* 00:00:00', DAY_MS]]),
}
const long = { LastTriggerUSec: stamp(NOW - 5 * DAY_MS) }
const booted = { ActiveEnterTimestamp: stamp(NOW - HOUR_MS / 2) }

test.each<[string, Record<string, string>, Partial<TimerFacts>, string | undefined]>([
  ['ran yesterday', {}, {}, undefined],
  ['ran five days ago', long, {}, 'ran last 5d ago, though it should every 1d'],
  ['may be late by its own delay', { ...long, RandomizedDelayUSec: '4d' }, {}, undefined],
  ['is allowed to', long, { ignored: ['a.*'] }, undefined],
  ['makes up for it after the boot', { ...long, ...booted, Persistent: 'yes' }, {}, undefined],
  ['did not make up for it', { ...long, Persistent: 'yes' }, {}, 'ran last 5d ago'],
  ['does not make up for it', { ...long, ...booted }, {}, 'ran last 5d ago'],
  // systemd has forgotten it with the boot; the memory has not.
  [
    'ran before the boot',
    { ...booted, LastTriggerUSec: '' },
    { memory: { 'a.timer': { seenMs: NOW - 9 * DAY_MS, triggeredMs: NOW - 4 * DAY_MS } } },
    'ran last 4d ago',
  ],
  [
    'was never seen to run',
    { ...booted, LastTriggerUSec: '' },
    { memory: { 'a.timer': { seenMs: NOW - 9 * DAY_MS, triggeredMs: null } } },
    'has not run for at least 9d',
  ],
  ['is new', { ...booted, LastTriggerUSec: '' }, {}, undefined],
  [
    'should have run two hours ago',
    { NextElapseUSecRealtime: stamp(NOW - 2 * HOUR_MS) },
    {},
    'should have run 2h ago',
  ],
  ['is just late', { NextElapseUSecRealtime: stamp(NOW - HOUR_MS / 2) }, {}, undefined],
  [
    'never ran and never will',
    {
      SubState: 'elapsed',
      NextElapseUSecRealtime: '',
      NextElapseUSecMonotonic: 'infinity',
      LastTriggerUSec: '',
    },
    {},
    'has never run, and no time is left',
  ],
  [
    'ran once, as it should',
    { SubState: 'elapsed', NextElapseUSecRealtime: '', NextElapseUSecMonotonic: 'infinity' },
    {},
    undefined,
  ],
  [
    'waits for what began long ago',
    { ...long, SubState: 'running', NextElapseUSecRealtime: '' },
    {},
    'waits for a.service, which has run for 5d',
  ],
  [
    'waits for what began just now',
    { SubState: 'running', NextElapseUSecRealtime: '', LastTriggerUSec: stamp(NOW - HOUR_MS) },
    {},
    undefined,
  ],
  [
    'was not started',
    { ActiveState: 'inactive', UnitFileState: 'enabled', ConditionResult: 'no', ConditionTimestamp: '' },
    {},
    'is enabled, but was not started',
  ],
  [
    'is kept by a condition',
    {
      ActiveState: 'inactive',
      UnitFileState: 'enabled',
      ConditionResult: 'no',
      ConditionTimestamp: stamp(NOW),
    },
    {},
    undefined,
  ],
  ['is off', { ActiveState: 'inactive', UnitFileState: 'disabled' }, {}, undefined],
  [
    'has an expression that nobody could work out',
    { ...long, TimersCalendar: '{ OnCalendar=odd ; next_elapse=… }' },
    {},
    undefined,
  ],
  [
    'counts from the boot',
    { ...long, TimersCalendar: '', NextElapseUSecRealtime: '', NextElapseUSecMonotonic: '1h' },
    {},
    undefined,
  ],
])('judgeTimers() of one that %s', (_, change, facts, expected) => {
  const { findings } = judgeTimers(timer(change), { ...FACTS, ...facts })
  if (expected === undefined) expect(findings).toEqual([])
  else expect(findings).toMatchObject([{ rule: 'timer-missed', summary: expect.stringContaining(expected) }])
})

test('judgeTimers() remembers since when a timer is known and when it ran last', () => {
  const first = judgeTimers(timer({}), FACTS).memory
  expect(first).toEqual({ 'a.timer': { seenMs: NOW, triggeredMs: NOW - 23 * HOUR_MS } })
  const later = { ...FACTS, nowMs: NOW + HOUR_MS, memory: first }
  expect(judgeTimers(timer({ LastTriggerUSec: '' }), later).memory).toEqual(first)
  expect(calendarsOf(timer({}))).toEqual(['*-*-* 00:00:00'])
})

const service = (change: Record<string, string>) =>
  new Map([
    ['a.service', new Map(Object.entries({ ActiveState: 'active', NeedDaemonReload: 'no', ...change }))],
  ])

test('judgeFailed() says why, and is silent about units that run or may fail', () => {
  const failed = service({ ActiveState: 'failed', Result: 'exit-code', ExecMainStatus: '3' })
  expect(judgeFailed(failed, [])).toMatchObject([
    { summary: 'a.service has failed: its process ended with an error (3)' },
  ])
  expect(judgeFailed(failed, ['a*'])).toEqual([])
  expect(judgeFailed(service({ ActiveState: 'failed', Result: 'something-new' }), [])[0]?.summary).toContain(
    'something-new',
  )
  expect(judgeFailed(service({}), [])).toEqual([])
})

test('judgeReloadNeeded() finds what was not read', () => {
  expect(judgeReloadNeeded(service({ NeedDaemonReload: 'yes' }))).toHaveLength(1)
  expect(judgeReloadNeeded(service({}))).toEqual([])
})

test.each([
  ['/bin/kill -HUP $MAINPID', 'HUP'],
  ['-/usr/bin/kill -s SIGUSR1 $' + '{MAINPID}', 'USR1'],
  ['kill --signal=10 $MAINPID', 'USR1'],
  ['/bin/kill $MAINPID', 'TERM'],
  ['/bin/kill -HUP 1', undefined],
  ['/usr/sbin/nginx -s reload', undefined],
  ['/bin/kill -RTMIN+3 $MAINPID', undefined],
])('reloadSignal() of "%s" is %p', (value, name) => {
  expect(reloadSignal({ value })?.name).toBe(name as never)
})

test.each([
  ['SigBlk:\t0\nSigIgn:\t0\nSigCgt:\t1\n', 'handles'],
  ['SigBlk:\t1\nSigIgn:\t0\nSigCgt:\t0\n', 'handles'],
  ['SigBlk:\t0\nSigIgn:\t1\nSigCgt:\t0\n', 'ignores'],
  ['SigBlk:\t0\nSigIgn:\t0\nSigCgt:\tfffe\n', 'dies'],
  ['Name:\tx\n', undefined],
])('reactionTo() SIGHUP of %j is %p', (status, expected) => {
  expect(reactionTo(status, 1)).toBe(expected as never)
})

const purpose = { name: 'log', anyOf: ['rsyslog.service', 'vector*'], running: true, atBoot: true }

test.each([
  [[{ name: 'rsyslog.service', isActive: true, isEnabled: true }], 0],
  [[{ name: 'vector-agent.service', isActive: true, isEnabled: true }], 0],
  [[{ name: 'rsyslog.service', isActive: undefined, isEnabled: true }], 0],
  [[{ name: 'rsyslog.service', isActive: false, isEnabled: true }], 1],
  [[{ name: 'rsyslog.service', isActive: true, isEnabled: false }], 1],
  [
    [
      { name: 'rsyslog.service', isActive: true, isEnabled: false },
      { name: 'vector.service', isActive: false, isEnabled: true },
    ],
    1,
  ],
  [[{ name: 'cron.service', isActive: true, isEnabled: true }], 1],
  [[], 1],
])('judgePurpose() with %j gives %d', (units, count) => {
  expect(judgePurpose(purpose, units)).toHaveLength(count)
})

const stat = (change: object) => ({
  type: 'file' as const,
  mode: 0o600,
  uid: 0,
  gid: 0,
  dev: 1,
  nlink: 1,
  ino: 7,
  size: 5,
  mtimeMs: NOW,
  ctimeMs: NOW,
  ...change,
})

test('rememberFile() takes the time of the content first, and that of a file moved into place later', () => {
  const first = rememberFile(undefined, stat({ ctimeMs: NOW + DAY_MS }))
  expect(first.changedMs).toBe(NOW)
  // A chmod is no change.
  expect(rememberFile(first, stat({ ctimeMs: NOW + 2 * DAY_MS })).changedMs).toBe(NOW)
  const moved = rememberFile(first, stat({ ino: 8, mtimeMs: NOW - DAY_MS, ctimeMs: NOW + 3 * DAY_MS }))
  expect(moved.changedMs).toBe(NOW + 3 * DAY_MS)
  expect(
    rememberFile(moved, stat({ ino: 8, mtimeMs: NOW - DAY_MS, ctimeMs: NOW + 9 * DAY_MS })).changedMs,
  ).toBe(NOW + 3 * DAY_MS)
})

test.each<[string, Partial<NonNullable<Unit['running']>> | undefined, 'restart' | 'reload', number]>([
  ['started before', { startedMs: NOW - 5000 }, 'restart', 1],
  ['started after', { startedMs: NOW + 1 }, 'restart', 0],
  ['started in the same second', { startedMs: NOW - 900 }, 'restart', 0],
  ['reloaded after, where that is enough', { startedMs: NOW - 5000, changedMs: NOW + 1 }, 'reload', 0],
  ['reloaded after, where that is not enough', { startedMs: NOW - 5000, changedMs: NOW + 1 }, 'restart', 1],
  ['not running', { startedMs: NOW - 5000, state: 'inactive' }, 'restart', 0],
  ['unknown', undefined, 'restart', 0],
])('judgeChanges() of a unit that was %s', (_, running, loadedBy, count) => {
  const unit = {
    name: 'a.service',
    owner: undefined,
    running: running && {
      state: 'active',
      mainPid: 1,
      startedMs: undefined,
      changedMs: undefined,
      ...running,
    },
  } as Unit
  expect(judgeChanges(unit, new Map([['/etc/a', rememberFile(undefined, stat({}))]]), loadedBy)).toHaveLength(
    count,
  )
})

test('ask() does not wait for a program that hangs, nor take one that is not there or fails', async () => {
  const host = new LocalHostReader(
    '/',
    toGrants({ run: [['/bin/sleep', '60'], ['/bin/false'], ['/nowhere']] }, '/', (path) => [path]),
  )
  const { signal } = new AbortController()
  expect(await ask(host, ['/bin/sleep', '60'], signal, { timeoutMs: 100 })).toEqual({
    reason: 'it did not answer within 100ms',
  })
  expect(await ask(host, ['/bin/false'], signal)).toEqual({ reason: 'it ended with 1' })
  expect(await ask(host, ['/nowhere'], signal)).toEqual({ reason: 'it is not installed' })
})
