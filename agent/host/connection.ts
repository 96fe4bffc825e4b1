import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { TLSSocket } from 'node:tls'
import { NotPermittedError } from '../lib/errors.ts'
import type { Grants } from './grants.ts'

/** More than any chain has; TLS itself bounds their size. */
const MAX_CERTIFICATES = 16

/** `host:port` as it stands in permissions.net. */
export function netAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Addresses of this host's interfaces, without those that need the interface's name beside them. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .map(({ address }) => address)
    .filter((address) => !/^fe80:/i.test(address))
}

/** Throws NotPermittedError unless the job declared the very host, or `this-host` and it is an address of this host. */
export function demandConnection({ net }: Pick<Grants, 'net'>, host: string, port: number): void {
  const address = netAddress(host, port)
  if (net.includes('*') || net.includes(address)) return
  if (net.includes(`this-host:${port}`) && ownAddresses().includes(host)) return
  throw new NotPermittedError(`Cannot connect to "${address}": the job does not declare it (permissions.net)`)
}

/** Rejects with the first of: error or end of the connection, end of the time, abort of the run. */
export function watchConnection(
  raw: Socket,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
): { ended: Promise<never>; end: (reason: unknown) => void; release: () => void } {
  const { promise: ended, reject: end } = Promise.withResolvers<never>()
  ended.catch(() => {}) // it may be rejected after the answer
  const late = () =>
    end(Object.assign(new Error(`there is no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' }))
  const timer = setTimeout(late, timeoutMs)
  const onAbort = () => end(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  raw.on('error', end)
  raw.on('close', () => end(new Error('the server closed the connection')))
  const release = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    raw.destroy()
  }
  return { ended, end, release }
}

/** DER of what the server sent, its own first. */
export function chainOf(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = []
  // What the type calls a certificate is an empty object when the server sent none.
  let next: { raw?: Buffer; issuerCertificate?: object } | undefined = socket.getPeerCertificate(true)
  while (next?.raw && chain.length < MAX_CERTIFICATES) {
    const { raw, issuerCertificate }: { raw?: Buffer; issuerCertificate?: object } = next
    if (raw) chain.push(new Uint8Array(raw))
    next = issuerCertificate === next ? undefined : issuerCertificate
  }
  if (chain.length === 0) throw new Error('it shows no certificate')
  return chain
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the server closed the connection',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be resolved now',
  EACCES: 'it was stopped by the jail or a firewall',
  ENOENT: 'there is no such socket',
}

export function connectionFault(error: unknown): string {
  if (!(error instanceof Error)) return 'the run was ended'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (REASONS[code]) return REASONS[code]
  // The text of the TLS library may hold what the server sent.
  return code.startsWith('ERR_') || /ssl|tls/i.test(code)
    ? 'it does not speak TLS as it should'
    : error.message
}
