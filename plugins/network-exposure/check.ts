import {
  type CheckContext,
  type Fact,
  type Finding,
  formatAddress,
  type HostReader,
  hostPrefix,
  parseAddress,
  type Report,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { type Admission, ANYONE, admit, both } from './firewall/filter.ts'
import { judgePort, type OpenPort } from './judge.ts'
import { lookAtNetwork, type Network } from './look.ts'
import { farther, type Reached, reachOf } from './reach.ts'
import { isLocal, isWildcard, type Listener, unitOf } from './sockets.ts'

export async function checkExposure({ config, host, signal }: CheckContext<Config>): Promise<Report> {
  const network = await lookAtNetwork(host, config, signal)
  const ports = openPorts(network, host)
  const findings = ports.flatMap((port) => judgePort(port, config))
  if (config.firewall === 'required') findings.push(...judgeFirewall(network))
  return {
    findings,
    blind: network.blind,
    facts: ports.map(factOf),
    metrics: [
      {
        name: 'open_ports',
        value: ports.filter(({ reached }) => reached.reach !== 'loopback').length,
        help: 'Ports that can be reached from elsewhere',
      },
    ],
    coverage: { examined: network.listeners.length, skipped: 0 },
  }
}

/** Listeners and published ports, one for each protocol and port. */
function openPorts(network: Network, host: HostReader): OpenPort[] {
  const ports = new Map<string, OpenPort>()
  const add = (open: OpenPort, reached: Reached, family: 4 | 6) => {
    const key = `${open.protocol}/${open.port}`
    const known = ports.get(key) ?? open
    known.addresses = [...new Set([...known.addresses, ...open.addresses])]
    known.unit ??= open.unit
    known.isPublished ||= open.isPublished
    const name = family === 4 ? 'ipv4' : 'ipv6'
    known[name] = known[name] ? farther(known[name], reached) : reached
    known.reached = farther(known.reached, reached)
    ports.set(key, known)
  }
  for (const listener of network.listeners) {
    for (const family of familiesOf(listener, network.listeners)) {
      const admitted = network.filters.reduce<Admission>(
        (population, filter) =>
          both(population, admit(filter, { protocol: listener.protocol, family, port: listener.port })),
        ANYONE,
      )
      const bind = {
        isWildcard: isWildcard(listener),
        isLocal: isLocal(listener),
        prefix: hostPrefix(listener.address),
      }
      const reached = reachOf(bind, admitted)
      const text = formatAddress(listener.address)
      add(
        {
          protocol: listener.protocol,
          port: listener.port,
          addresses: [listener.family === 6 ? `[${text}]` : text],
          unit: unitOf(network.controlGroups.get(listener.inode)),
          user: host.userName(listener.uid),
          isPublished: false,
          ipv4: undefined,
          ipv6: undefined,
          reached,
        },
        reached,
        family,
      )
    }
  }
  network.iptables.forEach(({ family, published, forward }) => {
    for (const { protocol, port, address, target } of published) {
      const bound = address === undefined ? undefined : parseAddress(address)
      const prefix = hostPrefix(bound ?? { family, value: 0n })
      const isLoopback = bound !== undefined && isLocal({ address: bound })
      const inner = Number(/:(\d+)/.exec(target)?.[1] ?? port)
      const admitted = forward ? admit(forward, { protocol, family, port: inner }) : ANYONE
      const reached = reachOf({ isWildcard: bound === undefined, isLocal: isLoopback, prefix }, admitted)
      const addresses = [`${address ?? 'every address'}, published by Docker to ${target}`]
      add(
        {
          protocol,
          port,
          addresses,
          unit: undefined,
          user: 'root',
          isPublished: true,
          ipv4: undefined,
          ipv6: undefined,
          reached,
        },
        reached,
        family,
      )
    }
  })
  return [...ports.values()].toSorted((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1))
}

/** A socket on [::] takes IPv4, too, unless another one has that; whether it refuses to is not to be seen. */
function familiesOf(listener: Listener, all: Listener[]): (4 | 6)[] {
  if (listener.family === 4) return [4]
  const { protocol, port } = listener
  const hasOwn = all.some((other) => other.family === 4 && other.protocol === protocol && other.port === port)
  return isWildcard(listener) && !hasOwn ? [4, 6] : [6]
}

function judgeFirewall({ filters, listeners }: Network): Finding[] {
  const isOpen = ([4, 6] as const).filter((family) => {
    if (family === 6 && !listeners.some((listener) => listener.family === 6)) return false
    // A port that nobody names in a rule: where it gets through, what comes in is not filtered.
    const packet = { protocol: 'tcp', family, port: 64_999 } as const
    return filters.every((filter) => admit(filter, packet).anyone)
  })
  if (isOpen.length === 0) return []
  return [
    {
      rule: 'no-firewall',
      subject: 'packet filter',
      severity: 'warning',
      summary: `What comes in over ${isOpen.map((family) => `IPv${family}`).join(' and ')} is not filtered`,
      remedy: 'ufw default deny incoming\nufw allow OpenSSH\nufw enable',
    },
  ]
}

function factOf({ protocol, port, addresses, unit, user, reached, isPublished }: OpenPort): Fact {
  return {
    kind: 'open-port',
    subject: `${protocol}/${port}`,
    data: {
      addresses: addresses.join(', '),
      unit: unit ?? null,
      user,
      reach: reached.reach,
      published: isPublished,
    },
  }
}
