import { formatPrefix, isPrivate, type Prefix } from '../../agent/contract/mod.ts'
import { type Admission, ANYONE } from './firewall/filter.ts'

/** How far away somebody may be who can reach a port, nearest first. */
export const REACHES = ['loopback', 'private', 'sources', 'anywhere'] as const
export type Reach = (typeof REACHES)[number]

export interface Reached {
  reach: Reach
  /** From where, when that is limited to some. */
  sources: Prefix[]
}

/** Pure: who reaches a socket on an address behind a filter. A wildcard address is anyone's, also behind a router. */
export function reachOf(
  bind: { isWildcard: boolean; isLocal: boolean; prefix: Prefix },
  admitted: Admission,
): Reached {
  if (bind.isLocal) return { reach: 'loopback', sources: [] }
  const network = bind.isWildcard || !isPrivate(bind.prefix) ? ANYONE : PRIVATE_NETWORK
  if (admitted.anyone) return { reach: network.anyone ? 'anywhere' : 'private', sources: [] }
  if (admitted.sources.length === 0) return { reach: 'loopback', sources: [] }
  const isNear = !network.anyone || admitted.sources.every(isPrivate)
  return { reach: isNear ? 'private' : 'sources', sources: admitted.sources }
}

/** Stands for "whoever is in the network of a private address". */
const PRIVATE_NETWORK: Admission = { anyone: false, sources: [] }

export function farther(a: Reached, b: Reached): Reached {
  return REACHES.indexOf(a.reach) >= REACHES.indexOf(b.reach) ? a : b
}

export function describeReach({ reach, sources }: Reached): string {
  switch (reach) {
    case 'anywhere':
      return 'anyone can reach it'
    case 'sources':
      return `only ${sources.map(formatPrefix).join(', ')} can reach it`
    case 'private':
      return sources.length > 0
        ? `only ${sources.map(formatPrefix).join(', ')} can reach it`
        : 'whoever is in its private network can reach it'
    default:
      return 'only this host can reach it'
  }
}
