import { bareCapability, keptCapabilities } from '../engine/parse-container.ts'
import type { Aspect, ContainerSettings, Mount, Place, Publication, Tmpfs } from '../settings.ts'
import type { ComposeService, Entries, Value } from './parse-compose.ts'

/** What of a service's settings an aspect is made of: its line is the line of the first that is there. */
const KEYS: Record<Aspect, string[]> = {
  privileged: ['privileged'],
  capAdd: ['cap_add'],
  capDrop: ['cap_drop'],
  securityOptions: ['security_opt'],
  user: ['user'],
  readOnly: ['read_only'],
  memory: ['mem_limit', 'deploy'],
  cpu: ['cpus', 'cpu_quota', 'deploy'],
  pids: ['pids_limit', 'deploy'],
  network: ['network_mode', 'networks'],
  namespaces: ['pid', 'ipc', 'uts', 'userns_mode', 'cgroup'],
  mounts: ['volumes'],
  tmpfs: ['tmpfs', 'volumes'],
  ports: ['ports'],
  image: ['image'],
  dns: ['dns'],
}

/** One service as it stands in one or more files: the later goes before the earlier, lists are joined. */
export interface Layer {
  path: string
  /** Directory of the project: relative mounts begin there. */
  directory: string
  service: ComposeService
}

/** Pure: how the containers of a service will run. */
export function parseService(path: string, name: string, layers: Layer[]): ContainerSettings {
  const own = layers.findLast((layer) => layer.path === path) ?? layers.at(-1)
  if (!own) throw new Error('Cannot read a service that is in no file')
  const source = new Source(layers, own)
  const tmpfsVolumes = source.list('volumes', 'tmpfs').flatMap((value) => longTmpfs(value))
  const image = source.text('image', 'image')
  const deploy = source.map('deploy')
  const limits = mapAt(mapAt(deploy, 'resources'), 'limits')
  const limit = (key: string, aspect: Aspect) => {
    const entry = limits?.get(key)
    return entry ? source.see(entry.value, aspect) : ''
  }
  const memory = source.text('mem_limit', 'memory') || limit('memory', 'memory')
  return {
    subject: `${path}:${name}`,
    name,
    image,
    isLocalImage: source.has('build'),
    user: source.text('user', 'user'),
    privileged: source.text('privileged', 'privileged') === 'true',
    capAdd: source.texts('cap_add', 'capAdd').map(bareCapability),
    keptCapabilities: keptCapabilities(source.texts('cap_drop', 'capDrop').map(bareCapability), 'docker'),
    securityOptions: source.texts('security_opt', 'securityOptions'),
    readOnly: source.text('read_only', 'readOnly') === 'true',
    memoryBytes: /^0*[a-z]*$/i.test(memory) ? 0 : 1,
    hasCpuLimit:
      isPositive(source.text('cpus', 'cpu') || limit('cpus', 'cpu')) ||
      isPositive(source.text('cpu_quota', 'cpu')),
    hasPidsLimit: isPositive(source.text('pids_limit', 'pids') || limit('pids', 'pids')),
    network: source.text('network_mode', 'network') || 'default',
    hostNamespaces: (
      [
        ['pid', 'pid'],
        ['ipc', 'ipc'],
        ['uts', 'uts'],
        ['userns_mode', 'user'],
        ['cgroup', 'cgroup'],
      ] as const
    ).flatMap(([key, name]) => (source.text(key, 'namespaces') === 'host' ? [name] : [])),
    mounts: source.list('volumes', 'mounts').flatMap((value) => mountOf(value, own.directory, source)),
    tmpfs: [
      ...source.list('tmpfs', 'tmpfs').map((value) => shortTmpfs(source.see(value, 'tmpfs'), value.at)),
      ...tmpfsVolumes,
    ],
    ports: source.list('ports', 'ports').flatMap((value) => portsOf(value, source)),
    dns: source.texts('dns', 'dns'),
    isRootless: false,
    hasUserNamespace: false,
    unknown: source.unknown,
    // It is laid over another file, and the rest stands there.
    isPartial: image === '' && !source.unknown.has('image') && !source.has('build'),
    origin: { kind: 'file', place: (aspect) => source.place(KEYS[aspect]) },
  }
}

class Source {
  readonly unknown = new Map<Aspect, string>()

  constructor(
    private readonly layers: Layer[],
    private readonly own: Layer,
  ) {}

  has(key: string): boolean {
    return this.last(key) !== undefined
  }

  /** Where one of the keys stands; else where the service does. */
  place(keys: string[]): Place {
    for (const key of keys) {
      for (const { path, service } of this.layers.toReversed()) {
        const entry = service.settings.get(key)
        if (entry) return { path, line: entry.line }
      }
    }
    return { path: this.own.path, line: this.own.service.line }
  }

  text(key: string, aspect: Aspect): string {
    const value = this.last(key)
    if (value === undefined) return ''
    return this.see(value, aspect)
  }

  textOf(value: Value | undefined): string {
    return value?.kind === 'text' ? value.text : ''
  }

  /** A list, or a single text in its place. */
  texts(key: string, aspect: Aspect): string[] {
    return this.list(key, aspect).map((value) => this.see(value, aspect))
  }

