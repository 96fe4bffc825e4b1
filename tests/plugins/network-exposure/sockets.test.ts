import { expect, test } from 'bun:test'
import { formatAddress, formatPrefix, parseAddress } from '../../../agent/lib/ip-address.ts'
import {
  isLocal,
  isWildcard,
  parseConnectedNetworks,
  parseControlGroups,
  parseDefaultInterfaces,
  parseSockets,
  sharedInterface,
  unitOf,
} from '../../../plugins/network-exposure/sockets.ts'

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const row = (local: string, remote: string, state: string, uid = 0, inode = 77) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000 100 0 0 10 0\n`

test('parseSockets() takes what listens, with its address as people write it', () => {
  const text =
    HEAD +
    row('0100007F:0CEA', '00000000:0000', '0A', 113) +
    row('00000000:0016', '00000000:0000', '0A') +
    row('0100007F:1234', '0100007F:0016', '01')
  const [database, ssh, ...more] = parseSockets(text, 'tcp', 4)
  expect(more).toEqual([])
  expect(database).toMatchObject({ protocol: 'tcp', port: 3306, uid: 113, inode: 77 })
  expect(database && formatAddress(database.address)).toBe('127.0.0.1')
  expect([database && isLocal(database), ssh && isLocal(ssh), ssh && isWildcard(ssh)]).toEqual([
    true,
    false,
    true,
  ])
})

test('parseSockets() reads IPv6, and knows a mapped loopback', () => {
  const text =
    HEAD +
    row('B80D0120000000000000000001000000:01BB', `${'0'.repeat(32)}:0000`, '0A') +
    row('0000000000000000FFFF00000100007F:0050', `${'0'.repeat(32)}:0000`, '0A')
  const [web, mapped] = parseSockets(text, 'tcp', 6)
  expect(web && formatAddress(web.address)).toBe('2001:db8::1')
  expect(mapped && isLocal(mapped)).toBe(true)
})

test('parseSockets() leaves out a UDP socket that has a peer', () => {
  const text =
    HEAD + row('00000000:0044', '00000000:0000', '07') + row('0A00020F:0045', '08080808:0035', '07')
  expect(parseSockets(text, 'udp', 4).map(({ port }) => port)).toEqual([68])
})

test.each(['', 'garbage', `${HEAD}garbage`, `${HEAD}0: XX:YY ZZ 0A`])(
  'parseSockets() finds nothing in %j',
  (text) => {
    expect(parseSockets(text, 'tcp', 4)).toEqual([])
  },
)

test('parseControlGroups() knows the control group of a socket, or its number', () => {
  const text =
    'tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* ino:4711 sk:1 cgroup:/system.slice/nginx.service <->\n' +
    'tcp LISTEN 0 128 [::]:22 [::]:* ino:12 sk:2 cgroup:unreachable:1f v6only:1 <->\n' +
    'tcp LISTEN 0 128 [::]:23 [::]:* ino:13 sk:3 v6only:1 <->\n'
  expect(parseControlGroups(text)).toEqual(
    new Map([
      [4711, '/system.slice/nginx.service'],
      [12, '#31'],
    ]),
  )
})

test.each([
  ['/system.slice/nginx.service', 'nginx.service'],
  ['/system.slice/system-getty.slice/getty@tty1.service', 'getty@tty1.service'],
  ['/user.slice/user-1000.slice/user@1000.service/app.slice/rostr.service', 'user 1000: rostr.service'],
  ['/user.slice/user-0.slice/session-3.scope', 'session-3.scope'],
  ['/', undefined],
  [undefined, undefined],
])('unitOf() of %p is %p', (group, unit) => {
  expect(unitOf(group)).toBe(unit)
})

test('parseDefaultInterfaces() names those of the default routes, once', () => {
  const v4 =
    'Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n' +
    'eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\ndocker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n'
  const zeros = '0'.repeat(32)
  const v6 = `${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 1 0 3 eth0\n${zeros} 00 ${zeros} 00 ${zeros} ffffffff 1 0 200200 lo\n`
  expect(parseDefaultInterfaces(v4, v6)).toEqual(['eth0'])
})

const ROUTES = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\tFE0200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
`
const ROUTES6 = `fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
20010db8000000000000000000000000 20 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000004 00000000 00000001     eth0
`

test('parseConnectedNetworks() has what is connected without a router', () => {
  expect(
    parseConnectedNetworks(ROUTES, ROUTES6).map(
      (network) => `${network.interface} ${formatPrefix(network.prefix)}`,
    ),
  ).toEqual([
    'eth0 192.0.2.0/24',
    'eth0 10.0.0.0/8',
    'eth1 192.168.0.0/16',
    'eth0 fd00::/64',
    'eth0 2001:db8::/32',
  ])
})

test.each([
  ['10.1.2.3', 'eth0'],
  ['192.168.1.1', undefined],
  ['fd00::1', 'eth0'],
  ['172.16.0.1', undefined],
])('sharedInterface() of %s is %p', (text, expected) => {
  const address = parseAddress(text)
  if (!address) throw new Error('no address')
  expect(sharedInterface(address, parseConnectedNetworks(ROUTES, ROUTES6))).toBe(expected)
})
