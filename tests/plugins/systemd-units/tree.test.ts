import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import plugin from '../../../plugins/systemd-units/plugin.ts'
import { testWith } from '../../kit/needs.ts'
import { asOrdinaryUser } from '../../kit/ordinary-user.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

// A tree of files that nobody has booted.

const STATE = '/var/lib/reeve'
const UNIT = '/usr/lib/systemd/system/rstmdb.service'

function write(root: string, path: string, text: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

const check = (root: string, config: Parameters<typeof plugin.config.parse>[0] = {}) =>
  pluginUnderTest(plugin, config as never, { root, stateDir: STATE }).check()

const GOOD = `[Unit]
Description=a database
[Service]
ExecStart=/usr/bin/rstmdb
User=rstmdb
Group=rstmdb
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectControlGroups=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
MemoryDenyWriteExecute=true
LockPersonality=true
ReadWritePaths=/var/lib/rstmdb
LimitCORE=0
[Install]
WantedBy=multi-user.target
`
const DEMANDS = {
  unit: 'rstmdb.service',
  enabled: true,
  user: 'rstmdb',
  group: 'rstmdb',
  hardening: { writable: ['/var/lib/rstmdb'] },
  coreDumps: false,
  reload: 'impossible' as const,
}
const ENABLED = '/etc/systemd/system/multi-user.target.wants/rstmdb.service'

function good(root: string): void {
  write(root, UNIT, GOOD)
  mkdirSync(join(root, dirname(ENABLED)), { recursive: true })
  symlinkSync(UNIT, join(root, ENABLED))
}

test('a unit with all that is wanted is right by its files, and what only runs is not applicable', async () => {
  using root = temporaryDirectory()
  good(root.path)
  const { findings, blind, inapplicable } = await check(root.path, { units: [DEMANDS] })
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
  expect(inapplicable?.map(({ rule }) => rule)).toEqual([
    'unit-failed',
    'timer-missed',
    'daemon-reload-needed',
    'reload-would-kill',
    'unit-broken',
    'unit-not-running',
    'unit-exposure',
    'change-not-loaded',
  ])
})

const DIRECTIVES = GOOD.split('\n').slice(6, 20)

test.each(DIRECTIVES)('without %s there is one finding, and with its remedy there is none', async (line) => {
  using root = temporaryDirectory()
  good(root.path)
  write(root.path, UNIT, GOOD.replace(`${line}\n`, ''))
  const { findings } = await check(root.path, { units: [DEMANDS] })
  const [directive] = line.split('=')
  expect(findings).toMatchObject([
    { rule: 'unit-hardening', subject: `rstmdb.service ${directive}`, evidence: { directive, path: null } },
  ])
  const script = findings[0]?.remedy
    ?.replaceAll('/etc/systemd', `${root.path}/etc/systemd`)
    .replace(/\nsystemctl.*$/, '')
  expect(Bun.spawnSync(['sh', '-ec', script ?? 'false']).exitCode).toBe(0)
  expect((await check(root.path, { units: [DEMANDS] })).findings).toEqual([])
})

test.each([
  ['ProtectSystem=strict', 'ProtectSystem=full', 'ProtectSystem', 8],
  ['ProtectHome=true', 'ProtectHome=read-only', 'ProtectHome', 9],
  ['AF_INET6 AF_UNIX', 'AF_INET6 AF_UNIX AF_NETLINK', 'RestrictAddressFamilies', 15],
  [
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX',
    'RestrictAddressFamilies=~AF_PACKET',
    'RestrictAddressFamilies',
    15,
  ],
  ['RestrictNamespaces=true', 'RestrictNamespaces=~user', 'RestrictNamespaces', 16],
  ['ReadWritePaths=/var/lib/rstmdb', 'ReadWritePaths=/var/lib/rstmdb -/etc', 'ReadWritePaths', 21],
])('%s as %s is a finding at its line', async (right, wrong, directive, line) => {
  using root = temporaryDirectory()
  good(root.path)
  write(root.path, UNIT, GOOD.replace(right, wrong))
  const { findings } = await check(root.path, { units: [DEMANDS] })
  expect(findings).toMatchObject([{ subject: `rstmdb.service ${directive}`, evidence: { path: UNIT, line } }])
})

test('what is wanted can be said for a directive, and what a unit cannot have', async () => {
  using root = temporaryDirectory()
  good(root.path)
  write(
    root.path,
    UNIT,
    GOOD.replace('ProtectHome=true', 'ProtectHome=read-only').replace('MemoryDenyWriteExecute=true\n', ''),
  )
  const hardening = { except: ['MemoryDenyWriteExecute'], values: { ProtectHome: ['yes', 'read-only'] } }
  expect((await check(root.path, { units: [{ ...DEMANDS, hardening }] })).findings).toEqual([])
  const further = { ...hardening, values: { ...hardening.values, ProtectClock: ['yes'] } }
  expect((await check(root.path, { units: [{ ...DEMANDS, hardening: further }] })).findings).toMatchObject([
    { subject: 'rstmdb.service ProtectClock' },
  ])
})

test.each([
  ['UMask', '077', ['0077'], true],
  ['UMask', '0022', ['0077'], false],
  ['UMask', undefined, ['0077'], false],
  ['ProtectProc', 'invisible', ['invisible'], true],
  ['ProtectProc', undefined, ['invisible'], false],
  ['PrivateNetwork', 'on', ['yes'], true],
  ['SystemCallArchitectures', undefined, ['native'], false],
  ['SystemCallArchitectures', 'native', ['native'], true],
] as const)('%s=%p, wanted %j, is right: %p', async (directive, value, accepts, isRight) => {
  using root = temporaryDirectory()
  write(root.path, UNIT, value === undefined ? GOOD : GOOD.replace('User=', `${directive}=${value}\nUser=`))
  const hardening = { set: 'none' as const, values: { [directive]: [...accepts] } }
  const { findings } = await check(root.path, { units: [{ unit: 'rstmdb.service', hardening }] })
  expect(findings.map(({ subject }) => subject)).toEqual(isRight ? [] : [`rstmdb.service ${directive}`])
})

test('a directive that is not known is refused, not passed over', () => {
  const refused = (hardening: object) =>
    plugin.config.safeParse({ units: [{ unit: 'a.service', hardening }] }).success
  expect(refused({ except: ['PrivateTmp'], values: { UMask: ['0077'] } })).toBe(true)
  expect(refused({ except: ['PrivteTmp'] })).toBe(false)
  expect(refused({ values: { ProtectClok: ['yes'] } })).toBe(false)
})

test.each([
  ['User=rstmdb', '', 'unit-user rstmdb.service', 'critical'],
  ['User=rstmdb', 'User=daemon', 'unit-user rstmdb.service', 'warning'],
  ['Group=rstmdb', 'Group=root', 'unit-user rstmdb.service group', 'warning'],
  ['LimitCORE=0', '', 'unit-core-dumps rstmdb.service', 'warning'],
  ['LimitCORE=0', 'LimitCORE=0:infinity', 'unit-core-dumps rstmdb.service', 'warning'],
  ['LimitCORE=0', 'LimitCORE=0\nExecReload=/bin/kill -HUP $MAINPID', 'unit-reload rstmdb.service', 'warning'],
])('%s as "%s" is %s', async (right, wrong, expected, severity) => {
  using root = temporaryDirectory()
  good(root.path)
  write(root.path, UNIT, GOOD.replace(right, wrong))
  const { findings } = await check(root.path, { units: [DEMANDS] })
  expect(findings.map((one) => `${one.rule} ${one.subject} ${one.severity}`)).toEqual([
    `${expected} ${severity}`,
  ])
})

test('a unit that is disabled, masked, missing or only may be there', async () => {
  using root = temporaryDirectory()
  write(root.path, UNIT, GOOD)
  const rules = async (unit: object) =>
    (await check(root.path, { units: [unit] })).findings.map(({ rule }) => rule)
  expect(await rules(DEMANDS)).toEqual(['unit-not-enabled'])
  expect(await rules({ unit: 'nowhere.service' })).toEqual(['unit-missing'])
  expect(await rules({ unit: 'nowhere@*.service' })).toEqual(['unit-missing'])
  expect(await rules({ command: '/usr/bin/rstmdb', user: 'rstmdb' })).toEqual([])
  expect(await rules({ command: '/usr/bin/other' })).toEqual(['unit-missing'])
  mkdirSync(join(root.path, 'etc/systemd/system'), { recursive: true })
  symlinkSync('/dev/null', join(root.path, 'etc/systemd/system/rstmdb.service'))
  expect(await rules(DEMANDS)).toEqual(['unit-not-enabled'])
  const idle = await check(root.path, { units: [{ unit: 'nowhere.service', missing: 'ok' }] })
  expect(idle.findings).toEqual([])
  expect(idle.inapplicable?.map(({ rule }) => rule)).toContain('unit-hardening')
})

test('a purpose is judged by what is enabled', async () => {
  using root = temporaryDirectory()
  write(root.path, UNIT, GOOD)
  const purposes = [{ name: 'database', anyOf: ['rstmdb.service'] }]
  expect((await check(root.path, { purposes })).findings).toMatchObject([{ rule: 'purpose-unserved' }])
  good(root.path)
  expect((await check(root.path, { purposes })).findings).toEqual([])
})

test('ufw is a packet filter only while it is switched on', async () => {
  using root = temporaryDirectory()
  write(root.path, '/usr/lib/systemd/system/ufw.service', GOOD)
  const link = '/etc/systemd/system/multi-user.target.wants/ufw.service'
  write(root.path, link, '')
  const rules = async () =>
    (await check(root.path, { purposes: [{ name: 'packet filter', anyOf: ['ufw.service'] }] })).findings
      .length
  expect(await rules()).toBe(1)
  write(root.path, '/etc/ufw/ufw.conf', '# on or off\nENABLED=no\n')
  expect(await rules()).toBe(1)
  write(root.path, '/etc/ufw/ufw.conf', 'ENABLED=yes\nLOGLEVEL=low\n')
  expect(await rules()).toBe(0)
})

test('units of a user are found by their command, and need lingering', async () => {
  using root = temporaryDirectory()
  write(root.path, '/etc/passwd', 'deploy:x:1000:1000::/home/deploy:/bin/sh\n')
  write(root.path, '/usr/lib/systemd/system/x.target', '')
  write(
    root.path,
    '/home/deploy/.config/systemd/user/registration.service',
    '[Service]\nExecStart=%h/.local/bin/rostr serve\n[Install]\nWantedBy=default.target\n',
  )
  const rules = async () =>
    (await check(root.path, { units: [{ command: 'rostr', owner: 'deploy', enabled: true }] })).findings.map(
      ({ rule, subject }) => `${rule} ${subject}`,
    )
  expect(await rules()).toEqual(['no-linger deploy', 'unit-not-enabled deploy: registration.service'])
  write(root.path, '/var/lib/systemd/linger/deploy', '')
  write(root.path, '/home/deploy/.config/systemd/user/default.target.wants/registration.service', '')
  expect(await rules()).toEqual([])
})

test('a home that is elsewhere is blind until it is said', async () => {
  using root = temporaryDirectory()
  write(root.path, '/etc/passwd', 'deploy:x:1000:1000::/srv/deploy:/bin/sh\n')
  write(root.path, '/usr/lib/systemd/system/x.target', '')
  write(root.path, '/srv/deploy/.config/systemd/user/a.service', '[Service]\nExecStart=/usr/bin/a\n')
  write(root.path, '/var/lib/systemd/linger/deploy', '')
  const unit = { unit: 'a.service', owner: 'deploy' }
  expect((await check(root.path, { units: [unit] })).blind?.[0]?.reason).toContain('/srv/deploy')
  const said = await check(root.path, { units: [{ ...unit, home: '/srv/deploy' }] })
  expect({ findings: said.findings, blind: said.blind }).toEqual({ findings: [], blind: [] })
})

test('a host without systemd has nothing to judge', async () => {
  using root = temporaryDirectory()
  const { findings, blind, inapplicable } = await check(root.path, { units: [DEMANDS] })
  expect({ findings, blind }).toEqual({ findings: [], blind: undefined })
  expect(inapplicable).toHaveLength(Object.keys(plugin.rules).length)
})

test('files that cannot be read, are no files or link to each other are blind, never good', async () => {
  using root = temporaryDirectory()
  const directory = join(root.path, 'etc/systemd/system')
  mkdirSync(join(directory, 'folder.service'), { recursive: true })
  symlinkSync('b.service', join(directory, 'a.service'))
  symlinkSync('a.service', join(directory, 'b.service'))
  write(root.path, '/etc/systemd/system/large.service', Buffer.alloc(300 * 1024, '#\n'))
  write(root.path, '/etc/systemd/system/binary.service', Buffer.from([0, 255, 10, 0x5b, 0, 61, 61]))
  const of = (unit: string) => check(root.path, { units: [{ unit, user: '*' }] })
  expect(await of('folder.service')).toMatchObject({
    findings: [],
    blind: [{ subject: '/etc/systemd/system/folder.service' }],
  })
  expect((await of('large.service')).blind?.[0]?.reason).toContain('at most')
  for (const name of ['a.service', 'b.service']) {
    const { findings, blind = [] } = await of(name)
    expect(findings.length + blind.length).toBeGreaterThan(0)
  }
  // Nothing in it says a user.
  expect((await of('binary.service')).findings).toMatchObject([{ rule: 'unit-user' }])
})

test('a link never leads out of the tree: a unit that is linked in from elsewhere is blind', async () => {
  using root = temporaryDirectory()
  write(root.path, '/opt/app/rstmdb.service', GOOD)
  mkdirSync(join(root.path, dirname(ENABLED)), { recursive: true })
  symlinkSync('/opt/app/rstmdb.service', join(root.path, 'etc/systemd/system/rstmdb.service'))
  symlinkSync('/etc/systemd/system/rstmdb.service', join(root.path, ENABLED))
  const { findings, blind } = await check(root.path, { units: [DEMANDS] })
  expect({ findings, blind }).toMatchObject({
    findings: [],
    blind: [{ subject: '/etc/systemd/system/rstmdb.service' }],
  })
})

testWith({ root: true })('who may not look into a home is blind to the units in it', async () => {
  using root = temporaryDirectory()
  chmodSync(root.path, 0o755)
  write(root.path, '/etc/passwd', 'deploy:x:1000:1000::/home/deploy:/bin/sh\n')
  write(root.path, '/usr/lib/systemd/system/x.target', '')
  write(root.path, '/home/deploy/.config/systemd/user/a.service', '[Service]\nExecStart=/usr/bin/a\n')
  write(root.path, '/var/lib/systemd/linger/deploy', '')
  mkdirSync(join(root.path, STATE), { recursive: true })
  chmodSync(join(root.path, 'home/deploy'), 0o700)
  for (const unit of [{ unit: 'a.service' }, { command: '/usr/bin/a' }, { unit: 'a.*', missing: 'ok' }]) {
    const look = () => check(root.path, { units: [{ ...unit, owner: 'deploy' }] })
    const { findings, blind } = await asOrdinaryUser(look)
    expect(findings).toEqual([])
    expect(blind?.[0]).toMatchObject({ subject: '/home/deploy/.config/systemd/user.control' })
  }
})
