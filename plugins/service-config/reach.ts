import { hostPrefix, isLoopback, isPrivate, parseAddress } from '../../agent/contract/mod.ts'
import { hostSide } from './read/compose.ts'
import type { Runtime } from './runtime.ts'
import type { Place } from './setting.ts'

/** From where an address can be reached, by itself: a packet filter is not counted. */
export type Reach = 'this host' | 'its own containers' | 'the private network' | 'everywhere'

/** "127.0.0.1:7401", "[::]:7401", ":8081", "localhost:80". Undefined for what is none. */
export function splitAddress(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain = '', digits = ''] =
    /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text.trim()) ?? []
  const port = Number(digits)
  if (digits === '' || port > 65_535) return undefined
  return { host: bracketed ?? plain, port }
}

/** Of the address alone. Names other than localhost are taken for reachable from everywhere. */
export function reachOfHost(host: string): Reach {
  if (host === 'localhost') return 'this host'
  if (host === '' || host === '*') return 'everywhere'
  const address = parseAddress(host)
  if (!address) return 'everywhere'
  // 0.0.0.0 and :: are every address.
  if (address.value === 0n) return 'everywhere'
  const prefix = hostPrefix(address)
  if (isLoopback(prefix)) return 'this host'
  return isPrivate(prefix) ? 'the private network' : 'everywhere'
}

/** In a container the address says who may come from within; from the host's side its published ports count. */
export function reachOf(runtime: Runtime, host: string, port: number): { reach: Reach; place?: Place } {
  if (runtime.kind !== 'container' || !runtime.container) return { reach: reachOfHost(host) }
  let best: { reach: Reach; place?: Place } = { reach: 'its own containers' }
  // Bound to loopback inside, no published port gets there.
  if (reachOfHost(host) === 'this host') return { reach: 'this host' }
  for (const { text, line } of runtime.container.ports) {
    const side = hostSide(text)
    if (!side || !portMatches(side.containerPort, port)) continue
    const reach = reachOfHost(side.address)
    if (RANK[reach] > RANK[best.reach] || best.place === undefined) {
      best = { reach, place: { path: runtime.container.path, line } }
    }
  }
  return best
}

export const RANK: Record<Reach, number> = {
  'this host': 0,
  'its own containers': 1,
  'the private network': 2,
  everywhere: 3,
}

function portMatches(range: string, port: number): boolean {
  const [first = 0, last = first] = range.split('-').map(Number)
  return port >= first && port <= last
}
