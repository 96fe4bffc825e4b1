import { describe, expect, test } from 'bun:test'
import { parse } from 'yaml'
import { config } from '../../../../plugins/permission-drift/config.ts'
import { formatRules } from '../../../../plugins/permission-drift/policy/imported-rule.ts'
import { formatMtree, parseMtree } from '../../../../plugins/permission-drift/policy/mtree.ts'
import { parseTmpfiles } from '../../../../plugins/permission-drift/policy/tmpfiles.ts'
import { stateOf } from '../baseline/states.ts'

describe('parseTmpfiles()', () => {
  test.each([
    [
      'd /run/app 0750 app app -',
      { path: '/run/app', missing: 'ok', type: 'directory', owner: 'app', group: 'app', mode: '0750' },
    ],
    [
      'd! /run/app',
      { path: '/run/app', missing: 'ok', type: 'directory', owner: 'root', group: 'root', mode: '0755' },
    ],
    [
      'f+ "/run/my app" 644 - - - text',
      { path: '/run/my app', missing: 'ok', type: 'file', owner: 'root', group: 'root', mode: '0644' },
    ],
    [
      'L+ /run/l - - - - ../x y',
      { path: '/run/l', missing: 'ok', type: 'symlink', owner: 'root', group: 'root', target: '../x y' },
    ],
    ['z /var/log/*.log 0640 root adm', { path: '/var/log/*.log', owner: 'root', group: 'adm', mode: '0640' }],
    ['Z %t/log/journal ~2750 - systemd-journal', { path: '/run/log/journal/**', group: 'systemd-journal' }],
    ['d /srv/x :0755 :app -', { path: '/srv/x', missing: 'ok', type: 'directory', group: 'root' }],
    [
      'p /run/pipe 0600',
      { path: '/run/pipe', missing: 'ok', type: 'fifo', owner: 'root', group: 'root', mode: '0600' },
    ],
  ])('%s', (line, rule) => {
    expect(parseTmpfiles([line])).toEqual({ rules: [rule as never], skipped: [] })
  })

  test('parseTmpfiles() keeps the first line for a path, and says what it leaves out', () => {
    const { rules, skipped } = parseTmpfiles(['# c\nd /a 0700\nx /b\n', 'd /a 0755\nd /%m\nd relative\n'])
    expect(rules.map(({ path, mode }) => [path, mode])).toEqual([['/a', '0700']])
    expect(skipped.map(({ line }) => line)).toEqual(['x /b', 'd /%m', 'd relative'])
  })
})

describe('parseMtree()', () => {
  const text = `#mtree
/set type=file uid=0 gid=0 mode=0644
. type=dir mode=0755
    a\\040b sha256digest=${'ab'.repeat(32)} size=3
    sub type=dir \\
        mode=0700
        link type=link link=../a uname=ana
        opt optional flags=schg
    ..
    after gname=staff
..
/unset uid
./full/path mode=0600
`

  test('parseMtree() follows directories, defaults and paths', () => {
    const { rules, skipped } = parseMtree(text, '/srv')
    expect(skipped).toEqual([])
    expect(rules).toEqual([
      { path: '/srv', type: 'directory', owner: '0', group: '0', mode: '0755' },
      { path: '/srv/a b', type: 'file', owner: '0', group: '0', mode: '0644', sha256: 'ab'.repeat(32) },
      { path: '/srv/sub', type: 'directory', owner: '0', group: '0', mode: '0700' },
      { path: '/srv/sub/link', type: 'symlink', owner: 'ana', group: '0', target: '../a' },
      {
        path: '/srv/sub/opt',
        missing: 'ok',
        type: 'file',
        owner: '0',
        group: '0',
        mode: '0644',
        immutable: true,
      },
      { path: '/srv/after', type: 'file', owner: '0', group: 'staff', mode: '0644' },
      { path: '/srv/full/path', type: 'file', group: '0', mode: '0600' },
    ])
  })

  test('parseMtree() refuses to make patterns, or to leave the root', () => {
    expect(parseMtree('./a* mode=0644\n./../etc mode=0644\n', '/srv').skipped).toHaveLength(2)
  })

  test('parseMtree() reads what formatMtree() writes', () => {
    const states = [
      stateOf('/srv', { type: 'directory', mode: 0o755 }),
      stateOf('/srv/a b#\\', { sha256: 'cd'.repeat(32), uid: 7 }),
      stateOf('/srv/l', { type: 'symlink', target: '/x y' }),
    ]
    const { rules } = parseMtree(states.map((state) => formatMtree(state, '/srv')).join('\n'), '/srv')
    expect(
      rules.map(({ path, type, owner, sha256, target }) => [path, type, owner, sha256, target] as unknown[]),
    ).toEqual([
      ['/srv', 'directory', '0', undefined, undefined],
      ['/srv/a b#\\', 'file', '7', 'cd'.repeat(32), undefined],
      ['/srv/l', 'symlink', '0', undefined, '/x y'],
    ])
  })
})

test('formatRules() gives YAML that is a configuration', () => {
  const { rules } = parseTmpfiles(['d "/run/a: b" 0750 app app', 'L+ /run/l - - - - "x"', 'Z /srv 0640'])
  expect(config.safeParse(parse(formatRules(rules))).error).toBeUndefined()
  expect(parse(formatRules(rules)).rules).toEqual(rules)
})
