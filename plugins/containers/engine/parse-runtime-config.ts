import { z } from '../../../agent/contract/mod.ts'
import type { ContainerSettings } from '../settings.ts'
import { bareCapability, DOCKER_CAPABILITIES, USUAL_CAPABILITIES } from './parse-container.ts'

// config.json of the OCI runtime specification 1.0 and newer: what is read of it. Its environment is not.

const strings = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? [])

export const runtimeConfigShape = z.looseObject({
  ociVersion: z.string(),
  process: z.looseObject({
    user: z.looseObject({ uid: z.number() }),
    capabilities: z.looseObject({ bounding: strings }).nullish(),
    noNewPrivileges: z.boolean().nullish(),
  }),
  root: z.looseObject({ readonly: z.boolean().nullish() }),
  mounts: z
    .array(
      z.looseObject({
        destination: z.string(),
        type: z.string().nullish(),
        source: z.string().nullish(),
        options: strings,
      }),
    )
    .nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  linux: z.looseObject({
    resources: z
      .looseObject({
        memory: z.looseObject({ limit: z.number().nullish() }).nullish(),
        cpu: z.looseObject({ quota: z.number().nullish() }).nullish(),
        pids: z.looseObject({ limit: z.number() }).nullish(),
      })
      .nullish(),
    namespaces: z.array(z.looseObject({ type: z.string() })).nullish(),
    uidMappings: z.array(z.unknown()).nullish(),
    seccomp: z.looseObject({}).nullish(),
  }),
})
export type RuntimeConfig = z.output<typeof runtimeConfigShape>

interface Identity {
  subject: string
  name: string
  image: string
  isRootless: boolean
  /** What is mounted from there is Podman's own. */
  storage: string
}

/** A namespace that is not named is the host's. */
const NAMESPACES = ['pid', 'ipc', 'uts'] as const
/** Podman's own mounts in a container with a read-only root. */
const OWN_TMPFS = 'rw,rprivate,nosuid,nodev,tmpcopyup'
const KERNEL_TARGETS = ['/dev', '/dev/shm', '/proc', '/sys']

/** Pure: the settings with which a runtime started a container. */
export function parseRuntimeConfig(
  { process, root, mounts, annotations, linux }: RuntimeConfig,
  identity: Identity,
): ContainerSettings {
  const bounding = (process.capabilities?.bounding ?? []).map(bareCapability)
  const usual = [...USUAL_CAPABILITIES, ...DOCKER_CAPABILITIES]
  const names = (linux.namespaces ?? []).map(({ type }) => type)
  const privileged = annotations?.['io.podman.annotations.privileged'] === 'TRUE'
  const { resources } = linux
  const all = mounts ?? []
  const { subject, name, image, isRootless, storage } = identity
  return {
    subject,
    name,
    image,
    isLocalImage: image === '',
    user: String(process.user.uid),
    privileged,
    capAdd: privileged ? [] : bounding.filter((one) => !usual.includes(one)),
    keptCapabilities: bounding.filter((one) => usual.includes(one)),
    securityOptions: [
      ...(process.noNewPrivileges ? ['no-new-privileges'] : []),
      ...(linux.seccomp || privileged ? [] : ['seccomp=unconfined']),
    ],
    readOnly: root.readonly ?? false,
    memoryBytes: Math.max(0, resources?.memory?.limit ?? 0),
    hasCpuLimit: (resources?.cpu?.quota ?? 0) > 0,
    hasPidsLimit: (resources?.pids?.limit ?? 0) > 0,
    network: names.includes('network') ? '' : 'host',
    hostNamespaces: NAMESPACES.filter((type) => !names.includes(type)),
    mounts: all
      .filter(({ type, options }) => type === 'bind' || options.includes('bind') || options.includes('rbind'))
      .map(({ source, destination, options }) => ({
        source: source ?? '',
        target: destination,
        readOnly: options.includes('ro'),
      }))
      .filter(({ source }) => !isOwn(source, storage)),
    tmpfs: all
      .filter(({ type, destination, options }) => {
        return type === 'tmpfs' && !KERNEL_TARGETS.includes(destination) && options.join(',') !== OWN_TMPFS
      })
      .map(({ destination, options }) => ({ target: destination, options })),
    ports: [],
    dns: [],
    isRootless,
    hasUserNamespace: isRootless || (linux.uidMappings ?? []).length > 0,
    unknown: new Map(),
    isPartial: false,
    origin: { kind: 'engine', program: 'podman', compose: undefined },
  }
}

/** Files that Podman makes for each container, such as its /etc/hosts. */
function isOwn(source: string, storage: string): boolean {
  return source.startsWith(`${storage}/`) || /-containers\/[0-9a-f]{64}\/userdata\//.test(source)
}
