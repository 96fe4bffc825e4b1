import { hostPrefix, isLoopback, parseAddress } from '../../agent/contract/mod.ts'
import type { Probe } from './config.ts'

/** Whether a host of a URL, with or without brackets, is an address and no name. */
export function isAddress(host: string): boolean {
  return parseAddress(withoutBrackets(host)) !== undefined
}

export function isLocal(host: string): boolean {
  const address = parseAddress(withoutBrackets(host))
  return address ? isLoopback(hostPrefix(address)) : host === 'localhost'
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

export function portOf({ url }: Pick<Probe, 'url'>): number {
  const { port, protocol } = new URL(url)
  return Number(port || (protocol === 'https:' ? 443 : 80))
}

type Aim = Pick<Probe, 'url' | 'connectTo' | 'elsewhere'>

/** Where a probe connects to, as a host of `permissions.net`: "this-host" where the run has to find the address. */
export function hostOf({ url, connectTo, elsewhere }: Aim): string {
  const host = connectTo ?? withoutBrackets(new URL(url).hostname)
  if (host === 'this-host' || isLocal(host) || elsewhere) return host
  return 'this-host'
}

/** As it stands in `permissions.net`. */
export function netEntry(probe: Aim): string {
  const host = hostOf(probe)
  return host.includes(':') ? `[${host}]:${portOf(probe)}` : `${host}:${portOf(probe)}`
}

/** URL and address of each request of a probe. Empty: this host has no address but the loopback. Pure. */
export function requestsOf(
  probe: Aim,
  ownAddresses: string[],
): { url: string; connectTo: string | undefined }[] {
  if (probe.connectTo !== 'this-host') return [{ url: probe.url, connectTo: probe.connectTo }]
  return ownAddresses
    .filter((address) => !isLocal(address))
    .map((address) => {
      const url = new URL(probe.url)
      if (isLocal(url.hostname)) url.hostname = address.includes(':') ? `[${address}]` : address
      return { url: url.href, connectTo: address }
    })
}
