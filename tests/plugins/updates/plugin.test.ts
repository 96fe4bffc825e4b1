import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { parseAptConfig } from '../../../plugins/updates/apt-config.ts'
import { type Automatic, aptFaults, judgeAutomatic } from '../../../plugins/updates/automatic.ts'
import plugin from '../../../plugins/updates/plugin.ts'
import { lastMove } from '../../../plugins/updates/programs.ts'
import { newerKernel, splitRelease } from '../../../plugins/updates/reboot.ts'
import { HostTree, type TreeFile } from '../../kit/host-tree.ts'
import { testWith } from '../../kit/needs.ts'
import { PackageHost, whyNoPackageHost } from '../../kit/package-host/host.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

// A real Debian is installed, upgraded and looked at.
setDefaultTimeout(60_000)

const NOW = new Date('2027-01-15T08:00:00Z')
const DAY_MS = 86_400_000
const ago = (days: number) => NOW.getTime() - days * DAY_MS

const installed = (name: string, version: string, status = 'install ok installed') =>
  `Package: ${name}\nStatus: ${status}\nArchitecture: amd64\nVersion: ${version}\n\n`
const LISTS = '/var/lib/apt/lists/security.debian.org_debian-security_dists_bookworm-security'
const MAIN = '/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm'
const release = (label: string, suite: string, days: number) =>
  `Origin: Debian\nLabel: ${label}\nSuite: ${suite}\nCodename: ${suite}\nDate: ${new Date(ago(days)).toUTCString()}\n`
const available = (name: string, version: string) =>
  `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\n\n`

const DEBIAN: Record<string, TreeFile> = {
  '/var/lib/dpkg/status':
    installed('openssl', '3.0.1-1') +
    installed('unattended-upgrades', '2.9') +
    installed('gone', '1', 'deinstall ok config-files'),
  '/var/lib/dpkg/info/unattended-upgrades.list': { text: '', mtimeMs: ago(1) },
  [`${LISTS}_InRelease`]: release('Debian-Security', 'bookworm-security', 1),
  [`${LISTS}_main_binary-amd64_Packages`]: available('openssl', '3.0.1-1') + available('gone', '9'),
  [`${MAIN}_InRelease`]: release('Debian', 'bookworm', 90),
  [`${MAIN}_main_binary-amd64_Packages`]: available('openssl', '9.9'),
  '/etc/apt/apt.conf.d/20auto-upgrades':
    'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n',
  '/proc/sys/kernel/osrelease': '6.1.0-28-amd64\n',
  '/proc/sys/kernel/version': '#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)\n',
  '/boot/vmlinuz-6.1.0-28-amd64': { text: '', mtimeMs: ago(20) },
  '/boot/vmlinuz-6.1.0-9-amd64': { text: '', mtimeMs: ago(30) },
}

const host = new HostTree(DEBIAN)
afterAll(() => host[Symbol.dispose]())

async function look(
  config: Record<string, unknown> = {},
  files: Record<string, TreeFile> = {},
  without: string[] = [],
  memory?: { firstSeen: Record<string, number> },
) {
  using _ = host.changed(files, without)
  const run = pluginUnderTest(plugin, config, {
    root: host.path,
    stateDir: '/state',
    now: NOW,
    ...(memory ? { memory } : {}),
  })
  return await run.check()
}

