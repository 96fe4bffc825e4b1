import { afterAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { toGrants } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import plugin from '../../../plugins/host-hardening/plugin.ts'
import { judgeSandbox, readinessOf } from '../../../plugins/host-hardening/sandbox.ts'
import { HostTree, type TreeFile } from '../../kit/host-tree.ts'
import { testWith } from '../../kit/needs.ts'
import { pluginUnderTest } from '../../kit/plugin.ts'

const MOUNTS = [
  '22 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw',
  '23 22 0:21 / /proc rw,nosuid,nodev,noexec - proc proc rw',
  '24 22 0:22 / /dev/shm rw,nosuid,nodev - tmpfs tmpfs rw',
  '25 22 254:1 / /srv rw,relatime - ext4 /dev/mapper/data rw',
].join('\n')

/** What a Debian 12 has after its installation, as far as this plugin looks. */
const DEBIAN: Record<string, TreeFile> = {
  '/proc/1/mountinfo': `${MOUNTS}\n`,
  '/proc/swaps': 'Filename\tType\tSize\tUsed\tPriority\n/dev/vda2 partition 1000 0 -2\n',
  '/proc/sys/kernel/core_pattern': 'core\n',
  '/proc/sys/fs/suid_dumpable': '0\n',
  '/proc/sys/kernel/randomize_va_space': '2\n',
  '/proc/sys/kernel/dmesg_restrict': '1\n',
  '/proc/sys/kernel/kptr_restrict': '0\n',
  '/proc/sys/kernel/yama/ptrace_scope': '0\n',
  '/proc/sys/fs/protected_symlinks': '1\n',
  '/proc/sys/fs/protected_hardlinks': '1\n',
  '/proc/sys/fs/protected_fifos': '1\n',
  '/proc/sys/fs/protected_regular': '2\n',
  '/proc/sys/net/ipv4/tcp_syncookies': '1\n',
  '/proc/sys/net/ipv4/conf/all/rp_filter': '0\n',
  '/proc/sys/net/ipv4/conf/default/rp_filter': '2\n',
  '/proc/sys/net/ipv4/conf/lo/rp_filter': '0\n',
  '/proc/sys/net/ipv4/conf/eth0/rp_filter': '2\n',
  '/usr/lib/sysctl.d/50-default.conf':
    '# x\nnet.ipv4.conf.default.rp_filter = 2\nnet.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n',
  '/usr/lib/sysctl.d/99-protect-links.conf': 'fs.protected_symlinks = 1\n',
  '/etc/sysctl.conf': '#kernel.kptr_restrict=1\n',
  '/etc/sysctl.d/99-sysctl.conf': { link: '../sysctl.conf' },
  '/etc/resolv.conf': 'nameserver 192.0.2.53\n',
  '/run/systemd/timesync/synchronized': '',
  '/sys/fs/cgroup/system.slice/systemd-timesyncd.service': { directory: true },
  '/tmp': { directory: true, mode: 0o1777 },
  '/var/tmp': { directory: true, mode: 0o1777 },
  '/dev/shm': { directory: true },
  '/srv/data': { directory: true },
  '/var/lib/app': { directory: true },
  '/sys/dev/block/254:0': { link: '../../devices/virtual/block/vda' },
  '/sys/dev/block/254:1': { link: '../../devices/virtual/block/dm-0' },
  '/sys/devices/virtual/block/dm-0/dm/uuid': 'CRYPT-LUKS2-0123456789abcdef-data\n',
}

const host = new HostTree(DEBIAN)
afterAll(() => host[Symbol.dispose]())

/** The Debian with other files, which are taken away again: making a whole host for each case takes a while. */
async function look(
  config: Record<string, unknown>,
  files: Record<string, TreeFile> = {},
  without: string[] = [],
) {
  using _ = host.changed(files, without)
  return await pluginUnderTest(plugin, config, { root: host.path, stateDir: '/state' }).check()
}

/** Rules and subjects, with those of the notes left out. */
async function verdicts(
  config: Record<string, unknown>,
  files: Record<string, TreeFile> = {},
  without: string[] = [],
) {
  const { findings, blind } = await look(config, files, without)
  return {
    findings: findings
      .filter(({ severity }) => severity !== 'info')
      .map(({ rule, subject }) => `${rule} ${subject}`),
    blind: (blind ?? []).map(({ subject, rules }) => `${subject}: ${rules?.join(' ')}`),
  }
}

const CLEAN = { findings: [], blind: [] }

test('a fresh Debian 12 has nothing that an operator would call wrong', async () => {
  expect(await verdicts({})).toEqual(CLEAN)
  const { findings } = await look({})
  expect(findings.map(({ rule, subject }) => `${rule} ${subject}`)).toEqual([
    'kernel-setting-loose kernel.kptr_restrict',
    'kernel-setting-loose kernel.yama.ptrace_scope',
  ])
})

test('check has not even a note on a kernel that is set as it should be', async () => {
  const { findings } = await look(
    {},
    { '/proc/sys/kernel/kptr_restrict': '1\n', '/proc/sys/kernel/yama/ptrace_scope': '1\n' },
  )
  expect(findings).toEqual([])
})

// Below another root the kernel of this machine is not asked.
test('check finds that nothing keeps the clock, or that what does agrees with no server', async () => {
  const service = '/sys/fs/cgroup/system.slice/systemd-timesyncd.service'
  const mark = '/run/systemd/timesync/synchronized'
  expect(await verdicts({}, {}, [service])).toEqual({ findings: ['no-time-service clock'], blind: [] })
  expect(await verdicts({}, {}, [mark])).toEqual({ findings: ['clock-not-synchronised clock'], blind: [] })
})

const DM = '/sys/devices/virtual/block'
const storages: [name: string, path: string, files: Record<string, TreeFile>, state: string][] = [
  ['a plain disk', '/var/lib/app', {}, 'plain'],
  ['LUKS', '/srv/data', {}, 'encrypted'],
  [
    'LVM on LUKS',
    '/srv/data',
    {
      [`${DM}/dm-0/dm/uuid`]: 'LVM-abc\n',
      [`${DM}/dm-0/slaves/dm-1`]: { link: '../../dm-1' },
      [`${DM}/dm-1/dm/uuid`]: 'CRYPT-LUKS1-abc-pv\n',
    },
    'encrypted',
  ],
  [
    'LVM on one LUKS and one plain disk',
    '/srv/data',
    {
      [`${DM}/dm-0/dm/uuid`]: 'LVM-abc\n',
      [`${DM}/dm-0/slaves/dm-1`]: { link: '../../dm-1' },
      [`${DM}/dm-0/slaves/sda2`]: { link: '../../../../pci0/sda2' },
      [`${DM}/dm-1/dm/uuid`]: 'CRYPT-LUKS1-abc-pv\n',
    },
    'plain',
  ],
  [
    'dm-integrity without encryption',
    '/srv/data',
    { [`${DM}/dm-0/dm/uuid`]: 'CRYPT-INTEGRITY-abc\n', [`${DM}/dm-0/slaves/sda`]: { link: 'x' } },
    'plain',
  ],
  [
    'a loop device over a file on LUKS',
    '/mnt/loop',
    {
      '/proc/1/mountinfo': `${MOUNTS}\n26 22 7:3 / /mnt/loop rw - ext4 /dev/loop3 rw\n`,
      '/mnt/loop': { directory: true },
      '/sys/dev/block/7:3': { link: '../../devices/virtual/block/loop3' },
      [`${DM}/loop3/loop/backing_file`]: '/srv/data/disk.img\n',
      '/srv/data/disk.img': '',
    },
    'encrypted',
  ],
  [
    'RAID on LUKS',
    '/srv/data',
    {
      '/sys/dev/block/254:1': { link: '../../devices/virtual/block/md0' },
      [`${DM}/md0/slaves/dm-0`]: { link: 'x' },
    },
    'encrypted',
  ],
  [
    'btrfs over two LUKS devices',
    '/srv/b',
    {
      '/proc/1/mountinfo': `${MOUNTS}\n26 22 0:40 / /srv/b rw - btrfs /dev/mapper/b1 rw\n`,
      '/srv/b': { directory: true },
      '/dev/mapper/b1': { link: '../dm-0' },
      '/dev/dm-0': '',
      '/sys/fs/btrfs/a-b/devices/dm-0': '',
      '/sys/fs/btrfs/a-b/devices/dm-1': '',
      [`${DM}/dm-1/dm/uuid`]: 'CRYPT-LUKS2-b2',
    },
    'encrypted',
  ],
  [
    'btrfs over LUKS and a plain disk',
    '/srv/b',
    {
      '/proc/1/mountinfo': `${MOUNTS}\n26 22 0:40 / /srv/b rw - btrfs /dev/mapper/b1 rw\n`,
      '/srv/b': { directory: true },
      '/dev/mapper/b1': { link: '../dm-0' },
      '/dev/dm-0': '',
      '/sys/fs/btrfs/a-b/devices/dm-0': '',
      '/sys/fs/btrfs/a-b/devices/sdc': '',
    },
    'plain',
  ],
  [
    'ZFS',
    '/tank',
    {
      '/proc/1/mountinfo': `${MOUNTS}\n26 22 0:40 / /tank rw - zfs tank/data rw\n`,
      '/tank': { directory: true },
    },
    'unknown',
  ],
  [
    'NFS',
    '/nfs',
    { '/proc/1/mountinfo': `${MOUNTS}\n26 22 0:40 / /nfs rw - nfs4 a:/b rw\n`, '/nfs': { directory: true } },
    'unknown',
  ],
  [
    'an overlay of a container',
    '/var/lib/app',
    { '/proc/1/mountinfo': '1 0 0:40 / / rw - overlay overlay rw,upperdir=/nowhere/upper\n' },
    'unknown',
  ],
  ['a tmpfs', '/dev/shm', {}, 'memory'],
  [
    'gocryptfs',
    '/vault',
    {
      '/proc/1/mountinfo': `${MOUNTS}\n26 22 0:40 / /vault rw - fuse.gocryptfs /srv/x rw\n`,
      '/vault': { directory: true },
    },
    'encrypted',
  ],
  ['a link to a path on LUKS', '/data', { '/data': { link: '/srv/data' } }, 'encrypted'],
  [
    'an escaped mount point',
    '/a b',
    {
      '/proc/1/mountinfo': `${MOUNTS}\n26 22 254:1 / /a\\040b rw - ext4 /dev/mapper/data rw\n`,
      '/a b': { directory: true },
    },
    'encrypted',
  ],
]
for (const [name, path, files, state] of storages) {
  test(`check finds that ${name} is ${state}`, async () => {
    const { findings, blind, facts } = await look({ encrypted: [path], swap: 'any' }, files)
    expect(facts?.find(({ kind }) => kind === 'storage')?.data.state).toBe(state)
    const wrong = findings.filter(({ rule }) => rule === 'path-not-encrypted').map(({ subject }) => subject)
    expect(wrong).toEqual(state === 'plain' ? [path] : [])
    expect((blind ?? []).map(({ subject }) => subject)).toEqual(state === 'unknown' ? [path] : [])
  })
}

test('check is blind about a path that leads in a circle, and not concerned by one that is not there', async () => {
  const circle = { '/a': { link: '/b' }, '/b': { link: '/a' } }
  const { blind } = await verdicts({ encrypted: ['/var/lib/none'] }, circle)
  expect(blind).toEqual([])
  const { inapplicable } = await look({ encrypted: ['/var/lib/none'] })
  expect(inapplicable?.map(({ rule }) => rule)).toContain('path-not-encrypted')
})

const swap = (line: string) => ({ '/proc/swaps': `Filename\tType\n${line}\n` })
const swaps: [
  name: string,
  config: Record<string, unknown>,
  files: Record<string, TreeFile>,
  findings: string[],
][] = [
  ['it may be as it is', {}, {}, []],
  ['a path must be encrypted', { encrypted: ['/srv/data'] }, {}, ['swap-not-encrypted /dev/vda2']],
  ['it is encrypted', { swap: 'encrypted' }, { ...swap('/dev/dm-0 partition 1 0 -2') }, []],
  ['it is a file on LUKS', { swap: 'encrypted' }, { ...swap('/srv/swap file 1 0 -2'), '/srv/swap': '' }, []],
  [
    'it is a file on a plain disk',
    { swap: 'encrypted' },
    { ...swap('/swap\\040file file 1 0 -2'), '/swap file': '' },
    ['swap-not-encrypted /swap file'],
  ],
  [
    'it is zram',
    { swap: 'encrypted' },
    { ...swap('/dev/zram0 partition 1 0 100'), [`${DM}/zram0/backing_dev`]: 'none\n' },
    [],
  ],
  [
    'it is zram that writes to a disk',
    { swap: 'encrypted' },
    { ...swap('/dev/zram0 partition 1 0 100'), [`${DM}/zram0/backing_dev`]: '/dev/vda3\n' },
    ['swap-not-encrypted /dev/zram0'],
  ],
  [
    'there may be none',
    { swap: 'none' },
    { ...swap('/dev/dm-0 partition 1 0 -2') },
    ['swap-not-encrypted /dev/dm-0'],
  ],
  [
    'there may be none but zram',
    { swap: 'none' },
    { ...swap('/dev/zram0 partition 1 0 -2'), [`${DM}/zram0/size`]: '1' },
    [],
  ],
]
for (const [name, config, files, findings] of swaps) {
  test(`check of swap says ${findings.length === 0 ? 'nothing' : findings.join(', ')} when ${name}`, async () => {
    expect(await verdicts(config, files)).toEqual({ findings, blind: [] })
  })
}

const coredump = (storage: string) => ({
  '/proc/sys/kernel/core_pattern': '|/usr/lib/systemd/systemd-coredump %P %u\n',
  '/usr/lib/systemd/systemd-coredump': { text: '', mode: 0o755 },
  '/etc/systemd/coredump.conf': '[Coredump]\n#Storage=none\n',
  '/etc/systemd/coredump.conf.d/10-a.conf': `[Coredump]\nStorage = ${storage}\n`,
})
const elf = Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 62, 0])
const dumps: [
  name: string,
  config: Record<string, unknown>,
  files: Record<string, TreeFile>,
  findings: string[],
][] = [
  ['they lie beside the process, private', {}, {}, []],
  [
    'they go to a directory for everybody',
    {},
    { '/proc/sys/kernel/core_pattern': '/tmp/core.%p\n' },
    ['core-pattern-open kernel.core_pattern'],
  ],
  [
    'they go to a private directory',
    {},
    { '/proc/sys/kernel/core_pattern': '/cores/core.%p\n', '/cores': { directory: true, mode: 0o700 } },
    [],
  ],
  [
    'they go to a program that everybody can write',
    {},
    { '/proc/sys/kernel/core_pattern': '|/opt/take %p\n', '/opt/take': { text: '', mode: 0o777 } },
    ['core-pattern-open kernel.core_pattern'],
  ],
  [
    'setuid programs dump',
    {},
    { '/proc/sys/fs/suid_dumpable': '1\n' },
    ['setuid-core-dumps fs.suid_dumpable'],
  ],
  [
    'setuid programs dump to the working directory',
    {},
    { '/proc/sys/fs/suid_dumpable': '2\n' },
    ['setuid-core-dumps fs.suid_dumpable'],
  ],
  [
    'setuid programs dump to systemd',
    {},
    { ...coredump('external'), '/proc/sys/fs/suid_dumpable': '2\n' },
    [],
  ],
  [
    'systemd keeps them though none may be',
    { coreDumps: 'none' },
    coredump('external'),
    ['core-dumps-kept kernel.core_pattern'],
  ],
  ['systemd keeps none', { coreDumps: 'none' }, coredump('none'), []],
  [
    'files are written though none may be',
    { coreDumps: 'none' },
    {},
    ['core-dumps-kept kernel.core_pattern'],
  ],
  [
    'limits keep files from being written',
    { coreDumps: 'none' },
    {
      '/etc/systemd/system.conf.d/x.conf': '[Manager]\nDefaultLimitCORE=0\n',
      '/etc/security/limits.conf': '*  hard  core  0\n',
    },
    [],
  ],
  [
    'only services are limited',
    { coreDumps: 'none' },
    { '/etc/systemd/system.conf.d/x.conf': '[Manager]\nDefaultLimitCORE=0\n' },
    ['core-dumps-kept kernel.core_pattern'],
  ],
  [
    'nothing is done with them',
    { coreDumps: 'none' },
    { '/proc/sys/kernel/core_pattern': '|/bin/false\n' },
    [],
  ],
  ['nobody asks', { coreDumps: 'any' }, { '/proc/sys/fs/suid_dumpable': '1\n' }, []],
  [
    'one lies with a service',
    { coreFiles: ['/srv/app'] },
    { '/srv/app/core.123': elf, '/srv/app/core.css': 'a', '/srv/app/x/core': elf },
    ['core-file-left /srv/app/x/core', 'core-file-left /srv/app/core.123'],
  ],
  [
    'one lies in the store though none may be',
    { coreDumps: 'none' },
    { ...coredump('none'), '/var/lib/systemd/coredump/core.a.0.zst': 'x' },
    ['core-file-left /var/lib/systemd/coredump/core.a.0.zst'],
  ],
]
for (const [name, config, files, findings] of dumps) {
  test(`check of core dumps says ${findings.join(', ') || 'nothing'} when ${name}`, async () => {
    expect(await verdicts(config, files)).toEqual({ findings, blind: [] })
  })
}

