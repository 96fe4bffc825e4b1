import { expect, test } from 'bun:test'
import { reportSchema } from '../../../agent/contract/report-schema.ts'

const withEvidence = (evidence: unknown) => ({
  findings: [{ rule: 'some-rule', subject: '/etc/x', severity: 'info', summary: 'It is wrong', evidence }],
})

test('reportSchema takes scalars as evidence, and JSON of any depth as memory', () => {
  const report = {
    ...withEvidence({ text: 'x'.repeat(4096), number: 1.5, yes: true, nothing: null }),
    facts: [{ kind: 'log', subject: '/var/log/x', data: {} }],
    artifacts: [{ kind: 'copy', path: '/var/x', bytes: 0, data: { bytes: 0 } }],
    memory: { list: [1, 'two', null, { three: [false] }] },
  }
  expect(reportSchema.parse(report)).toEqual(report as ReturnType<typeof reportSchema.parse>)
})

test.each([
  ['a list', []],
  ['a list in it', { list: [] }],
  ['an object in it', { object: {} }],
  ['undefined in it', { missing: undefined }],
  ['no finite number', { number: Number.NaN }],
  ['a text that is too long', { text: 'x'.repeat(4097) }],
  ['a name that is too long', { ['x'.repeat(101)]: 1 }],
  ['null', null],
  ['a text', 'evidence'],
])('reportSchema refuses %s as evidence and as data, and says where', (_, scalars) => {
  const evidence = reportSchema.safeParse(withEvidence(scalars))
  expect(evidence.error?.issues[0]?.path).toEqual(['findings', 0, 'evidence'])
  const fact = reportSchema.safeParse({ findings: [], facts: [{ kind: 'log', subject: 'x', data: scalars }] })
  expect(fact.error?.issues[0]?.path).toEqual(['facts', 0, 'data'])
  const artifact = { kind: 'copy', path: '/x', bytes: 1, data: scalars }
  const artifacts = reportSchema.safeParse({ findings: [], artifacts: [artifact] })
  expect(artifacts.error?.issues[0]?.path).toEqual(['artifacts', 0, 'data'])
})

test.each([[{ at: 1n }], [[() => 1]], [Number.POSITIVE_INFINITY], [{ missing: undefined }]])(
  'reportSchema refuses a memory that is no JSON: %p',
  (memory) => {
    const parsed = reportSchema.safeParse({ findings: [], memory })
    expect(parsed.error?.issues[0]?.path).toEqual(['memory'])
  },
)