type Case = [
  name: string,
  config: Record<string, unknown>,
  files: Record<string, TreeFile>,
  findings: string[],
  blind: string[],
  without?: string[],
]
const PENDING = 'security-update-pending security-update-overdue'
const ALL = `${PENDING} lists-stale no-security-source`
const cases: Case[] = [
  ['all is up to date', {}, {}, [], []],
  [
    'a security update is there',
    {},
    { [`${LISTS}_main_binary-amd64_Packages`]: available('openssl', '3.0.1-1+deb12u1') },
    ['info security-update-pending openssl'],
    [],
  ],
  [
    'every update counts',
    { updates: 'all' },
    { [`${MAIN}_InRelease`]: release('Debian', 'bookworm', 1) },
    ['info security-update-pending openssl'],
    [],
  ],
  [
    'the lists are old',
    {},
    { [`${LISTS}_InRelease`]: release('Debian-Security', 'bookworm-security', 20) },
    [`warning lists-stale ${LISTS}_InRelease`],
    [`${LISTS}_InRelease: ${PENDING}`],
  ],
  [
    'there is no source of security updates',
    {},
    {},
    ['critical no-security-source /var/lib/apt/lists'],
    [`/var/lib/apt/lists: ${PENDING}`],
    [`${LISTS}_InRelease`],
  ],
  [
    'there are no lists',
    {},
    {},
    ['warning lists-stale /var/lib/apt/lists'],
    [`/var/lib/apt/lists: ${PENDING}`],
    ['/var/lib/apt/lists'],
  ],
  [
    'a source came without its list',
    {},
    {},
    [],
    [`${LISTS}_InRelease: ${PENDING}`],
    [`${LISTS}_main_binary-amd64_Packages`],
  ],
  [
    'the status of dpkg is rubbish',
    { automatic: 'optional' },
    { '/var/lib/dpkg/status': 'rubbish\n' },
    [],
    [`package lists: ${ALL}`, 'reboot: reboot-pending reboot-overdue'],
  ],
  [
    'packages are those of RPM',
    { automatic: 'optional' },
    { '/var/lib/rpm/rpmdb.sqlite': '' },
    [],
    [`package lists: ${ALL}`],
    ['/var/lib/dpkg/status'],
  ],
  [
    'a restart is required since yesterday',
    {},
    { '/run/reboot-required': { text: '', mtimeMs: ago(1) } },
    ['info reboot-pending reboot-required'],
    [],
  ],
  [
    'a restart is required for long',
    {},
    { '/run/reboot-required': { text: '', mtimeMs: ago(9) }, '/run/reboot-required.pkgs': 'libc6\nlibc6\n' },
    ['warning reboot-overdue reboot-required'],
    [],
  ],
  [
    'a newer kernel is installed',
    { rebootGrace: '0s' },
    {
      '/boot/vmlinuz-6.1.0-30-amd64': { text: '', mtimeMs: ago(9) },
      '/boot/vmlinuz-6.1.0-31-cloud-amd64': '',
    },
    ['warning reboot-overdue kernel'],
    [],
  ],
  [
    'the kernel was updated under its name',
    {},
    {
      '/var/lib/dpkg/status':
        installed('unattended-upgrades', '2.9') + installed('linux-image-6.1.0-28-amd64', '6.1.124-1'),
      '/var/lib/dpkg/info/linux-image-6.1.0-28-amd64.list': { text: '', mtimeMs: ago(9) },
    },
    ['warning reboot-overdue kernel'],
    [],
  ],
  [
    'it is a container',
    {},
    { '/run/.containerenv': '', '/run/reboot-required': { text: '', mtimeMs: ago(9) } },
    [],
    [],
  ],
  [
    'unattended-upgrades is not installed',
    {},
    { '/var/lib/dpkg/status': installed('openssl', '3.0.1-1') },
    ['warning no-automatic-updates unattended-upgrades'],
    [],
  ],
  [
    'updates need not come by themselves',
    { automatic: 'optional' },
    { '/var/lib/dpkg/status': installed('openssl', '3.0.1-1') },
    [],
    [],
  ],
  [
    'its timer is masked',
    {},
    {
      '/run/systemd/system': { directory: true },
      '/etc/systemd/system/apt-daily-upgrade.timer': { link: '/dev/null' },
    },
    ['warning no-automatic-updates unattended-upgrades'],
    [],
  ],
  [
    'it has not run for long',
    {},
    { '/var/lib/apt/periodic/upgrade-stamp': { text: '', mtimeMs: ago(9) } },
    ['warning automatic-updates-stale unattended-upgrades'],
    [],
  ],
  ['it ran yesterday', {}, { '/var/lib/apt/periodic/upgrade-stamp': { text: '', mtimeMs: ago(1) } }, [], []],
  [
    'dnf-automatic installs nothing',
    {},
    {
      '/usr/bin/dnf': '',
      '/etc/dnf/automatic.conf': '[commands]\napply_updates = no\n',
      '/etc/systemd/system/timers.target.wants/dnf-automatic.timer': '',
    },
    ['warning no-automatic-updates dnf-automatic'],
    [`package lists: ${ALL}`],
    ['/var/lib/dpkg/status'],
  ],
]
for (const [name, config, files, findings, blind, without] of cases) {
  test(`check says ${[...findings, ...blind].join(', ') || 'nothing'} when ${name}`, async () => {
    const report = await look(config, files, without)
    expect({
      findings: report.findings.map(({ severity, rule, subject }) => `${severity} ${rule} ${subject}`),
      blind: (report.blind ?? []).map(({ subject, rules }) => `${subject}: ${rules?.join(' ')}`),
    }).toEqual({ findings, blind })
  })
}

