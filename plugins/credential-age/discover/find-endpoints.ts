import type { HostReader } from '../../../agent/contract/mod.ts'
import { type Proposal, TLS_PORTS } from './candidates.ts'

const PROBE_TIMEOUT_MS = 2000

/** Ports of this host that listen, of those on which TLS is usual (proc_net(5): state 0A is LISTEN). Pure. */
export function listeningPorts(table: string): number[] {
  const ports = [...table.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)].map(
    (match) => Number.parseInt(match[1] ?? '0', 16),
  )
  return [...new Set(ports)]
}

/** Ports that really answer with a certificate. */
export async function findEndpoints(
  host: HostReader,
  signal: AbortSignal,
): Promise<{ proposals: Proposal[]; notes: string[] }> {
  const listening = new Set(
    ['/proc/self/net/tcp', '/proc/self/net/tcp6'].flatMap((path) => {
      try {
        return listeningPorts(host.readText(path, { maxBytes: 4_194_304 }))
      } catch {
        return [] // a host without IPv6 has no such table
      }
    }),
  )
  const notes: string[] = []
  const proposals = await Promise.all(
    TLS_PORTS.filter(({ port }) => listening.has(port)).map(
      async ({ port, startTls }): Promise<Proposal[]> => {
        try {
          await host.handshake({ host: '127.0.0.1', port, startTls, timeoutMs: PROBE_TIMEOUT_MS, signal })
          return [{ kind: 'tls-endpoint', host: '127.0.0.1', port, ...(startTls ? { startTls } : {}) }]
        } catch {
          signal.throwIfAborted()
          notes.push(`port ${port} listens, and shows no certificate on 127.0.0.1`)
          return []
        }
      },
    ),
  )
  return { proposals: proposals.flat(), notes }
}
