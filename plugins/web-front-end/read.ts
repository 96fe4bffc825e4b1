import {
  type Blind,
  describeError,
  type HostReader,
  NotPermittedError,
  type RunResult,
  z,
} from '../../agent/contract/mod.ts'
import { sitesOf as caddySites } from './caddy/sites.ts'
import type { Config } from './config.ts'
import type { DefaultProtocols } from './judge-tls.ts'
import { readConfiguration, type SourceFile } from './nginx/include.ts'
import { sitesOf as nginxSites } from './nginx/sites.ts'
import type { Site } from './site.ts'

export const NGINX = '/usr/sbin/nginx'
export const CADDY = '/usr/bin/caddy'
const PROGRAM_TIMEOUT_MS = 10_000
const MAX_FILE_BYTES = 4 * 1024 * 1024
const MAX_TOTAL_BYTES = 32 * 1024 * 1024

/** What the configuration of one front end says; undefined sites: it is not to be known. */
export interface Seen {
  isInstalled: boolean
  sites: Site[]
  blind: Blind[]
}

const ABSENT: Seen = { isInstalled: false, sites: [], blind: [] }

export function readNginx(host: HostReader, { nginx }: Config): Seen {
  const hasProgram = host.stat(NGINX) !== undefined
  if (!hasProgram && !host.stat(nginx)) return ABSENT
  const blind: Blind[] = []
  let total = 0
  const read = (path: string): SourceFile => {
    const text = host.readText(path, { maxBytes: MAX_FILE_BYTES, follow: true })
    total += text.length
    if (total > MAX_TOTAL_BYTES) throw new Error(`the configuration has more than ${MAX_TOTAL_BYTES} bytes`)
    return { path, text }
  }
  const files = (pattern: string): SourceFile[] => {
    const found = host.glob(pattern, (subject, reason) => blind.push({ subject, reason }))
    return found
      .filter(({ type }) => type !== 'directory')
      .map(({ path }) => path)
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map(read)
  }
  try {
    const { directives } = readConfiguration(read(nginx), files)
    return { isInstalled: true, sites: nginxSites(directives), blind }
  } catch (error) {
    return { isInstalled: true, sites: [], blind: [...blind, { subject: nginx, reason: reasonOf(error) }] }
  }
}

function reasonOf(error: unknown): string {
  const hint = error instanceof NotPermittedError ? ': add its directory to `directories`' : ''
  return `${describeError(error)}${hint}`
}

/** A Caddyfile is translated by Caddy itself: its shorthands are many. */
export async function readCaddy(host: HostReader, { caddy }: Config, signal: AbortSignal): Promise<Seen> {
  if (!host.stat(caddy)) return host.stat(CADDY) ? { ...ABSENT, isInstalled: true } : ABSENT
  try {
    const text = host.readText(caddy, { maxBytes: MAX_FILE_BYTES, follow: true })
    const json: unknown = JSON.parse(caddy.endsWith('.json') ? text : await adapt(host, caddy, signal))
    return { isInstalled: true, sites: caddySites(json, { path: caddy, text }), blind: [] }
  } catch (error) {
    signal.throwIfAborted()
    const reason =
      error instanceof z.ZodError || error instanceof SyntaxError
        ? 'it is no configuration of Caddy'
        : reasonOf(error)
    return { isInstalled: true, sites: [], blind: [{ subject: caddy, reason }] }
  }
}

async function adapt(host: HostReader, path: string, signal: AbortSignal): Promise<string> {
  const argv: [string, ...string[]] = [CADDY, 'adapt', '--config', path]
  return adapted(await host.run(argv, { timeout: PROGRAM_TIMEOUT_MS, maxBytes: MAX_FILE_BYTES, signal }))
}

/** What `caddy adapt` printed. Pure. Throws where that is not all, or it refused. */
export function adapted({ exitCode, signal, stdout, stderr, timedOut, truncated }: RunResult): string {
  if (timedOut) throw new Error(`caddy adapt did not end within ${PROGRAM_TIMEOUT_MS / 1000} s`)
  if (truncated) throw new Error(`caddy adapt printed more than ${MAX_FILE_BYTES} bytes`)
  if (exitCode === 0) return stdout
  // Its words repeat what stands in the file, which may be a secret: the line is enough.
  const line = /:(\d+)(?=[ :,-]|$)/m.exec(stderr)?.[1]
  throw new Error(
    `caddy adapt refuses it (${exitCode ?? signal})${line === undefined ? '' : ` at line ${line}`}`,
  )
}

/** Versions of TLS that nginx offers where nobody says it; undefined when its version is not to be seen. */
export async function defaultProtocols(host: HostReader, signal: AbortSignal): Promise<DefaultProtocols> {
  try {
    const options = { timeout: PROGRAM_TIMEOUT_MS, maxBytes: 4096, signal }
    return protocolsOfVersion((await host.run([NGINX, '-v'], options)).stderr)
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

/** By what `nginx -v` prints. Since 1.27.3 the older two are off, since 1.23.4 TLS 1.3 is on (its CHANGES). Pure. */
export function protocolsOfVersion(text: string): DefaultProtocols {
  const [, major, minor, patch] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []
  if (major === undefined) return undefined
  const version = Number(major) * 1e6 + Number(minor) * 1e3 + Number(patch)
  return [
    ...(version < 1_027_003 ? ['TLSv1', 'TLSv1.1'] : []),
    'TLSv1.2',
    ...(version >= 1_023_004 ? ['TLSv1.3'] : []),
  ]
}
