import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseAuthorizedKeys } from '../../../plugins/accounts/authorized-keys.ts'
import { systemUidMax } from '../../../plugins/accounts/check.ts'
import plugin from '../../../plugins/accounts/plugin.ts'
import { isLoginShell, passwordState } from '../../../plugins/accounts/tables.ts'
import { HostTree, type TreeFile } from '../../kit/host-tree.ts'
import { testWith } from '../../kit/needs.ts'
import { asOrdinaryUser, isRoot } from '../../kit/ordinary-user.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

const HASH = '$y$j9T$canaryHashOfSomebody$x1/2YtB0pB6gZkP0sQy1cS3dV5wX7zA9bCk4Qe'
const PASSWD = [
  'root:x:0:0:root:/root:/bin/bash',
  'daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin',
  'sync:x:4:65534:sync:/bin:/bin/sync',
  'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
  '_apt:x:42:65534::/nonexistent:/usr/sbin/nologin',
  'postgres:x:101:103:,,,:/var/lib/postgresql:/bin/bash',
  'anna:x:1000:1000:Anna:/home/anna:/bin/bash',
]
const SHADOW = [
  `root:${HASH}:19000:0:99999:7:::`,
  'daemon:*:1:0:99999:7:::',
  'sync:*:1:0:99999:7:::',
  'nobody:*:1:0:99999:7:::',
  '_apt:!:1::::::',
  'postgres:!:1::::::',
  `anna:${HASH}:19000:0:99999:7:::`,
]
const GROUP = [
  'root:x:0:',
  'daemon:x:1:',
  'sudo:x:27:anna',
  'postgres:x:103:',
  'ssl-cert:x:104:postgres',
  'anna:x:1000:',
  'nogroup:x:65534:',
]
const text = (lines: string[]) => `${lines.join('\n')}\n`
const passwd = (...more: string[]) => ({ '/etc/passwd': text([...PASSWD, ...more]) })
const shadow = (...more: string[]) => ({ '/etc/shadow': text([...SHADOW, ...more]) })
const group = (...more: string[]) => ({ '/etc/group': text([...GROUP, ...more]) })

/** The accounts of a Debian 12 with a person and a database. */
const DEBIAN: Record<string, TreeFile> = {
  ...passwd(),
  ...shadow(),
  ...group(),
  '/etc/login.defs': '# x\nENCRYPT_METHOD SHA512\nPASS_MAX_DAYS\t99999\n#SYS_UID_MAX 999\n',
  '/etc/sudoers':
    'Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n',
  '/etc/sudoers.d/README': '# nothing\n',
  '/etc/pam.d/common-password': 'password [success=1 default=ignore] pam_unix.so obscure yescrypt\n',
  '/var/lib/app': { directory: true, mode: 0o750 },
}

const host = new HostTree(DEBIAN)
afterAll(() => host[Symbol.dispose]())

async function look(
  config: Record<string, unknown> = {},
  files: Record<string, TreeFile> = {},
  without: string[] = [],
) {
  using _ = host.changed(files, without)
  return await pluginUnderTest(plugin, config, { root: host.path, stateDir: '/state' }).check()
}

const app = 'app:x:200:200::/var/lib/app:/usr/sbin/nologin'
const service = (line = app, hash = '!') => ({
  ...passwd(line),
  ...shadow(`app:${hash}:1::::::`),
  ...group('app:x:200:'),
})
const KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIIrN0Yb1c9Q3l2vS7nqkYxq0ZyqM5m2c1r7kqC7Zq0aB'
const [known] = parseAuthorizedKeys(`ssh-ed25519 ${KEY} anna@laptop`).keys
const FINGERPRINT = known?.fingerprint ?? ''
const keys = (line: string) => ({ '/home/anna/.ssh/authorized_keys': line })