test('the place of what keeps core dumps is told', async () => {
  const { findings } = await look({ coreDumps: 'none' }, coredump('both'))
  expect(findings.find(({ rule }) => rule === 'core-dumps-kept')?.evidence).toMatchObject({
    path: '/etc/systemd/coredump.conf.d/10-a.conf',
    line: 2,
  })
})

const mounts = (tmp: string) => ({ '/proc/1/mountinfo': `${MOUNTS}\n${tmp}\n` })
const flags: [
  name: string,
  config: Record<string, unknown>,
  files: Record<string, TreeFile>,
  findings: string[],
][] = [
  ['/tmp is a directory of the root', {}, {}, []],
  [
    '/tmp must be a mount of its own',
    { mounts: [{ path: '/tmp', separate: true }] },
    {},
    ['not-own-mount /tmp'],
  ],
  [
    '/tmp is the mount of its own that it must be',
    { mounts: [{ path: '/tmp', separate: true, flags: ['nodev'] }] },
    mounts('30 22 0:9 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw'),
    [],
  ],
  ['/tmp has the flags', {}, mounts('30 22 0:9 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw'), []],
  [
    '/tmp lacks a flag',
    {},
    mounts('30 22 0:9 / /tmp rw,nosuid - tmpfs tmpfs rw'),
    ['mount-flag-missing /tmp'],
  ],
  [
    'the last of two mounts counts',
    {},
    mounts('30 22 0:9 / /tmp rw - tmpfs a rw\n31 30 0:10 / /tmp rw,nosuid,nodev - tmpfs b rw'),
    [],
  ],
  [
    'noexec is wanted',
    { mounts: [{ path: '/dev/shm', flags: ['noexec'] }] },
    {},
    ['mount-flag-missing /dev/shm'],
  ],
  ['the directory is not there', { mounts: [{ path: '/scratch', separate: true }] }, {}, []],
]
for (const [name, config, files, findings] of flags) {
  test(`check of mounts says ${findings.join(', ') || 'nothing'} when ${name}`, async () => {
    expect(await verdicts(config, files)).toEqual({ findings, blind: [] })
  })
}

