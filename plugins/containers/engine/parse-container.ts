import type { ContainerSettings, Publication } from '../settings.ts'
import type { Container, Image, Info } from './shapes.ts'

/** Which engine it is, and how it runs. */
export interface EngineTraits {
  /** "docker", "podman", "docker@deploy". */
  label: string
  program: 'docker' | 'podman'
  isRootless: boolean
  /** Root in its containers is another user of the host. */
  remapsUsers: boolean
  /** Every container of it gets no-new-privileges. */
  forbidsNewPrivileges: boolean
}

/** Pure: how an engine runs, from what it says of itself. */
export function traitsOf(label: string, program: 'docker' | 'podman', info: Info): EngineTraits {
  const names = info.SecurityOptions.flatMap((option) => /(?:^|,)name=([\w-]+)/.exec(option)?.[1] ?? [])
  const isRootless = info.Rootless || names.includes('rootless')
  return {
    label,
    program,
    isRootless,
    remapsUsers: isRootless || names.includes('userns'),
    forbidsNewPrivileges: names.includes('no-new-privileges'),
  }
}

/** What both engines give to every container that does not drop it. */
export const USUAL_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]
/** What Docker gives beyond. */
export const DOCKER_CAPABILITIES = ['NET_RAW', 'MKNOD', 'AUDIT_WRITE']
/** Docker applies these to a tmpfs unless it is told the opposite. */
const DOCKER_TMPFS = ['noexec', 'nosuid', 'nodev']
/** Podman's own mounts in a container with a read-only root. */
const PODMAN_TMPFS = 'rw,rprivate,nosuid,nodev,tmpcopyup'

/** Pure: the settings in the answer of `GET /containers/ID/json`, with its image where that is known. */
export function parseContainer(
  container: Container,
  traits: EngineTraits,
  image: Pick<Image, 'RepoDigests'> | undefined,
): ContainerSettings {
  const { HostConfig: host, Config: config } = container
  const labels = config.Labels
  // Tasks of a swarm have a new name with each update.
  const name = (labels['com.docker.swarm.service.name'] ?? container.Name).replace(/^\//, '')
  const dropped = host.CapDrop.map(bareCapability)
  const file = labels['com.docker.compose.project.config_files']?.split(',')[0]
  const service = labels['com.docker.compose.service']
  return {
    subject: `${traits.label}/${name}`,
    name: container.Name.replace(/^\//, ''),
    image: config.Image,
    isLocalImage: image !== undefined && image.RepoDigests.length === 0,
    user: config.User,
    privileged: host.Privileged,
    capAdd: host.CapAdd.map(bareCapability),
    keptCapabilities: keptCapabilities(dropped, traits.program),
    securityOptions: [...host.SecurityOpt, ...(traits.forbidsNewPrivileges ? ['no-new-privileges'] : [])],
    readOnly: host.ReadonlyRootfs,
    memoryBytes: Math.max(0, host.Memory),
    hasCpuLimit: host.NanoCpus > 0 || host.CpuQuota > 0,
    hasPidsLimit: host.PidsLimit > 0,
    network: host.NetworkMode,
    hostNamespaces: hostNamespacesOf(host),
    mounts: mountsOf(container),
    tmpfs: tmpfsOf(container, traits),
    ports: publicationsOf(container),
    dns: host.Dns,
    isRootless: traits.isRootless,
    hasUserNamespace:
      (traits.remapsUsers && host.UsernsMode !== 'host') || isOwnUserNamespace(host.UsernsMode),
    unknown: new Map(),
    isPartial: false,
    origin: {
      kind: 'engine',
      program: traits.program,
      compose: file && service ? { file, service } : undefined,
    },
  }
}

export function bareCapability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '')
}

/** Podman tells each one that is dropped, Docker what it was asked for. */
export function keptCapabilities(dropped: string[], program: 'docker' | 'podman'): string[] {
  if (dropped.includes('ALL')) return []
  const given = [...USUAL_CAPABILITIES, ...(program === 'docker' ? DOCKER_CAPABILITIES : [])]
  return given.filter((one) => !dropped.includes(one))
}

/** Podman: "auto", "keep-id", "nomap" and mappings of their own. */
function isOwnUserNamespace(mode: string): boolean {
  return /^(auto|keep-id|nomap|private)/.test(mode)
}

function hostNamespacesOf(host: Container['HostConfig']): string[] {
  const modes = {
    pid: host.PidMode,
    ipc: host.IpcMode,
    uts: host.UTSMode,
    user: host.UsernsMode,
    cgroup: host.CgroupnsMode,
  }
  return Object.entries(modes).flatMap(([name, mode]) => (mode === 'host' ? [name] : []))
}

function mountsOf({ Mounts, HostConfig }: Container): ContainerSettings['mounts'] {
  const mounts = Mounts.filter(({ Type }) => Type === 'bind').map(({ Source, Destination, RW }) => ({
    source: Source,
    target: Destination,
    readOnly: !RW,
  }))
  // A container that was never started may have them in its settings only.
  for (const bind of HostConfig.Binds) {
    const [source = '', target = '', options = ''] = bind.split(':')
    if (!source.startsWith('/') || mounts.some((mount) => mount.target === target)) continue
    mounts.push({ source, target, readOnly: options.split(',').includes('ro') })
  }
  for (const { Type, Source, Target, ReadOnly } of HostConfig.Mounts) {
    if (Type !== 'bind' || mounts.some((mount) => mount.target === Target)) continue
    mounts.push({ source: Source, target: Target, readOnly: ReadOnly })
  }
  return mounts
}

function tmpfsOf({ HostConfig }: Container, { program }: EngineTraits): ContainerSettings['tmpfs'] {
  const short = Object.entries(HostConfig.Tmpfs).flatMap(([target, text]) => {
    if (program === 'podman' && text === PODMAN_TMPFS) return []
    const given = text.split(',').filter(Boolean)
    const implied =
      program === 'docker' ? DOCKER_TMPFS.filter((one) => !given.includes(one.replace('no', ''))) : []
    return [{ target, options: [...new Set([...given, ...implied])] }]
  })
  const long = HostConfig.Mounts.filter(({ Type }) => Type === 'tmpfs').map(({ Target, TmpfsOptions }) => ({
    target: Target,
    options: [...DOCKER_TMPFS, ...(TmpfsOptions?.SizeBytes ? [`size=${TmpfsOptions.SizeBytes}`] : [])],
  }))
  return [...short, ...long]
}

/** What is asked for, and what a running container has of what the engine chose. */
function publicationsOf({ HostConfig, NetworkSettings }: Container): Publication[] {
  if (HostConfig.NetworkMode === 'host') return []
  const all = [HostConfig.PortBindings, NetworkSettings?.Ports ?? {}].flatMap((ports) =>
    Object.entries(ports).flatMap(([inner, bindings]) => {
      const [target = '', protocol = 'tcp'] = inner.split('/')
      return bindings.map(({ HostIp, HostPort }) => ({
        address: HostIp,
        port: /^\d+$/.test(HostPort) && HostPort !== '0' ? Number(HostPort) : undefined,
        protocol,
        target,
      }))
    }),
  )
  const key = ({ address, port, protocol }: Publication) => `${address || '0.0.0.0'} ${port} ${protocol}`
  return [...new Map(all.map((one) => [key(one), one])).values()]
}
