import { expect, test } from 'bun:test'
import type { Finding, Report } from '../../../agent/contract/report.ts'
import { combine, healthFindings, unfinished } from '../../../agent/engine/outcome.ts'

const wrong: Finding = { rule: 'wrong', subject: '/a', severity: 'info', summary: 'a' }
const dark = { subject: '/b', reason: 'permission denied' }

const outcomes: [
  name: string,
  check: Report,
  apply: Report | null,
  outcome: string,
  reason: string | null,
][] = [
  ['nothing', { findings: [] }, null, 'clean', null],
  ['a finding', { findings: [wrong] }, null, 'findings', null],
  [
    'something blind',
    { findings: [], blind: [dark] },
    null,
    'blind',
    'could not examine /b: permission denied',
  ],
  [
    'a finding and something blind',
    { findings: [wrong], blind: [dark, dark] },
    null,
    'findings',
    'could not examine /b: permission denied, and 1 more',
  ],
  ['a finding of apply only', { findings: [] }, { findings: [wrong] }, 'findings', null],
  [
    'something blind in apply only',
    { findings: [] },
    { findings: [], blind: [dark] },
    'blind',
    'could not examine /b: permission denied',
  ],
]
for (const [name, check, apply, outcome, reason] of outcomes) {
  test(`combine() is ${outcome} when there is ${name}`, () => {
    expect(combine(check, apply, undefined)).toMatchObject({ outcome, reason })
  })
}

test('combine() takes the facts of the check, and metrics and artifacts of both', () => {
  const check: Report = {
    findings: [],
    facts: [{ kind: 'log', subject: '/a', data: {} }],
    metrics: [{ name: 'seen', value: 1 }],
    artifacts: [{ kind: 'list', path: '/l', bytes: 1 }],
    coverage: { examined: 5, skipped: 2 },
    memory: 'of the check',
  }
  const apply: Report = {
    findings: [],
    facts: [{ kind: 'log', subject: '/never', data: {} }],
    metrics: [{ name: 'done', value: 2 }],
    artifacts: [{ kind: 'archive', path: '/x', bytes: 2 }],
    coverage: { examined: 1, skipped: 1 },
  }
  expect(combine(check, apply, 'kept')).toEqual({
    outcome: 'clean',
    reason: null,
    findings: [],
    blind: [],
    inapplicable: [],
    facts: [{ kind: 'log', subject: '/a', data: {} }],
    metrics: [
      { name: 'seen', value: 1 },
      { name: 'done', value: 2 },
    ],
    artifacts: [
      { kind: 'list', path: '/l', bytes: 1 },
      { kind: 'archive', path: '/x', bytes: 2 },
    ],
    coverage: { examined: 5, skipped: 2 },
    memory: 'kept',
  })
})

test('unfinished() confirms nothing', () => {
  expect(unfinished('failed', 'no', 'memory')).toEqual({
    outcome: 'failed',
    reason: 'no',
    findings: [],
    blind: [],
    inapplicable: [],
    metrics: [],
    facts: [],
    artifacts: [],
    coverage: { examined: 0, skipped: 0 },
    memory: 'memory',
  })
})

const health: [run: Parameters<typeof healthFindings>[1], rule: string | null, says: RegExp][] = [
  [{ outcome: 'clean', reason: null, blind: [] }, null, /^$/],
  [{ outcome: 'findings', reason: null, blind: [] }, null, /^$/],
  [{ outcome: 'failed', reason: 'no such plugin', blind: [] }, 'job-failed', /logs failed: no such plugin/],
  [{ outcome: 'timeout', reason: 'too long', blind: [] }, 'job-failed', /logs took too long: too long/],
  [{ outcome: 'interrupted', reason: 'reeve stopped', blind: [] }, null, /^$/],
  [
    { outcome: 'blind', reason: 'could not examine /b', blind: [dark] },
    'job-blind',
    /logs could not examine \/b/,
  ],
  [
    { outcome: 'findings', reason: 'could not examine /b', blind: [dark] },
    'job-blind',
    /logs could not examine/,
  ],
  [{ outcome: 'failed', reason: 'x'.repeat(5000), blind: [dark] }, 'job-failed', /x{100}/],
]
for (const [run, rule, says] of health) {
  test(`healthFindings() says ${rule ?? 'nothing'} of a run that is ${run.outcome} with ${run.blind.length} blind`, () => {
    const findings = healthFindings('logs', run)
    expect(findings.map((finding) => finding.rule)).toEqual(rule ? [rule] : [])
    expect(findings[0]?.summary ?? '').toMatch(says)
    expect((findings[0]?.summary ?? '').length).toBeLessThanOrEqual(2000)
    if (rule) expect(findings[0]?.subject).toBe('job logs')
  })
}