test('the day on which an update was first seen outlives a time in which the lists were old', async () => {
  const files = { [`${LISTS}_main_binary-amd64_Packages`]: available('openssl', '3.0.1-2') }
  const firstSeen = { 'openssl:amd64': ago(8) }
  const stale = await look(
    {},
    { ...files, [`${LISTS}_InRelease`]: release('Debian-Security', 'x-security', 20) },
    [],
    { firstSeen },
  )
  expect(stale.memory).toEqual({ firstSeen })
  const { findings } = await look({}, files, [], { firstSeen })
  expect(findings).toMatchObject([{ rule: 'security-update-overdue', evidence: { firstSeen: '2027-01-07' } }])
})

testWith({ reason: Bun.file('/usr/lib/apt/apt-helper').size > 0 ? undefined : 'apt is not installed' })(
  'check reads compressed lists by the program of apt, and is blind where one is broken',
  async () => {
    const list = `${LISTS}_main_binary-amd64_Packages`
    const packed = gzipSync(available('openssl', '3.0.1-2'))
    const good = await look({}, { [`${list}.gz`]: packed }, [list])
    expect(good.findings).toMatchObject([{ rule: 'security-update-pending', subject: 'openssl' }])
    const size = available('openssl', '3.0.1-2').length
    const sized = `${release('Debian-Security', 'bookworm-security', 1)}SHA256:\n ${'0'.repeat(64)} ${size} main/binary-amd64/Packages\n`
    const files = { [`${LISTS}_InRelease`]: sized }
    const whole = await look({}, { ...files, [`${list}.gz`]: packed }, [list])
    expect([whole.findings.length, whole.blind]).toEqual([1, []])
    const cut = await look({}, { ...files, [`${list}.gz`]: packed.subarray(0, 30) }, [list])
    expect([cut.findings, cut.blind?.map(({ rules }) => rules?.join(' '))]).toEqual([[], [ALL]])
  },
)

test('parseAptConfig() reads nested and flat settings, lists and comments, with their lines', () => {
  const text =
    '// one\nAPT::Periodic { Enable "1"; // two\n  Unattended-Upgrade "0"; };\n/* "x";\n */ Unattended-Upgrade::Origins-Pattern {\n  "origin=Debian"; # three\n  "label=Debian-Security"; };\nA::B:: "c";\n'
  expect(parseAptConfig('/x', text).map(({ key, value, line }) => `${line} ${key} ${value}`)).toEqual([
    '2 apt::periodic::enable 1',
    '3 apt::periodic::unattended-upgrade 0',
    '6 unattended-upgrade::origins-pattern origin=Debian',
    '7 unattended-upgrade::origins-pattern label=Debian-Security',
    '8 a::b c',
  ])
})

const ON = 'APT::Periodic::Update-Package-Lists "1"; APT::Periodic::Unattended-Upgrade "1";'
test.each([
  ['all is on', ON, []],
  [
    'one is off',
    `${ON}\nAPT::Periodic::Unattended-Upgrade "0";`,
    ['APT::Periodic::Unattended-Upgrade is "0" (/x:2)'],
  ],
  [
    'nothing is said',
    '',
    ['APT::Periodic::Update-Package-Lists is not set', 'APT::Periodic::Unattended-Upgrade is not set'],
  ],
  ['all of it is off', `${ON} APT::Periodic::Enable "0";`, ['APT::Periodic::Enable is "0" (/x:1)']],
  [
    'security is not among its sources',
    `${ON} Unattended-Upgrade::Allowed-Origins { "Debian:stable"; };`,
    ['unattended-upgrades takes nothing from a source of security updates (/x:1)'],
  ],
])('aptFaults() when %s', (_, text, summaries) => {
  expect(aptFaults(parseAptConfig('/x', text)).map(({ summary }) => summary)).toEqual(summaries)
})

test('the remedy for a host without automatic updates writes what makes the finding go away', async () => {
  using tree = new HostTree({
    ...DEBIAN,
    '/var/lib/dpkg/status': installed('openssl', '3.0.1-1'),
    '/etc/apt/apt.conf.d/20auto-upgrades': '',
  })
  const run = pluginUnderTest(plugin, { updates: 'none' }, { root: tree.path, stateDir: '/state', now: NOW })
  const [before] = (await run.check()).findings
  const command = (before?.remedy ?? '')
    .replace(/^apt-get install \S+ && /, '')
    .replace(' > /', ` > ${tree.path}/`)
  expect(command).toStartWith('printf ')
  Bun.spawnSync(['sh', '-c', command])
  tree.put('/var/lib/dpkg/status', installed('unattended-upgrades', '2.9'))
  expect((await run.check()).findings).toEqual([])
})

