import { errnoOf, type HostReader } from '../../../../agent/contract/mod.ts'
import { type Evidence, readEvidence } from '../evidence.ts'
import { PathIndex } from './path-index.ts'
import {
  type Diversion,
  type InstalledPackage,
  type Override,
  parseDigests,
  parseDiversions,
  parseOverrides,
  parseStatus,
} from './status.ts'

export const DPKG = '/var/lib/dpkg'
const INFO = `${DPKG}/info`
const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm', 'config', 'triggers']
/** Directories that a system with a merged /usr has as links; packages may still ship files by their old names. */
const MAY_BE_LINKS = [
  ...['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'libo32'].map((name) => `/${name}`),
  ...['/var/run', '/var/lock'],
]

/** What dpkg knows of the packages of this host, read when it is asked for. */
export class DpkgDatabase {
  /** By name; of several architectures, all. */
  readonly packages = new Map<string, InstalledPackage[]>()
  readonly overrides: ReadonlyMap<string, Override>
  private readonly diversions: Map<string, Diversion>
  private readonly digests = new Map<string, Map<string, string>>()
  /** Names of the files in its directory, by package: "libc6" → ["libc6:amd64"]. */
  private readonly stems = new Map<string, string[]>()
  private readonly aliases: [string, string][]
  /** Of all that is in its directory. */
  private readonly files: ReadonlySet<string>
  /** Who ships what, by the place in `listed`; made when it is first asked for: most checks see no change. */
  private index: PathIndex | undefined
  private readonly listed: string[] = []

  /** Undefined on a host without dpkg, and where its database cannot be believed. */
  static open(evidence: Evidence): DpkgDatabase | undefined {
    const status = readEvidence(evidence, `${DPKG}/status`)
    return status === undefined ? undefined : new DpkgDatabase(evidence, status)
  }

  private constructor(
    private readonly evidence: Evidence,
    status: string,
  ) {
    for (const item of parseStatus(status)) {
      this.packages.set(item.name, [...(this.packages.get(item.name) ?? []), item])
    }
    this.files = new Set(evidence.host.list(INFO))
    for (const name of this.files) {
      if (!name.endsWith('.list')) continue
      const stem = name.slice(0, -'.list'.length)
      const key = stem.replace(/:.*/, '')
      this.stems.set(key, [...(this.stems.get(key) ?? []), stem])
    }
    this.overrides = parseOverrides(readEvidence(evidence, `${DPKG}/statoverride`) ?? '')
    const diversions = parseDiversions(readEvidence(evidence, `${DPKG}/diversions`) ?? '')
    this.diversions = new Map(diversions.map((diversion) => [diversion.from, diversion]))
    this.aliases = MAY_BE_LINKS.flatMap((path) => {
      const target = linkTarget(evidence.host, path)
      return target ? [[`${path}/`, `${target}/`] as [string, string]] : []
    })
  }

  isInstalled(name: string): boolean {
    return (
      this.packages.get(name)?.some(({ state }) => state !== 'not-installed' && state !== 'config-files') ??
      false
    )
  }

  versionOf(name: string): string {
    return this.packages.get(name)?.[0]?.version ?? ''
  }

  /** Packages that ship a path; of a package of several architectures each, as "name:arch". */
  ownersOf(path: string): string[] {
    this.index ??= this.readLists()
    return this.index.numbersOf(path).flatMap((number) => this.listed[number] ?? [])
  }

  /** All packages that dpkg knows or has a list of. */
  names(): Set<string> {
    return new Set([...this.stems.keys(), ...this.packages.keys()])
  }

  /** Every path that a package ships, for each of its architectures; read anew each time. */
  *pathsOf(name: string): Generator<string> {
    for (const stem of this.stems.get(name) ?? []) yield* this.listOf(stem, name)
  }

  /** MD5 of what the owner ships at a path; undefined when dpkg keeps none of it. */
  digestOf(path: string, stem: string): string | undefined {
    return this.digestsOf(stem).get(path)
  }

  /** Whether a package ships the very content, under any name. */
  shipsContent(name: string, md5: string): boolean {
    return (this.stems.get(name) ?? []).some((stem) =>
      this.digestsOf(stem)
        .values()
        .some((digest) => digest === md5),
    )
  }

  private digestsOf(stem: string): Map<string, string> {
    const known = this.digests.get(stem)
    if (known) return known
    const digests = new Map<string, string>()
    const [name = '', architecture] = stem.split(':')
    const shipped = parseDigests(readEvidence(this.evidence, `${INFO}/${stem}.md5sums`) ?? '')
    for (const [path, digest] of shipped) digests.set(this.place(path, name), digest)
    for (const item of this.packages.get(name) ?? []) {
      if (architecture && item.architecture !== architecture) continue
      for (const [path, digest] of item.conffiles) digests.set(this.place(path, name), digest)
    }
    this.digests.set(stem, digests)
    return digests
  }

  /** Maintainer scripts and triggers of a package, one after the other; read anew each time. */
  scriptsOf(name: string): string {
    return (this.stems.get(name) ?? [name])
      .flatMap((stem) => SCRIPTS.map((kind) => `${stem}.${kind}`))
      .filter((file) => this.files.has(file))
      .map((file) => readEvidence(this.evidence, `${INFO}/${file}`) ?? '')
      .join('\n')
  }

  private readLists(): PathIndex {
    const index = new PathIndex()
    for (const [name, stems] of this.stems) {
      for (const stem of stems) {
        for (const path of this.listOf(stem, name)) index.add(path, this.listed.length)
        this.listed.push(stem)
      }
    }
    return index
  }

  private *listOf(stem: string, name: string): Generator<string> {
    const text = readEvidence(this.evidence, `${INFO}/${stem}.list`) ?? ''
    for (let start = 0; start < text.length; ) {
      const next = text.indexOf('\n', start)
      const end = next < 0 ? text.length : next
      const line = text.slice(start, end)
      if (line !== '' && line !== '/.') yield this.place(line, name)
      start = end + 1
    }
  }

  /** Where a path that a package ships is on this host: diverted, and below what is a link. */
  private place(path: string, name: string): string {
    const diversion = this.diversions.get(path)
    const diverted = diversion && diversion.by !== name ? diversion.to : path
    const alias = this.aliases.find(([from]) => diverted.startsWith(from))
    return alias ? alias[1] + diverted.slice(alias[0].length) : diverted
  }
}

/** Absolute target of a link; undefined for what is none. */
function linkTarget(host: HostReader, path: string): string | undefined {
  if (host.stat(path)?.type !== 'symlink') return undefined
  try {
    const target = host.readLink(path)
    const parent = path.slice(0, path.lastIndexOf('/') + 1)
    return (target.startsWith('/') ? target : parent + target).replace(/\/+$/, '')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
