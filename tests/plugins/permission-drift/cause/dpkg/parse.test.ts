import { describe, expect, test } from 'bun:test'
import {
  accountLines,
  isSystemAccountChange,
} from '../../../../../plugins/permission-drift/cause/dpkg/accounts.ts'
import {
  controlFileOf,
  generatorOf,
  isNamed,
  isWorkingFile,
  pathsIn,
  pythonSourceOf,
} from '../../../../../plugins/permission-drift/cause/dpkg/generated.ts'
import { parseDpkgLog } from '../../../../../plugins/permission-drift/cause/dpkg/log.ts'
import {
  parseDigests,
  parseDiversions,
  parseOverrides,
  parseStatus,
} from '../../../../../plugins/permission-drift/cause/dpkg/status.ts'

const LOG = `2027-01-02 04:00:00 startup archives unpack
2027-01-02 04:00:01 upgrade openssl:amd64 3.0.1-1 3.0.2-1
2027-01-02 04:00:02 status half-installed openssl:amd64 3.0.1-1
2027-01-02 04:00:03 status unpacked openssl:amd64 3.0.2-1
2027-01-02 04:00:03 startup packages configure
2027-01-02 04:00:03 conffile /etc/ssl/openssl.cnf keep
2027-01-02 04:00:04 configure openssl:amd64 3.0.2-1 <none>
2027-01-02 04:00:04 trigproc libc-bin:amd64 2.36-9 <none>
2027-01-02 04:00:05 status installed libc-bin:amd64 2.36-9
`
const ns = (instant: string) => BigInt(Date.parse(instant)) * 1_000_000n

describe('parseDpkgLog()', () => {
  // Written in local time, an hour before UTC.
  const lastWrite = ns('2027-01-02T03:00:05.250Z')

  test('parseDpkgLog() tells invocations, and when dpkg was at work on a package', () => {
    const [unpack, configure] = parseDpkgLog(LOG, lastWrite)
    expect([unpack?.startNs, unpack?.endNs]).toEqual([
      ns('2027-01-02T03:00:00Z'),
      ns('2027-01-02T03:00:04Z') - 1n,
    ])
    const work = unpack?.work.get('openssl')
    expect([work?.startNs, work?.endNs, work?.version]).toEqual([
      ns('2027-01-02T03:00:01Z'),
      ns('2027-01-02T03:00:04Z') - 1n,
      '3.0.2-1',
    ])
    expect([...(work?.actions ?? [])]).toEqual(['upgrade'])
    expect([...(configure?.work.keys() ?? [])]).toEqual(['openssl', 'libc-bin'])
  })

  test('parseDpkgLog() ends with the last write of the file, and not with the second that it was in', () => {
    expect(parseDpkgLog(LOG, lastWrite)[1]?.endNs).toBe(lastWrite)
  })

  test('parseDpkgLog() leaves out what stands before the first startup, and what is no line', () => {
    const text = `2027-01-02 03:00:00 status installed a:all 1\nnonsense\n${LOG}half a li`
    expect(parseDpkgLog(text, lastWrite)).toEqual(parseDpkgLog(LOG, lastWrite))
    expect(parseDpkgLog('', lastWrite)).toEqual([])
  })
})

test('parseStatus() reads state, version and configuration files', () => {
  const text = `Package: cron
Status: install ok installed
Architecture: amd64
Version: 3.0
Conffiles:
 /etc/crontab ${'a'.repeat(32)}
 /etc/old ${'b'.repeat(32)} obsolete
Description: x

Package: gone
Status: deinstall ok config-files
Version: 1
`
  expect(parseStatus(text)).toEqual([
    {
      name: 'cron',
      architecture: 'amd64',
      version: '3.0',
      state: 'installed',
      conffiles: new Map([
        ['/etc/crontab', 'a'.repeat(32)],
        ['/etc/old', 'b'.repeat(32)],
      ]),
    },
    { name: 'gone', architecture: '', version: '1', state: 'config-files', conffiles: new Map() },
  ])
})

test("dpkg's other files: diversions, stat overrides, digests", () => {
  expect(parseDiversions('/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n')).toEqual([
    { from: '/bin/sh', to: '/bin/sh.distrib', by: 'dash' },
    { from: '/a', to: '/b', by: '' },
  ])
  expect(parseOverrides('root crontab 2755 /usr/bin/crontab\n#1 #2 640 /a b\nnonsense\n')).toEqual(
    new Map([
      ['/usr/bin/crontab', { user: 'root', group: 'crontab', mode: 0o2755 }],
      ['/a b', { user: '1', group: '2', mode: 0o640 }],
    ]),
  )
  expect(parseDigests(`${'c'.repeat(32)}  usr/bin/a b\nx\n`)).toEqual(
    new Map([['/usr/bin/a b', 'c'.repeat(32)]]),
  )
})