test('judgeAutomatic() of one that has never run waits until it could have', () => {
  const one: Omit<Automatic, 'installedMs'> = {
    name: 'unattended-upgrades',
    faults: [],
    lastRunMs: undefined,
  }
  expect(judgeAutomatic({ ...one, installedMs: ago(2) }, 7 * DAY_MS, NOW.getTime())).toEqual([])
  expect(judgeAutomatic({ ...one, installedMs: ago(8) }, 7 * DAY_MS, NOW.getTime())[0]?.summary).toContain(
    'has never run',
  )
})

test.each([
  ['6.1.0-28-amd64', '6.1.0-28', 'amd64'],
  ['6.1.0-28-cloud-amd64', '6.1.0-28', 'cloud-amd64'],
  ['5.15.0-125-generic', '5.15.0-125', 'generic'],
  ['5.14.0-503.el9.x86_64', '5.14.0-503.el9.x86_64', ''],
])('splitRelease(%s)', (release_, version, flavour) =>
  expect(splitRelease(release_)).toEqual({ version, flavour }),
)

test('newerKernel() compares within a flavour only', () => {
  const image = (name: string) => ({ release: name, installedMs: 1 })
  expect(newerKernel('6.1.0-9-amd64', [image('6.1.0-10-amd64'), image('6.1.0-9-amd64')])?.release).toBe(
    '6.1.0-10-amd64',
  )
  expect(newerKernel('6.1.0-9-amd64', [image('6.9.0-1-rt-amd64'), image('0-rescue-abc')])).toBeUndefined()
  expect(newerKernel('5.14.0-503.el9.x86_64', [image('5.14.0-570.el9.x86_64')])?.release).toBe(
    '5.14.0-570.el9.x86_64',
  )
})

const PIPX = '/home/ops/.local/share/pipx/venvs/rostr'
const rostr = {
  name: 'rostr',
  installed: {
    file: '/home/*/.local/share/pipx/venvs/rostr/pipx_metadata.json',
    pattern: '"package_version": "([^"]+)"',
  },
  wanted: '1.4.0',
  maxAge: '30d',
  update: 'pipx upgrade rostr',
}
const metadata = (version: string, days: number) => ({
  [`${PIPX}/pipx_metadata.json`]: { text: `{"package_version": "${version}"}`, mtimeMs: ago(days) },
})
const reflog = (days: number) =>
  `0 1 A <a@b> 1 +0000\tclone\n1 2 A <a@b> ${Math.floor(ago(days) / 1000)} +0100\tpull: Fast-forward\n`
const programCases: Case[] = [
  ['a program is as wanted', { programs: [rostr] }, metadata('1.10.0', 3), [], []],
  [
    'a program is too old a version',
    { programs: [rostr] },
    metadata('1.4.0-rc1', 3),
    [`warning program-outdated rostr (${PIPX}/pipx_metadata.json)`],
    [],
  ],
  [
    'a program was updated long ago',
    { programs: [rostr] },
    metadata('1.4.0', 31),
    [`warning program-not-updated rostr (${PIPX}/pipx_metadata.json)`],
    [],
  ],
  [
    'its version is not to be found',
    { programs: [rostr] },
    { [`${PIPX}/pipx_metadata.json`]: '{}' },
    [],
    ['rostr: program-outdated program-not-updated'],
  ],
  [
    'a work tree was pulled long ago',
    { programs: [{ name: 'm', installed: { directory: '/opt/m' }, maxAge: '30d' }] },
    { '/opt/m/.git/logs/HEAD': reflog(40) },
    ['warning program-not-updated m (/opt/m)'],
    [],
  ],
  [
    'a work tree was pulled lately',
    { programs: [{ name: 'm', installed: { directory: '/opt/m' }, maxAge: '30d' }] },
    { '/opt/m/.git/logs/HEAD': reflog(4) },
    [],
    [],
  ],
  [
    'Python packages are old',
    { programs: [{ name: 'v', installed: { directory: '/opt/v' }, maxAge: '30d' }] },
    { '/opt/v/lib/python3.11/site-packages/a-1.dist-info': { text: '', mtimeMs: ago(50) } },
    ['warning program-not-updated v (/opt/v)'],
    [],
  ],
  [
    'a directory is neither',
    { programs: [{ name: 'v', installed: { directory: '/opt/w' }, maxAge: '30d' }] },
    { '/opt/w/x': '' },
    [],
    ['v: program-outdated program-not-updated'],
  ],
  [
    'a package is older than wanted',
    { programs: [{ name: 'openssl', installed: { package: 'openssl' }, wanted: '3.0.1-2' }] },
    {},
    ['warning program-outdated openssl'],
    [],
  ],
  [
    'it is not installed',
    { programs: [{ name: 'x', installed: { package: 'x' }, wanted: '1' }] },
    {},
    [],
    [],
  ],
]
for (const [name, config, files, findings, blind] of programCases) {
  test(`check of programs says ${[...findings, ...blind].join(', ') || 'nothing'} when ${name}`, async () => {
    const report = await look(config, files)
    expect({
      findings: report.findings.map(({ severity, rule, subject }) => `${severity} ${rule} ${subject}`),
      blind: (report.blind ?? []).map(({ subject, rules }) => `${subject}: ${rules?.join(' ')}`),
    }).toEqual({ findings, blind })
  })
}