type Case = [
  name: string,
  config: Record<string, unknown>,
  files: Record<string, TreeFile>,
  findings: string[],
  blind?: string[],
  without?: string[],
]
const cases: Case[] = [
  ['it is a Debian as it is installed', {}, {}, []],
  ['somebody else is root', {}, passwd('toor:x:0:0::/root:/bin/sh'), ['critical second-root toor']],
  [
    'two users have a uid',
    {},
    passwd('ben:x:1000:1000::/home/ben:/bin/bash'),
    ['warning duplicate-account /etc/passwd uid 1000'],
  ],
  [
    'two users have a name',
    {},
    passwd('anna:x:1001:1000::/home/ben:/bin/bash'),
    ['warning duplicate-account /etc/passwd name anna'],
  ],
  ['two groups have a gid', {}, group('ben:x:1000:'), ['warning duplicate-account /etc/group gid 1000']],
  [
    'an account has no password',
    {},
    { ...passwd('ben:x:1001:1001::/home/ben:/bin/bash'), ...shadow('ben::1::::::') },
    ['critical empty-password ben'],
  ],
  [
    'an account has none in passwd',
    {},
    passwd('ben::1001:1001::/home/ben:/bin/bash'),
    ['critical empty-password ben'],
  ],
  [
    'one that cannot log in has none',
    {},
    { ...passwd('ben:x:1001:1001::/home/ben:/usr/sbin/nologin'), ...shadow('ben::1::::::') },
    ['warning empty-password ben'],
  ],
  [
    'a hash stands in passwd',
    {},
    passwd(`ben:${HASH}:1001:1001::/home/ben:/bin/bash`),
    ['critical password-in-passwd ben'],
  ],
  [
    'a hash is MD5',
    {},
    {
      ...passwd('ben:x:1001:1001::/home/ben:/bin/bash'),
      ...shadow('ben:$1$abcdefgh$x1/2YtB0pB6gZkP0sQy1c.:1::::::'),
    },
    ['warning weak-password-hash ben'],
  ],
  [
    'new hashes are MD5',
    {},
    { '/etc/login.defs': 'ENCRYPT_METHOD MD5\n' },
    ['warning weak-password-hash ENCRYPT_METHOD'],
  ],
  ['a system user has a password', {}, service(app, HASH), ['warning service-user-loose app password']],
  [
    'a system user is in docker',
    {},
    { ...service(), ...group('app:x:200:', 'docker:x:999:app') },
    ['critical service-user-privileged app docker'],
  ],
  [
    'a system user may be in docker',
    { groups: { docker: ['app'] } },
    { ...service(), ...group('app:x:200:', 'docker:x:999:app') },
    [],
  ],
  ['a named service user is as it should be', { serviceUsers: ['app'] }, service(), []],
  ['a named service user is not there', { serviceUsers: ['app'] }, {}, ['warning service-user-missing app']],
  [
    'a named service user has a shell',
    { serviceUsers: ['app'] },
    service('app:x:200:200::/var/lib/app:/bin/bash'),
    ['warning service-user-loose app shell'],
  ],
  [
    'a named service user has a person’s uid',
    { serviceUsers: ['app'] },
    service('app:x:1200:200::/var/lib/app:/bin/false'),
    ['warning service-user-loose app uid'],
  ],
  [
    'the home of one is open',
    { serviceUsers: ['app'] },
    { ...service(), '/var/lib/app': { directory: true, mode: 0o777 } },
    ['critical service-user-loose app home'],
  ],
  [
    'its primary group is sudo',
    { serviceUsers: ['app'] },
    service('app:x:200:27::/var/lib/app:/bin/false'),
    ['critical service-user-privileged app sudo'],
  ],
  [
    'a group has somebody else',
    { groups: { sudo: ['ben'] } },
    {},
    ['warning group-member-unknown sudo anna'],
  ],
  ['a group has those of its list', { groups: { sudo: ['anna', 'ben'] } }, {}, []],
  [
    'a group is somebody’s primary one',
    { groups: { sudo: ['anna'] } },
    passwd('carl:x:1002:27::/home/carl:/bin/bash'),
    ['warning group-member-unknown sudo carl'],
  ],
  ['nobody asks for long passwords', { passwordLength: 12 }, {}, ['warning password-policy-weak minlen']],
  [
    'passwords may have 8 characters',
    { passwordLength: 12 },
    {
      '/etc/pam.d/common-password': 'password requisite pam_pwquality.so retry=3\n',
      '/etc/security/pwquality.conf': '# minlen = 20\n',
    },
    ['warning password-policy-weak minlen'],
  ],
  [
    'passwords must have 14',
    { passwordLength: 12 },
    {
      '/etc/pam.d/common-password': 'password requisite pam_pwquality.so retry=3\n',
      '/etc/security/pwquality.conf': '# x\nminlen = 14\n',
    },
    [],
  ],
  [
    'the line of PAM goes before',
    { passwordLength: 12 },
    {
      '/etc/pam.d/common-password': 'password requisite pam_pwquality.so minlen=9\n',
      '/etc/security/pwquality.conf': 'minlen = 14\n',
    },
    ['warning password-policy-weak minlen'],
  ],
  [
    'passwords never expire',
    { passwordMaxAge: '365d' },
    { '/etc/shadow': text(SHADOW.map((line) => line.replace('root:$y', 'root:!$y'))) },
    ['warning password-never-expires anna', 'warning password-never-expires PASS_MAX_DAYS'],
  ],
  [
    'passwords expire',
    { passwordMaxAge: '365d' },
    {
      '/etc/shadow': text(SHADOW.map((line) => line.replace('99999', '365'))),
      '/etc/login.defs': 'PASS_MAX_DAYS 365\n',
    },
    [],
  ],
  [
    'a person needs no password',
    {},
    { '/etc/sudoers.d/90-cloud': 'anna ALL=(ALL) NOPASSWD:ALL\n' },
    ['warning sudo-without-password /etc/sudoers.d/90-cloud anna'],
  ],
  [
    'one without a password needs none',
    {},
    {
      ...passwd('debian:x:1001:1001::/home/debian:/bin/bash'),
      ...shadow('debian:!:1::::::'),
      '/etc/sudoers.d/90-cloud': 'debian ALL=(ALL) NOPASSWD:ALL\n',
    },
    ['info sudo-without-password /etc/sudoers.d/90-cloud debian'],
  ],
  [
    'that is allowed',
    { sudoWithoutPassword: ['anna'] },
    { '/etc/sudoers.d/90-cloud': 'anna ALL=(ALL) NOPASSWD:ALL\n' },
    [],
  ],
  [
    'sudo does not read a file with a dot',
    {},
    { '/etc/sudoers.d/90.conf': 'anna ALL=(ALL) NOPASSWD:ALL\n' },
    [],
  ],
  [
    'one command needs no password',
    {},
    { '/etc/sudoers.d/x': 'anna ALL=NOPASSWD: /usr/bin/systemctl\n' },
    [],
  ],
  [
    'a line of sudoers is rubbish',
    {},
    { '/etc/sudoers.d/x': 'rubbish\n' },
    [],
    ['/etc/sudoers.d/x:1: sudo-without-password'],
  ],
  [
    'a revoked key is there',
    { revokedKeys: [FINGERPRINT] },
    keys(`\nssh-ed25519 ${KEY} anna@laptop\n`),
    [`critical authorized-key-revoked /home/anna/.ssh/authorized_keys ${FINGERPRINT}`],
  ],
  [
    'a key is not in the list',
    { allowedKeys: [] },
    keys(`from="10.0.0.0/8",command="echo \\"a b\\"" ssh-ed25519 ${KEY}\n`),
    [`warning authorized-key-unknown /home/anna/.ssh/authorized_keys ${FINGERPRINT}`],
  ],
  ['a key is in the list', { allowedKeys: [FINGERPRINT] }, keys(`ssh-ed25519 ${KEY} anna@laptop\n`), []],
  [
    'a key is for another user',
    { allowedKeys: [{ key: FINGERPRINT, users: ['ben'] }] },
    keys(`ssh-ed25519 ${KEY}\n`),
    [`warning authorized-key-unknown /home/anna/.ssh/authorized_keys ${FINGERPRINT}`],
  ],
  [
    'a key is for this user',
    { allowedKeys: [{ key: FINGERPRINT, users: ['anna'] }] },
    keys(`ssh-ed25519 ${KEY}\n`),
    [],
  ],
  [
    'a line is no key',
    { allowedKeys: [] },
    keys('ssh-ed25519 AAAA anna\n'),
    [],
    ['/home/anna/.ssh/authorized_keys:1: authorized-key-revoked authorized-key-unknown'],
  ],
  [
    'a file of keys is a loop of links',
    { allowedKeys: [] },
    { '/home/anna/.ssh/authorized_keys': { link: 'authorized_keys' } },
    [],
    ['/home/anna/.ssh/authorized_keys: authorized-key-revoked authorized-key-unknown'],
  ],
  [
    'a line of group is rubbish',
    {},
    group('rubbish'),
    [],
    [
      `/etc/group:8: ${'second-root duplicate-account empty-password password-in-passwd weak-password-hash password-never-expires service-user-missing service-user-loose service-user-privileged group-member-unknown'}`,
    ],
  ],
  [
    'there is no shadow',
    {},
    {},
    [],
    [
      '/etc/shadow: empty-password password-in-passwd weak-password-hash',
      'service users: service-user-missing service-user-loose service-user-privileged',
    ],
    ['/etc/shadow'],
  ],
  ['sudo is not installed', {}, {}, [], [], ['/etc/sudoers']],
]
for (const [name, config, files, findings, blind = [], without] of cases) {
  test(`check says ${[...findings, ...blind].join(', ').slice(0, 120) || 'nothing'} when ${name}`, async () => {
    const report = await look(config, files, without)
    expect({
      findings: report.findings.map(({ severity, rule, subject }) => `${severity} ${rule} ${subject}`),
      blind: (report.blind ?? []).map(({ subject, rules }) => `${subject}: ${rules?.join(' ')}`),
    }).toEqual({ findings, blind })
    // Whatever is wrong: no hash shows.
    expect(JSON.stringify(report)).not.toContain(HASH.slice(8, 20))
    for (const { remedy, evidence } of report.findings) {
      expect(remedy?.length ?? 0).toBeGreaterThan(5)
      if (typeof evidence?.line === 'number') expect(evidence.line).toBeGreaterThan(0)
    }
  })
}

