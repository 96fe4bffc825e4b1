import { type Blind, describeError, errnoOf, type HostReader } from '../../../agent/contract/mod.ts'
import {
  clientOffers,
  type DaemonSettings,
  lineOf,
  listensWithoutTls,
  offersOf,
  parseDaemonSettings,
  type TcpOffer,
  unitOffers,
} from './judge-api.ts'

export const DAEMON_SETTINGS = '/etc/docker/daemon.json'
export const UNIT_FILES = [
  '/lib/systemd/system/docker.service',
  '/etc/systemd/system/docker.service',
  '/etc/systemd/system/docker.service.d/*.conf',
]
export const CLIENT_FILES = [
  '/etc/environment',
  '/etc/profile',
  '/etc/profile.d/*.sh',
  '/etc/default/docker',
  '/{root,home/*}/.{profile,bashrc,bash_profile,zshrc,zshenv}',
]
export const KEY_FILES = ['/etc/docker/*key*.pem', '/{root,home/*}/.docker/key.pem']
export const NETWORK_FILES = ['/proc/net/tcp', '/proc/net/tcp6']
export const AUTH_LOG = '/var/log/auth.log'
export const ENABLED_UNITS = [
  '/etc/systemd/system/multi-user.target.wants/docker.service',
  '/etc/systemd/system/sockets.target.wants/docker.socket',
]

const PROGRAM_DIRECTORIES = [
  '/usr/bin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/local/sbin',
  '/bin',
  '/snap/bin',
]
const MAX_FILE_BYTES = 1024 * 1024
const MAX_SOCKET_BYTES = 32 * 1024 * 1024

/** Where a program is; undefined where it is in none of the usual places. */
export function findProgram(host: HostReader, name: string): string | undefined {
  return PROGRAM_DIRECTORIES.map((directory) => `${directory}/${name}`).find((path) => host.statTarget(path))
}

/** The last part of a log, from the beginning of a line. */
export function readEnd(host: HostReader, path: string): string {
  const file = host.open(path)
  try {
    const from = Math.max(0, file.stat.size - MAX_FILE_BYTES)
    const buffer = Buffer.alloc(Math.min(file.stat.size, MAX_FILE_BYTES))
    let total = 0
    for (let count = -1; count !== 0 && total < buffer.length; total += count) {
      count = file.read(buffer.subarray(total), from + total)
    }
    const text = buffer.toString('utf8', 0, total)
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1)
  } finally {
    file.close()
  }
}

/** A process of an engine. */
export interface EngineProcess {
  /** "dockerd" or "podman". */
  name: string
  argv: string[]
  uid: number | undefined
}

/** Processes that offer an API: dockerd, and Podman as a service. Those that end meanwhile are left out. */
export function findProcesses(host: HostReader): EngineProcess[] {
  return host.list('/proc').flatMap((pid): EngineProcess[] => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const name = host.readText(`/proc/${pid}/comm`).trim()
      if (name !== 'dockerd' && name !== 'podman') return []
      const argv = host.readText(`/proc/${pid}/cmdline`).split('\0').filter(Boolean)
      const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(host.readText(`/proc/${pid}/status`))?.[1]
      return [{ name, argv, uid: uid === undefined ? undefined : Number(uid) }]
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return []
      throw error
    }
  })
}

export interface ApiView {
  offers: TcpOffer[]
  settings: DaemonSettings | undefined
  blind: Blind[]
}

/** Every place that says whether the API is offered, or used, over TCP. */
export function lookAtApi(host: HostReader, processes: EngineProcess[]): ApiView {
  const blind: Blind[] = []
  const rules = ['api-without-tls', 'insecure-registry']
  const attempt = <T>(subject: string, about: string[], action: () => T): T | undefined => {
    try {
      return action()
    } catch (error) {
      blind.push({ subject, reason: describeError(error), rules: about })
      return undefined
    }
  }
  const text = (path: string) => host.readText(path, { maxBytes: MAX_FILE_BYTES, follow: true })
  const offers: TcpOffer[] = []
  const settings = attempt(DAEMON_SETTINGS, rules, () => {
    if (!host.statTarget(DAEMON_SETTINGS)) return undefined
    const document = text(DAEMON_SETTINGS)
    const parsed = parseDaemonSettings(document)
    for (const offer of offersOf(DAEMON_SETTINGS, parsed.hosts, parsed.tlsverify)) {
      offers.push({ ...offer, line: lineOf(document, offer.address) })
    }
    return parsed
  })
  const verifies = settings?.tlsverify ?? false
  const about = ['api-without-tls']
  const dark = (subject: string, reason: string) => blind.push({ subject, reason, rules: about })
  const each = (patterns: string[], read: (path: string, text: string) => TcpOffer[]) => {
    for (const { path, type } of patterns.flatMap((pattern) => host.glob(pattern, dark))) {
      if (type !== 'file' && !(type === 'symlink' && host.statTarget(path)?.type === 'file')) continue
      offers.push(...(attempt(path, about, () => read(path, text(path))) ?? []))
    }
  }
  each(UNIT_FILES, (path, unit) => unitOffers(path, unit, verifies))
  each(CLIENT_FILES, clientOffers)
  for (const { name, argv } of processes) {
    // What the unit or the file says is told with its line already.
    const known = new Set(offers.map(({ address }) => address))
    offers.push(
      ...offersOf(name, argv, name === 'dockerd' && verifies).filter(({ address }) => !known.has(address)),
    )
  }
  const isPlain = NETWORK_FILES.some((path) =>
    attempt(
      path,
      about,
      () => host.stat(path) && listensWithoutTls(host.readText(path, { maxBytes: MAX_SOCKET_BYTES })),
    ),
  )
  if (isPlain && !offers.some(({ address }) => address.endsWith(':2375'))) {
    offers.push({ source: 'tcp/2375', line: undefined, address: 'tcp port 2375', verifiesClients: false })
  }
  return { offers, settings, blind }
}
