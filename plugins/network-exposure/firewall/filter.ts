import { type Address, covers, hostPrefix, type Prefix } from '../../../agent/contract/mod.ts'

// What a packet filter does with the first packet of a connection from somewhere outside, of which nothing is known
// but its protocol, family and port. What cannot be told is read as "it may pass": a mistake may only show too much.

/** Whether a condition holds for such a packet. */
export type Truth = 'yes' | 'no' | 'maybe'

/** Whether several conditions hold together. */
export function all(truths: Truth[]): Truth {
  if (truths.includes('no')) return 'no'
  return truths.includes('maybe') ? 'maybe' : 'yes'
}

export function opposite(truth: Truth): Truth {
  return truth === 'yes' ? 'no' : truth === 'no' ? 'yes' : 'maybe'
}

export interface Rule {
  /** Of all conditions but that on the source. */
  matches(packet: Packet): Truth
  /** Only packets from here; undefined: from anywhere. */
  sources?: Prefix[] | undefined
  /** Packets from here are not meant. */
  notSources?: Prefix[] | undefined
  /** Other than `sources` says the source is constrained, in a way that is not understood (a set of names, a country). */
  hasStrangeSource?: boolean | undefined
  /** What it matches is limited in its rate. */
  isLimit?: boolean | undefined
  verdict: Verdict
}

export type Verdict =
  | { kind: 'accept' | 'drop' | 'continue' | 'return' }
  | { kind: 'jump' | 'goto'; chain: string }

export interface Packet {
  protocol: 'tcp' | 'udp'
  family: 4 | 6
  port: number
  /** Of a packet that is forwarded: where to. Undefined: some address of this host. */
  destination?: Address | undefined
  /** Of a packet to a published port: the port that it came for. */
  originalPort?: number | undefined
}

/** Whether a packet goes to one of these addresses; undefined where they are not known. */
export function goesTo({ destination, family }: Packet, prefixes: Prefix[] | undefined): Truth {
  if (prefixes?.every((prefix) => prefix.family !== family)) return 'no'
  if (!destination || !prefixes) return 'maybe'
  return prefixes.some((prefix) => covers(prefix, hostPrefix(destination))) ? 'yes' : 'no'
}

export interface Chain {
  rules: Rule[]
}

export interface BaseChain extends Chain {
  name: string
  policy: 'accept' | 'drop'
  /** Families that it sees. */
  families: readonly (4 | 6)[]
}

export interface PacketFilter {
  /** In the order of their priority: a packet for this host must pass all of them. */
  input: BaseChain[]
  /** The same for a packet that is handed on, such as to a container. */
  forward: BaseChain[]
  chains: ReadonlyMap<string, Chain>
}

/**
 * Whether a packet from elsewhere comes in by an interface, which may be a pattern ("eth+", "eth*"). Where no default
 * route tells, any but the loopback may be it.
 */
export function comesInBy(pattern: string, outside: string[]): Truth {
  if (pattern === 'lo') return 'no'
  if (outside.length === 0) return 'maybe'
  const prefix = /[+*]$/.test(pattern) ? pattern.slice(0, -1) : undefined
  return outside.some((name) => (prefix === undefined ? name === pattern : name.startsWith(prefix)))
    ? 'yes'
    : 'no'
}

/** Who may reach a port: anyone; only these sources; nobody. */
export type Admission = { anyone: true } | { anyone: false; sources: Prefix[] }

export const ANYONE: Admission = { anyone: true }
const NOBODY: Admission = { anyone: false, sources: [] }

/** Pure: whom the filter lets through to a port. */
export function admit(filter: PacketFilter, packet: Packet, hook: 'input' | 'forward' = 'input'): Admission {
  return filter[hook]
    .filter(({ families }) => families.includes(packet.family))
    .reduce((population, chain) => {
      const passage = new Passage(filter.chains, packet)
      const out = passage.walk(chain, population, 0)
      return either(passage.accepted, chain.policy === 'accept' ? out : NOBODY)
    }, ANYONE)
}

