import { expect, setDefaultTimeout } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '../../../agent/contract/report.ts'
import plugin from '../../../plugins/network-exposure/plugin.ts'
import { testWith } from '../../kit/needs.ts'
import { runPhase } from '../../kit/phase.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

// The compiled binary in a network of its own, with real rules of nft and iptables, and real sockets.

setDefaultTimeout(30_000)

const liveTest = testWith({
  root: true,
  programs: ['unshare', 'nft', 'iptables', 'ip6tables', 'python3', 'ip'],
})

/** As Docker writes them with `--firewall-backend=nftables`. */
const DOCKER = `
table ip docker-bridges {
  map filter-forward-in-jumps {
    type ifname : verdict
    elements = { "docker0" : jump filter-forward-in__docker0 }
  }
  chain filter-FORWARD {
    type filter hook forward priority filter; policy accept;
    oifname vmap @filter-forward-in-jumps
  }
  chain filter-forward-in__docker0 {
    ct state established,related counter accept
    ip daddr 172.17.0.2 tcp dport 3306 counter accept
    counter drop
  }
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local counter jump nat-prerouting-and-output
  }
  chain nat-prerouting-and-output {
    iifname != "docker0" tcp dport 3306 counter dnat to 172.17.0.2:3306
    iifname != "docker0" ip daddr 127.0.0.1 tcp dport 9000 counter dnat to 172.17.0.3:90
  }
}
`
/** As netavark writes them with its driver for nftables. */
const PODMAN = `
table inet netavark {
  chain FORWARD {
    type filter hook forward priority filter; policy accept;
    ct state invalid drop
    ip daddr 10.88.0.0/16 ct state established,related accept
    ip saddr 10.88.0.0/16 accept
  }
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump NETAVARK-HOSTPORT-DNAT
  }
  chain NETAVARK-HOSTPORT-DNAT {
    tcp dport 8081 jump nv_a_dnat
  }
  chain nv_a_dnat {
    ip saddr 10.88.0.0/16 tcp dport 8081 jump NETAVARK-HOSTPORT-SETMARK
    tcp dport 8081 dnat ip to 10.88.0.2:80
    tcp dport 8081 dnat ip6 to [fd00::2]:80
    tcp dport 5000-5001 dnat ip to 10.88.0.2:5000-5001
    udp dport { 53, 54 } dnat ip to 10.88.0.2
  }
  chain NETAVARK-HOSTPORT-SETMARK {
    meta mark set meta mark | 0x2000
  }
}
`
const CLOSED = `
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "lo" accept
  }
}
`

/** Listens until the process that started it ends (PR_SET_PDEATHSIG), or for so long as a test may last. */
const LISTEN = `
import ctypes, socket, sys, time
ctypes.CDLL(None).prctl(1, 9)
held = []
for family, address, port in ((socket.AF_INET, '0.0.0.0', 8888), (socket.AF_INET6, '::', 8889)):
    held.append(socket.socket(family)); held[-1].bind((address, port)); held[-1].listen()
open(sys.argv[1], 'w').write('listening\\n')
time.sleep(25)
`

/** A check in a network of its own after these commands; with `listen` there are two sockets in it. */
async function checkIn(
  commands: string,
  { rules = '', listen = false, config = {} }: { rules?: string; listen?: boolean; config?: object } = {},
): Promise<Report> {
  using work = temporaryDirectory()
  writeFileSync(join(work.path, 'rules.nft'), rules)
  writeFileSync(join(work.path, 'listen.py'), LISTEN)
  writeFileSync(
    join(work.path, 'commands'),
    `set -e
ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth1 up
ip address add 192.0.2.1/24 dev eth0
ip link set eth0 up
ip route add default via 192.0.2.254
nft -f ${work.path}/rules.nft
${listen ? `mkfifo ${work.path}/said\npython3 ${work.path}/listen.py ${work.path}/said >/dev/null 2>&1 &\nread -r _ <${work.path}/said` : ''}
${commands}
exec "$@"
`,
  )
  const parsed = plugin.config.parse(config)
  const result = await runPhase({
    plugin: 'network-exposure',
    kind: 'check',
    config,
    permissions: plugin.permissions(parsed).check,
    stateDir: join(work.path, 'state'),
    wrap: ['unshare', '--net', '--', 'bash', join(work.path, 'commands')],
  })
  if (!result.report) throw new Error(`${result.failure}: ${result.output}`)
  return result.report
}

