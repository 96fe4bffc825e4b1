import type { BlockList } from 'node:net'
import type { Reach } from './destination.ts'

// From the IANA special-purpose registries (RFC 6890 and its updates).

const LOOPBACK = ['127.0.0.0/8', '::1/128']

const FORBIDDEN = [
  '0.0.0.0/8', // this network, unspecified
  '169.254.0.0/16', // link-local; metadata of most clouds
  '192.0.0.0/24', // protocol assignments; metadata of Oracle Cloud
  '100.100.100.200/32', // metadata of Alibaba Cloud
  '168.63.129.16/32', // metadata of Azure
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '::/96', // unspecified, and the obsolete form of IPv4 in IPv6
  'fe80::/10', // link-local
  'ff00::/8', // multicast
  '2001::/32', // Teredo: an IPv4 address in disguise
  'fd00:ec2::254/128', // metadata of AWS
  'fd20:ce::254/128', // metadata of Google Cloud
]

const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10', // carrier-grade NAT
  '198.18.0.0/15', // benchmarks
  'fc00::/7', // unique local
  'fec0::/10', // site-local
  '64:ff9b:1::/48', // local NAT64
]

let lists: Record<'loopback' | 'forbidden' | 'private', BlockList> | undefined

/**
 * The kind of network that an address belongs to, an IPv4 address inside of an IPv6 one (mapped, NAT64, 6to4)
 * included. What is no address is forbidden.
 */
export async function classifyAddress(address: string): Promise<Reach> {
  // Loaded late: it would make the start of the daemon slower by more than the rest of this folder.
  const net = await import('node:net')
  const version = net.isIP(address)
  if (version === 0) return 'forbidden'
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const build = (networks: string[]) => {
    const list = new net.BlockList()
    for (const network of networks.flatMap(withDisguises)) {
      const [base = '', bits] = network.split('/')
      list.addSubnet(base, Number(bits), base.includes(':') ? 'ipv6' : 'ipv4')
    }
    return list
  }
  lists ??= { loopback: build(LOOPBACK), forbidden: build(FORBIDDEN), private: build(PRIVATE) }
  if (lists.loopback.check(address, family)) return 'loopback'
  if (lists.forbidden.check(address, family)) return 'forbidden'
  return lists.private.check(address, family) ? 'private' : 'public'
}

/** An IPv4 network also as its IPv6 forms: mapped (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056). */
function withDisguises(network: string): string[] {
  const [base = '', bits] = network.split('/')
  if (base.includes(':')) return [network]
  const [a = 0, b = 0, c = 0, d = 0] = base.split('.').map(Number)
  const groups = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  return [
    network,
    `::ffff:${groups}/${96 + Number(bits)}`,
    `64:ff9b::${groups}/${96 + Number(bits)}`,
    `2002:${groups}::/${16 + Number(bits)}`,
  ]
}
