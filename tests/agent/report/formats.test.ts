import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { html } from '../../../agent/report/html.tsx'
import { json } from '../../../agent/report/json.ts'
import { junit } from '../../../agent/report/junit.ts'
import { markdown } from '../../../agent/report/markdown.ts'
import type { ReportModel } from '../../../agent/report/model.ts'
import { ocsf } from '../../../agent/report/ocsf.ts'
import { sarif } from '../../../agent/report/sarif.ts'
import { text } from '../../../agent/report/text.ts'
import type { StoredFinding } from '../../../agent/store/read-findings.ts'
import type { JobStatus } from '../../../agent/store/status.ts'

const AT = Date.parse('2026-05-01T12:00:00Z')
const HOUR = 3_600_000

const finding = (more: Partial<StoredFinding> = {}): StoredFinding => ({
  id: 1,
  job: 'modes',
  plugin: 'permission-drift',
  fingerprint: 'f'.repeat(32),
  rule: 'mode-differs',
  subject: '/etc/my file',
  severity: 'critical',
  summary: 'Has mode 0666, wanted 0600',
  remedy: "chmod 0600 -- '/etc/my file'",
  evidence: { line: 7 },
  references: ['CIS-6.1'],
  fixable: true,
  state: 'open',
  openedAt: AT - HOUR,
  lastSeenAt: AT,
  resolvedAt: null,
  regressions: 0,
  lastRunId: 1,
  waived: null,
  silenced: null,
  ...more,
})
const jobStatus = (more: Partial<JobStatus> = {}): JobStatus => ({
  name: 'modes',
  plugin: 'permission-drift',
  summary: 's',
  mode: 'observe',
  schedule: '@daily',
  timezone: 'UTC',
  enabled: true,
  refused: null,
  nextRunAt: null,
  expectedAfter: null,
  cutOff: false,
  state: 'critical',
  reason: '1 critical finding',
  lastRun: { id: 1, outcome: 'findings', startedAt: AT - HOUR, durationMs: 5 },
  lastGoodAt: AT - HOUR,
  openFindings: { info: 0, warning: 0, critical: 1 },
  ...more,
})

function model(more: Partial<ReportModel> = {}): ReportModel {
  const open = finding()
  const item = { id: 'a', title: 'Modes are right', references: ['OWASP-A01'], lookedAt: AT, reasons: [] }
  return {
    host: 'web-1',
    version: '0.1.0',
    at: AT,
    since: AT - 24 * HOUR,
    state: 'critical',
    jobs: [jobStatus(), jobStatus({ name: 'dark', state: 'blind', reason: 'could not examine /root' })],
    findings: [
      open,
      finding({
        id: 2,
        subject: 'unit ssh.service',
        openedAt: AT - 30 * 24 * HOUR,
        waived: { owner: 'ops', reason: 'on purpose', expires: '2026-12-31' },
      }),
      finding({ id: 3, subject: '/gone', state: 'resolved', resolvedAt: AT - HOUR }),
    ],
    audits: [
      {
        name: 'web',
        profile: 'baseline',
        title: 'A web server',
        items: [
          { ...item, verdict: 'fail', findings: [open] },
          { ...item, id: 'b', verdict: 'blind', findings: [], reasons: ['/root: permission denied'] },
          { ...item, id: 'c', verdict: 'pass', findings: [] },
        ],
        score: {
          passed: 1,
          total: 3,
          verdicts: { fail: 1, blind: 1, waived: 0, pass: 1, attested: 0, 'not-applicable': 0 },
        },
      },
    ],
    rules: new Map([['permission-drift/mode-differs', { means: 'Another mode', severity: 'warning' }]]),
    ...more,
  }
}

test('sarif has rule, place, fingerprint, baseline state and suppressions of each finding', () => {
  const { version, runs } = JSON.parse(sarif.render(model()))
  expect(version).toBe('2.1.0')
  const [run] = runs
  expect(run.tool.driver.rules).toMatchObject([
    { id: 'permission-drift/mode-differs', shortDescription: { text: 'Another mode' } },
  ])
  expect(run.results).toMatchObject([
    {
      ruleId: 'permission-drift/mode-differs',
      ruleIndex: 0,
      level: 'error',
      locations: [
        {
          physicalLocation: { artifactLocation: { uri: 'file:///etc/my%20file' }, region: { startLine: 7 } },
        },
      ],
      partialFingerprints: { 'reeve/v1': 'f'.repeat(32), 'reeveJob/v1': 'modes' },
      baselineState: 'new',
      suppressions: [],
    },
    {
      locations: [{ logicalLocations: [{ fullyQualifiedName: 'unit ssh.service' }] }],
      baselineState: 'unchanged',
      suppressions: [
        { kind: 'external', status: 'accepted', justification: 'on purpose (ops, until 2026-12-31)' },
      ],
    },
    { baselineState: 'absent' },
  ])
})

