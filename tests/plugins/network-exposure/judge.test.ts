import { expect, test } from 'bun:test'
import { parsePrefix } from '../../../agent/lib/ip-address.ts'
import { configSchema } from '../../../plugins/network-exposure/config.ts'
import { judgePort, type OpenPort } from '../../../plugins/network-exposure/judge.ts'
import type { Reach } from '../../../plugins/network-exposure/reach.ts'
import { enableFirewall, filterPort } from '../../../plugins/network-exposure/remedy.ts'

const to = (reach: Reach, ...sources: string[]) => ({
  reach,
  sources: sources.flatMap((text) => parsePrefix(text) ?? []),
})
const open = (more: Partial<OpenPort> = {}): OpenPort => ({
  protocol: 'tcp',
  port: 8888,
  addresses: ['0.0.0.0'],
  unit: 'api.service',
  processes: ['api'],
  user: 'deploy',
  isPublished: false,
  publisher: undefined,
  isRateLimited: false,
  publicInterface: undefined,
  ipv4: undefined,
  ipv6: undefined,
  reached: to('anywhere'),
  ...more,
})
const allow = (entry: object, more: object = {}) =>
  configSchema.parse({ allow: [{ port: 8888, ...entry }], ...more })

const UFW = { name: 'ufw', isIdle: false } as const

const cases: [name: string, Partial<OpenPort>, ReturnType<typeof allow>, verdicts: string[]][] = [
  ['anyone may', {}, allow({}), []],
  ['anyone can, and nobody may', {}, allow({ reach: 'loopback' }), ['exposed critical']],
  ['only this host can', { reached: to('loopback') }, allow({ reach: 'loopback' }), []],
  ['a private network can, and may', { reached: to('private') }, allow({ reach: 'private' }), []],
  ['anyone can, and private networks may', {}, allow({ reach: 'private' }), ['exposed critical']],
  [
    'a private network can, and one source may',
    { reached: to('private') },
    allow({ reach: 'sources', sources: ['10.0.0.1'] }),
    ['exposed warning'],
  ],
  [
    'the sources can that may',
    { reached: to('sources', '192.0.2.7') },
    allow({ reach: 'sources', sources: ['192.0.2.0/24'] }),
    [],
  ],
  [
    'another source can',
    { reached: to('sources', '198.51.100.1') },
    allow({ reach: 'sources', sources: ['192.0.2.0/24'] }),
    ['exposed warning'],
  ],
  ['it is of another protocol', { protocol: 'udp' }, allow({}), ['unexpected-listener warning']],
  ['it is in a range', {}, allow({ port: '8000-8999' }), []],
  ['anyone may, for short', { port: 443 }, allow({}, { anywhere: [443] }), []],
  ['nobody listed it', { port: 9090 }, allow({}), ['unexpected-listener warning']],
  ['nobody listed it, and others are fine', { port: 9090 }, allow({}, { others: 'ok' }), []],
  ['nobody listed it, and only this host can', { port: 9090, reached: to('loopback') }, allow({}), []],
  [
    'a container is published',
    { isPublished: true },
    allow({ reach: 'loopback' }),
    ['published-past-firewall critical'],
  ],
  [
    'a container is published that nobody listed',
    { isPublished: true, port: 1 },
    allow({}),
    ['published-past-firewall warning'],
  ],
  ['it is the Docker API', { port: 2375 }, allow({ port: 2375 }), ['exposed critical']],
  [
    'IPv6 is open and IPv4 is not',
    { ipv4: to('private'), ipv6: to('anywhere') },
    allow({ reach: 'private' }),
    ['exposed critical', 'ipv6-less-filtered warning'],
  ],
  ['it is not limited, and is to be', {}, allow({ rateLimited: true }), ['not-rate-limited info']],
  [
    'its private address is beside a public one',
    { reached: to('private'), publicInterface: 'eth0' },
    allow({ reach: 'private' }),
    ['beside-public-network info'],
  ],
  [
    'its private address is beside a public one, and filtered',
    { reached: to('private', '10.0.0.0/8'), publicInterface: 'eth0' },
    allow({ reach: 'private' }),
    [],
  ],
  ['it is limited', { isRateLimited: true }, allow({ rateLimited: true }), []],
  ['nobody can connect often', { reached: to('loopback') }, allow({ rateLimited: true }), []],
  ['IPv6 is open and anyone may', { ipv4: to('private'), ipv6: to('anywhere') }, allow({}), []],
]
for (const [name, port, config, verdicts] of cases) {
  test(`judgePort() says ${verdicts.join(', ') || 'nothing'} when ${name}`, () => {
    const found = judgePort(open(port), config, UFW)
    expect(found.map(({ rule, severity }) => `${rule} ${severity}`)).toEqual(verdicts)
  })
}

test('judgePort() names the unit and its processes', () => {
  const [finding] = judgePort(open(), allow({ reach: 'loopback', service: 'registration API' }), UFW)
  expect(finding?.summary).toBe(
    'TCP port 8888 (api.service, api), registration API: anyone can reach it; wanted this host only',
  )
})

const PORT = { port: 8888, protocol: 'tcp' } as const
const SOURCES = ['10.0.0.0/8', '2001:db8::/32'].flatMap((text) => parsePrefix(text) ?? [])

test.each([
  [
    'ufw',
    'ufw allow from 10.0.0.0/8 to any port 8888 proto tcp\nufw allow from 2001:db8::/32 to any port 8888 proto tcp\nufw deny 8888/tcp',
  ],
  ['firewalld', 'firewall-cmd --permanent --remove-port=8888/tcp'],
  [
    'nftables',
    'nft \'add rule inet filter_ports input iifname != "lo" tcp dport 8888 ip saddr != { 10.0.0.0/8 } drop\'',
  ],
  ['iptables', 'ip6tables -I INPUT 1 -p tcp -s 2001:db8::/32 --dport 8888 -j ACCEPT'],
] as const)('filterPort() gives the commands of %s', (name, expected) => {
  expect(filterPort({ name, isIdle: false }, PORT, SOURCES)).toContain(expected)
})

test.each(['ufw', 'firewalld', 'nftables', 'iptables'] as const)(
  'enableFirewall() with %s lets SSH in',
  (name) => {
    expect(enableFirewall({ name, isIdle: true })).toMatch(/OpenSSH|service=ssh|dport 22 accept/)
  },
)

test.each([
  ['Docker', 'iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport 8888'],
  ['Podman', 'iptables -I FORWARD -p tcp -m conntrack --ctorigdstport 8888'],
] as const)('judgePort() tells how to close what %s publishes', (publisher, expected) => {
  const [finding] = judgePort(open({ isPublished: true, publisher }), allow({ reach: 'loopback' }), UFW)
  expect(finding?.remedy).toContain(expected)
  expect(finding?.remedy).toContain('-p 127.0.0.1:8888:…')
})
