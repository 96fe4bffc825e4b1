import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { policyOf, config as schema } from '../../../../plugins/permission-drift/config.ts'
import { PRESET_NAMES } from '../../../../plugins/permission-drift/policy/presets.ts'
import { parseUnit, serviceAccount } from '../../../../plugins/permission-drift/policy/service-user.ts'
import { testWith } from '../../../kit/needs.ts'
import { type ConfigInput, hostFixture, tellAll } from '../fixture.ts'

type RuleInput = NonNullable<ConfigInput['rules']>[number]
const me = process.getuid?.() ?? 0

function run(...argv: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(argv)
  if (exitCode !== 0) throw new Error(stderr.toString())
}

const HELLO = new Bun.CryptoHasher('sha256').update('hello').digest('hex')

describe('check() by rules about more than permissions', () => {
  const programs = { root: true, programs: ['setfacl', 'setfattr', 'setcap', 'chattr'] }
  const cases: [rule: string, wanted: Omit<RuleInput, 'path'>, bad: string[], good: string[]][] = [
    ['acl-differs', { acl: 'none' }, ['setfacl', '-m', 'u:7:r'], ['setfacl', '-b']],
    [
      'acl-differs',
      { acl: 'u::rw-,u:ana:r--,g::r--,m::r--,o::---' },
      ['setfacl', '-m', 'u:7:r'],
      ['setfacl', '--set', 'u::rw-,u:1000:r--,g::r--,m::r--,o::---'],
    ],
    ['capabilities-differ', { capabilities: 'none' }, ['setcap', 'cap_net_raw=ep'], ['setcap', '-r']],
    [
      'capabilities-differ',
      { capabilities: 'cap_chown=ep' },
      ['setcap', 'cap_chown=p'],
      ['setcap', 'cap_chown=ep'],
    ],
    [
      'xattr-differs',
      { xattrs: { 'user.origin': 'here' } },
      ['setfattr', '-n', 'user.origin', '-v', 'there'],
      ['setfattr', '-n', 'user.origin', '-v', 'here'],
    ],
    ['flags-differ', { immutable: false }, ['chattr', '+i'], ['chattr', '-i']],
    ['flags-differ', { immutable: true }, ['chattr', '-i'], ['chattr', '+i']],
    ['set-id-differs', { setuid: false }, ['chmod', 'u+s'], ['chmod', 'u-s']],
    ['set-id-differs', { setgid: true }, ['chmod', 'g-s'], ['chmod', 'g+s']],
    ['content-differs', { sha256: HELLO }, ['truncate', '-s', '3'], ['sh', '-c', 'printf hello > "$0"']],
  ]
  for (const [rule, wanted, bad, good] of cases) {
    testWith(programs)(
      `check() fires and is silent: ${rule} with ${JSON.stringify(wanted).slice(0, 60)}`,
      async () => {
        using host = hostFixture()
        host.make('/srv/file', 0o640, 'content')
        const config: ConfigInput = { rules: [{ path: '/srv/file', ...wanted }] }
        const file = `${host.root}/srv/file`
        try {
          run(...bad, file)
          const report = await host.check(config)
          expect(tellAll(report)).toEqual([`${rule} /srv/file`])
          // What repair puts back of these: a list that is to go, since that only takes away, and users' attributes.
          const isRepaired = rule === 'xattr-differs' || ('acl' in wanted && wanted.acl === 'none')
          expect(report.findings[0]?.fixable ?? false).toBe(isRepaired)
          run(...good, file)
          expect(await host.check(config)).toMatchObject({ findings: [], blind: [] })
        } finally {
          run('chattr', '-i', file)
        }
      },
    )
  }

  test('check() fires and is silent: where a link leads', async () => {
    using host = hostFixture()
    mkdirSync(`${host.root}/srv`)
    symlinkSync('good', `${host.root}/srv/a`)
    symlinkSync('bad', `${host.root}/srv/b`)
    host.make('/srv/c')
    const report = await host.check({ rules: [{ path: '/srv/*', target: 'good' }] })
    expect(tellAll(report)).toEqual(['target-differs /srv/b', 'type-differs /srv/c'])
  })

  test('check() leaves out exceptions, which later rules may speak of again', async () => {
    using host = hostFixture()
    for (const name of ['a', 'b', 'keep/c', 'keep/d']) host.make(`/srv/${name}`, 0o666)
    for (const name of ['a', 'b', 'keep/c', 'keep/d']) chmodSync(`${host.root}/srv/${name}`, 0o666)
    const rules: RuleInput[] = [
      { path: ['/srv/**', '!/srv/keep/**', '!/srv/{b,x}'], mode: { atMost: '0644' } },
      { path: '/srv/keep/d', mode: { atMost: '0600' } },
    ]
    expect(tellAll(await host.check({ rules }))).toEqual(['mode-differs /srv/a', 'mode-differs /srv/keep/d'])
  })

  test('check() knows the user of a unit from its files', async () => {
    using host = hostFixture()
    host.make('/usr/lib/systemd/system/app@.service', 0o644, '[Service]\nUser=nobody\nGroup=shadow\n')
    host.make('/etc/systemd/system/app@.service.d/user.conf', 0o644, '[Service]\nUser=ana\n')
    host.make('/srv/file')
    const check = async (unit: string) => {
      const { findings, blind } = await host.check({
        rules: [{ path: '/srv/file', owner: { serviceOf: unit }, group: { serviceOf: unit } }],
      })
      return [
        findings.map(({ rule, evidence }) => `${rule} ${evidence?.wanted}`),
        blind?.map(({ reason }) => reason),
      ]
    }
    expect(await check('app@1.service')).toEqual([
      [...(me === 1000 ? [] : ['owner-differs ana']), 'group-differs shadow'],
      [],
    ])
    expect(await check('none.service')).toEqual([[], ['there is no unit "none.service" on this host']])
    host.make('/etc/systemd/system/dyn.service', 0o644, '[Service]\nDynamicUser=yes\n')
    expect(String((await check('dyn.service'))[1])).toContain('DynamicUser')
  })
})

