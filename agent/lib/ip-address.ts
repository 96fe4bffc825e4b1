/** IPv4 or IPv6 address as a number, so that prefixes are compared by arithmetic. */
export interface Address {
  family: 4 | 6
  value: bigint
}

export interface Prefix extends Address {
  bits: number
}

const BITS = { 4: 32, 6: 128 } as const

/** "10.0.0.1", "fe80::1", "::ffff:10.0.0.1" (which is the IPv4 address); undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  const v4 = parseIpv4(text)
  if (v4 !== undefined) return { family: 4, value: v4 }
  const value = parseIpv6(text.replace(/%.*$/, ''))
  if (value === undefined) return undefined
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value }
}

/** "10.0.0.0/8", or a single address. */
export function parsePrefix(text: string): Prefix | undefined {
  const [head = '', tail] = text.split('/')
  const address = parseAddress(head)
  if (!address) return undefined
  const bits = tail === undefined ? BITS[address.family] : Number(tail)
  if (!Number.isInteger(bits) || bits < 0 || bits > BITS[address.family] || tail === '') return undefined
  const shift = BigInt(BITS[address.family] - bits)
  return { family: address.family, value: (address.value >> shift) << shift, bits }
}

export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.')
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  )
  const zeros = /(?:^|:)0(?::0)+(?:$|:)/g
  const text = groups.join(':')
  const [longest = ''] = (text.match(zeros) ?? []).sort((a, b) => b.length - a.length)
  return longest === '' ? text : text.replace(longest, '::')
}

export function formatPrefix(prefix: Prefix): string {
  return prefix.bits === BITS[prefix.family]
    ? formatAddress(prefix)
    : `${formatAddress(prefix)}/${prefix.bits}`
}

/** Whether all of `inner` lies in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.bits > inner.bits) return false
  const shift = BigInt(BITS[outer.family] - outer.bits)
  return inner.value >> shift === outer.value >> shift
}

const LOOPBACK = ['127.0.0.0/8', '::1']
/** RFC 1918, RFC 6598 (carrier-grade NAT), RFC 3927 and RFC 4193, RFC 4291 (unique and link-local). */
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
]

const prefixes = (texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? [])
const loopback = prefixes(LOOPBACK)
const privateOnes = prefixes(PRIVATE)

export function isLoopback(prefix: Prefix): boolean {
  return loopback.some((outer) => covers(outer, prefix))
}

/** Not reachable from the public Internet by its address alone. */
export function isPrivate(prefix: Prefix): boolean {
  return isLoopback(prefix) || privateOnes.some((outer) => covers(outer, prefix))
}

export function hostPrefix(address: Address): Prefix {
  return { ...address, bits: BITS[address.family] }
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined
  }
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n)
}

function parseIpv6(text: string): bigint | undefined {
  const dotted = /^(.*:)([\d.]+)$/.exec(text)
  const v4 = dotted?.[2]?.includes('.') ? parseIpv4(dotted[2]) : undefined
  const plain =
    v4 === undefined ? text : `${dotted?.[1]}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`
  const halves = plain.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...tail]
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return groups.reduce((value, group) => (value << 16n) | BigInt(Number.parseInt(group, 16)), 0n)
}