const printing: [name: string, script: string, findings: string[], blind: RegExp | undefined][] = [
  ['prints its version', 'echo tool v2.8.1 linux', ['program-outdated'], undefined],
  ['prints rubbish', 'echo none', [], /nothing matches/],
  ['prints without end', 'yes 1.2.3', [], /says too much|does not answer/],
  ['fails', 'echo 2.9.9; exit 3', [], /ended with 3/],
]
for (const [name, script, findings, blind] of printing) {
  test(`check of a program that ${name}`, async () => {
    using work = temporaryDirectory()
    const path = `${work.path}/tool`
    await Bun.write(path, `#!/bin/sh\n${script === 'yes 1.2.3' ? 'yes 1.2.3 | head -c 200000' : script}\n`)
    Bun.spawnSync(['chmod', '755', path])
    using state = temporaryDirectory()
    const programs = [
      { name: 'tool', installed: { program: [path, 'version'] as [string, string] }, wanted: '2.9' },
    ]
    const report = await pluginUnderTest(
      plugin,
      { programs, automatic: 'optional' },
      { stateDir: state.path, now: NOW },
    ).check()
    expect(report.findings.filter(({ rule }) => rule.startsWith('program')).map(({ rule }) => rule)).toEqual(
      findings,
    )
    const dark = report.blind?.find(({ subject }) => subject === 'tool')?.reason
    if (blind) expect(dark).toMatch(blind)
    else expect(dark).toBeUndefined()
  })
}

test('lastMove() of an empty log is not known', () => expect(lastMove('')).toBeUndefined())

const why = whyNoPackageHost()
testWith({ reason: why })(
  'on a real Debian check finds the updates that apt finds, and none after they are installed',
  async () => {
    await using real = await PackageHost.start()
    real.apt('install', '-t', 'bookworm', 'openssl', 'sudo')
    const upgradable = () =>
      real
        .run('apt', 'list', '--upgradable')
        .split('\n')
        .flatMap((line) => /^([^/]+)\/\S*-security\S* /.exec(line)?.[1] ?? [])
        .toSorted()
    using copy = temporaryDirectory()
    const found = async () => {
      // Its lists are as old as the cached root.
      for (const path of ['var/lib/dpkg', 'var/lib/apt', 'etc/apt']) {
        mkdirSync(`${copy.path}/${path}`, { recursive: true })
        cpSync(`${real.root}/${path}`, `${copy.path}/${path}`, { recursive: true, force: true })
      }
      const lists = readFileSync(`${copy.path}/var/lib/dpkg/status`, 'utf8')
      expect(lists.length).toBeGreaterThan(10_000)
      const run = pluginUnderTest(
        plugin,
        { automatic: 'optional', listsMaxAge: '5000d' },
        { root: copy.path, stateDir: '/state' },
      )
      const { findings } = await run.check()
      return findings
        .filter(({ rule }) => rule.startsWith('security-update'))
        .flatMap(({ evidence }) => String(evidence?.packages).split(' '))
        .toSorted()
    }
    const wanted = upgradable()
    expect(wanted.length).toBeGreaterThan(0)
    expect(await found()).toEqual(wanted)
    real.apt('dist-upgrade')
    expect([await found(), upgradable()]).toEqual([[], []])
  },
)
