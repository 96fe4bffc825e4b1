import { covers, type Finding, parsePrefix } from '../../agent/contract/mod.ts'
import type { Allowance, Config } from './config.ts'
import type { FirewallManager } from './firewall/manager.ts'
import { describeReach, REACHES, type Reached } from './reach.ts'
import { filterPort, limitRate } from './remedy.ts'

/** A port of this host with all that listens on it. */
export interface OpenPort {
  protocol: 'tcp' | 'udp'
  port: number
  /** As configured by the service: "0.0.0.0", "[::]", "published by Docker". */
  addresses: string[]
  unit: string | undefined
  /** Names of the processes of that unit. */
  processes: string[]
  user: string
  /** A container's port, which goes past the filter of what comes in. */
  isPublished: boolean
  publisher: 'Docker' | 'Podman' | undefined
  isRateLimited: boolean
  /** It listens on a private address of this interface, which is in a public network, too. */
  publicInterface: string | undefined
  ipv4: Reached | undefined
  ipv6: Reached | undefined
  reached: Reached
}

/** The Docker API without TLS gives away the host; no policy makes that right. */
const NEVER: Record<number, string> = { 2375: 'the Docker API without TLS' }

/** Pure: what is wrong with a port. */
export function judgePort(open: OpenPort, config: Config, manager: FirewallManager): Finding[] {
  const findings: Finding[] = []
  const allowance = [...config.allow, ...config.anywhere.map(forAnyone)].find((one) => isFor(one, open))
  const { reach } = open.reached
  const never = open.protocol === 'tcp' && reach !== 'loopback' ? NEVER[open.port] : undefined
  const who = [open.unit, ...open.processes].filter(Boolean).join(', ')
  const name = `${open.protocol.toUpperCase()} port ${open.port}${who === '' ? '' : ` (${who})`}`
  const what = allowance?.service ? `${name}, ${allowance.service}` : name
  const subject = `${open.protocol}/${open.port}`
  const evidence = {
    addresses: open.addresses.join(', '),
    unit: open.unit ?? null,
    processes: open.processes.join(', '),
    user: open.user,
    reach,
    allowed: allowance?.reach ?? null,
  }
  if (never || (allowance && !isWithin(open.reached, allowance))) {
    const wanted = never ? never : `wanted ${describeAllowance(allowance)}`
    findings.push({
      rule: open.isPublished ? 'published-past-firewall' : 'exposed',
      subject,
      severity: reach === 'anywhere' || never ? 'critical' : 'warning',
      summary: `${what}: ${describeReach(open.reached)}; ${wanted}`,
      remedy: remedyFor(open, allowance, manager),
      evidence,
    })
  } else if (!allowance && reach !== 'loopback' && config.others === 'finding') {
    findings.push({
      rule: open.isPublished ? 'published-past-firewall' : 'unexpected-listener',
      subject,
      severity: 'warning',
      summary: `${what} listens on ${open.addresses.join(', ')}, and ${describeReach(open.reached)}`,
      remedy: `If it is meant to be so, add { port: ${open.port}, protocol: ${open.protocol}, reach: ${reach} } to \`allow\`. Else: ${remedyFor(open, undefined, manager)}`,
      evidence,
    })
  }
  // From a packet filter with sources it is kept, and who may come from anywhere may come from there.
  const isUnfiltered = reach === 'private' && open.reached.sources.length === 0
  if (open.publicInterface !== undefined && isUnfiltered && allowance?.reach === 'private') {
    findings.push({
      rule: 'beside-public-network',
      subject,
      severity: 'info',
      summary: `${what} listens on a private address of ${open.publicInterface}, which is in a public network, too: who is in that can send to it`,
      remedy: `Give the private address an interface of its own; or filter it:\n${filterPort(manager, open, [])}`,
      evidence,
    })
  }
  if (allowance?.rateLimited && reach !== 'loopback' && !open.isRateLimited) {
    findings.push({
      rule: 'not-rate-limited',
      subject,
      severity: 'info',
      summary: `${what}: nothing limits how often one address may connect`,
      remedy: limitRate(open, manager),
      evidence,
    })
  }
  const { ipv4, ipv6 } = open
  if (
    ipv4 &&
    ipv6 &&
    REACHES.indexOf(ipv6.reach) > REACHES.indexOf(ipv4.reach) &&
    allowance?.reach !== 'anywhere'
  ) {
    findings.push({
      rule: 'ipv6-less-filtered',
      subject,
      severity: 'warning',
      summary: `${what}: over IPv4 ${describeReach(ipv4)}, but over IPv6 ${describeReach(ipv6)}`,
      remedy: 'Filter IPv6 as IPv4: ip6tables beside iptables, or a table of the family inet in nftables',
      evidence,
    })
  }
  return findings
}

function forAnyone(port: Config['anywhere'][number]): Allowance {
  return { port, protocol: 'tcp', reach: 'anywhere', sources: [], rateLimited: false }
}

function isFor({ port, protocol }: Allowance, open: OpenPort): boolean {
  if (protocol !== open.protocol) return false
  if (typeof port === 'number') return port === open.port
  const [from = 0, to = 0] = port.split('-').map(Number)
  return open.port >= from && open.port <= to
}

function isWithin({ reach, sources }: Reached, allowance: Allowance): boolean {
  if (reach === 'loopback') return true
  const allowed = allowance.sources.flatMap((text) => parsePrefix(text) ?? [])
  const isListed =
    sources.length > 0 && sources.every((inner) => allowed.some((outer) => covers(outer, inner)))
  switch (allowance.reach) {
    case 'anywhere':
      return true
    case 'sources':
      return isListed
    case 'private':
      return reach === 'private' || isListed
    default:
      return false
  }
}

function describeAllowance(allowance: Allowance | undefined): string {
  switch (allowance?.reach) {
    case 'private':
      return 'private networks only'
    case 'sources':
      return `only ${allowance.sources.join(', ')}`
    default:
      return 'this host only'
  }
}

function remedyFor(open: OpenPort, allowance: Allowance | undefined, manager: FirewallManager): string {
  const { port, protocol, reached } = open
  if (open.isPublished) return publishElsewhere(open)
  const allowed = allowance?.sources.flatMap((text) => parsePrefix(text) ?? []) ?? []
  const sources = allowed.length > 0 || allowance?.reach === 'loopback' ? allowed : reached.sources
  return `Bind the service to 127.0.0.1 or a private address; or filter it:\n${filterPort(manager, { port, protocol }, sources)}`
}

/** What comes in for a container is handed on: filters of what comes in do not see it. */
function publishElsewhere({ port, protocol, publisher }: OpenPort): string {
  const udp = protocol === 'udp' ? '/udp' : ''
  const loopback = `Publish it on the loopback: -p 127.0.0.1:${port}:…${udp}, or ports: ["127.0.0.1:${port}:…${udp}"]`
  const options = `-p ${protocol} -m conntrack --ctorigdstport ${port} --ctdir ORIGINAL -j DROP`
  if (publisher === 'Docker') {
    return `${loopback}; or drop what comes from elsewhere:\niptables -I DOCKER-USER ${options}\nip6tables -I DOCKER-USER ${options}`
  }
  return `${loopback}; or drop what comes from elsewhere before it is handed on:\niptables -I FORWARD ${options}\nip6tables -I FORWARD ${options}`
}
