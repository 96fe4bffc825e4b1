import {
  type Blind,
  type Finding,
  globBase,
  type HostReader,
  isGlob,
  isWithin,
  type Permissions,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import type {
  Declaration,
  EndpointDeclaration,
  FileDeclaration,
  SshEndpointDeclaration,
} from './declaration.ts'
import { missingFinding } from './judge/credential.ts'
import { OPENSSL } from './parse/parse-file.ts'

const MAX_PATH_LENGTH = 3000

export interface Place {
  declaration: FileDeclaration
  path: string
}

/** What could not be looked at or is not there, gathered over a run. */
export interface Gaps {
  findings: Finding[]
  blind: Blind[]
  skipped: number
}

export function isFileDeclaration(declaration: Declaration): declaration is FileDeclaration {
  return 'path' in declaration
}

const OPENSSL_COMMANDS: [string, ...string[]][] = [
  [OPENSSL, 'pkcs12', '…'],
  [OPENSSL, 'pkey', '…'],
]
export const SSH_KEYSCAN = '/usr/bin/ssh-keyscan'
const KEYSCAN_COMMAND: [string, ...string[]] = [SSH_KEYSCAN, '…']

/** What check may touch. Pure. */
export function checkPermissions(config: Config): Omit<Permissions, 'write'> {
  const { credentials, exposure, use } = config
  const files = credentials.filter(isFileDeclaration)
  const endpoints = credentials.filter((one): one is EndpointDeclaration => one.kind === 'tls-endpoint')
  const sshEndpoints = credentials.filter((one): one is SshEndpointDeclaration => one.kind === 'ssh-endpoint')
  const paths = new Set([
    ...files.map(({ path }) => path),
    ...files.flatMap((one) => (one.kind === 'certificate' ? (keyFileOf(one, one.path) ?? []) : [])),
    ...credentials.flatMap((one) => ('authority' in one ? (one.authority ?? []) : [])),
    ...endpoints.flatMap(({ certificate }) => certificate ?? []),
    ...sshEndpoints.flatMap(({ hostKeys }) => hostKeys ?? []),
    ...exposure.histories,
    ...(use.units.length > 0 ? use.units : []),
    ...(use.processes || exposure.commandLines ? ['/proc'] : []),
  ])
  const bases = [...new Set([...paths].filter(isGlob).map(globBase))]
  const passwords = files.flatMap((one) => ('password' in one ? (one.password ?? []) : []))
  const opens = files.some(({ kind }) => kind === 'certificate') || passwords.length > 0
  const addresses = [...endpoints, ...sshEndpoints].map(addressOf)
  const programs: [string, ...string[]][] = [
    ...(opens ? OPENSSL_COMMANDS : []),
    ...(sshEndpoints.length > 0 ? [KEYSCAN_COMMAND] : []),
  ]
  return {
    read: [...paths],
    list: bases.filter((base) => !bases.some((other) => other !== base && isWithin(other, base))),
    ...(addresses.length > 0 ? { net: [...new Set(addresses)] } : {}),
    ...(programs.length > 0 ? { run: programs } : {}),
    ...(passwords.length > 0 ? { secrets: [...new Set(passwords)] } : {}),
    // Secrets are readable by their owners only, and these are many.
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }
}

/** "mail.example.org:465", "[::1]:443": as `permissions.net` has it. */
export function addressOf({ host, port }: Pick<EndpointDeclaration, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Where the private key of a certificate file is declared to be. */
export function keyFileOf(declaration: { keyFile?: string | undefined }, path: string): string | undefined {
  const { keyFile } = declaration
  if (keyFile === undefined || keyFile.startsWith('/')) return keyFile
  return `${path.slice(0, path.lastIndexOf('/'))}/${keyFile}`
}

/** The files that a declaration stands for now. */
export function expand(host: HostReader, declaration: FileDeclaration, gaps: Gaps): Place[] {
  const { path } = declaration
  if (!isGlob(path)) return isThere(host, path) ? [{ declaration, path }] : missing(declaration, gaps)
  const before = gaps.blind.length
  const blind = (subject: string, reason: string) => gaps.blind.push({ subject, reason })
  const places: Place[] = []
  for (const entry of host.glob(path, blind)) {
    if (entry.path.length > MAX_PATH_LENGTH) blind(`${entry.path.slice(0, 200)}…`, 'its path is too long')
    else if (entry.type === 'file' || entry.type === 'symlink') places.push({ declaration, path: entry.path })
    else gaps.skipped++
  }
  return places.length > 0 || gaps.blind.length > before ? places : missing(declaration, gaps)
}

/** What cannot be told is there: opening it will say why it cannot be read. */
function isThere(host: HostReader, path: string): boolean {
  try {
    return host.statTarget(path) !== undefined
  } catch {
    return true
  }
}

function missing(declaration: FileDeclaration, gaps: Gaps): Place[] {
  if (declaration.missingOk) gaps.skipped++
  else gaps.findings.push(missingFinding(declaration, declaration.path))
  return []
}
