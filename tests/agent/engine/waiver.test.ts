import { expect, test } from 'bun:test'
import { waiverFor } from '../../../agent/engine/waiver.ts'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const base = {
  rule: 'mode-differs',
  subject: '**',
  owner: 'ops@example.org',
  reason: 'on purpose',
  expires: '2026-03-31',
}
const found = { job: 'permissions', rule: 'mode-differs', subject: '/srv/share/a' }

const cases: [name: string, waiver: Partial<typeof base> & { job?: string }, accepts: boolean][] = [
  ['everything of a rule', {}, true],
  ['another rule', { rule: 'owner-differs' }, false],
  ['a pattern of rules', { rule: '*-differs' }, true],
  ['every rule', { rule: '**' }, true],
  ['the very subject', { subject: '/srv/share/a' }, true],
  ['a longer subject', { subject: '/srv/share/ab' }, false],
  ['a pattern of one level', { subject: '/srv/share/*' }, true],
  ['a pattern that does not cross "/"', { subject: '/srv/*' }, false],
  ['a pattern that does', { subject: '/srv/**' }, true],
  ['the start of a subject only', { subject: '/srv' }, false],
  ['the job', { job: 'permissions' }, true],
  ['another job', { job: 'backup' }, false],
  ['its last day', { expires: '2026-03-10' }, true],
  ['the day after its last', { expires: '2026-03-09' }, false],
]
for (const [name, waiver, accepts] of cases) {
  test(`waiverFor() ${accepts ? 'accepts' : 'does not accept'} a finding when the waiver is for ${name}`, () => {
    const all = { ...base, ...waiver }
    expect(waiverFor([all], found, NOON)).toEqual(accepts ? all : undefined)
  })
}

test('waiverFor() ends with the day in UTC', () => {
  const waiver = { ...base, expires: '2026-03-10' }
  expect(waiverFor([waiver], found, Date.parse('2026-03-10T23:59:59.999Z'))).toBeDefined()
  expect(waiverFor([waiver], found, Date.parse('2026-03-11T00:00:00Z'))).toBeUndefined()
})

test('waiverFor() takes the first that holds when an expired one stands before it', () => {
  const expired = { ...base, expires: '2025-01-01', owner: 'before@example.org' }
  expect(waiverFor([expired, base], found, NOON)?.owner).toBe('ops@example.org')
})

test('waiverFor() takes a subject with wildcards of its own by its text', () => {
  const subject = '/srv/[a]*{b}?'
  expect(waiverFor([{ ...base, subject }], { ...found, subject }, NOON)).toBeDefined()
})
