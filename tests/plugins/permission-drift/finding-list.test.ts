import { describe, expect, test } from 'bun:test'
import type { Finding } from '../../../agent/contract/mod.ts'
import { reportSchema } from '../../../agent/contract/report-schema.ts'
import { FindingList, subjectOf } from '../../../plugins/permission-drift/finding-list.ts'

const finding = (rule: string, subject: string, severity: Finding['severity'] = 'warning'): Finding => ({
  rule,
  subject,
  severity,
  summary: 'x',
})

describe('FindingList', () => {
  test('FindingList gives back all of what is few', () => {
    const list = new FindingList(2)
    list.add('/etc', finding('new', '/etc/a'))
    list.add('/usr', finding('changed', '/usr/b'))
    expect(list.result().findings.map(({ subject }) => subject)).toEqual(['/etc/a', '/usr/b'])
  })

  test('FindingList counts what is too much, by area and rule, with the worst severity', () => {
    const list = new FindingList(2)
    list.add('/etc', finding('new', '/etc/1'))
    list.add('/etc', finding('new', '/etc/2'))
    list.add('/etc', finding('new', '/etc/3', 'info'))
    list.add('/etc', finding('changed', '/etc/4'))
    list.add('/etc', finding('new', '/etc/5', 'info'))
    list.add('/usr', finding('removed', '/usr/6', 'info'))
    const [etc, usr, ...listed] = list.result().findings
    expect(etc).toMatchObject({
      rule: 'more-findings',
      subject: '/etc',
      severity: 'warning',
      summary: '3 more findings than are listed: 2 new, 1 changed',
      evidence: { new: 2, changed: 1 },
    })
    expect(usr).toMatchObject({ subject: '/usr', severity: 'info', evidence: { removed: 1 } })
    expect(listed).toHaveLength(2)
  })

  test('FindingList keeps room for what is critical, whatever comes before', () => {
    const list = new FindingList(1)
    for (let index = 0; index < 100; index++) list.add('/etc', finding('new', `/etc/${index}`))
    list.add('/etc', finding('new', '/etc/su', 'critical'))
    expect(list.result().findings.map(({ subject }) => subject)).toEqual(['/etc', '/etc/0', '/etc/su'])
  })

  test('FindingList stays within what a report may hold, whatever is put into it', () => {
    const list = new FindingList(2000)
    const path = `/${'\udcff'.repeat(100)}${'x'.repeat(4000)}`
    for (let index = 0; index < 2100; index++) {
      const subject = subjectOf(`${path}${index}`)
      list.add('/etc', { ...finding('new', subject, 'critical'), remedy: 'r'.repeat(index + 6900) })
      list.add('/usr', finding('new', subject))
      list.addBlind('/etc', `${path}${index}`, 'x'.repeat(10_000))
    }
    const report = list.result()
    expect(() => reportSchema.parse(report)).not.toThrow()
    expect(
      report.findings.filter(({ rule }) => rule === 'more-findings').map(({ evidence }) => evidence),
    ).toEqual([{ new: 100 }, { new: 100 }])
    expect(report.blind.at(-1)).toEqual({
      subject: '/etc',
      reason: '1100 more places in it could not be looked at',
    })
  })
})

test('FindingList keeps all reasons of one blind subject, each once', () => {
  const list = new FindingList(1)
  for (const reason of ['no user', 'no group', 'no user']) list.addBlind('policy', '/etc/a', reason)
  expect(list.result().blind).toEqual([{ subject: '/etc/a', reason: 'no user; no group' }])
})

test('subjectOf() keeps long paths apart', () => {
  const long = `/${'é'.repeat(4090)}`
  expect(subjectOf(`${long}a`)).not.toBe(subjectOf(`${long}b`))
  expect(subjectOf(`${long}a`)).toBe(subjectOf(`${long}a`))
  expect(subjectOf('/etc/passwd')).toBe('/etc/passwd')
})
