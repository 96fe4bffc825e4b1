import { type Prefix, z } from '../../../agent/contract/mod.ts'
import {
  all,
  type BaseChain,
  type Chain,
  comesInBy,
  goesTo,
  opposite,
  type Packet,
  type PacketFilter,
  type Rule,
  type Truth,
  type Verdict,
} from './filter.ts'
import { elementsOf, fieldOf, inRange, isRecord, prefixOf, type Surroundings } from './nftables-expression.ts'
import { publishedByRule } from './nftables-published.ts'
import { isOwnAddress, type PublishedPort } from './published.ts'

// The JSON of `nft -j list ruleset`: libnftables-json(5). Only what decides about new packets is read.

const FAMILIES: Record<string, readonly (4 | 6)[]> = { ip: [4], ip6: [6], inet: [4, 6] }

const document = z.looseObject({ nftables: z.array(z.record(z.string(), z.unknown())) })
const chainShape = z.looseObject({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  type: z.string().optional(),
  hook: z.string().optional(),
  prio: z.number().optional(),
  policy: z.string().optional(),
})
const ruleShape = z.looseObject({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  expr: z.array(z.record(z.string(), z.unknown())).default([]),
})
const setShape = z.looseObject({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  elem: z.array(z.unknown()).default([]),
})

export interface NftablesRules {
  filter: PacketFilter
  published: PublishedPort[]
  /** How many rules send packets elsewhere and are not understood. */
  strange: number
}

/**
 * Throws when it is no such document. Tables that iptables manages are in it, too, with conditions that only iptables
 * can tell: read like this they let in at least whom they do, so both readings together are right.
 */
export function parseNftables(text: string, outside: string[]): NftablesRules {
  const { nftables } = document.parse(JSON.parse(text))
  const chains = new Map<string, Chain>()
  const bases: { base: BaseChain; priority: number; hook: string }[] = []
  const published: PublishedPort[] = []
  let strange = 0
  const sets = new Map<string, unknown[]>()
  const wanted = ({ family }: { family: string }) => FAMILIES[family] !== undefined
  for (const entry of nftables) {
    for (const kind of ['set', 'map'] as const) {
      if (!entry[kind]) continue
      const set = setShape.parse(entry[kind])
      sets.set(idOf(set.family, set.table, set.name), set.elem)
    }
    if (!entry.chain) continue
    const chain = chainShape.parse(entry.chain)
    if (!wanted(chain)) continue
    const rules: Rule[] = []
    chains.set(idOf(chain.family, chain.table, chain.name), { rules })
    if (chain.type === 'filter' && (chain.hook === 'input' || chain.hook === 'forward')) {
      const policy = chain.policy === 'drop' ? 'drop' : 'accept'
      const families = FAMILIES[chain.family] ?? []
      bases.push({
        base: { name: chain.name, policy, families, rules },
        priority: chain.prio ?? 0,
        hook: chain.hook,
      })
    }
  }
  for (const entry of nftables) {
    if (!entry.rule) continue
    const rule = ruleShape.parse(entry.rule)
    if (!wanted(rule)) continue
    const inTable = (name: string) => idOf(rule.family, rule.table, name)
    const around = { inTable, sets, outside }
    chains.get(inTable(rule.chain))?.rules.push(...parseRule(rule.expr, around))
    if (!rule.expr.some((expression) => 'dnat' in expression)) continue
    const ports = publishedByRule(rule, around)
    if (ports) published.push(...ports.filter((port) => !isOwnAddress(port)))
    else strange++
  }
  const ofHook = (name: string) =>
    bases
      .filter(({ hook }) => hook === name)
      .toSorted((a, b) => a.priority - b.priority)
      .map(({ base }) => base)
  return { filter: { input: ofHook('input'), forward: ofHook('forward'), chains }, published, strange }
}

function idOf(family: string, table: string, name: string): string {
  return `${family} ${table} ${name}`
}

/** Without /etc/protocols, as in a jail, nft tells numbers. */
const PROTOCOL_NUMBERS = { tcp: 6, udp: 17 }

type Condition = (packet: Packet) => Truth