const settings: [
  name: string,
  config: Record<string, unknown>,
  files: Record<string, TreeFile>,
  findings: string[],
][] = [
  [
    'addresses are not random',
    {},
    { '/proc/sys/kernel/randomize_va_space': '1\n' },
    ['kernel-setting-weak kernel.randomize_va_space'],
  ],
  [
    'the next start makes it weak',
    {},
    { '/etc/sysctl.d/99-x.conf': '\nfs.protected_symlinks=0\n' },
    ['kernel-setting-not-kept fs.protected_symlinks'],
  ],
  [
    'a file that is hidden by another says so',
    {},
    { '/usr/lib/sysctl.d/99-x.conf': 'fs.protected_symlinks=0\n', '/etc/sysctl.d/99-x.conf': '' },
    [],
  ],
  [
    'an interface does not look at senders',
    {},
    { '/proc/sys/net/ipv4/conf/eth1/rp_filter': '0\n' },
    ['kernel-setting-weak net.ipv4.conf.*.rp_filter'],
  ],
  [
    'all interfaces look at senders',
    {},
    { '/proc/sys/net/ipv4/conf/eth1/rp_filter': '0\n', '/proc/sys/net/ipv4/conf/all/rp_filter': '1\n' },
    [],
  ],
  [
    'one more is asked for',
    { kernel: { 'kernel.kptr_restrict': [1, 2] } },
    {},
    ['kernel-setting-weak kernel.kptr_restrict'],
  ],
  [
    'one is not asked for',
    { kernel: { 'kernel.randomize_va_space': [] } },
    { '/proc/sys/kernel/randomize_va_space': '0\n' },
    [],
  ],
  [
    'slashes separate',
    {},
    { '/etc/sysctl.d/99-x.conf': 'fs/protected_symlinks = 0\n' },
    ['kernel-setting-not-kept fs.protected_symlinks'],
  ],
  ['it is a container', {}, { '/run/.containerenv': '', '/proc/sys/kernel/randomize_va_space': '0\n' }, []],
]
for (const [name, config, files, findings] of settings) {
  test(`check of the kernel says ${findings.join(', ') || 'nothing'} when ${name}`, async () => {
    expect(await verdicts(config, files)).toEqual({ findings, blind: [] })
  })
}