test('remedies that are commands for sed take away just the line', async () => {
  const lines = ['# a', `ssh-ed25519 ${KEY} gone`, '# b']
  using tree = new HostTree({
    ...DEBIAN,
    ...keys(text(lines)),
    '/etc/login.defs': 'A 1\nENCRYPT_METHOD MD5\nPASS_MAX_DAYS 99999\n',
  })
  const run = pluginUnderTest(
    plugin,
    { revokedKeys: [FINGERPRINT], passwordMaxAge: '90d' },
    { root: tree.path, stateDir: '/state' },
  )
  const { findings } = await run.check()
  for (const { remedy = '' } of findings) {
    const [command] = /^sed -i '[^']+' \/\S+/.exec(remedy) ?? []
    if (command) Bun.spawnSync(['sh', '-c', command.replace(' /', ` ${tree.path}/`)])
  }
  const after = (await run.check()).findings.map(({ rule, subject }) => `${rule} ${subject}`)
  expect(findings.length - after.length).toBe(3)
  expect(after).toEqual(['password-never-expires root', 'password-never-expires anna'])
})

test.each([
  ['', 'none'],
  ['!', 'locked'],
  ['*', 'locked'],
  [`!${HASH}`, 'locked'],
  ['x', 'locked'],
  ['*LK*', 'locked'],
  [HASH, 'set yescrypt'],
  ['$6$rounds=5000$abc$def', 'set SHA-512'],
  ['$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234', 'set bcrypt'],
  ['$1$abcdefgh$x1/2YtB0pB6gZkP0sQy1c.', 'set MD5 weak'],
  ['abJnggxhB/yWI', 'set DES weak'],
  ['_J9..CCCCXBrJUJV154M', 'set BSDi DES weak'],
  ['$99$x', 'set an unknown scheme'],
])('passwordState(%s) is %s', (field, expected) => {
  const state = passwordState(field)
  expect(state.kind === 'set' ? `set ${state.scheme}${state.isWeak ? ' weak' : ''}` : state.kind).toBe(
    expected,
  )
})

