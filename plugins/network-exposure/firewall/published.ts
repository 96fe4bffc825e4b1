import type { Address, Prefix } from '../../../agent/contract/mod.ts'

/** A port of this host behind which another address is: that of a container, mostly. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp'
  family: 4 | 6
  /** Address of the host that it is published on; undefined: all. */
  address: Address | undefined
  port: number
  /** "172.17.0.2:80" */
  target: string
  destination: Address | undefined
  /** Port behind it. */
  inner: number
  /** Who made the rule; undefined for somebody else. */
  publisher: 'Docker' | 'Podman' | undefined
  /** It is so for packets from here only. */
  sources?: Prefix[] | undefined
}

/** More ports than that are published by no container: it is a rule of a router. */
const MAX_PORTS_OF_A_RULE = 1024

/** From the names that the engines give to their chains. Pure. */
export function publisherOf(table: string, chain: string): PublishedPort['publisher'] {
  if (chain.startsWith('DOCKER') || table === 'docker-bridges') return 'Docker'
  return chain.startsWith('NETAVARK-') || chain.startsWith('CNI-') || table === 'netavark'
    ? 'Podman'
    : undefined
}

/** The ports of a range with those behind them, which begin at `innerFrom`; undefined for too many. Pure. */
export function portsOfRange(
  from: number,
  to: number,
  innerFrom: number | undefined,
): [outer: number, inner: number][] | undefined {
  if (!(from >= 1 && to <= 65_535 && to >= from) || to - from >= MAX_PORTS_OF_A_RULE) return undefined
  return Array.from({ length: to - from + 1 }, (_, index) => [from + index, (innerFrom ?? from) + index])
}

/** A redirection to another port of the same address, such as that of a network's name server, publishes nothing. Pure. */
export function isOwnAddress({
  address,
  destination,
}: Pick<PublishedPort, 'address' | 'destination'>): boolean {
  return (
    address !== undefined && address.value === destination?.value && address.family === destination.family
  )
}
