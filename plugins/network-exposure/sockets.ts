import {
  type Address,
  covers,
  hostPrefix,
  isLoopback,
  isPrivate,
  type Prefix,
} from '../../agent/contract/mod.ts'

export interface Listener {
  protocol: 'tcp' | 'udp'
  family: 4 | 6
  address: Address
  port: number
  uid: number
  inode: number
}

/** State numbers of /proc/net (include/net/tcp_states.h): LISTEN, and what an unconnected UDP socket has. */
const LISTEN = '0A'
const UNCONNECTED = '07'

/**
 * Sockets that take what comes, from the text of /proc/net/{tcp,tcp6,udp,udp6}. Columns: sl, local address, remote
 * address, state, queues, timer, retransmits, uid, timeout, inode. Pure.
 */
export function parseSockets(text: string, protocol: 'tcp' | 'udp', family: 4 | 6): Listener[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', remote = '', state = '', , , , uid = '', , inode = ''] = line.trim().split(/\s+/)
      if (state !== (protocol === 'tcp' ? LISTEN : UNCONNECTED)) return []
      // A connected UDP socket takes only what its peer sends.
      if (protocol === 'udp' && !/^0+:0+$/.test(remote)) return []
      const [address = '', port = ''] = local.split(':')
      const value = parseKernelAddress(address, family)
      if (value === undefined) return []
      return [
        {
          protocol,
          family,
          address: value,
          port: Number.parseInt(port, 16),
          uid: Number(uid),
          inode: Number(inode),
        },
      ]
    })
}

/** The kernel prints each 32-bit word of an address as the number that it is on this machine: little-endian. */
function parseKernelAddress(text: string, family: 4 | 6): Address | undefined {
  if (!(family === 4 ? /^[0-9A-F]{8}$/ : /^[0-9A-F]{32}$/).test(text)) return undefined
  const words = text.match(/.{8}/g) ?? []
  const hex = words.map((word) => (word.match(/../g) ?? []).reverse().join('')).join('')
  return { family, value: BigInt(`0x${hex}`) }
}

export function isWildcard({ address }: Listener): boolean {
  return address.value === 0n
}

/** An IPv6 socket on a mapped address serves IPv4. */
export function isLocal({ address }: Pick<Listener, 'address'>): boolean {
  const mapped = address.family === 6 && address.value >> 32n === 0xffffn
  return isLoopback(hostPrefix(mapped ? { family: 4, value: address.value & 0xffffffffn } : address))
}

/**
 * The control group of each socket, by inode, from the output of `ss -Hlntue`: its path, or the number that the kernel
 * knows it by ("#4711") where ss may not look it up. It needs no right over the process that has the socket. Pure.
 */
export function parseControlGroups(text: string): Map<number, string> {
  const groups = new Map<number, string>()
  for (const line of text.split('\n')) {
    const inode = /\bino:(\d+)/.exec(line)?.[1]
    const [, hidden, path] = /\bcgroup:(?:unreachable:([0-9a-f]+)|(\S+))/.exec(line) ?? []
    const group = hidden ? `#${Number.parseInt(hidden, 16)}` : path
    if (inode && group) groups.set(Number(inode), group)
  }
  return groups
}

/** The unit of a control group: "nginx.service", "user 1000: app.service"; undefined for one of none. Pure. */
export function unitOf(controlGroup: string | undefined): string | undefined {
  const units = (controlGroup ?? '').split('/').filter((part) => /\.(service|socket|scope)$/.test(part))
  const own = units.at(-1)
  const user = /\/user@(\d+)\.service\//.exec(controlGroup ?? '')?.[1]
  return own && user ? `user ${user}: ${own}` : own
}

/** Interfaces by which a packet from elsewhere comes in: those of the default routes. Pure. */
export function parseDefaultInterfaces(route: string, route6: string): string[] {
  const v4 = route.split('\n').flatMap((line) => {
    const [name, destination, , , , , , mask] = line.split(/\s+/)
    return name && destination === '00000000' && mask === '00000000' ? [name] : []
  })
  const v6 = route6.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/)
    const name = words.at(-1)
    return words[0] === '0'.repeat(32) && words[1] === '00' && name && name !== 'lo' ? [name] : []
  })
  return [...new Set([...v4, ...v6])]
}

/** A network that an interface is connected to, without a router between. */
export interface ConnectedNetwork {
  interface: string
  prefix: Prefix
}

/** From the text of /proc/net/route and ipv6_route: routes without a gateway that are no default route. Pure. */
export function parseConnectedNetworks(route: string, route6: string): ConnectedNetwork[] {
  const v4 = route.split('\n').flatMap((line): ConnectedNetwork[] => {
    const [name, destination = '', gateway, , , , , mask = ''] = line.split(/\s+/)
    const address = parseKernelAddress(destination, 4)
    if (!name || !address || gateway !== '00000000' || mask === '00000000') return []
    const bits = [...Number.parseInt(mask, 16).toString(2)].filter((bit) => bit === '1').length
    return [{ interface: name, prefix: { ...address, bits } }]
  })
  const v6 = route6.split('\n').flatMap((line): ConnectedNetwork[] => {
    const [destination = '', length = '', , , gateway = '', ...rest] = line.trim().split(/\s+/)
    const name = rest.at(-1)
    if (!name || name === 'lo' || !/^[0-9a-f]{32}$/.test(destination) || !/^0{32}$/.test(gateway)) return []
    const bits = Number.parseInt(length, 16)
    // Multicast is no network of anybody's, and a single address no network.
    if (bits === 0 || bits === 128 || destination.startsWith('ff')) return []
    return [{ interface: name, prefix: { family: 6, value: BigInt(`0x${destination}`), bits } }]
  })
  return [...v4, ...v6]
}

/** The interface of a private address that is connected to a public network, too; undefined where none is. Pure. */
export function sharedInterface(address: Address, networks: ConnectedNetwork[]): string | undefined {
  const own = hostPrefix(address)
  const names = networks.filter(({ prefix }) => covers(prefix, own)).map((network) => network.interface)
  return networks.find((network) => names.includes(network.interface) && !isPrivate(network.prefix))
    ?.interface
}
