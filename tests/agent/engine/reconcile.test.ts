import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Finding, Severity } from '../../../agent/contract/report.ts'
import { isExamined, reconcile } from '../../../agent/engine/reconcile.ts'
import { findingFingerprint } from '../../../agent/lib/fingerprint.ts'

type KnownFinding = Parameters<typeof reconcile>[0][number]

const everything = () => true
const nothing = () => false

function finding(subject: string, more: Partial<Finding> = {}): Finding {
  return { rule: 'wrong', subject, severity: 'warning', summary: `${subject} is wrong`, ...more }
}

function known(subject: string, more: Partial<KnownFinding> = {}): KnownFinding {
  const rule = more.rule ?? 'wrong'
  return {
    id: 1,
    fingerprint: findingFingerprint(rule, subject),
    rule,
    subject,
    severity: 'warning',
    state: 'open',
    muted: false,
    reminder: null,
    ...more,
  }
}

const transitions: [
  name: string,
  before: Partial<KnownFinding> | null,
  now: Partial<Finding> | null,
  muted: boolean,
  expected: 'opened' | 'regressed' | 'reminded' | 'resolved' | null,
][] = [
  ['is new', null, {}, false, 'opened'],
  ['is new and waived', null, {}, true, 'opened'],
  [
    'is due at the next step',
    { reminder: '30 days' },
    { evidence: { reminder: '15 days' } },
    false,
    'reminded',
  ],
  ['is due at the same step', { reminder: '30 days' }, { evidence: { reminder: '30 days' } }, false, null],
  ['has no reminder any more', { reminder: '30 days' }, {}, false, null],
  ['is there still', {}, {}, false, null],
  ['is there still and becomes waived', {}, {}, true, null],
  ['is there still and stays waived', { muted: true }, {}, true, null],
  ['is there still when its waiver ended', { muted: true }, {}, false, 'regressed'],
  ['became graver', { severity: 'info' }, { severity: 'critical' }, false, 'regressed'],
  ['became lighter', { severity: 'critical' }, { severity: 'info' }, false, null],
  ['says it in other words', {}, { summary: 'differently' }, false, null],
  ['came back', { state: 'resolved' }, {}, false, 'regressed'],
  ['came back waived', { state: 'resolved' }, {}, true, 'regressed'],
  ['is gone', {}, null, false, 'resolved'],
  ['is gone and was waived', { muted: true }, null, false, 'resolved'],
  ['was gone and is gone', { state: 'resolved' }, null, false, null],
]

for (const [name, before, now, muted, expected] of transitions) {
  test(`reconcile() gives ${expected ?? 'no transition'} when a finding ${name}`, () => {
    const result = reconcile(
      before ? [known('/a', before)] : [],
      now ? [finding('/a', now)] : [],
      everything,
      () => muted,
    )
    const said = result.seen[0]?.transition ?? (result.resolved.length > 0 ? 'resolved' : null)
    expect(said).toBe(expected)
    expect(result.seen).toHaveLength(now ? 1 : 0)
  })
}

test('reconcile() leaves open what the run does not speak for', () => {
  const result = reconcile([known('/a')], [], nothing, nothing)
  expect(result).toEqual({ seen: [], resolved: [] })
})

test('reconcile() takes the first of two findings with one identity', () => {
  const result = reconcile(
    [],
    [finding('/a', { summary: 'first' }), finding('/a', { summary: 'second' })],
    everything,
    nothing,
  )
  expect(result.seen.map((row) => row.finding.summary)).toEqual(['first'])
})

test('reconcile() tells rules of one subject apart, and rule and subject that run together', () => {
  const result = reconcile(
    [],
    [finding('b c', { rule: 'a' }), finding('c', { rule: 'a b' }), finding('c', { rule: 'a' })],
    everything,
    nothing,
  )
  expect(new Set(result.seen.map((row) => row.fingerprint)).size).toBe(3)
})

// --- a host over time -----------------------------------------------------------------------------------------------