  list(key: string, aspect: Aspect): Value[] {
    return this.layers.flatMap(({ service }) => {
      const value = service.settings.get(key)?.value
      if (value === undefined) return []
      const items = value.kind === 'list' ? value.items : [value]
      for (const item of items) if (item.kind === 'unknown') this.unknown.set(aspect, item.reason)
      return items.filter((item) => item.kind !== 'unknown' && !(item.kind === 'text' && item.text === ''))
    })
  }

  map(key: string): Entries | undefined {
    const value = this.last(key)
    return value?.kind === 'map' ? value.entries : undefined
  }

  private last(key: string): Value | undefined {
    return this.layers.flatMap(({ service }) => service.settings.get(key) ?? []).at(-1)?.value
  }

  see(value: Value, aspect: Aspect): string {
    if (value.kind === 'text') return value.text
    this.unknown.set(aspect, value.kind === 'unknown' ? value.reason : `line ${value.at.line}: it is no text`)
    return ''
  }
}

function mapAt(entries: Entries | undefined, key: string): Entries | undefined {
  const value = entries?.get(key)?.value
  return value?.kind === 'map' ? value.entries : undefined
}

function isPositive(text: string): boolean {
  return Number(text) > 0
}

function shortTmpfs(text: string, place: Place): Tmpfs {
  const at = text.indexOf(':')
  return at < 0
    ? { target: text, options: [], at: place }
    : {
        target: text.slice(0, at),
        options: text
          .slice(at + 1)
          .split(',')
          .filter(Boolean),
      }
}

/** A volume of the type tmpfs: the engine mounts it noexec and nosuid. */
function longTmpfs(value: Value): Tmpfs[] {
  if (value.kind !== 'map') return []
  const text = (key: string) => {
    const entry = value.entries.get(key)?.value
    return entry?.kind === 'text' ? entry.text : ''
  }
  if (text('type') !== 'tmpfs') return []
  const size = mapAt(value.entries, 'tmpfs')?.has('size') ? ['size=1'] : []
  return [{ target: text('target'), options: ['noexec', 'nosuid', ...size], at: value.at }]
}

function mountOf(value: Value, directory: string, source: Source): Mount[] {
  if (value.kind === 'text') {
    const [from = '', target = '', options = ''] = value.text.split(':')
    const path = absolute(from, directory)
    return path === undefined
      ? []
      : [{ source: path, target, readOnly: options.split(',').includes('ro'), at: value.at }]
  }
  if (value.kind !== 'map') return []
  for (const { value: inner } of value.entries.values()) {
    if (inner.kind === 'unknown') source.unknown.set('mounts', inner.reason)
  }
  const text = (key: string) => source.textOf(value.entries.get(key)?.value)
  const path = text('type') === 'bind' ? absolute(text('source'), directory) : undefined
  return path === undefined
    ? []
    : [{ source: path, target: text('target'), readOnly: text('read_only') === 'true', at: value.at }]
}

/** A path of the host; undefined for the name of a volume. A home is nobody's whom one knows here. */
function absolute(path: string, directory: string): string | undefined {
  if (path.startsWith('/')) return path
  return /^\.{1,2}(\/|$)/.test(path) ? resolveFrom(directory, path) : undefined
}

/** A path that may be relative to a directory. */
export function resolveFrom(directory: string, path: string): string {
  if (path.startsWith('/')) return path
  const parts: string[] = directory.split('/')
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/') || '/'
}

/** "8080:80", "127.0.0.1:8080:80/udp", "[::1]:80:80", "8000-8002:80-82", "80", or the long form. */
function portsOf(value: Value, source: Source): Publication[] {
  if (value.kind === 'map') {
    const text = (key: string) => source.textOf(value.entries.get(key)?.value)
    for (const { value: inner } of value.entries.values()) {
      if (inner.kind === 'unknown') source.unknown.set('ports', inner.reason)
    }
    return portRange(text('published')).map((port) => ({
      address: text('host_ip'),
      port,
      protocol: text('protocol') || 'tcp',
      target: text('target'),
      at: value.at,
    }))
  }
  if (value.kind !== 'text') return []
  const [rest = '', protocol = 'tcp'] = value.text.split('/')
  const match = /^(?:(?:(\[[^\]]*\]|[^:[\]]*):)?([\d-]*):)?([\d-]+)$/.exec(rest)
  if (!match) {
    source.unknown.set('ports', `line ${value.at.line}: "${value.text}" is no port as compose writes them`)
    return []
  }
  const [, address = '', published = '', target = ''] = match
  return portRange(published).map((port) => ({
    address: address.replace(/^\[|\]$/g, ''),
    port,
    protocol,
    target,
    at: value.at,
  }))
}

const MAX_PORTS_OF_A_RANGE = 100

/** Undefined stands for a port that the engine chooses. */
function portRange(text: string): (number | undefined)[] {
  const [from = Number.NaN, to = from] = text.split('-').filter(Boolean).map(Number)
  if (!Number.isInteger(from) || !Number.isInteger(to)) return [undefined]
  return Array.from({ length: Math.min(to - from + 1, MAX_PORTS_OF_A_RANGE) }, (_, index) => from + index)
}
