import { expect, test } from 'bun:test'
import { reviewWaivers } from '../../../agent/engine/waiver-review.ts'

const NOW = Date.parse('2026-03-10T12:00:00Z')
const waiver = {
  rule: 'mode-differs',
  subject: '/srv/**',
  owner: 'ops@example.org',
  reason: 'on purpose',
  expires: '2026-03-31',
}
const found = { job: 'modes', rule: 'mode-differs', subject: '/srv/a' }
const everyone = () => true

const cases: [name: string, Parameters<typeof reviewWaivers>, rules: string[]][] = [
  ['is in use', [[waiver], [found], everyone, NOW], []],
  ['accepts nothing', [[waiver], [], everyone, NOW], ['waiver-unused']],
  ['accepts nothing of its job', [[{ ...waiver, job: 'other' }], [found], everyone, NOW], ['waiver-unused']],
  ['may accept what a job will find that has not looked yet', [[waiver], [], () => false, NOW], []],
  ['is over', [[{ ...waiver, expires: '2026-03-09' }], [found], everyone, NOW], ['waiver-expired']],
  ['is on its last day', [[{ ...waiver, expires: '2026-03-10' }], [found], everyone, NOW], []],
]
for (const [name, input, rules] of cases) {
  test(`reviewWaivers() gives ${rules[0] ?? 'nothing'} when a waiver ${name}`, () => {
    expect(reviewWaivers(...input).map((finding) => finding.rule)).toEqual(rules)
  })
}
