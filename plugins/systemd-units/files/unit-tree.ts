import { type Blind, describeError, errnoOf, type HostReader, isWithin } from '../../../agent/contract/mod.ts'
import { type Directive, parseUnit } from './parse-unit.ts'
import { dropInNames, templateOf } from './unit-name.ts'

const MAX_FILE_BYTES = 256 * 1024
/** An alias of an alias of …: more is a loop. */
const MAX_LINKS = 8

/** Where the manager of the system looks, in the order of precedence (systemd.unit(5)). */
export const SYSTEM_DIRECTORIES = [
  '/etc/systemd/system.control',
  '/run/systemd/system.control',
  '/run/systemd/transient',
  '/run/systemd/generator.early',
  '/etc/systemd/system',
  '/etc/systemd/system.attached',
  '/run/systemd/system',
  '/run/systemd/system.attached',
  '/run/systemd/generator',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
  '/run/systemd/generator.late',
]

/** Where the manager of a user looks. */
export function userDirectories(home: string): string[] {
  return [
    `${home}/.config/systemd/user.control`,
    `${home}/.config/systemd/user`,
    '/etc/systemd/user',
    '/run/systemd/user',
    `${home}/.local/share/systemd/user`,
    '/usr/local/share/systemd/user',
    '/usr/share/systemd/user',
    '/usr/local/lib/systemd/user',
    '/usr/lib/systemd/user',
    '/lib/systemd/user',
  ]
}

/** A unit as its files say it is. */
export interface WrittenUnit {
  /** Its own name, where it was asked for by an alias. */
  name: string
  state: 'found' | 'masked' | 'missing' | 'unreadable'
  path: string | undefined
  dropIns: string[]
  /** Of all its files, in the order in which they hold. */
  directives: Directive[]
  enablement: Enablement
  /** Why a file could not be read. */
  blind: Blind[]
}

/** As `systemctl is-enabled` says it, but for states that only the running system has. */
export type Enablement =
  | 'enabled'
  | 'enabled-runtime'
  | 'disabled'
  | 'static'
  | 'masked'
  | 'generated'
  | 'missing'

interface Found {
  path: string
  directory: string
  isLink: boolean
}

/** The unit files of one manager. Directories are listed once, files are read when they are asked for. */
export class UnitTree {
  private readonly units = new Map<string, Found>()
  /** By the name of the directory ("ssh.service.d"): where there is one. */
  private readonly dropInDirectories = new Map<string, string[]>()
  /** By the name of the unit: links to it in directories of wants and requires. */
  private readonly wantedIn = new Map<string, string[]>()
  readonly blind: Blind[] = []
  private found = 0

  constructor(
    private readonly host: HostReader,
    directories: string[],
  ) {
    for (const directory of directories) this.index(directory)
  }

  /** Names of all units with a file. */
  names(): string[] {
    return [...this.units.keys()]
  }

  /** Names of units that are started with this target: "timers.target". */
  wantedBy(target: string): string[] {
    return [...this.wantedIn].flatMap(([name, paths]) =>
      paths.some((path) => path.includes(`/${target}.`)) ? [name] : [],
    )
  }

  read(asked: string): WrittenUnit {
    const missing: WrittenUnit = {
      name: asked,
      state: 'missing',
      path: undefined,
      dropIns: [],
      directives: [],
      enablement: 'missing',
      blind: [],
    }
    const template = templateOf(asked)
    const file = this.follow(asked) ?? (template ? this.follow(template) : undefined)
    if (!file) return missing
    // An instance keeps its own name, whatever the file is called.
    const name = template && !this.units.has(asked) ? asked : file.name
    if (file.isMasked) return { ...missing, name, state: 'masked', path: file.path, enablement: 'masked' }
    const blind: Blind[] = []
    const own = this.readFile(file.path, blind)
    if (own === undefined) return { ...missing, name, state: 'unreadable', path: file.path, blind }
    if (own === '') return { ...missing, name, state: 'masked', path: file.path, enablement: 'masked' }
    const dropIns = this.dropInsOf([...new Set([name, asked])], blind)
    const directives = [
      ...parseUnit(file.path, own),
      ...dropIns.flatMap(({ path, text }) => parseUnit(path, text)),
    ]
    const enablement = this.enablementOf([...new Set([name, asked])], file, directives)
    return {
      name,
      state: 'found',
      path: file.path,
      dropIns: dropIns.map(({ path }) => path),
      directives,
      enablement,
      blind,
    }
  }

  /** Whether there is any of the directories, or something that could not be looked at. */
  get isThere(): boolean {
    return this.found > 0 || this.blind.length > 0
  }

