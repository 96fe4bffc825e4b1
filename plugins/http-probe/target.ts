import type { Probe } from './config.ts'

/** Whether a host of a URL, with or without brackets, is an address and no name. */
export function isAddress(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  return (
    /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/.test(bare) || /^[0-9a-fA-F:]*:[0-9a-fA-F:.]+$/.test(bare)
  )
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  return bare === 'localhost' || bare === '::1' || (isAddress(bare) && bare.startsWith('127.'))
}

export function portOf({ url }: Pick<Probe, 'url'>): number {
  const { port, protocol } = new URL(url)
  return Number(port || (protocol === 'https:' ? 443 : 80))
}

type Aim = Pick<Probe, 'url' | 'connectTo' | 'elsewhere'>

/** Where a probe connects to, as a host of `permissions.net`: "this-host" where the run has to find the address. */
export function hostOf({ url, connectTo, elsewhere }: Aim): string {
  const host = connectTo ?? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === 'this-host' || isLoopback(host) || elsewhere) return host
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
    .filter((address) => !isLoopback(address))
    .map((address) => {
      const url = new URL(probe.url)
      if (isLoopback(url.hostname)) url.hostname = address.includes(':') ? `[${address}]` : address
      return { url: url.href, connectTo: address }
    })
}
