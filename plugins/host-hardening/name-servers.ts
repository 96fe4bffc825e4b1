import { covers, type Finding, type HostReader, isLoopback, parsePrefix } from '../../agent/contract/mod.ts'
import { type Area, notHere } from './area.ts'
import { type Line, linesOf, textOf } from './host-files.ts'

const STUB = new Set(['127.0.0.53', '127.0.0.54'])
const RESOLVED = '/run/systemd/resolve/resolv.conf'

export interface NameServer {
  address: string
  path: string
  line: number
}

export const nameServers: Area = {
  subject: 'DNS servers',
  rules: ['dns-server-not-allowed'],
  check({ host, config }) {
    if (config.dns.length === 0) return notHere(this.rules, 'any DNS server may be asked')
    const servers = [...ofResolver(host), ...ofDocker(host)]
    const { findings, forwarders } = judgeServers(servers, config.dns)
    return {
      findings,
      blind: forwarders.map(({ address, path }) => ({
        subject: path,
        reason: `${address} is a resolver on this host: whom it asks is not to be seen here. List ${address} in \`dns\` when that one is in order`,
        rules: this.rules,
      })),
      facts: servers.map(({ address, path, line }) => ({
        kind: 'dns-server',
        subject: address,
        data: { path, line },
      })),
      examined: servers.length,
    }
  },
}

function ofResolver(host: HostReader): NameServer[] {
  const text = textOf(host, '/etc/resolv.conf')
  if (text === undefined) return []
  const servers = parseResolver(linesOf('/etc/resolv.conf', text))
  if (!servers.some(({ address }) => STUB.has(address))) return servers
  // Its stub hides whom systemd-resolved asks; that stands beside it.
  const behind = textOf(host, RESOLVED)
  if (behind === undefined)
    throw new Error(`Cannot read "${RESOLVED}": there is none, and /etc/resolv.conf names its stub`)
  return [...servers.filter(({ address }) => !STUB.has(address)), ...parseResolver(linesOf(RESOLVED, behind))]
}

/** `dns` of the Docker daemon, which its containers ask. */
function ofDocker(host: HostReader): NameServer[] {
  const path = '/etc/docker/daemon.json'
  const text = textOf(host, path)
  if (text === undefined || text.trim() === '') return []
  let settings: unknown
  try {
    settings = JSON.parse(text)
  } catch {
    throw new Error(`Cannot read "${path}": it is no JSON`)
  }
  const dns: unknown =
    typeof settings === 'object' && settings !== null ? Reflect.get(settings, 'dns') : undefined
  if (!Array.isArray(dns)) return []
  const lines = text.split('\n')
  return dns
    .filter((address) => typeof address === 'string')
    .map((address) => ({
      address,
      path,
      line: lines.findIndex((line) => line.includes(`"${address}"`)) + 1 || 1,
    }))
}

/** Pure: resolv.conf(5). */
export function parseResolver(lines: readonly Line[]): NameServer[] {
  return lines.flatMap(({ path, line, text }) => {
    const [, address] = /^nameserver\s+(\S+)/.exec(text) ?? []
    return address === undefined ? [] : [{ address, path, line }]
  })
}

/** Pure: servers outside of the list; and those on this host, behind which another one may be. */
export function judgeServers(
  servers: readonly NameServer[],
  allowed: readonly string[],
): { findings: Finding[]; forwarders: NameServer[] } {
  const list = allowed.flatMap((text) => parsePrefix(text) ?? [])
  const others = servers.filter(({ address }) => {
    const server = parsePrefix(address)
    return !server || !list.some((prefix) => covers(prefix, server))
  })
  const forwarders = others.filter(({ address }) => {
    const server = parsePrefix(address)
    return server !== undefined && isLoopback(server)
  })
  const strange = others.filter((server) => !forwarders.includes(server))
  return {
    forwarders,
    findings: strange.map(({ address, path, line }) => ({
      rule: 'dns-server-not-allowed',
      subject: address,
      severity: 'warning',
      summary: `DNS server ${address} is asked (${path}:${line}), wanted ${allowed.join(', ')}`,
      remedy:
        path === RESOLVED
          ? `Set DNS=${allowed[0]} in /etc/systemd/resolved.conf, and take ${address} from the network's settings (resolvectl status shows which); systemctl restart systemd-resolved`
          : `Take ${address} out of ${path}, line ${line}; where a network service writes that file, out of its settings`,
      evidence: { path, line },
      references: ['NIST-CSF-PR.AC-5'],
    })),
  }
}
