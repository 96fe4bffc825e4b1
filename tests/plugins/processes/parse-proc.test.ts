import { expect, test } from 'bun:test'
import { removedMappings } from '../../../agent/host/process-survey.ts'
import {
  isKernelThread,
  parseCommandLine,
  parseControlGroup,
  parseCoreLimit,
  parseListeners,
  parseStatus,
} from '../../../plugins/processes/parse-proc.ts'

test('parseStatus() has the users, what it may do, and how it is held', () => {
  const text =
    'Name:\tnginx\nUid:\t0\t33\t0\t33\nCapPrm:\t0000000000000400\nCapEff:\t0000000000002000\nNoNewPrivs:\t1\nSeccomp:\t2\n'
  expect(parseStatus(text)).toEqual({
    name: 'nginx',
    uids: [0, 33, 0, 33],
    capabilities: ['CAP_NET_BIND_SERVICE', 'CAP_NET_RAW'],
    noNewPrivileges: true,
    seccomp: 2,
  })
})

test.each([
  '',
  'Uid:\t0\t0\t0\n',
  'Uid:\ta\tb\tc\td\nCapPrm:\t0\nCapEff:\t0\n',
  'Uid:\t1\t1\t1\t1\nCapPrm:\tx\nCapEff:\t0\n',
])('parseStatus() takes nothing else for one: %j', (text) => {
  expect(parseStatus(text)).toBeUndefined()
})

test.each([
  ['2 (kthreadd) S 0 0 0 0 -1 2129984 0', true],
  ['812 (ng) 2097152 (x) S 1 812 812 0 -1 4194624 2', false],
])('isKernelThread() of "%s" is %p', (stat, expected) => {
  expect(isKernelThread(stat)).toBe(expected)
})

test.each([
  ['0::/system.slice/nginx.service', 'nginx.service', undefined],
  ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/app.service', 'app.service', 1000],
  ['0::/user.slice/user-1000.slice/user@1000.service/init.scope', 'init.scope', 1000],
  ['0::/user.slice/user-0.slice/session-3.scope', 'session-3.scope', undefined],
  ['0::/init.scope', 'init.scope', undefined],
  ['5:memory:/x\n1:name=systemd:/system.slice/cron.service\n0::/', 'cron.service', undefined],
  ['0::/', undefined, undefined],
  ['0::/system.slice/system-app.slice/app@blue.service/worker', 'app@blue.service', undefined],
])('parseControlGroup() of %j', (text, unit, owner) => {
  const lines = text.includes('name=systemd') ? text.replace('\n0::/', '') : text
  expect(parseControlGroup(lines)).toEqual({ unit, owner })
})

test('parseCoreLimit() is the soft limit', () => {
  const head = 'Limit                     Soft Limit           Hard Limit           Units\n'
  expect(
    parseCoreLimit(`${head}Max core file size        0                    unlimited            bytes\n`),
  ).toBe('0')
  expect(
    parseCoreLimit(`${head}Max core file size        unlimited            unlimited            bytes\n`),
  ).toBe('unlimited')
  expect(parseCoreLimit('')).toBeUndefined()
})

test('parseCommandLine() keeps empty arguments, and one text as one', () => {
  expect(parseCommandLine('a\0\0b c\0')).toEqual(['a', '', 'b c'])
  expect(parseCommandLine('nginx: master process\0\0\0')).toEqual(['nginx: master process'])
})

test('parseListeners() has the ports of those that listen', () => {
  const line = (local: string, state: string, inode: number) =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0`
  const text = ['  sl  local_address', line('0100007F:1F90', '0A', 7), line('0100007F:0016', '01', 8)].join(
    '\n',
  )
  expect([...parseListeners(text)]).toEqual([['7', 8080]])
})

test('removedMappings() has files of which code is mapped and that are gone, each once', () => {
  const maps = [
    '55d0-55d1 r--p 00000000 08:01 11                         /usr/bin/app (deleted)',
    '55d1-55d2 r-xp 00001000 08:01 11                         /usr/bin/app (deleted)',
    '7f00-7f01 r-xp 00000000 08:01 12                         /usr/lib/lib x.so.1 (deleted)',
    '7f01-7f02 r-xp 00000000 08:01 12                         /usr/lib/lib x.so.1 (deleted)',
    '7f02-7f03 rw-p 00000000 08:01 13                         /var/data (deleted)',
    '7f03-7f04 r-xp 00000000 08:01 14                         /usr/lib/kept.so',
    '7f04-7f05 r-xp 00000000 00:00 0                          [vdso]',
    '',
  ].join('\n')
  expect(removedMappings(maps)).toEqual(['/usr/bin/app', '/usr/lib/lib x.so.1'])
  expect(removedMappings('')).toEqual([])
})
