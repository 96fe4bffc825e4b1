import { isLoopbackAddress } from './address.ts'

type Networks = InstanceType<typeof import('node:net').BlockList>

/** What was made of a list of networks, by the list itself: it is replaced as a whole at a reload. */
const made = new WeakMap<string[], Networks>()

/**
 * Whether a client may ask at all: it is on this machine, or in one of `networks` (`10.0.0.0/8`, `192.0.2.7`).
 * An empty list lets in everybody.
 */
export async function isAllowedClient(remote: string | undefined, networks: string[]): Promise<boolean> {
  if (networks.length === 0 || isLoopbackAddress(remote)) return true
  // Loaded late: few hosts have such a list, and it would make every start slower.
  const { BlockList, isIP } = await import('node:net')
  const plain = remote?.replace(/^::ffff:(?=\d+\.)/i, '') ?? ''
  const family = isIP(plain)
  if (family === 0) return false
  let list = made.get(networks)
  if (!list) {
    list = new BlockList()
    for (const network of networks) {
      const [base = '', bits] = network.split('/')
      const kind = base.includes(':') ? 'ipv6' : 'ipv4'
      list.addSubnet(base, Number(bits ?? (kind === 'ipv6' ? 128 : 32)), kind)
    }
    made.set(networks, list)
  }
  return list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
}
