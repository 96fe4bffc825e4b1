import { parseHostPort } from '../config/address.ts'

const ALWAYS_ALLOWED = ['localhost', '127.0.0.1', '::1']

/**
 * Whether a Host header names this API: a guard against DNS rebinding, where a page of another site makes its
 * own name point to this machine. The port is free (it differs behind `ssh -L`), unless `hosts` gives one.
 */
export function isAllowedHost(header: string | undefined, api: { listen: string; hosts: string[] }): boolean {
  const asked = parseHost(header)
  if (!asked) return false
  const listen = parseHostPort(api.listen)
  if (ALWAYS_ALLOWED.includes(asked.host) || asked.host === listen?.host.toLowerCase()) return true
  return api.hosts.some((entry) => {
    const allowed = parseHost(entry)
    return allowed?.host === asked.host && (allowed.port === undefined || allowed.port === asked.port)
  })
}

/** "name", "name:port", "[v6]" or "[v6]:port", in lower case. */
function parseHost(text: string | undefined): { host: string; port: string | undefined } | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::(\d{1,5}))?$/.exec(
    text?.toLowerCase() ?? '',
  )
  const host = match?.[1] ?? match?.[2]
  return host === undefined ? undefined : { host, port: match?.[3] }
}

/** Whether the other end of a connection is on this machine. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false
  return address === '::1' || plainAddress(address).startsWith('127.')
}

/** What a client is counted by: its IPv4 address, or the /64 of its IPv6 one, of which it has all. */
export function clientKey(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const plain = plainAddress(address)
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const tailLength = tail === undefined || tail === '' ? 0 : tail.split(':').length
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':')
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - tailLength)).fill('0'), ...rest)
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/** An IPv4 address that an IPv6 listener shows as ::ffff:192.0.2.1, as it is. */
function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}
