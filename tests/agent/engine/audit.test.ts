import { expect, test } from 'bun:test'
import type { Checklist } from '../../../agent/config/profile-schema.ts'
import type { Severity } from '../../../agent/contract/report.ts'
import { auditOf, type Known, type Verdict } from '../../../agent/engine/audit.ts'
import type { StoredFinding } from '../../../agent/store/read-findings.ts'
import type { JobState, JobStatus } from '../../../agent/store/status.ts'

const checklist = (checks: Checklist['items'][number]['checks']): Checklist => ({
  name: 'mine',
  profile: 'mine',
  title: 'Mine',
  items: [{ id: 'a', title: 'A', references: [], checks }],
})
const check = (more: Partial<Checklist['items'][number]['checks'][number]> = {}) => ({
  job: 'modes',
  rules: null,
  subjects: null,
  ...more,
})
const finding = (rule: string, subject: string, more: Partial<StoredFinding> = {}) =>
  ({ rule, subject, severity: 'warning' as Severity, waived: null, summary: 'x', ...more }) as StoredFinding
const WAIVED = { waived: { owner: 'ops', reason: 'on purpose', expires: '2027-01-01' } }

function known(more: Partial<Known> & { state?: JobState; plugin?: string } = {}): Known {
  const { state = 'ok', plugin = 'permission-drift', ...rest } = more
  return {
    status: { name: 'modes', state, plugin, reason: 'why' } as JobStatus,
    look: { at: 5, blind: [], inapplicable: [] },
    findings: [],
    ...rest,
  }
}
const dark = (subject: string, rules?: string[]) => ({
  look: { at: 5, blind: [{ subject, reason: 'permission denied', rules }], inapplicable: [] },
})

const cases: [
  name: string,
  check: Parameters<typeof check>[0],
  known: Known | undefined,
  verdict: Verdict,
][] = [
  ['nothing is wrong', {}, known(), 'pass'],
  ['nothing is wrong and a person said so', {}, known({ plugin: 'attestation' }), 'attested'],
  ['something is wrong', {}, known({ findings: [finding('mode', '/a')] }), 'fail'],
  ['another rule speaks', { rules: ['owner'] }, known({ findings: [finding('mode', '/a')] }), 'pass'],
  ['another subject is wrong', { subjects: ['/b/**'] }, known({ findings: [finding('mode', '/a')] }), 'pass'],
  [
    'a subject below is wrong',
    { subjects: ['/b/**'] },
    known({ findings: [finding('mode', '/b/c/d')] }),
    'fail',
  ],
  ['there is a note only', {}, known({ findings: [finding('mode', '/a', { severity: 'info' })] }), 'pass'],
  [
    'there is a note of the very rule',
    { rules: ['mode'] },
    known({ findings: [finding('mode', '/a', { severity: 'info' })] }),
    'fail',
  ],
  ['what is wrong is accepted', {}, known({ findings: [finding('mode', '/a', WAIVED)] }), 'waived'],
  [
    'only a part of it is accepted',
    {},
    known({ findings: [finding('mode', '/a', WAIVED), finding('mode', '/b')] }),
    'fail',
  ],
  ['the job never ran', {}, known({ state: 'pending', look: undefined }), 'blind'],
  ['the job is late', {}, known({ state: 'late' }), 'blind'],
  ['the job failed', {}, known({ state: 'failed' }), 'blind'],
  ['the job may not run', {}, known({ state: 'refused' }), 'blind'],
  ['the job is switched off', {}, known({ state: 'disabled' }), 'blind'],
  ['there is no such job', {}, undefined, 'blind'],
  [
    'the job failed after it found something',
    {},
    known({ state: 'failed', findings: [finding('mode', '/a')] }),
    'fail',
  ],
  ['a subject could not be examined', {}, known({ state: 'blind', ...dark('/a') }), 'blind'],
  [
    'another rule could not be judged',
    { rules: ['mode'] },
    known({ state: 'blind', ...dark('/a', ['owner']) }),
    'pass',
  ],
  [
    'the very rule could not be judged',
    { rules: ['mode'] },
    known({ state: 'blind', ...dark('/a', ['mode']) }),
    'blind',
  ],
  ['a subject elsewhere is dark', { subjects: ['/b/**'] }, known({ state: 'blind', ...dark('/a') }), 'pass'],
  ['a directory above is dark', { subjects: ['/b/c/*'] }, known({ state: 'blind', ...dark('/b') }), 'blind'],
  ['that it is blind is a finding', {}, known({ findings: [finding('job-blind', 'job modes')] }), 'pass'],
  [
    'the rule has nothing to judge',
    { rules: ['mode'] },
    known({ look: { at: 5, blind: [], inapplicable: [{ rule: 'mode', reason: 'no nginx' }] } }),
    'not-applicable',
  ],
  [
    'one of two rules has nothing to judge',
    { rules: ['mode', 'owner'] },
    known({ look: { at: 5, blind: [], inapplicable: [{ rule: 'mode', reason: 'no nginx' }] } }),
    'pass',
  ],
]
for (const [name, settings, job, verdict] of cases) {
  test(`auditOf() says "${verdict}" when ${name}`, () => {
    const jobs = new Map(job ? [['modes', job] as const] : [])
    const { items, score } = auditOf(checklist([check(settings)]), jobs)
    expect(items[0]?.verdict).toBe(verdict)
    expect(score).toMatchObject({
      passed: verdict === 'pass' || verdict === 'attested' ? 1 : 0,
      total: verdict === 'not-applicable' ? 0 : 1,
    })
  })
}

test('auditOf() gives an item the gravest of its checks, and the oldest of their looks', () => {
  const jobs = new Map([
    ['modes', known({ look: { at: 9, blind: [], inapplicable: [] } })],
    ['other', known({ findings: [finding('mode', '/a')] })],
  ])
  const { items } = auditOf(checklist([check(), check({ job: 'other' }), check({ job: 'gone' })]), jobs)
  expect(items[0]).toMatchObject({ verdict: 'fail', lookedAt: null })
  const both = auditOf(checklist([check(), check({ job: 'other' })]), jobs)
  expect(both.items[0]).toMatchObject({ verdict: 'fail', lookedAt: 5 })
})
