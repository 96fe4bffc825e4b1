import { describe, expect, test } from 'bun:test'
import type { z } from '../../../agent/contract/mod.ts'
import { config } from '../../../plugins/permission-drift/config.ts'
import { combineRules, judge, resolveRules } from '../../../plugins/permission-drift/policy/judge.ts'

const USERS: Record<string, number> = { root: 0, ana: 1000, '7': 7 }
const GROUPS: Record<string, number> = { root: 0, shadow: 42 }
const missing = () => {
  throw Object.assign(new Error('missing'), { code: 'ENOENT' })
}
const accounts = {
  userId: (name: string) => USERS[name],
  groupId: (name: string) => GROUPS[name],
  stat: () => undefined,
  list: missing,
  readText: missing,
}

type RuleInput = NonNullable<z.input<typeof config>['rules']>[number]
const rulesOf = (...rules: RuleInput[]) => resolveRules(config.parse({ rules }).rules, accounts)

const entry = (type: 'file' | 'directory' | 'symlink', mode: number, uid = 0, gid = 0) => ({
  type,
  mode,
  uid,
  gid,
})

/** Names of the rules that fire for an entry that all the rules match. */
const deviations = (subject: ReturnType<typeof entry>, ...rules: RuleInput[]): string[] =>
  judge(subject, combineRules(rulesOf(...rules), subject.type)).map(({ rule }) => rule)

describe('judge()', () => {
  test.each([
    ['0640', 0o640, []],
    ['0640', 0o600, ['mode-differs']],
    ['0640', 0o644, ['mode-differs']],
    ['0640', 0o4640, ['mode-differs']],
    [{ exact: '0640' }, 0o600, ['mode-differs']],
    [{ atMost: '0640' }, 0o640, []],
    [{ atMost: '0640' }, 0o600, []],
    [{ atMost: '0640' }, 0o000, []],
    [{ atMost: '0640' }, 0o604, ['mode-differs']],
    [{ atMost: '0640' }, 0o1640, ['mode-differs']],
    [{ atMost: '4755' }, 0o4755, []],
    [{ atLeast: '0400' }, 0o644, []],
    [{ atLeast: '0440' }, 0o400, ['mode-differs']],
  ] satisfies [RuleInput['mode'], number, string[]][])(
    'with mode %j says of %p: %p',
    (mode, found, expected) => {
      expect(deviations(entry('file', found), { path: '/a', mode })).toEqual(expected)
    },
  )

  test('judge() tells which bits are too many and which are lacking', () => {
    const [deviation] = judge(
      entry('file', 0o604),
      combineRules(rulesOf({ path: '/a', mode: '0640' }), 'file'),
    )
    expect(deviation).toMatchObject({ rule: 'mode-differs', surplus: 0o004, lacking: 0o040 })
  })

  test.each([
    ['root', 0, []],
    ['root', 1000, ['owner-differs']],
    [['root', 'ana'], 1000, []],
    [['root', 'ana'], 7, ['owner-differs']],
    [0, 0, []],
    ['7', 7, []],
    [['nobody-here', 'ana'], 1000, []],
  ] as [RuleInput['owner'], number, string[]][])(
    'with owner %j says of uid %p: %p',
    (owner, uid, expected) => {
      expect(deviations(entry('file', 0o600, uid), { path: '/a', owner })).toEqual(expected)
    },
  )

  test('judge() says of the group', () => {
    expect(deviations(entry('file', 0o600, 0, 42), { path: '/a', group: ['root', 'shadow'] })).toEqual([])
    expect(deviations(entry('file', 0o600, 0, 43), { path: '/a', group: ['root', 'shadow'] })).toEqual([
      'group-differs',
    ])
  })

  test('judge() says no more of an entry of another type', () => {
    const rule: RuleInput = { path: '/a', type: 'file', mode: '0600', owner: 'ana' }
    expect(deviations(entry('directory', 0o777), rule)).toEqual(['type-differs'])
    expect(deviations(entry('file', 0o777), rule)).toEqual(['owner-differs', 'mode-differs'])
    expect(deviations(entry('directory', 0o777), { ...rule, type: ['file', 'directory'] })).toHaveLength(2)
  })
})

describe('combineRules()', () => {
  test('combineRules() lets a later rule refine what an earlier one says', () => {
    const rules: RuleInput[] = [
      { path: '/a/*', mode: { atMost: '0644' }, owner: 'root', severity: 'info' },
      { path: '/a/b', mode: { atMost: '0600' } },
    ]
    expect(deviations(entry('file', 0o640), ...rules)).toEqual(['mode-differs'])
    expect(deviations(entry('file', 0o640), ...rules.toReversed())).toEqual([])
    expect(deviations(entry('file', 0o600, 1000), ...rules)).toEqual(['owner-differs'])
    expect(combineRules(rulesOf(...rules), 'file').severity).toBe('info')
  })

  test('combineRules() does not apply the mode of a pattern to directories', () => {
    expect(deviations(entry('directory', 0o755), { path: '/a/*', mode: '0600' })).toEqual([])
    expect(deviations(entry('file', 0o755), { path: '/a/*', mode: '0600' })).toEqual(['mode-differs'])
    expect(
      deviations(entry('directory', 0o755), { path: '/a/*', mode: '0600', directoryMode: '0700' }),
    ).toEqual(['mode-differs'])
    expect(deviations(entry('file', 0o600), { path: '/a/*', mode: '0600', directoryMode: '0700' })).toEqual(
      [],
    )
    expect(deviations(entry('directory', 0o755), { path: '/a/*', type: 'directory', mode: '0700' })).toEqual([
      'mode-differs',
    ])
  })

  test('combineRules() applies the mode of a plain path to whatever is there', () => {
    expect(deviations(entry('directory', 0o755), { path: '/a', mode: '0700' })).toEqual(['mode-differs'])
    expect(
      deviations(entry('directory', 0o755), { path: '/a', mode: '0700', directoryMode: '0755' }),
    ).toEqual([])
  })

  test('combineRules() does not take a link for what it leads to', () => {
    expect(deviations(entry('symlink', 0o777), { path: '/a', mode: '0600' })).toEqual(['type-differs'])
    expect(deviations(entry('symlink', 0o777), { path: '/a', type: 'symlink', mode: '0600' })).toEqual([])
    expect(deviations(entry('symlink', 0o777), { path: '/a', owner: 'root' })).toEqual([])
    expect(deviations(entry('symlink', 0o777), { path: '/*', mode: '0600' })).toEqual([])
    expect(deviations(entry('symlink', 0o777, 1000), { path: '/*', mode: '0600', owner: 'root' })).toEqual([
      'owner-differs',
    ])
    expect(deviations(entry('symlink', 0o777), { path: '/*', type: 'file' })).toEqual(['type-differs'])
  })
})

test('resolveRules() says of which names it knows none', () => {
  const [rule] = rulesOf({ path: '/a', owner: ['x', 'y'], group: 'root' })
  expect(rule).toMatchObject({
    uids: undefined,
    gids: [0],
    unknown: ['there is no user "x" or "y" on this host'],
  })
})
