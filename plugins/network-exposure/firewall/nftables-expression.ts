import { type Prefix, parsePrefix } from '../../../agent/contract/mod.ts'

// Parts of what libnftables-json(5) writes for a rule.

/** What a rule may refer to. */
export interface Surroundings {
  /** Id of a chain or set of the rule's own table. */
  inTable(name: string): string
  sets: ReadonlyMap<string, unknown[]>
  /** Interfaces by which packets from elsewhere come in. */
  outside: string[]
}

/** What a condition is about, in a word; "" for what is not understood. */
export function fieldOf(left: unknown): string {
  if (!isRecord(left)) return ''
  const { payload, meta, ct } = left
  if (isRecord(payload)) {
    if (payload.field === 'saddr') return 'saddr'
    if (payload.field === 'daddr') return 'daddr'
    if (payload.field === 'dport') return payload.protocol === 'th' ? 'dport' : `${payload.protocol} dport`
    if (payload.field === 'protocol' || payload.field === 'nexthdr') return 'protocol'
    return ''
  }
  if (isRecord(meta) && typeof meta.key === 'string') return meta.key
  if (!isRecord(ct)) return ''
  if (ct.key === 'proto-dst' && ct.dir === 'original') return 'original dport'
  return ct.key === 'state' ? 'state' : ''
}

/** The elements of a value: one, a set, a named set; undefined when they are not known. */
export function elementsOf(value: unknown, { inTable, sets }: Surroundings): unknown[] | undefined {
  if (typeof value === 'string' && value.startsWith('@')) return sets.get(inTable(value.slice(1)))?.map(plain)
  if (isRecord(value) && Array.isArray(value.set)) return value.set.map(plain)
  return Array.isArray(value) ? value : [value]
}

/** An element may carry a timeout or counter around its value. */
function plain(element: unknown): unknown {
  return isRecord(element) && isRecord(element.elem) ? element.elem.val : element
}

export function prefixOf(element: unknown): Prefix | undefined {
  if (typeof element === 'string') return parsePrefix(element)
  const prefix = isRecord(element) ? element.prefix : undefined
  return isRecord(prefix) ? parsePrefix(`${prefix.addr}/${prefix.len}`) : undefined
}

export function inRange(element: unknown, port: number): boolean {
  if (typeof element === 'number') return element === port
  const range = isRecord(element) ? element.range : undefined
  return Array.isArray(range) && port >= Number(range[0]) && port <= Number(range[1])
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