const brief = ({ findings }: Report) =>
  findings.map(({ rule, severity, subject, evidence }) => `${severity} ${rule} ${subject} ${evidence?.reach}`)
const facts = ({ facts }: Report) =>
  (facts ?? []).map(
    ({ subject, data }) => `${subject} ${data.reach} ${data.published ? 'published' : 'listens'}`,
  )

liveTest('what Docker publishes by nftables goes past a filter that lets nothing in', async () => {
  const report = await checkIn('', {
    rules: DOCKER + CLOSED,
    config: { allow: [{ port: 3306, reach: 'loopback' }] },
  })
  expect(report.blind).toEqual([])
  expect(brief(report)).toEqual(['critical published-past-firewall tcp/3306 anywhere'])
  expect(report.findings[0]?.evidence?.addresses).toBe(
    'every address, published by Docker to 172.17.0.2:3306',
  )
  expect(facts(report)).toEqual(['tcp/3306 anywhere published', 'tcp/9000 loopback published'])
})

liveTest('what Podman publishes by nftables is seen over IPv4 and IPv6', async () => {
  const report = await checkIn('', { rules: PODMAN + CLOSED })
  expect(report.blind).toEqual([])
  expect(facts(report)).toEqual([
    'udp/53 anywhere published',
    'udp/54 anywhere published',
    'tcp/5000 anywhere published',
    'tcp/5001 anywhere published',
    'tcp/8081 anywhere published',
  ])
  expect(report.findings.find(({ subject }) => subject === 'tcp/8081')?.evidence?.addresses).toBe(
    'every address, published by Podman to 10.88.0.2:80, every address, published by Podman to [fd00::2]:80',
  )
})

liveTest('a rule for what is handed on closes what is published, by the port of the host, too', async () => {
  const forward = (rule: string) =>
    `table inet mine {\n chain forward {\n type filter hook forward priority -5; policy accept;\n ${rule}\n }\n}\n`
  const reach = async (rule: string) =>
    facts(await checkIn('', { rules: DOCKER + forward(rule) })).find((fact) => fact.startsWith('tcp/3306'))
  expect(await reach('meta l4proto tcp ct original proto-dst 3306 drop')).toBe('tcp/3306 loopback published')
  expect(await reach('meta l4proto tcp ct original proto-dst 3307 drop')).toBe('tcp/3306 anywhere published')
  expect(await reach('iifname "eth0" ip saddr != 198.51.100.0/24 drop')).toBe('tcp/3306 sources published')
  expect(await reach('ip daddr 172.17.0.2 tcp dport 3306 drop')).toBe('tcp/3306 loopback published')
})

liveTest('what is published by iptables is seen, and what a remedy says closes it', async () => {
  const publish = `
iptables -t nat -N DOCKER
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 3306 -j DNAT --to-destination 172.17.0.2:3306
iptables -N DOCKER-USER
iptables -A FORWARD -j DOCKER-USER
ip6tables -N DOCKER-USER
ip6tables -A FORWARD -j DOCKER-USER
`
  const config = { allow: [{ port: 3306, reach: 'loopback' }] }
  const [finding] = (await checkIn(publish, { config })).findings
  expect(finding).toMatchObject({ rule: 'published-past-firewall', subject: 'tcp/3306' })
  const commands = finding?.remedy?.split('\n').filter((line) => /^ip6?tables /.test(line)) ?? []
  expect(commands).toHaveLength(2)
  expect(brief(await checkIn(publish + commands.join('\n'), { config }))).toEqual([])
})