test('a kernel setting that there is not is blind', async () => {
  expect(await verdicts({}, {}, ['/proc/sys/net/ipv4/tcp_syncookies'])).toEqual({
    findings: [],
    blind: ['net.ipv4.tcp_syncookies: kernel-setting-weak'],
  })
})

test('the remedy for a kernel setting puts the file right for good, and a second look says only that it is not in force', async () => {
  using tree = new HostTree({ ...DEBIAN, '/etc/sysctl.d/99-x.conf': 'fs.protected_symlinks=0\n' } as Record<
    string,
    TreeFile
  >)
  const run = pluginUnderTest(plugin, {}, { root: tree.path, stateDir: '/state' })
  const [finding] = (await run.check()).findings.filter(({ severity }) => severity !== 'info')
  const [, text = '', path = ''] =
    /^echo '([^']+)' > (\S+) && sysctl --system$/.exec(finding?.remedy ?? '') ?? []
  writeFileSync(tree.path + path, `${text}\n`)
  expect((await run.check()).findings.filter(({ severity }) => severity !== 'info')).toEqual([])
})

const resolved = {
  '/etc/resolv.conf': { link: '../run/systemd/resolve/stub-resolv.conf' },
  '/run/systemd/resolve/stub-resolv.conf': 'nameserver 127.0.0.53\n',
  '/run/systemd/resolve/resolv.conf': '# x\nnameserver 192.0.2.1\nnameserver 10.0.0.53\n',
}
const dns = ['10.0.0.0/8', '2001:db8::/32']
const servers: [name: string, files: Record<string, TreeFile>, findings: string[], blind: string[]][] = [
  [
    'another one is asked',
    { '/etc/resolv.conf': 'search x\nnameserver 192.0.2.53\nnameserver 10.1.2.3\n' },
    ['dns-server-not-allowed 192.0.2.53'],
    [],
  ],
  [
    'only those of the list are asked',
    { '/etc/resolv.conf': 'nameserver 10.1.2.3\nnameserver 2001:db8::5%eth0\n;nameserver 192.0.2.1' },
    [],
    [],
  ],
  ['systemd-resolved asks another one', resolved, ['dns-server-not-allowed 192.0.2.1'], []],
  [
    'a resolver on this host is asked',
    { '/etc/resolv.conf': 'nameserver 127.0.0.1\n' },
    [],
    ['/etc/resolv.conf: dns-server-not-allowed'],
  ],
  [
    'containers ask another one',
    { '/etc/resolv.conf': '', '/etc/docker/daemon.json': '{\n "dns": ["192.0.2.9", "10.0.0.1"]\n}' },
    ['dns-server-not-allowed 192.0.2.9'],
    [],
  ],
  [
    'the settings of Docker are no JSON',
    { '/etc/resolv.conf': '', '/etc/docker/daemon.json': '{dns' },
    [],
    ['DNS servers: dns-server-not-allowed'],
  ],
  [
    'the name of a server is rubbish',
    { '/etc/resolv.conf': 'nameserver dns.example\n' },
    ['dns-server-not-allowed dns.example'],
    [],
  ],
]
for (const [name, files, findings, blind] of servers) {
  test(`check of DNS says ${[...findings, ...blind].join(', ') || 'nothing'} when ${name}`, async () => {
    expect(await verdicts({ dns }, files)).toEqual({ findings, blind })
  })
}

