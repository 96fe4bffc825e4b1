import { type Prefix, parseAddress, parsePrefix } from '../../../agent/contract/mod.ts'
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
import { isOwnAddress, type PublishedPort, portsOfRange, publisherOf } from './published.ts'

export interface IptablesRules {
  family: 4 | 6
  filter: PacketFilter
  published: PublishedPort[]
  /** Rules that send packets elsewhere, and are not understood. */
  strange: string[]
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
  const strange: string[] = []
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
    if (table === 'nat' && words.includes('DNAT')) {
      const ports = publishedPorts(words, family, publisherOf('', appended[1]))
      if (ports) published.push(...ports.filter((port) => !isOwnAddress(port)))
      else strange.push(line)
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
    filter: { input: base('INPUT'), forward: base('FORWARD'), chains: all },
    published,
    strange,
  }
}

/** Words as iptables-save quotes them. */
function splitWords(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1'),
  )
}

type Condition = (packet: Packet) => Truth

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
      case '-d': {
        const prefix = parsePrefix(withBits(value))
        add((packet) => goesTo(packet, prefix && [prefix]))
        index++
        break
      }
      case '--ctorigdstport':
        add(({ originalPort }) =>
          originalPort === undefined ? 'maybe' : inPorts(value, originalPort) ? 'yes' : 'no',
        )
        index++
        break
      case '--ctdir':
        // A packet that opens a connection goes in its direction.
        add(() => (value === 'ORIGINAL' ? 'yes' : 'no'))
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
        if (['limit', 'hashlimit', 'recent', 'connlimit'].includes(value)) rule.isLimit = true
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

/** What a rule of the table nat sends elsewhere, port by port; undefined where it does not say which. */
function publishedPorts(
  words: string[],
  family: 4 | 6,
  publisher: PublishedPort['publisher'],
): PublishedPort[] | undefined {
  const after = (...names: string[]) => {
    const at = words.findIndex((word) => names.includes(word))
    return at < 0 || words[at - 1] === '!' ? undefined : words[at + 1]
  }
  const target = after('--to-destination')
  const protocol = after('-p')
  const ports = after('--dport', '--dports')
  if (!target || !ports || (protocol !== 'tcp' && protocol !== 'udp')) return undefined
  const [, host = '', inner] =
    /^(\[[^\]]+\]|[^:]+|[0-9a-f:]*:[0-9a-f:]*)(?::(\d+)(?:-\d+)?)?$/i.exec(target) ?? []
  const bound = after('-d')
  const address = bound === undefined ? undefined : parseAddress(bound.replace(/\/(32|128)$/, ''))
  // A whole network: as good as every address.
  if (bound !== undefined && !address && !parsePrefix(bound)) return undefined
  const from = after('-s')
  const sources = from === undefined ? undefined : parsePrefix(withBits(from))
  const destination = parseAddress(host.replace(/^\[|\]$/g, ''))
  const ranges = ports.split(',').map((part) => {
    const [low = '', high = low] = part.split(':')
    return portsOfRange(Number(low), Number(high), inner === undefined ? undefined : Number(inner))
  })
  if (ranges.includes(undefined)) return undefined
  return ranges.flatMap((range) =>
    (range ?? []).map(([port, behind]) => ({
      protocol,
      family,
      address,
      port,
      target,
      destination,
      inner: behind,
      publisher,
      sources: sources && [sources],
    })),
  )
}