test.each([
  ['/bin/bash', true],
  ['', true],
  ['/usr/sbin/nologin', false],
  ['/bin/false', false],
  ['/bin/sync', false],
])('isLoginShell(%s) is %p', (shell, expected) => expect(isLoginShell(shell)).toBe(expected))

test('parseAuthorizedKeys() is quick with a line that somebody made to be slow', () => {
  const began = performance.now()
  const { malformed } = parseAuthorizedKeys(`"${'\\"'.repeat(1_000_000)} ssh-ed25519 ${KEY}`)
  expect(malformed).toEqual([1])
  expect(performance.now() - began).toBeLessThan(3000)
})

test('systemUidMax() is that of login.defs, where it is not a comment', () => {
  expect(systemUidMax('#SYS_UID_MAX 100\n')).toBe(999)
  expect(systemUidMax('SYS_UID_MAX 499\n')).toBe(499)
})

testWith({ programs: ['ssh-keygen'] })(
  'parseAuthorizedKeys() has the fingerprints that ssh-keygen prints',
  () => {
    using work = temporaryDirectory()
    mkdirSync(`${work.path}/k`)
    const lines = [
      ['ed25519', '256'],
      ['ecdsa', '256'],
      ['rsa', '2048'],
    ].map(([type = '', bits = '']) => {
      const path = `${work.path}/k/${type}`
      Bun.spawnSync(['ssh-keygen', '-q', '-t', type, '-b', bits, '-N', '', '-C', `${type} key`, '-f', path])
      return `restrict,command="a b" ${Bun.spawnSync(['cat', `${path}.pub`]).stdout.toString()}`
    })
    const path = `${work.path}/authorized_keys`
    writeFileSync(path, lines.join(''))
    const said = Bun.spawnSync(['ssh-keygen', '-l', '-f', path]).stdout.toString().trim().split('\n')
    const { keys: parsed, malformed } = parseAuthorizedKeys(lines.join(''))
    expect(malformed).toEqual([])
    expect(parsed.map(({ fingerprint, comment }) => `${fingerprint} ${comment}`)).toEqual(
      said.map((line) => line.split(' ').slice(1, -1).join(' ')),
    )
  },
)

testWith({ reason: isRoot ? undefined : 'needs root' })(
  'an ordinary user is told what he cannot see, and of what he can see',
  async () => {
    using tree = new HostTree({
      ...DEBIAN,
      ...passwd('toor:x:0:0::/root:/bin/sh'),
      '/etc/shadow': { text: text(SHADOW), mode: 0o600 },
      '/etc/sudoers': { text: '', mode: 0o400 },
    })
    Bun.spawnSync(['chmod', '755', tree.path])
    const run = pluginUnderTest(plugin, {}, { root: tree.path, stateDir: '/state' })
    const report = await asOrdinaryUser(() => run.check())
    expect(report.findings.map(({ rule }) => rule)).toEqual(['second-root'])
    expect(report.blind?.map(({ subject }) => subject)).toEqual([
      '/etc/shadow',
      'service users',
      '/etc/sudoers',
    ])
  },
)