const bwrap = { '/usr/bin/bwrap': { text: '', mode: 0o755 }, '/proc/sys/user/max_user_namespaces': '1000\n' }
const apparmor = { ...bwrap, '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' }
const sandboxes: [name: string, files: Record<string, TreeFile>, findings: string[]][] = [
  ['there is no bubblewrap', { '/proc/sys/user/max_user_namespaces': '1000\n' }, ['bubblewrap']],
  ['all is there', bwrap, []],
  [
    'no namespace can be made',
    { ...bwrap, '/proc/sys/user/max_user_namespaces': '0\n' },
    ['user.max_user_namespaces'],
  ],
  [
    'Debian keeps them for root',
    { ...bwrap, '/proc/sys/kernel/unprivileged_userns_clone': '0\n' },
    ['kernel.unprivileged_userns_clone'],
  ],
  ['AppArmor forbids them', apparmor, ['kernel.apparmor_restrict_unprivileged_userns']],
  [
    'AppArmor has a profile that lets bwrap',
    {
      ...apparmor,
      '/etc/apparmor.d/bwrap':
        'abi <abi/4.0>,\nprofile bwrap /usr/bin/bwrap flags=(unconfined) {\n  userns,\n}\n',
    },
    [],
  ],
  [
    'AppArmor has a profile for another program',
    {
      ...apparmor,
      '/etc/apparmor.d/x': '# /usr/bin/bwrap\nprofile x /usr/bin/x flags=(unconfined) {\n  userns,\n}\n',
    },
    ['kernel.apparmor_restrict_unprivileged_userns'],
  ],
]
for (const [name, files, findings] of sandboxes) {
  test(`check of the sandbox says ${findings.join(', ') || 'nothing'} when ${name}`, async () => {
    const report = await look({ sandbox: { required: true } }, files)
    expect(
      report.findings.filter(({ rule }) => rule === 'sandbox-unavailable').map(({ subject }) => subject),
    ).toEqual(findings)
  })
}