const SUBJECTS = ['/a', '/b', '/c', '/d']
const severity = fc.constantFrom<Severity>('info', 'warning', 'critical')
const look = fc.record({
  wrong: fc.dictionary(fc.constantFrom(...SUBJECTS), severity, { maxKeys: SUBJECTS.length }),
  blind: fc.uniqueArray(fc.constantFrom(...SUBJECTS), { maxLength: 2 }),
  waived: fc.uniqueArray(fc.constantFrom(...SUBJECTS), { maxLength: 2 }),
})
type Look = { wrong: Record<string, Severity>; blind: string[]; waived: string[] }

/** What a store does with the answer, in memory. */
class Model {
  rows: KnownFinding[] = []
  readonly events = new Map<string, string[]>()

  apply({ wrong, blind, waived }: Look): number {
    const now = Object.entries(wrong)
      .filter(([subject]) => !blind.includes(subject))
      .map(([subject, severity]) => finding(subject, { severity }))
    const isWaived = ({ subject }: { subject: string }) => waived.includes(subject)
    const blindly = blind.map((subject) => ({ subject, reason: 'dark' }))
    const { seen, resolved } = reconcile(this.rows, now, (row) => isExamined(row, blindly), isWaived)
    for (const row of seen) {
      const next = known(row.finding.subject, {
        severity: row.finding.severity,
        muted: isWaived(row.finding),
      })
      this.rows = [...this.rows.filter((old) => old.subject !== next.subject), next]
      if (row.transition) this.note(next.subject, row.transition)
    }
    for (const row of resolved) {
      this.rows = this.rows.map((old) => (old === row ? { ...old, state: 'resolved' } : old))
      this.note(row.subject, 'resolved')
    }
    return seen.filter((row) => row.transition).length + resolved.length
  }

  private note(subject: string, event: string): void {
    this.events.set(subject, [...(this.events.get(subject) ?? []), event])
  }
}

const options = { seed: 20260301, numRuns: 500 }

test('reconcile() never loses and never doubles: openings and resolutions alternate over any history', () => {
  fc.assert(
    fc.property(fc.array(look, { maxLength: 12 }), (history) => {
      const model = new Model()
      for (const step of history) model.apply(step)
      for (const [subject, events] of model.events) {
        expect(events[0]).toBe('opened')
        expect(events.filter((event) => event === 'opened')).toHaveLength(1)
        for (const [index, event] of events.entries()) {
          // Only what is open is resolved, and what was resolved comes back before anything else.
          if (event === 'resolved') expect(events[index - 1]).not.toBe('resolved')
        }
        const row = model.rows.find((candidate) => candidate.subject === subject)
        expect(row?.state).toBe(events.at(-1) === 'resolved' ? 'resolved' : 'open')
      }
    }),
    options,
  )
})

test('reconcile() knows after each run exactly what is wrong, but for what it could not see', () => {
  fc.assert(
    fc.property(fc.array(look, { minLength: 1, maxLength: 12 }), (history) => {
      const model = new Model()
      for (const step of history) {
        const before = new Map(model.rows.map((row) => [row.subject, row.state]))
        model.apply(step)
        for (const subject of SUBJECTS) {
          const state = model.rows.find((row) => row.subject === subject)?.state
          if (step.blind.includes(subject)) expect(state).toBe(before.get(subject))
          else expect(state === 'open').toBe(subject in step.wrong)
        }
      }
    }),
    options,
  )
})

test('reconcile() has nothing to say about the same look twice', () => {
  fc.assert(
    fc.property(fc.array(look, { maxLength: 6 }), look, (history, last) => {
      const model = new Model()
      for (const step of [...history, last]) model.apply(step)
      expect(model.apply(last)).toBe(0)
    }),
    options,
  )
})

// --- what a run was blind for ---------------------------------------------------------------------------------------

const examined: [subject: string, blind: string, expected: boolean][] = [
  ['/srv/a', '/srv/a', false],
  ['/srv/a', '/srv', false],
  ['/srv/a/b', '/srv/a', false],
  ['/srv/ab', '/srv/a', true],
  ['/srv', '/srv/a', true],
  ['/srv/a', '/', false],
  ['key of root', 'key of root', false],
  ['key of root', 'key', true],
  ['/srv/a', 'srv', true],
]
for (const [subject, blind, expected] of examined) {
  test(`isExamined() is ${expected} for "${subject}" when the run was blind on "${blind}"`, () => {
    expect(isExamined({ subject }, [{ subject: blind, reason: 'x' }])).toBe(expected)
  })
}
