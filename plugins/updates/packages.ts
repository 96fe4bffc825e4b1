import type { HostReader } from '../../agent/contract/mod.ts'
import { field, StanzaReader } from './stanzas.ts'

export const DPKG_STATUS = '/var/lib/dpkg/status'
const CHUNK_BYTES = 1024 * 1024
const MAX_STATUS_BYTES = 256 * 1024 * 1024

export interface InstalledPackage {
  name: string
  architecture: string
  version: string
  source: string
  isHeld: boolean
}

/** What is installed, by "name:architecture". */
export type Installed = ReadonlyMap<string, InstalledPackage>

/** Of dpkg; undefined where there is none. Throws when its list cannot be read, or is none. */
export function readInstalled(host: HostReader): Installed | undefined {
  if (!host.stat(DPKG_STATUS)) return undefined
  const installed = new Map<string, InstalledPackage>()
  let stanzas = 0
  const reader = new StanzaReader((stanza) => {
    stanzas++
    const one = parseInstalled(stanza)
    if (one) installed.set(`${one.name}:${one.architecture}`, one)
  })
  const file = host.open(DPKG_STATUS)
  try {
    if (file.stat.size > MAX_STATUS_BYTES) throw new Error(`Cannot read "${DPKG_STATUS}": it is too large`)
    const buffer = new Uint8Array(CHUNK_BYTES)
    for (let position = 0; ; ) {
      const count = file.read(buffer, position)
      if (count === 0) break
      reader.add(buffer.subarray(0, count))
      position += count
    }
    reader.end()
  } finally {
    file.close()
  }
  if (stanzas === 0 || installed.size === 0) {
    throw new Error(`Cannot read "${DPKG_STATUS}": there is no installed package in it`)
  }
  return installed
}

/** Pure: a stanza of dpkg's status; undefined for what is not installed. */
export function parseInstalled(stanza: string): InstalledPackage | undefined {
  const name = field(stanza, 'Package')
  const version = field(stanza, 'Version')
  const [want, , state] = (field(stanza, 'Status') ?? '').split(' ')
  if (!name || !version || state !== 'installed') return undefined
  const source = field(stanza, 'Source')?.replace(/ \(.*$/, '') ?? name
  return { name, version, architecture: field(stanza, 'Architecture') ?? '', source, isHeld: want === 'hold' }
}