test('a sandbox is proven by a file that is young enough', async () => {
  const sandbox = { required: true, proof: '/run/app/sandbox-made' }
  const proven = async (files: Record<string, TreeFile>) =>
    (await look({ sandbox }, { ...bwrap, ...files })).findings
      .filter(({ rule }) => rule === 'sandbox-not-proven')
      .map(({ subject }) => subject)
  expect(await proven({})).toEqual([sandbox.proof])
  expect(await proven({ [sandbox.proof]: { text: '', mtimeMs: Date.now() - 8 * 86_400_000 } })).toEqual([
    sandbox.proof,
  ])
  expect(await proven({ [sandbox.proof]: { text: '', mtimeMs: Date.now() - 86_400_000 } })).toEqual([])
})

testWith({ programs: ['bwrap', 'setpriv'], root: true })(
  'judgeSandbox() says of this host what bubblewrap does as a user',
  () => {
    const host = new LocalHostReader(
      '/',
      toGrants({ read: ['/proc/sys', '/etc/apparmor.d'] }, '/', (path) => [path]),
    )
    const { exitCode } = Bun.spawnSync([
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      'bwrap',
      '--unshare-user',
      '--ro-bind',
      '/',
      '/',
      'true',
    ])
    expect(judgeSandbox(readinessOf(host)).length === 0).toBe(exitCode === 0)
  },
)

test('what cannot be read is blind, with the rules concerned', async () => {
  const { blind } = await verdicts(
    { encrypted: ['/srv/data'], swap: 'any' },
    { '/proc/1/mountinfo': 'rubbish\n', '/proc/sys/kernel/core_pattern': { directory: true } },
  )
  expect(blind).toEqual([
    'disk encryption: path-not-encrypted',
    'core dumps: core-dumps-kept core-pattern-open setuid-core-dumps',
    'mounts: mount-flag-missing not-own-mount',
  ])
})