const ALLOW = {
  allow: [
    { port: 8888, reach: 'sources', sources: ['10.0.0.0/8'] },
    { port: 8889, reach: 'loopback' },
  ],
}

liveTest(
  'ports that are open are told, and what the remedies say closes them over IPv4 and IPv6',
  async () => {
    const open = await checkIn('', { listen: true, config: ALLOW })
    expect(brief(open)).toEqual(['critical exposed tcp/8888 anywhere', 'critical exposed tcp/8889 anywhere'])
    const commands = open.findings.flatMap(
      ({ remedy }) => remedy?.split('\n').filter((line) => line.startsWith('nft ')) ?? [],
    )
    expect(commands.length).toBeGreaterThan(4)
    const closed = await checkIn(commands.join('\n'), { listen: true, config: ALLOW })
    expect(brief(closed)).toEqual([])
    expect(facts(closed)).toEqual(['tcp/8888 private listens', 'tcp/8889 loopback listens'])
  },
)

liveTest('an ACCEPT without a DROP protects nothing, and a pair for IPv4 alone only half', async () => {
  const accept = 'iptables -A INPUT -p tcp -s 10.0.0.0/8 --dport 8889 -j ACCEPT\n'
  const drop = 'iptables -A INPUT -p tcp --dport 8889 -j DROP\n'
  const config = { allow: [{ port: 8889, reach: 'private' }, { port: 8888 }] }
  expect(brief(await checkIn(accept, { listen: true, config }))).toEqual([
    'critical exposed tcp/8889 anywhere',
  ])
  expect(brief(await checkIn(accept + drop, { listen: true, config }))).toEqual([
    'critical exposed tcp/8889 anywhere',
    'warning ipv6-less-filtered tcp/8889 anywhere',
  ])
  const both = `${accept + drop}ip6tables -A INPUT -p tcp --dport 8889 -j DROP`
  expect(brief(await checkIn(both, { listen: true, config }))).toEqual([])
})

liveTest(
  'without a packet filter that is required it is told, and what the remedy says makes one',
  async () => {
    const config = { firewall: 'required', others: 'ok' }
    const open = await checkIn('', { listen: true, config })
    expect(brief(open)).toEqual(['warning no-firewall packet filter undefined'])
    const commands = open.findings[0]?.remedy?.split('\n').filter((line) => line.startsWith('nft ')) ?? []
    if (commands.length > 0)
      expect(brief(await checkIn(commands.join('\n'), { listen: true, config }))).toEqual([])
  },
)

liveTest('a port that is not limited is told, and what the remedy says limits it', async () => {
  const config = { allow: [{ port: 8888, rateLimited: true }, { port: 8889 }] }
  const open = await checkIn('', { listen: true, config })
  expect(brief(open)).toEqual(['info not-rate-limited tcp/8888 anywhere'])
  expect(brief(await checkIn(open.findings[0]?.remedy ?? '', { listen: true, config }))).toEqual([])
})

liveTest('rules that send every port elsewhere are a blind spot', async () => {
  const rules =
    'table ip nat {\n chain prerouting {\n type nat hook prerouting priority -100;\n dnat to 10.0.0.7\n }\n}\n'
  const { blind } = await checkIn('', { rules })
  expect(blind).toMatchObject([{ subject: '/usr/sbin/nft', rules: ['published-past-firewall'] }])
})

liveTest('a private address on an interface of a public network is told', async () => {
  const bind = `ip address add 10.0.0.1/8 dev eth0
mkfifo said
python3 -c '
import ctypes, socket, time
ctypes.CDLL(None).prctl(1, 9)
held = socket.socket(); held.bind(("10.0.0.1", 9876)); held.listen(); print("listening", flush=True)
time.sleep(25)' >said 2>/dev/null &
read -r _ <said
`
  const config = { allow: [{ port: 9876, reach: 'private' }] }
  expect(brief(await checkIn(bind, { config }))).toEqual(['info beside-public-network tcp/9876 private'])
  const own = bind.replace('dev eth0', 'dev eth1')
  expect(brief(await checkIn(own, { config }))).toEqual([])
})
