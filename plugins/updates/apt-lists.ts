import type { HostReader } from '../../agent/contract/mod.ts'
import { field } from './stanzas.ts'

export const LISTS = '/var/lib/apt/lists'
/** Touched when an update of the lists did not fail for every source. */
export const SUCCESS_STAMP = '/var/lib/apt/periodic/update-success-stamp'
const MAX_RELEASE_BYTES = 4 * 1024 * 1024
const DAY_MS = 86_400_000
/** A source of security updates that says nothing for longer is at its end, or is not reached any more. */
const LONGEST_SILENCE_MS = 14 * DAY_MS

/** What the Release file of a source says of itself. */
export interface Source {
  /** File name of its lists up to the name of the list. */
  prefix: string
  path: string
  origin: string
  label: string
  suite: string
  codename: string
  dateMs: number | undefined
  validUntilMs: number | undefined
  /** When the file came to this host in its present form. */
  fetchedMs: number
  packages: PackageList[]
}

export interface PackageList {
  path: string
  /** Unpacked, as the Release file has it; undefined where it does not name the list. */
  bytes: number | undefined
}

/** The sources of apt with their lists of packages, from what `apt-get update` has left. Takes no lock. */
export function readSources(host: HostReader): Source[] {
  const names = host.stat(LISTS) ? host.list(LISTS) : []
  const releases = names.filter((name) => /_(In)?Release$/.test(name))
  const lists = names.filter((name) => /_Packages(\.(gz|xz|lz4|zst|bz2|lzma))?$/.test(name))
  return releases.map((name) => {
    const path = `${LISTS}/${name}`
    const prefix = name.replace(/(In)?Release$/, '')
    const file = host.exactStat(path)
    const text = host.readText(path, { maxBytes: MAX_RELEASE_BYTES })
    const packages = lists
      .filter((list) => list.startsWith(prefix))
      .map((list) => ({ path: `${LISTS}/${list}`, bytes: listedBytes(text, list.slice(prefix.length)) }))
    return { prefix, path, packages, fetchedMs: file?.ctimeMs ?? 0, ...parseRelease(text) }
  })
}

/** Pure: the size of a list by its file name, "main_binary-amd64_Packages.lz4", in the table of a Release file. */
export function listedBytes(release: string, name: string): number | undefined {
  const plain = name
    .replace(/Packages\..*$/, 'Packages')
    .replaceAll('_', '/')
    .replaceAll('.', '\\.')
  const [, size] = new RegExp(`^ [0-9a-f]{32,128} +(\\d+) ${plain}$`, 'm').exec(release) ?? []
  return size === undefined ? undefined : Number(size)
}

/** Pure: Release or InRelease, whose signature apt has verified when it took it. */
export function parseRelease(
  text: string,
): Pick<Source, 'origin' | 'label' | 'suite' | 'codename' | 'dateMs' | 'validUntilMs'> {
  const value = (name: string) => field(text, name) ?? ''
  const time = (name: string) => {
    const ms = Date.parse(value(name))
    return Number.isNaN(ms) ? undefined : ms
  }
  return {
    origin: value('Origin'),
    label: value('Label'),
    suite: value('Suite'),
    codename: value('Codename'),
    dateMs: time('Date'),
    validUntilMs: time('Valid-Until'),
  }
}

/** Pure: whether a source is one of security updates (Debian, Ubuntu and their kin; Ubuntu's extended ones). */
export function isSecurity({ label, suite, codename, origin }: Omit<Source, 'packages' | 'path'>): boolean {
  return (
    label.toLowerCase() === 'debian-security' ||
    /(^|[-/])security$|-updates\/security$/.test(suite) ||
    /(^|[-/])security$/.test(codename) ||
    /^UbuntuESM/.test(origin)
  )
}

/**
 * Pure: the moment as of which a source is known, by the newest of: the date that it gives itself, when its file
 * came here, and the last update that succeeded (which leaves a file as it is that has not changed).
 */
export function knownAsOf(
  source: Pick<Source, 'dateMs' | 'validUntilMs' | 'fetchedMs'>,
  successMs: number | undefined,
  nowMs: number,
): number {
  const { dateMs = 0, validUntilMs, fetchedMs } = source
  const isSilent = nowMs - dateMs > LONGEST_SILENCE_MS
  if (isSilent || (validUntilMs !== undefined && validUntilMs < nowMs)) return dateMs
  return Math.min(nowMs, Math.max(dateMs, fetchedMs, successMs ?? 0))
}
