import { type Prefix, parsePrefix } from '../../../agent/contract/mod.ts'
import {
  all,
  type BaseChain,
  type Chain,
  comesInBy,
  opposite,
  type PacketFilter,
  type Rule,
  type Truth,
  type Verdict,
} from './filter.ts'

/** Port that a published container port stands for. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp'
  /** Address of the host that it is published on; undefined: all. */
  address: string | undefined
  port: number
  target: string
}

export interface IptablesRules {
  family: 4 | 6
  filter: PacketFilter
  /** What is forwarded passes this chain first, where Docker is there. */
  forward: PacketFilter | undefined
  published: PublishedPort[]
}

const VERDICTS: Record<string, Verdict['kind']> = {
  ACCEPT: 'accept',
  DROP: 'drop',
  REJECT: 'drop',
  RETURN: 'return',
}
/** Targets that do something and let the packet go on. */
const PASSING = new Set([
  'LOG',
  'NFLOG',
  'MARK',
  'CONNMARK',
  'TCPMSS',
  'CT',
  'AUDIT',
  'TRACE',
  'CLASSIFY',
  'SET',
])

/** The text of `iptables-save` (family 4) or `ip6tables-save` (6). Pure. */
export function parseIptables(text: string, family: 4 | 6, outside: string[]): IptablesRules {
  const tables = new Map<string, Map<string, { policy: string; rules: Rule[] }>>()
  const published: PublishedPort[] = []
  let table = ''
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    const chains = tables.get(table) ?? new Map<string, { policy: string; rules: Rule[] }>()
    tables.set(table, chains)
    const declared = /^:(\S+) (\S+)/.exec(line)
    if (declared?.[1]) chains.set(declared[1], { policy: declared[2] ?? '-', rules: [] })
    const appended = /^-A (\S+) (.*)$/.exec(line)
    if (!appended?.[1]) continue
    const words = splitWords(appended[2] ?? '')
    if (table === 'nat') {
      const port = publishedPort(words)
      if (port) published.push(port)
    }
    chains.get(appended[1])?.rules.push(parseRule(words, outside))
  }
  const chains = tables.get('filter') ?? new Map<string, { policy: string; rules: Rule[] }>()
  const base = (name: string): BaseChain[] => {
    const chain = chains.get(name)
    const policy = chain?.policy === 'DROP' ? 'drop' : 'accept'
    return chain ? [{ name, policy, families: [family], rules: chain.rules }] : []
  }
  const all = new Map<string, Chain>(chains)
  return {
    family,
    filter: { input: base('INPUT'), chains: all },
    forward: chains.has('DOCKER-USER') ? { input: base('FORWARD'), chains: all } : undefined,
    published,
  }
}

/** Words as iptables-save quotes them. */
function splitWords(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1'),
  )
}

type Condition = (packet: { protocol: string; port: number }) => Truth

function parseRule(words: string[], outside: string[]): Rule {
  const conditions: Condition[] = []
  const rule: Rule = { matches: () => 'yes', verdict: { kind: 'continue' } }
  let negated = false
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string
    if (word === '!') {
      negated = true
      continue
    }
    const value = words[index + 1] ?? ''
    const not = negated
    negated = false
    const add = (condition: Condition) =>
      conditions.push(not ? (packet) => opposite(condition(packet)) : condition)
    switch (word) {
      case '-p':
        add(({ protocol }) => (value === 'all' || value === protocol ? 'yes' : 'no'))
        index++
        break
      case '--dport':
      case '--dports':
      case '--destination-port':
      case '--destination-ports':
        add(({ port }) => (inPorts(value, port) ? 'yes' : 'no'))
        index++
        break
      case '-s':
        setSources(rule, value, not)
        index++
        break
      case '-i':
        add(() => comesInBy(value, outside))
        index++
        break
      case '--ctstate':
      case '--state':
        add(() => (value.split(',').includes('NEW') ? 'yes' : 'no'))
        index++
        break
      case '-m':
        // Modules without any condition that is not written out behind them.
        if (!['tcp', 'udp', 'multiport', 'conntrack', 'state', 'comment'].includes(value)) add(() => 'maybe')
        if (['set', 'geoip', 'iprange', 'mac', 'recent'].includes(value)) rule.hasStrangeSource = true
        index++
        break
      case '--comment':
      case '--reject-with':
      case '--log-prefix':
      case '--log-level':
        index++
        break
      case '-j':
      case '-g':
        rule.verdict = verdictOf(value, word === '-g')
        index++
        break
      case '--tcp-flags':
        // A first packet has SYN and nothing else of them.
        add(() => (words[index + 2] === 'SYN' ? 'yes' : words[index + 2]?.includes('SYN') ? 'maybe' : 'no'))
        index += 2
        break
      case '--syn':
        add(() => 'yes')
        break
      default:
        // Of any other condition nothing is known.
        if (word.startsWith('-')) conditions.push(() => 'maybe')
    }
  }
  return { ...rule, matches: (packet) => all(conditions.map((condition) => condition(packet))) }
}

function setSources(rule: Rule, text: string, not: boolean): void {
  const prefixes = text.split(',').flatMap((part): Prefix[] => {
    const prefix = parsePrefix(withBits(part))
    return prefix ? [prefix] : []
  })
  if (prefixes.length !== text.split(',').length) rule.hasStrangeSource = true
  else if (prefixes.some(({ bits }) => bits === 0)) return
  else if (not) rule.notSources = prefixes
  else rule.sources = prefixes
}

/** iptables-save may write a mask: 10.0.0.0/255.0.0.0. */
function withBits(text: string): string {
  const mask = /\/(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1]
  if (!mask) return text
  const bits = mask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('')
  return /^1*0*$/.test(bits)
    ? text.replace(/\/.*$/, `/${bits.indexOf('0') < 0 ? 32 : bits.indexOf('0')}`)
    : text
}

function verdictOf(target: string, isGoto: boolean): Verdict {
  const kind = VERDICTS[target]
  if (kind && kind !== 'jump' && kind !== 'goto') return { kind }
  if (PASSING.has(target)) return { kind: 'continue' }
  return { kind: isGoto ? 'goto' : 'jump', chain: target }
}

function inPorts(list: string, port: number): boolean {
  return list.split(',').some((part) => {
    const [from = '', to = from] = part.split(':')
    return port >= Number(from || 0) && port <= Number(to || 65_535)
  })
}

/** A rule of the table nat that brings a port of the host to a container. */
function publishedPort(words: string[]): PublishedPort | undefined {
  const after = (word: string) => (words.includes(word) ? words[words.indexOf(word) + 1] : undefined)
  const target = after('--to-destination')
  const port = Number(after('--dport'))
  const protocol = after('-p')
  if (
    after('-j') !== 'DNAT' ||
    !target ||
    !Number.isInteger(port) ||
    (protocol !== 'tcp' && protocol !== 'udp')
  )
    return undefined
  return { protocol, port, target, address: after('-d')?.replace(/\/32$|\/128$/, '') }
}