test.each([
  ['/etc/ld.so.cache', 'ldconfig'],
  ['/etc/ld.so.cache.d', undefined],
  ['/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache', 'iconvconfig'],
  ['/boot/initrd.img-6.1.0', 'update-initramfs'],
  ['/boot/initrd.img-6.1.0/x', undefined],
  // A link has to lead to what is shipped: its name alone explains nothing but that it is gone.
  ['/etc/systemd/system/multi-user.target.wants/evil.service', undefined],
  ['/etc/alternatives/editor', undefined],
])('generatorOf(%s) is %p', (path, by) => {
  expect(generatorOf(path, () => true)).toBe(by)
  expect(generatorOf(path, () => false)).toBeUndefined()
})

test('generatorOf() of a removal knows names of links', () => {
  expect(generatorOf('/etc/alternatives/editor', () => true, true)).toBe('update-alternatives')
  expect(generatorOf('/etc/rc2.d/S01cron', () => true, true)).toBe('update-rc.d')
})

test.each([
  ['/var/lib/dpkg/status', true],
  ['/var/lib/dpkg/status-old', true],
  ['/var/lib/dpkg/info/cron.postinst', false],
  ['/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_InRelease', true],
  ['/var/lib/apt/lists/evil', false],
  ['/var/cache/apt/archives/cron_3.0_amd64.deb', true],
])('isWorkingFile(%s) is %p', (path, expected) => expect(isWorkingFile(path)).toBe(expected))

test('names of packages in names of files', () => {
  expect(controlFileOf('/var/lib/dpkg/info/libc6:amd64.postinst')).toBe('libc6')
  expect(controlFileOf('/var/lib/dpkg/info/python3.11.list')).toBe('python3.11')
  expect(controlFileOf('/var/lib/dpkg/info/../x.list')).toBeUndefined()
  expect(pythonSourceOf('/a/__pycache__/b.c.cpython-311.opt-1.pyc')).toBe('/a/b.c.py')
  expect(pythonSourceOf('/a/b.pyc')).toBeUndefined()
})

test('isNamed() takes a path, what stands beside it, and what is in a directory for data', () => {
  const named = pathsIn('cp x /etc/foo.conf; mkdir "/var/log/foo"; rm -rf /usr/share/foo # x/etc/bar')
  expect([...named]).toEqual(['/etc/foo.conf', '/var/log/foo', '/usr/share/foo'])
  const cases: [string, boolean][] = [
    ['/etc/foo.conf', true],
    ['/etc/foo.conf.dpkg-old', true],
    ['/etc/foo.conf.evil', false],
    ['/etc/bar', false],
    ['/var/log/foo/deep/x', true],
    ['/usr/share/foo/x', false],
  ]
  expect(cases.map(([path]) => [path, isNamed(path, named)])).toEqual(cases)
})

describe('isSystemAccountChange()', () => {
  const identify = (line: string) => `id of ${line}`
  const judge = (path: string, before: string, after: string) =>
    isSystemAccountChange(path, after, accountLines(before, identify), identify)
  const root = 'root:x:0:0:root:/root:/bin/bash'

  test.each([
    ['a system user', '/etc/passwd', root, `${root}\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n`, true],
    ['a second root', '/etc/passwd', root, `${root}\nevil:x:0:0::/:/bin/sh\n`, false],
    ['an ordinary user', '/etc/passwd', root, `${root}\nana:x:1000:1000::/home/ana:/bin/sh\n`, false],
    ['a user without a password in shadow', '/etc/passwd', root, `${root}\nevil::101:1::/:/bin/sh\n`, false],
    ['root with another shell', '/etc/passwd', root, root.replace('bash', 'sh'), false],
    ['a user that is gone', '/etc/passwd', `${root}\na:x:101:1::/:/bin/false\n`, root, true],
    ['a locked password', '/etc/shadow', 'root:*:1::::::', 'root:*:1::::::\nsshd:!:2::::::\n', true],
    ['a password', '/etc/shadow', 'root:*:1::::::', 'root:*:1::::::\nsshd:$y$x:2::::::\n', false],
    ['root with a password', '/etc/shadow', 'root:*:1::::::', 'root:$y$x:1::::::', false],
    ['a member of ssl-cert', '/etc/group', 'ssl-cert:x:105:', 'ssl-cert:x:105:postgres', true],
    ['a member of sudo', '/etc/group', 'sudo:x:27:', 'sudo:x:27:evil', false],
  ])('isSystemAccountChange() of %s in %s', (_, path, before, after, expected) => {
    expect(judge(path, before, after)).toBe(expected)
  })
})
