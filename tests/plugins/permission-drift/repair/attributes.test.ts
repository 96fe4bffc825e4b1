import { expect, test } from 'bun:test'
import { lstatSync } from 'node:fs'
import { planAcl } from '../../../../plugins/permission-drift/repair/plan-attributes.ts'
import { testWith } from '../../../kit/needs.ts'
import { type ConfigInput, hostFixture, tellAll } from '../fixture.ts'

const LIST = 'user::rw-,user:1000:rw-,group::r--,mask::rw-,other::---'

test.each([
  ['none, where a list gave a user more', LIST, '', 0o660, 0o640],
  ['a stricter list', LIST, 'user::rw-,user:1000:r--,group::r--,mask::r--,other::---', 0o660, 0o640],
  [
    'a list that gives another user something',
    LIST,
    'user::rw-,user:1001:r--,group::r--,mask::r--,other::---',
    0o660,
    undefined,
  ],
  [
    'a list that gives more',
    LIST,
    'user::rw-,user:1000:rwx,group::r--,mask::rwx,other::---',
    0o660,
    undefined,
  ],
  ['a list where there was none', '', LIST, 0o640, undefined],
  ['none, with the mode made stricter, too', LIST, '', 0o600, 0o600],
])('planAcl() of %s', (_, is, wanted, mode, expected) => {
  expect(planAcl(is, wanted, mode)?.mode).toBe(expected as number)
})

const aclTest = testWith({ programs: ['setfacl', 'getfacl', 'setfattr'] })

aclTest(
  'apply() takes away a list of rights and puts a user attribute back, and undo gives them again',
  async () => {
    using host = hostFixture()
    const file = `${host.root}/srv/a`
    host.make('/srv/a', 0o640)
    const run = (...command: string[]) => {
      const { exitCode, stdout, stderr } = Bun.spawnSync(command)
      if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
      return stdout.toString()
    }
    run('setfacl', '-m', 'u:1000:rw', file)
    run('setfattr', '-n', 'user.class', '-v', 'open', file)
    const list = () => run('getfacl', '-cn', '--absolute-names', file)
    const before = list()
    expect(before).toContain('user:1000:rw-')
    const config: ConfigInput = {
      rules: [{ path: '/srv/a', acl: 'none', xattrs: { 'user.class': 'secret' } }],
    }
    const { findings } = await host.check(config)
    expect(findings.map(({ rule, fixable }) => [rule, fixable])).toEqual([
      ['acl-differs', true],
      ['xattr-differs', true],
    ])
    expect((await host.apply(config, findings)).findings).toEqual([])
    expect(tellAll(await host.check(config))).toEqual([])
    expect(list()).toBe('user::rw-\ngroup::r--\nother::---\n\n')
    expect(lstatSync(file).mode & 0o777).toBe(0o640)
    const result = await host.command(config, 'undo', { values: { at: host.now().toISOString() } })
    expect([result.exitCode, list()]).toEqual([0, before])
    expect(run('getfattr', '--only-values', '--absolute-names', '-n', 'user.class', file)).toBe('open')
  },
)
