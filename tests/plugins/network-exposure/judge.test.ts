import { expect, test } from 'bun:test'
import { parsePrefix } from '../../../agent/lib/ip-address.ts'
import { configSchema } from '../../../plugins/network-exposure/config.ts'
import { judgePort, type OpenPort } from '../../../plugins/network-exposure/judge.ts'
import type { Reach } from '../../../plugins/network-exposure/reach.ts'

const to = (reach: Reach, ...sources: string[]) => ({
  reach,
  sources: sources.flatMap((text) => parsePrefix(text) ?? []),
})
const open = (more: Partial<OpenPort> = {}): OpenPort => ({
  protocol: 'tcp',
  port: 8888,
  addresses: ['0.0.0.0'],
  unit: 'api.service',
  user: 'deploy',
  isPublished: false,
  ipv4: undefined,
  ipv6: undefined,
  reached: to('anywhere'),
  ...more,
})
const allow = (entry: object, more: object = {}) =>
  configSchema.parse({ allow: [{ port: 8888, ...entry }], ...more })

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
  ['IPv6 is open and anyone may', { ipv4: to('private'), ipv6: to('anywhere') }, allow({}), []],
]
for (const [name, port, config, verdicts] of cases) {
  test(`judgePort() says ${verdicts.join(', ') || 'nothing'} when ${name}`, () => {
    const found = judgePort(open(port), config)
    expect(found.map(({ rule, severity }) => `${rule} ${severity}`)).toEqual(verdicts)
  })
}
