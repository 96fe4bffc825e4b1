import { type Address, type Prefix, parseAddress } from '../../../agent/contract/mod.ts'
import { elementsOf, fieldOf, isRecord, prefixOf, type Surroundings } from './nftables-expression.ts'
import { type PublishedPort, portsOfRange, publisherOf } from './published.ts'

interface DnatRule {
  family: string
  table: string
  chain: string
  expr: Record<string, unknown>[]
}

/** What a rule with `dnat` sends elsewhere, port by port; undefined where it does not say which. Pure. */
export function publishedByRule(
  { family, table, chain, expr }: DnatRule,
  around: Surroundings,
): PublishedPort[] | undefined {
  let protocol: 'tcp' | 'udp' | undefined
  let ports: unknown[] | undefined
  let address: Address | undefined
  let sources: Prefix[] | undefined
  for (const { match } of expr) {
    if (!isRecord(match) || match.op === '!=') continue
    const field = fieldOf(match.left)
    const elements = elementsOf(match.right, around)
    if (field === 'tcp dport' || field === 'udp dport') {
      protocol = field === 'tcp dport' ? 'tcp' : 'udp'
      ports = elements
    } else if (field === 'daddr' && elements?.length === 1 && typeof elements[0] === 'string') {
      address = parseAddress(elements[0])
    } else if (field === 'saddr') {
      const prefixes = elements?.flatMap((element) => prefixOf(element) ?? [])
      sources = prefixes?.length === elements?.length ? prefixes : undefined
    } else if (field === 'iifname' && elements?.every((element) => element === 'lo')) return []
  }
  const target = targetOf(expr.find((expression) => 'dnat' in expression)?.dnat)
  if (!protocol || !ports || !target) return undefined
  const of = target.destination.family
  if ((family === 'ip' && of === 6) || (family === 'ip6' && of === 4)) return undefined
  const shared = { family: of, address, protocol, publisher: publisherOf(table, chain), sources, ...target }
  const ranges = ports.map((element) => {
    const range = isRecord(element) ? element.range : undefined
    const [low, high] = Array.isArray(range) ? range : [element, element]
    return portsOfRange(Number(low), Number(high), target.inner)
  })
  if (ranges.includes(undefined)) return undefined
  return ranges.flatMap((range) => (range ?? []).map(([port, inner]) => ({ ...shared, port, inner })))
}

/** Maps and sets of targets are not followed. */
function targetOf(
  dnat: unknown,
): { target: string; destination: Address; inner: number | undefined } | undefined {
  if (!isRecord(dnat) || typeof dnat.addr !== 'string') return undefined
  const destination = parseAddress(dnat.addr)
  if (!destination) return undefined
  const { port } = dnat
  const range = isRecord(port) && Array.isArray(port.range) ? port.range : undefined
  const first = typeof port === 'number' ? port : range ? Number(range[0]) : undefined
  const host = destination.family === 6 ? `[${dnat.addr}]` : dnat.addr
  return { target: first === undefined ? host : `${host}:${first}`, destination, inner: first }
}
