import { isLoopback } from '../config/address.ts'
import { UserError } from '../lib/errors.ts'

/** Where a message may be sent to, judged by the URL alone. Its addresses are judged when they are known. */
export interface Destination {
  /** Scheme, host and port: all of the URL that may be shown. */
  origin: string
  secure: boolean
  /** Lower case, without brackets and trailing dot. */
  host: string
  port: number
  /** Path and query. May be a secret. */
  path: string
  /** The host is an address, or "localhost": the URL itself says where it leads. */
  explicit: boolean
  /** The host stands in the allow-list by its full name, so it may be on a private network. */
  listed: boolean
}

/**
 * Pure: the destination of a URL. `allowedHosts` are host names, or `*.example.org` for all below it; an
 * empty list allows every host, as the URL comes from the configuration. Throws UserError where sending is
 * refused; its message never holds more of the URL than the origin.
 */
export function parseDestination(text: string, allowedHosts: string[]): Destination {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new UserError('Cannot send alerts: the URL of the channel is no https:// URL')
  }
  const origin = `${url.protocol}//${url.host}`
  const refuse = (reason: string) => new UserError(`Cannot send to "${origin}": ${reason}`)
  if (url.username !== '' || url.password !== '') {
    throw refuse('the URL holds a user name or a password; put a token into the path or sign with a secret')
  }
  const host = normalHost(url.hostname)
  const secure = url.protocol === 'https:'
  if (!secure && !isLoopback(host)) throw refuse('http is for this host only; use https')
  if (allowedHosts.length > 0 && !allowedHosts.some((pattern) => hostMatches(pattern, host))) {
    throw refuse(`the host is not in alerts.allowedHosts; add "${host}" there if it shall be`)
  }
  return {
    origin,
    secure,
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    explicit: isLoopback(host) || host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host),
    listed: allowedHosts.some((pattern) => normalHost(pattern) === host),
  }
}

/** Whether a host is meant by "example.org" (only itself) or "*.example.org" (all below, not itself). */
export function hostMatches(pattern: string, host: string): boolean {
  const wanted = normalHost(pattern)
  const given = normalHost(host)
  if (!wanted.startsWith('*.')) return wanted === given
  const suffix = wanted.slice(1)
  return suffix.length > 1 && given.endsWith(suffix) && given.length > suffix.length
}

function normalHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

/** What kind of network an address belongs to; "forbidden" is never sent to. */
export type Reach = 'public' | 'private' | 'loopback' | 'forbidden'

/**
 * Pure: why a host must not be sent to at one of its addresses; undefined when it may. A name that leads to a
 * private address could have been pointed there by others (DNS rebinding), unless it is listed by name.
 */
export function refuseAddress(destination: Destination, address: string, reach: Reach): string | undefined {
  if (reach === 'forbidden') {
    return `its address ${address} is link-local, multicast, unspecified or a cloud's metadata service`
  }
  if (!destination.secure && reach !== 'loopback')
    return `http is for this host only, but it is at ${address}`
  if (reach === 'public' || destination.explicit || destination.listed) return undefined
  return (
    `its name leads to the ${reach} address ${address}; if it shall, list "${destination.host}" (and the hosts ` +
    'of all other channels) in alerts.allowedHosts'
  )
}