/** One rule; a verdict map is a rule for each of its elements. */
function parseRule(expressions: Record<string, unknown>[], around: Surroundings): Rule[] {
  const conditions: Condition[] = []
  const rule: Rule = { matches: () => 'yes', verdict: { kind: 'continue' } }
  const mapped: Rule[] = []
  for (const expression of expressions) {
    const [kind = ''] = Object.keys(expression)
    const value = expression[kind]
    if (kind === 'match') readMatch(value, rule, conditions, around)
    else if (kind === 'vmap') mapped.push(...readVerdictMap(value, around))
    else if (kind === 'limit' || kind === 'xt') {
      conditions.push(() => 'maybe')
      if (kind === 'limit') rule.isLimit = true
    } else rule.verdict = verdictOf(expression, around) ?? rule.verdict
  }
  const matches: Condition = (packet) => all(conditions.map((condition) => condition(packet)))
  if (mapped.length === 0) return [{ ...rule, matches }]
  return mapped.map((one) => ({
    ...rule,
    ...one,
    matches: (packet) => all([matches(packet), one.matches(packet)]),
  }))
}

function verdictOf(expression: Record<string, unknown>, { inTable }: Surroundings): Verdict | undefined {
  if ('accept' in expression) return { kind: 'accept' }
  if ('drop' in expression || 'reject' in expression) return { kind: 'drop' }
  if ('return' in expression) return { kind: 'return' }
  for (const kind of ['jump', 'goto'] as const) {
    const target = expression[kind]
    if (isRecord(target) && typeof target.target === 'string') return { kind, chain: inTable(target.target) }
  }
  return undefined
}

const matchShape = z.looseObject({ op: z.string(), left: z.unknown(), right: z.unknown() })

function readMatch(value: unknown, rule: Rule, conditions: Condition[], around: Surroundings): void {
  const { op, left, right } = matchShape.parse(value)
  const isNot = op === '!='
  if (op !== '==' && op !== 'in' && !isNot) {
    conditions.push(() => 'maybe')
    return
  }
  const elements = elementsOf(right, around)
  const field = fieldOf(left)
  if (field === 'saddr') {
    const prefixes = elements?.map(prefixOf)
    if (!prefixes || prefixes.includes(undefined)) rule.hasStrangeSource = true
    else if (isNot) rule.notSources = prefixes as Prefix[]
    else rule.sources = prefixes as Prefix[]
    return
  }
  const condition = conditionOf(field, elements, around)
  conditions.push(isNot ? (packet) => opposite(condition(packet)) : condition)
}

function conditionOf(field: string, elements: unknown[] | undefined, { outside }: Surroundings): Condition {
  const has = (text: string) => (elements?.some((element) => element === text) ? 'yes' : 'no')
  const hasPort = (port: number): Truth =>
    elements === undefined ? 'maybe' : elements.some((element) => inRange(element, port)) ? 'yes' : 'no'
  switch (field) {
    case 'dport':
      return ({ port }) => hasPort(port)
    case 'original dport':
      return ({ originalPort }) => (originalPort === undefined ? 'maybe' : hasPort(originalPort))
    case 'daddr': {
      const prefixes = elements?.map(prefixOf)
      const known = prefixes?.includes(undefined) ? undefined : (prefixes as Prefix[] | undefined)
      return (packet) => goesTo(packet, known)
    }
    case 'tcp dport':
    case 'udp dport':
      return ({ protocol, port }) => (field.startsWith(protocol) ? hasPort(port) : 'no')
    case 'protocol':
    case 'l4proto':
      return ({ protocol }) =>
        elements === undefined
          ? 'maybe'
          : elements.some((element) => element === protocol || element === PROTOCOL_NUMBERS[protocol])
            ? 'yes'
            : 'no'
    case 'nfproto':
      return ({ family }) => has(family === 4 ? 'ipv4' : 'ipv6')
    case 'iifname':
    case 'iif':
      return () => {
        const truths = elements?.map((element) => comesInBy(String(element), outside)) ?? ['maybe']
        return truths.includes('yes') ? 'yes' : truths.includes('maybe') ? 'maybe' : 'no'
      }
    case 'state':
      return () => (elements ? has('new') : 'maybe')
    default:
      return () => 'maybe'
  }
}

function readVerdictMap(value: unknown, around: Surroundings): Rule[] {
  if (!isRecord(value)) return []
  const field = fieldOf(value.key)
  const pairs = elementsOf(value.data, around) ?? []
  return pairs.flatMap((pair): Rule[] => {
    if (!Array.isArray(pair) || !isRecord(pair[1])) return []
    const verdict = verdictOf(pair[1], around)
    if (!verdict) return []
    const elements = elementsOf(pair[0], around)
    if (field !== 'saddr') return [{ matches: conditionOf(field, elements, around), verdict }]
    const prefixes = elements?.map(prefixOf)
    return prefixes && !prefixes.includes(undefined)
      ? [{ matches: () => 'yes', sources: prefixes as Prefix[], verdict }]
      : [{ matches: () => 'yes', hasStrangeSource: true, verdict }]
  })
}