test('sarif says that the run was not a success when a job could not see everything', () => {
  const of = (more: Partial<ReportModel>) => JSON.parse(sarif.render(model(more))).runs[0].invocations[0]
  expect(of({})).toMatchObject({
    executionSuccessful: false,
    toolExecutionNotifications: [
      { level: 'error', message: { text: expect.stringContaining('dark is blind') } },
    ],
  })
  expect(of({ jobs: [jobStatus()] }).executionSuccessful).toBe(true)
})

test('junit counts a blind item and an unseen job as errors, not as passed', () => {
  const xml = junit.render(model())
  expect(xml).toContain(
    '<testsuite name="web" hostname="web-1" timestamp="2026-05-01T12:00:00" tests="3" failures="1" errors="1" skipped="0"',
  )
  expect(xml).toContain(
    '<testcase classname="jobs" name="dark" time="0"><error message="blind: could not examine /root">',
  )
  expect(xml).toContain('<failure message="1 findings">/etc/my file: Has mode 0666, wanted 0600</failure>')
})

test('ocsf has an event a line, with its class, activity and status', () => {
  const events = ocsf
    .render(model())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.map((event) => [event.class_uid, event.type_uid, event.status_id])).toEqual([
    [2004, 200401, 1],
    [2004, 200402, 3],
    [2004, 200403, 4],
    [2003, 200302, 1],
    [2003, 200302, 1],
    [2003, 200302, 1],
  ])
  expect(events.slice(3).map((event) => event.compliance.status)).toEqual(['Fail', 'Unknown', 'Pass'])
})

test.each([
  ['text', text],
  ['markdown', markdown],
  ['html', html],
])('%s tells what is wrong, what to do, what is accepted, and what nobody saw', (_name, format) => {
  const page = format.render(model())
  for (const part of [
    'web-1',
    'wanted 0600',
    'accepted',
    'could not examine /root',
    'A web server',
    '1 of 3',
  ])
    expect(page).toContain(part)
  expect(page).toContain('chmod 0600 --')
})

test('json is the whole model', () => {
  expect(JSON.parse(json.render(model()))).toMatchObject({
    at: '2026-05-01T12:00:00.000Z',
    findings: [{}, {}, {}],
  })
})

/** Whether every tag is closed in its order; entities are the five of XML, or numbers. */
function isWellFormed(xml: string): boolean {
  const stack: string[] = []
  const token = /<(\?|\/|!)?([a-zA-Z]+)((?:\s+[a-zA-Z]+="[^"<]*")*)\s*(\/|\?)?>|([^<]+)/gy
  while (token.lastIndex < xml.length) {
    const match = token.exec(xml)
    if (!match) return false
    const [, kind, name, attributes = '', end, content = ''] = match
    if (/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(attributes + content)) return false
    if (kind === '/') {
      if (stack.pop() !== name) return false
    } else if (name && !kind && !end) stack.push(name)
  }
  return stack.length === 0
}

test('no text of a host breaks out of a report', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('</script><b>', ']]>', '```', '"&\'', '\x00\x1b[2J', '|a|\n# h', '\ud800', '<!--'),
  )
  fc.assert(
    fc.property(hostile, hostile, hostile, (subject, summary, remedy) => {
      const page = model({ findings: [finding({ subject: subject || 'x', summary, remedy })] })
      expect(isWellFormed(junit.render(page))).toBe(true)
      expect(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(junit.render(page))).toBe(false)
      expect(() => JSON.parse(sarif.render(page))).not.toThrow()
      for (const line of ocsf.render(page).trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
      expect(html.render(page)).not.toMatch(/<(script|b>|!--)/)
      expect(text.render(page)).not.toMatch(/[^\P{Cc}\n]/u)
    }),
    { seed: 11, numRuns: 300 },
  )
})
