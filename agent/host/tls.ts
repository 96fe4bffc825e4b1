import type { TLSSocket } from 'node:tls'
import type { TlsHandshake, TlsTarget } from '../contract/host.ts'
import { NotPermittedError } from '../lib/errors.ts'
import type { Grants } from './grants.ts'
import { upgradeToTls } from './starttls.ts'

const DEFAULT_TIMEOUT_MS = 5000
/** More than any chain has; TLS itself bounds their size. */
const MAX_CERTIFICATES = 16

/**
 * What a server shows when one connects: nothing is verified, since what is wrong is to be seen. The deadline is
 * for all of it, so a server that answers a byte at a time does not hold the run.
 */
export async function shakeHands(grants: Grants, target: TlsTarget): Promise<TlsHandshake> {
  const { host, port } = target
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  if (!grants.net.includes('*') && !grants.net.includes(address)) {
    throw new NotPermittedError(
      `Cannot connect to "${address}": the job does not declare it (permissions.net)`,
    )
  }
  target.signal?.throwIfAborted()
  // Loaded when something is probed: most runs do not.
  const [net, tls] = await Promise.all([import('node:net'), import('node:tls')])
  const timeoutMs = target.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const raw = net.connect({ host, port })
  let secure: TLSSocket | undefined
  const { promise: ended, reject: end } = Promise.withResolvers<never>()
  ended.catch(() => {}) // it may be rejected after the answer
  const timer = setTimeout(() => end(new Error(`there is no answer within ${timeoutMs} ms`)), timeoutMs)
  const onAbort = () => end(target.signal?.reason)
  target.signal?.addEventListener('abort', onAbort, { once: true })
  raw.on('error', end)
  raw.on('close', () => end(new Error('the server closed the connection')))
  const converse = async (): Promise<TlsHandshake> => {
    await new Promise<void>((resolve) => raw.once('connect', () => resolve()))
    if (target.startTls) await upgradeToTls(raw, target.startTls)
    const isName = net.isIP(target.serverName ?? host) === 0
    secure = tls.connect({
      socket: raw,
      ...(isName ? { servername: target.serverName ?? host } : {}),
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
    })
    secure.on('error', end)
    await new Promise<void>((resolve) => secure?.once('secureConnect', () => resolve()))
    return { certificates: chainOf(secure), protocol: secure.getProtocol() ?? 'unknown' }
  }
  try {
    return await Promise.race([converse(), ended])
  } catch (error) {
    throw new Error(`Cannot see the certificate of "${address}": ${reasonOf(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    target.signal?.removeEventListener('abort', onAbort)
    secure?.destroy()
    raw.destroy()
  }
}

/** DER of what the server sent, its own first. */
function chainOf(socket: TLSSocket): Uint8Array[] {
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
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the run was ended'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (REASONS[code]) return REASONS[code]
  // The text of the TLS library may hold what the server sent.
  return code.startsWith('ERR_') || /ssl|tls/i.test(code)
    ? 'it does not speak TLS as it should'
    : error.message
}