test('parseUnit() takes the last value, of its section only', () => {
  const text =
    '[Unit]\nUser=x\n[Service]\nUser=a\nUser=b\nExecStart=/bin/x \\\n  User=c\n[Install]\nGroup=y\n'
  expect([...parseUnit(text)]).toEqual([
    ['User', 'b'],
    ['ExecStart', '/bin/x    User=c'],
  ])
})

test('serviceAccount() is root where the unit does not say', () => {
  using host = hostFixture()
  host.make('/etc/systemd/system/a.service', 0o644, '[Service]\nExecStart=/bin/true\n')
  const files = {
    stat: () => undefined,
    list: () => [],
    readText: (path: string) => {
      if (path === '/etc/systemd/system/a.service') return '[Service]\nExecStart=/bin/true\n'
      throw Object.assign(new Error('missing'), { code: 'ENOENT' })
    },
  }
  expect(serviceAccount(files, 'a.service')).toEqual({ user: 'root', group: undefined })
  expect(serviceAccount(files, 'b.service')).toBeUndefined()
})

describe('presets', () => {
  test('every preset is a policy, before the own rules', () => {
    const rules = policyOf(schema.parse({ presets: [...PRESET_NAMES], rules: [{ path: '/etc/shadow' }] }))
    expect(rules.at(-1)?.path).toBe('/etc/shadow')
    expect(rules.length).toBeGreaterThan(30)
  })

  testWith({ root: true })('presets find what is wrong, and nothing on a host that is in order', async () => {
    using host = hostFixture()
    const wrong: [path: string, good: number, bad: number][] = [
      ['/etc/shadow', 0o640, 0o644],
      ['/etc/sudoers', 0o440, 0o666],
      ['/etc/sudoers.d/ops', 0o440, 0o644],
      ['/etc/ssh/ssh_host_ed25519_key', 0o600, 0o644],
      ['/etc/cron.daily/job', 0o755, 0o777],
      ['/etc/systemd/system/app.service', 0o644, 0o664],
      ['/root/.ssh/id_ed25519', 0o600, 0o640],
      ['/home/ana/.ssh/authorized_keys', 0o600, 0o644],
    ]
    for (const [path, good] of wrong) host.make(path, good)
    for (const path of ['/tmp', '/var/tmp']) mkdirSync(`${host.root}${path}`, { recursive: true })
    for (const path of ['/tmp', '/var/tmp']) chmodSync(`${host.root}${path}`, 0o1777)
    for (const path of ['/root/.ssh', '/home/ana/.ssh']) chmodSync(`${host.root}${path}`, 0o700)
    const config: ConfigInput = { presets: [...PRESET_NAMES] }
    expect(await host.check(config)).toMatchObject({ findings: [], blind: [] })
    for (const [path, , bad] of wrong) chmodSync(`${host.root}${path}`, bad)
    chmodSync(`${host.root}/tmp`, 0o777)
    expect(tellAll(await host.check(config)).sort()).toEqual(
      [...wrong.map(([path]) => `mode-differs ${path}`), 'mode-differs /tmp'].sort(),
    )
  })
})
