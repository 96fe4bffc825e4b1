import type { TLSSocket } from 'node:tls'
import type { TlsHandshake, TlsTarget } from '../contract/host.ts'
import { chainOf, connectionFault, demandConnection, netAddress, watchConnection } from './connection.ts'
import type { Grants } from './grants.ts'
import { upgradeToTls } from './starttls.ts'

const DEFAULT_TIMEOUT_MS = 5000

/**
 * What a server shows when one connects: nothing is verified, since what is wrong is to be seen. The deadline is
 * for all of it, so a server that answers a byte at a time does not hold the run.
 */
export async function shakeHands(grants: Grants, target: TlsTarget): Promise<TlsHandshake> {
  const { host, port, signal } = target
  demandConnection(grants, host, port)
  signal?.throwIfAborted()
  // Loaded when something is probed: most runs do not.
  const [net, tls] = await Promise.all([import('node:net'), import('node:tls')])
  const raw = net.connect({ host, port })
  const watch = watchConnection(raw, { timeoutMs: target.timeoutMs ?? DEFAULT_TIMEOUT_MS, signal })
  let secure: TLSSocket | undefined
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
    secure.on('error', watch.end)
    await new Promise<void>((resolve) => secure?.once('secureConnect', () => resolve()))
    return { certificates: chainOf(secure), protocol: secure.getProtocol() ?? 'unknown' }
  }
  try {
    return await Promise.race([converse(), watch.ended])
  } catch (error) {
    const address = netAddress(host, port)
    throw new Error(`Cannot see the certificate of "${address}": ${connectionFault(error)}`, { cause: error })
  } finally {
    secure?.destroy()
    watch.release()
  }
}