/** Whether some rule that such a packet may come to limits its rate. Pure. */
export function isRateLimited(
  filter: PacketFilter,
  packet: Packet,
  hook: 'input' | 'forward' = 'input',
): boolean {
  const seen = new Set<Chain>()
  const hasLimit = (chain: Chain): boolean => {
    if (seen.has(chain)) return false
    seen.add(chain)
    return chain.rules.some(({ matches, isLimit, verdict }) => {
      if (matches(packet) === 'no') return false
      const next = 'chain' in verdict ? filter.chains.get(verdict.chain) : undefined
      return isLimit === true || (next !== undefined && hasLimit(next))
    })
  }
  return filter[hook].filter(({ families }) => families.includes(packet.family)).some(hasLimit)
}

/** Who is among both. */
export function both(a: Admission, b: Admission): Admission {
  if (a.anyone) return b
  if (b.anyone) return a
  return {
    anyone: false,
    sources: unique([
      ...a.sources.filter((inner) => b.sources.some((outer) => covers(outer, inner))),
      ...b.sources.filter((inner) => a.sources.some((outer) => covers(outer, inner))),
    ]),
  }
}

/** Who is among one of them. */
export function either(a: Admission, b: Admission): Admission {
  if (a.anyone || b.anyone) return ANYONE
  return { anyone: false, sources: unique([...a.sources, ...b.sources]) }
}

const MAX_DEPTH = 32

class Passage {
  /** Who was let through by a rule. */
  accepted: Admission = NOBODY

  constructor(
    private readonly chains: ReadonlyMap<string, Chain>,
    private readonly packet: Packet,
  ) {}

  /** Who comes out at the end of a chain, of those who went in. */
  walk({ rules }: Chain, arrived: Admission, depth: number): Admission {
    if (depth > MAX_DEPTH) return arrived
    let population = arrived
    for (const rule of rules) {
      const truth = rule.matches(this.packet)
      if (truth === 'no') continue
      const { verdict, notSources } = rule
      const meant = this.meant(rule)
      // A list of the other family's sources never matches this packet.
      if (!meant.anyone && meant.sources.length === 0) continue
      const matched = both(population, meant)
      const isForAll = truth === 'yes' && meant.anyone && !notSources && !rule.hasStrangeSource
      switch (verdict.kind) {
        case 'accept':
          this.accepted = either(this.accepted, matched)
          if (isForAll) return NOBODY
          break
        case 'drop':
          if (isForAll) return NOBODY
          // Everyone is dropped but these.
          if (truth === 'yes' && notSources && !rule.sources && !rule.hasStrangeSource) {
            population = both(population, { anyone: false, sources: this.ofFamily(notSources) })
          }
          break
        case 'return':
          if (isForAll) return population
          break
        case 'jump':
        case 'goto': {
          const chain = this.chains.get(verdict.chain)
          const out = chain ? this.walk(chain, matched, depth + 1) : matched
          if (isForAll && verdict.kind === 'goto') return out
          if (isForAll) population = out
          break
        }
        case 'continue':
      }
    }
    return population
  }

  /** From where a rule takes packets; a condition that is not understood may hold for anyone. */
  private meant({ sources, hasStrangeSource }: Rule): Admission {
    return sources && !hasStrangeSource ? { anyone: false, sources: this.ofFamily(sources) } : ANYONE
  }

  private ofFamily(prefixes: Prefix[]): Prefix[] {
    return prefixes.filter(({ family }) => family === this.packet.family)
  }
}

function unique(prefixes: Prefix[]): Prefix[] {
  return prefixes.filter(
    (prefix, index) =>
      !prefixes.some(
        (other, at) => at !== index && covers(other, prefix) && (!covers(prefix, other) || at < index),
      ),
  )
}
