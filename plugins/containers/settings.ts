/** Parts of a container's settings that a source may leave unknown. */
export const ASPECTS = [
  'privileged',
  'capAdd',
  'capDrop',
  'securityOptions',
  'user',
  'readOnly',
  'memory',
  'cpu',
  'pids',
  'network',
  'namespaces',
  'mounts',
  'tmpfs',
  'ports',
  'image',
  'dns',
] as const
export type Aspect = (typeof ASPECTS)[number]

/** Where something stands in a file. */
export interface Place {
  path: string
  line: number
}

export interface Mount {
  source: string
  target: string
  readOnly: boolean
  at?: Place | undefined
}

export interface Tmpfs {
  target: string
  options: string[]
  at?: Place | undefined
}

export interface Publication {
  /** Empty: every address. */
  address: string
  /** Undefined: one that the engine chooses. */
  port: number | undefined
  protocol: string
  target: string
  at?: Place | undefined
}

/** How a container runs, or will run, wherever that is said. */
export interface ContainerSettings {
  /** "docker/web", or "/srv/app/compose.yaml:web". */
  subject: string
  /** Name for commands. */
  name: string
  image: string
  /** Image was made on this host; it came from no registry. */
  isLocalImage: boolean
  user: string
  privileged: boolean
  /** Upper case, without "CAP_". */
  capAdd: string[]
  /** Capabilities that every container gets, and that this one does not drop. */
  keptCapabilities: string[]
  securityOptions: string[]
  readOnly: boolean
  /** 0: no limit. */
  memoryBytes: number
  hasCpuLimit: boolean
  hasPidsLimit: boolean
  network: string
  /** Namespaces that are the host's: "pid", "ipc", "uts", "user", "cgroup". */
  hostNamespaces: string[]
  mounts: Mount[]
  /** Target and options of each tmpfs. */
  tmpfs: Tmpfs[]
  ports: Publication[]
  dns: string[]
  /** The engine does not run as root. */
  isRootless: boolean
  /** Root in it is somebody else on the host. */
  hasUserNamespace: boolean
  /** What cannot be told, and why. */
  unknown: Map<Aspect, string>
  /** It is a part of a description: what it does not say may stand elsewhere. */
  isPartial: boolean
  origin:
    | { kind: 'engine'; program: 'docker' | 'podman'; compose: { file: string; service: string } | undefined }
    | { kind: 'file'; place(aspect: Aspect): Place }
}
