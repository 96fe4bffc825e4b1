import {
  type Address,
  formatAddress,
  type HostReader,
  hostPrefix,
  isLoopback,
  isPrivate,
} from '../../agent/contract/mod.ts'
import { type Admission, ANYONE, admit, both, isRateLimited, type Packet } from './firewall/filter.ts'
import type { PublishedPort } from './firewall/published.ts'
import type { OpenPort } from './judge.ts'
import type { Network } from './look.ts'
import { processNames } from './processes.ts'
import { farther, type Reached, reachOf } from './reach.ts'
import { isLocal, isWildcard, type Listener, sharedInterface, unitOf } from './sockets.ts'

/** Listeners and published ports, one for each protocol and port. */
export function openPorts(network: Network, host: HostReader): OpenPort[] {
  const ports = new Map<string, OpenPort>()
  const add = (open: Omit<OpenPort, 'ipv4' | 'ipv6'>, family: 4 | 6) => {
    const key = `${open.protocol}/${open.port}`
    const known: OpenPort = ports.get(key) ?? { ...open, ipv4: undefined, ipv6: undefined }
    known.addresses = [...new Set([...known.addresses, ...open.addresses])]
    known.unit ??= open.unit
    known.processes = [...new Set([...known.processes, ...open.processes])]
    known.publisher ??= open.publisher
    known.isPublished ||= open.isPublished
    known.isRateLimited &&= open.isRateLimited
    known.publicInterface ??= open.publicInterface
    const name = family === 4 ? 'ipv4' : 'ipv6'
    known[name] = known[name] ? farther(known[name], open.reached) : open.reached
    known.reached = farther(known.reached, open.reached)
    ports.set(key, known)
  }
  for (const listener of network.listeners) {
    const { protocol, port, uid, inode } = listener
    const controlGroup = network.controlGroups.get(inode)
    for (const family of familiesOf(listener, network.listeners)) {
      const packet = { protocol, family, port }
      const text = formatAddress(listener.address)
      add(
        {
          protocol,
          port,
          addresses: [listener.family === 6 ? `[${text}]` : text],
          unit: unitOf(controlGroup),
          processes: processNames(host, controlGroup, uid),
          user: host.userName(uid),
          isPublished: false,
          publisher: undefined,
          isRateLimited: network.filters.some((filter) => isRateLimited(filter, packet)),
          publicInterface: publicInterfaceOf(listener, network),
          reached: reachOfListener(listener, through(network, packet, 'input')),
        },
        family,
      )
    }
  }
  for (const published of network.published) {
    const { protocol, family, port, address, target, inner, destination, publisher } = published
    const packet = { protocol, family, port: inner, destination, originalPort: port }
    add(
      {
        protocol,
        port,
        addresses: [
          `${address ? formatAddress(address) : 'every address'}, published${publisher ? ` by ${publisher}` : ''} to ${target}`,
        ],
        unit: undefined,
        processes: [],
        user: 'root',
        isPublished: true,
        publisher,
        isRateLimited: network.filters.some((filter) => isRateLimited(filter, packet, 'forward')),
        publicInterface: undefined,
        reached: reachOfPublished(published, through(network, packet, 'forward')),
      },
      family,
    )
  }
  return [...ports.values()].toSorted((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1))
}

/** Who comes through all filters: each must be passed. */
function through({ filters }: Network, packet: Packet, hook: 'input' | 'forward'): Admission {
  return filters.reduce<Admission>(
    (population, filter) => both(population, admit(filter, packet, hook)),
    ANYONE,
  )
}

/** Of a private address: whoever is in the public network beside it may send packets to it all the same. */
function publicInterfaceOf({ address }: Listener, { networks }: Network): string | undefined {
  const own = hostPrefix(address)
  if (address.value === 0n || isLoopback(own) || !isPrivate(own)) return undefined
  return sharedInterface(address, networks)
}

function reachOfListener(listener: Listener, admitted: Admission): Reached {
  const { address } = listener
  return reachOf(
    { isWildcard: isWildcard(listener), isLocal: isLocal(listener), prefix: hostPrefix(address) },
    admitted,
  )
}

function reachOfPublished({ address, family, sources }: PublishedPort, admitted: Admission): Reached {
  const bound: Address = address ?? { family, value: 0n }
  return reachOf(
    { isWildcard: bound.value === 0n, isLocal: isLocal({ address: bound }), prefix: hostPrefix(bound) },
    sources ? both(admitted, { anyone: false, sources }) : admitted,
  )
}

/** A socket on [::] takes IPv4, too, unless another one has that; whether it refuses to is not to be seen. */
function familiesOf(listener: Listener, all: Listener[]): (4 | 6)[] {
  if (listener.family === 4) return [4]
  const { protocol, port } = listener
  const hasOwn = all.some((other) => other.family === 4 && other.protocol === protocol && other.port === port)
  return isWildcard(listener) && !hasOwn ? [4, 6] : [6]
}