  private index(directory: string): void {
    try {
      if (!this.host.statTarget(directory)) return
    } catch (error) {
      this.blind.push({ subject: directory, reason: describeError(error) })
      return
    }
    this.found++
    for (const entry of this.listDirectory(directory)) {
      const path = `${directory}/${entry}`
      if (entry.endsWith('.d')) {
        const known = this.dropInDirectories.get(entry)
        if (known) known.push(path)
        else this.dropInDirectories.set(entry, [path])
      } else if (/\.(wants|requires|upholds)$/.test(entry)) {
        for (const name of this.listDirectory(path)) {
          const known = this.wantedIn.get(name)
          if (known) known.push(`${path}/${name}`)
          else this.wantedIn.set(name, [`${path}/${name}`])
        }
      } else if (/\.[a-z]+$/.test(entry) && !this.units.has(entry)) {
        const isLink = this.host.stat(path)?.type === 'symlink'
        this.units.set(entry, { path, directory, isLink })
      }
    }
  }

  private listDirectory(path: string): string[] {
    try {
      return this.host.list(path)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') this.blind.push({ subject: path, reason: describeError(error) })
      return []
    }
  }

  /** The file of a name, aliases followed; undefined when there is none. */
  private follow(
    asked: string,
  ): { name: string; path: string; directory: string; isMasked: boolean } | undefined {
    let name = asked
    for (let links = 0; links < MAX_LINKS; links++) {
      const found = this.units.get(name)
      if (!found) return undefined
      const { path, directory } = found
      if (!found.isLink) return { name, path, directory, isMasked: false }
      const target = this.targetOf(path)
      if (target === '/dev/null') return { name, path, directory, isMasked: true }
      const targetName = target.slice(target.lastIndexOf('/') + 1)
      // A link to a file of the same name: it is linked in from elsewhere.
      if (targetName === name || !this.units.has(targetName))
        return { name, path, directory, isMasked: false }
      name = targetName
    }
    return undefined
  }

  private targetOf(path: string): string {
    try {
      return this.host.readLink(path)
    } catch {
      return path
    }
  }

  /** In a tree that is not this host's own, links with whole paths lead to places in the tree. */
  private placeOf(path: string): string {
    let place = path
    if (this.host.root === '/') return place
    for (let links = 0; links < MAX_LINKS; links++) {
      if (this.host.stat(place)?.type !== 'symlink') return place
      const target = this.targetOf(place)
      if (!target.startsWith('/')) return place
      place = target
    }
    return place
  }

  private dropInsOf(names: string[], blind: Blind[]): { path: string; text: string }[] {
    const files = new Map<string, string>()
    for (const name of names.flatMap(dropInNames)) {
      for (const directory of this.dropInDirectories.get(`${name}.d`) ?? []) {
        for (const file of this.listDirectory(directory)) {
          if (file.endsWith('.conf') && !files.has(file)) files.set(file, `${directory}/${file}`)
        }
      }
    }
    return [...files]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, path]) => {
        if (this.host.stat(path)?.type === 'symlink' && this.targetOf(path) === '/dev/null') return []
        const text = this.readFile(path, blind)
        return text === undefined ? [] : [{ path, text }]
      })
  }

  private readFile(path: string, blind: Blind[]): string | undefined {
    try {
      return this.host.readText(this.placeOf(path), { maxBytes: MAX_FILE_BYTES, follow: true })
    } catch (error) {
      blind.push({ subject: path, reason: describeError(error) })
      return undefined
    }
  }

  private enablementOf(
    names: string[],
    { directory }: { directory: string },
    directives: Directive[],
  ): Enablement {
    const wanted = names.flatMap((name) => this.wantedIn.get(name) ?? [])
    const aliases = [...this.units.values()].filter(
      ({ path, isLink, directory }) =>
        isLink &&
        (directory === '/etc/systemd/system' || directory.includes('/.config/')) &&
        names.includes(baseOf(this.targetOf(path))) &&
        !names.includes(baseOf(path)),
    )
    const isOf = (paths: string[], where: string) => paths.some((path) => isWithin(where, path))
    if (isOf(wanted, '/etc') || wanted.some((path) => path.includes('/.config/')) || aliases.length > 0)
      return 'enabled'
    if (isOf(wanted, '/run/systemd/system')) return 'enabled-runtime'
    if (directory.startsWith('/run/systemd/generator')) return 'generated'
    const isInstallable = directives.some(
      ({ section, key, value }) =>
        section === 'Install' &&
        value !== '' &&
        ['WantedBy', 'RequiredBy', 'UpheldBy', 'Alias', 'Also'].includes(key),
    )
    return isInstallable ? 'disabled' : 'static'
  }
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
