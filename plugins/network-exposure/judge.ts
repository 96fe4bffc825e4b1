import { covers, type Finding, formatPrefix, parsePrefix } from '../../agent/contract/mod.ts'
import type { Allowance, Config } from './config.ts'
import { describeReach, REACHES, type Reached } from './reach.ts'

/** A port of this host with all that listens on it. */
export interface OpenPort {
  protocol: 'tcp' | 'udp'
  port: number
  /** As configured by the service: "0.0.0.0", "[::]", "published by Docker". */
  addresses: string[]
  unit: string | undefined
  user: string
  /** A container's port, which goes past the filter of what comes in. */
  isPublished: boolean
  ipv4: Reached | undefined
  ipv6: Reached | undefined
  reached: Reached
}

/** The Docker API without TLS gives away the host; no policy makes that right. */
const NEVER: Record<number, string> = { 2375: 'the Docker API without TLS' }

/** Pure: what is wrong with a port. */
export function judgePort(open: OpenPort, config: Config): Finding[] {
  const findings: Finding[] = []
  const allowance = [...config.allow, ...config.anywhere.map(forAnyone)].find((one) => isFor(one, open))
  const { reach } = open.reached
  const never = open.protocol === 'tcp' && reach !== 'loopback' ? NEVER[open.port] : undefined
  const name = `${open.protocol.toUpperCase()} port ${open.port}${open.unit ? ` (${open.unit})` : ''}`
  const what = allowance?.service ? `${name}, ${allowance.service}` : name
  const subject = `${open.protocol}/${open.port}`
  const evidence = {
    addresses: open.addresses.join(', '),
    unit: open.unit ?? null,
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
      remedy: remedyFor(open, allowance),
      evidence,
    })
  } else if (!allowance && reach !== 'loopback' && config.others === 'finding') {
    findings.push({
      rule: open.isPublished ? 'published-past-firewall' : 'unexpected-listener',
      subject,
      severity: 'warning',
      summary: `${what} listens on ${open.addresses.join(', ')}, and ${describeReach(open.reached)}`,
      remedy: `If it is meant to be so, add { port: ${open.port}, protocol: ${open.protocol}, reach: ${reach} } to \`allow\`. Else: ${remedyFor(open, undefined)}`,
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
  return { port, protocol: 'tcp', reach: 'anywhere', sources: [] }
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

function remedyFor(
  { port, protocol, isPublished, reached }: OpenPort,
  allowance: Allowance | undefined,
): string {
  const from = allowance?.sources.length ? allowance.sources : reached.sources.map(formatPrefix)
  if (isPublished) {
    return `publish it on the loopback (127.0.0.1:${port}:…), or drop what comes from elsewhere in the chain DOCKER-USER`
  }
  const filter =
    allowance?.reach === 'sources' || from.length > 0
      ? from.map((source) => `ufw allow from ${source} to any port ${port} proto ${protocol}`).join('\n')
      : `ufw deny ${port}/${protocol}`
  return `Bind the service to 127.0.0.1 or a private address; or filter it:\n${filter}`
}
