import { type Blind, describeError, type HostReader } from '../../agent/contract/mod.ts'
import type { PacketFilter } from './firewall/filter.ts'
import { parseIptables } from './firewall/iptables.ts'
import { type FirewallManager, findManager } from './firewall/manager.ts'
import { parseNftables } from './firewall/nftables.ts'
import type { PublishedPort } from './firewall/published.ts'
import { CONTROL_GROUPS } from './processes.ts'
import {
  type ConnectedNetwork,
  type Listener,
  parseConnectedNetworks,
  parseControlGroups,
  parseDefaultInterfaces,
  parseSockets,
} from './sockets.ts'

export const PROGRAMS = {
  ss: '/usr/bin/ss',
  nft: '/usr/sbin/nft',
  4: '/usr/sbin/iptables-save',
  6: '/usr/sbin/ip6tables-save',
} as const

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024
const PROGRAM_TIMEOUT_MS = 20_000
const MAX_PROC_BYTES = 32 * 1024 * 1024

export interface Network {
  listeners: Listener[]
  /** Path of the control group, by inode of the socket. */
  controlGroups: Map<number, string>
  /** Networks without a router between. */
  networks: ConnectedNetwork[]
  /** All must be passed. */
  filters: PacketFilter[]
  published: PublishedPort[]
  /** What the operator switches the packet filter with. */
  manager: FirewallManager
  blind: Blind[]
}

const FIREWALL_RULES = [
  'exposed',
  'unexpected-listener',
  'published-past-firewall',
  'ipv6-less-filtered',
  'no-firewall',
]

/** Everything that says who listens and what is let in. What cannot be seen is blind, and taken for open. */
export async function lookAtNetwork(
  host: HostReader,
  { udp }: { udp: boolean },
  signal: AbortSignal,
): Promise<Network> {
  const blind: Blind[] = []
  const kinds = (['tcp', ...(udp ? ['udp' as const] : [])] as const).flatMap((protocol) =>
    ([4, 6] as const).map((family) => ({ protocol, family })),
  )
  const listeners = kinds.flatMap(({ protocol, family }) => {
    const path = `/proc/net/${protocol}${family === 6 ? '6' : ''}`
    try {
      // Without IPv6 in the kernel there is no such file, and nothing that listens.
      if (family === 6 && !host.stat(path)) return []
      return parseSockets(readProc(host, path), protocol, family)
    } catch (error) {
      blind.push({ subject: path, reason: describeError(error) })
      return []
    }
  })
  const routes = readRoutes(host)
  const outside = parseDefaultInterfaces(...routes)
  const output = async (program: string, ...args: string[]) => {
    if (!host.stat(program)) return undefined
    const timeout = PROGRAM_TIMEOUT_MS
    const result = await host.run([program, ...args], { signal, timeout, maxBytes: MAX_OUTPUT_BYTES })
    if (result.exitCode === 0 && !result.truncated) return result.stdout
    const reason = result.timedOut
      ? 'it did not answer in time'
      : result.truncated
        ? 'it says too much'
        : result.stderr.trim().split('\n')[0] || `it ended with ${result.exitCode ?? result.signal}`
    blind.push({ subject: program, reason, rules: FIREWALL_RULES })
    return undefined
  }
  const filters: PacketFilter[] = []
  const published: PublishedPort[] = []
  const rules = ['published-past-firewall']
  for (const family of [4, 6] as const) {
    const text = await output(PROGRAMS[family])
    if (text === undefined) continue
    const parsed = parseIptables(text, family, outside)
    filters.push(parsed.filter)
    published.push(...parsed.published)
    const [first] = parsed.strange
    if (first === undefined) continue
    const reason = `${parsed.strange.length} rules that send packets elsewhere are not understood: ${first}`
    blind.push({ subject: PROGRAMS[family], reason, rules })
  }
  const ruleset = await output(PROGRAMS.nft, '-j', 'list', 'ruleset')
  if (ruleset !== undefined) {
    try {
      const parsed = parseNftables(ruleset, outside)
      filters.push(parsed.filter)
      published.push(...parsed.published)
      const reason = `${parsed.strange} rules that send packets elsewhere are not understood`
      if (parsed.strange > 0) blind.push({ subject: PROGRAMS.nft, reason, rules })
    } catch (error) {
      const reason = `its rules are not understood: ${describeError(error)}`
      blind.push({ subject: PROGRAMS.nft, reason, rules: FIREWALL_RULES })
    }
  }
  const manager = findManager(host)
  const groups = await controlGroups(host, signal)
  const networks = parseConnectedNetworks(...routes)
  return { listeners, controlGroups: groups, networks, filters, published, manager, blind }
}

/** Who has a socket is for the reader only: where it cannot be told, nothing is blind. */
async function controlGroups(host: HostReader, signal: AbortSignal): Promise<Map<number, string>> {
  if (!host.stat(PROGRAMS.ss)) return new Map()
  const options = { signal, timeout: PROGRAM_TIMEOUT_MS, maxBytes: MAX_OUTPUT_BYTES }
  const { exitCode, stdout } = await host.run([PROGRAMS.ss, '-Hlntue'], options)
  const groups = parseControlGroups(exitCode === 0 ? stdout : '')
  if (![...groups.values()].some((group) => group.startsWith('#')) || !host.stat(CONTROL_GROUPS))
    return groups
  // The kernel's number of a control group is the inode of its directory.
  const paths = new Map<string, string>()
  for await (const batch of host.walk(CONTROL_GROUPS, { onBlind: () => {}, signal })) {
    for (const entry of batch) {
      if (entry.type === 'directory')
        paths.set(`#${entry.ino}`, entry.path.slice(CONTROL_GROUPS.length) || '/')
    }
  }
  return new Map([...groups].map(([inode, group]) => [inode, paths.get(group) ?? group]))
}

function readRoutes(host: HostReader): [route: string, route6: string] {
  const read = (path: string) => {
    try {
      return readProc(host, path)
    } catch {
      return ''
    }
  }
  return [read('/proc/net/route'), read('/proc/net/ipv6_route')]
}

/** Files of /proc say that they have no size. */
function readProc(host: HostReader, path: string): string {
  const file = host.open(path)
  try {
    const chunks: Uint8Array[] = []
    let position = 0
    for (;;) {
      const buffer = new Uint8Array(65_536)
      const count = file.read(buffer, position)
      if (count === 0) return Buffer.concat(chunks).toString('latin1')
      chunks.push(buffer.subarray(0, count))
      position += count
      if (position > MAX_PROC_BYTES)
        throw new Error(`Cannot read "${path}": it is larger than ${MAX_PROC_BYTES} bytes`)
    }
  } finally {
    file.close()
  }
}
