import { absolutePath, duration, z } from '../../agent/contract/mod.ts'
import { parseImageName } from './image-name.ts'

/** Rules about how a container could be held tighter, in contrast to those about what is dangerous. */
export const HARDENING = [
  'root-user',
  'writable-root',
  'capabilities-kept',
  'privilege-escalation',
  'memory-unlimited',
  'cpu-unlimited',
  'pids-unlimited',
  'default-network',
  'temporary-files',
  'published-everywhere',
  'untrusted-registry',
  'mutable-tag',
  'image-unpinned',
  'image-old',
  'container-stale',
] as const
export type HardeningRule = (typeof HARDENING)[number]

const capability = z
  .string()
  .regex(/^(CAP_)?[A-Z_]+$/, 'wanted a capability such as NET_BIND_SERVICE')
  .transform((name) => name.replace(/^CAP_/, ''))

const registry = z
  .string()
  .refine(
    (name) => parseImageName(`${name}/a/b`)?.registry === name.split('/')[0],
    'wanted a registry such as ghcr.io, or ghcr.io/owner',
  )

export const configSchema = z.strictObject({
  sockets: z
    .array(absolutePath)
    .default([
      '/var/run/docker.sock',
      '/run/podman/podman.sock',
      '/run/user/*/docker.sock',
      '/run/user/*/podman/podman.sock',
    ])
    .describe(
      'Sockets of Docker and Podman, or patterns; those of users are rootless ones. One that is missing is no finding',
    ),
  otherUsers: z
    .boolean()
    .default(false)
    .describe(
      'Open sockets that only their owner or group may open, such as those of rootless engines. It takes CAP_DAC_OVERRIDE',
    ),
  podmanStorage: z
    .array(absolutePath)
    .default(['/var/lib/containers/storage', '/{root,home/*}/.local/share/containers/storage'])
    .describe(
      'Storage of Podman, or patterns: where no socket tells of its containers, they are read from there',
    ),
  answerTimeout: duration.prefault('5s').describe('How long an engine may take for one answer'),
  hardening: z
    .array(z.enum(HARDENING))
    .default([...HARDENING])
    .describe('What is asked of every container, beside that it is not dangerous: names of rules'),
  capabilities: z
    .array(capability)
    .default(['NET_BIND_SERVICE'])
    .describe('Capabilities that may be added to a container'),
  registries: z
    .array(registry)
    .default([
      'docker.io',
      'ghcr.io',
      'quay.io',
      'gcr.io',
      'registry.k8s.io',
      'mcr.microsoft.com',
      'public.ecr.aws',
      'registry.access.redhat.com',
      'registry.fedoraproject.org',
    ])
    .describe('Registries that images may come from, with the path where only a part of one is trusted'),
  imageMaxAge: duration.prefault('90d').describe('An image that was built longer ago is old'),
  publicPorts: z
    .array(z.int().min(1).max(65_535))
    .default([80, 443])
    .describe('Ports of the host that may be published on every address'),
  jobLabels: z
    .array(z.string().min(1))
    .default(['ofelia.job.name', 'ofelia.job-run.name', 'ofelia.job.type'])
    .describe('Labels of containers that a scheduler makes for one job: they should be gone when it is done'),
  exitedMaxAge: duration.prefault('24h').describe('How long such a container may stay after its end'),
  socketGroup: z.string().default('docker').describe('Group that may own the socket of the engine'),
  members: z
    .array(z.string())
    .default([])
    .describe('Users that may be in this group; who is in it can become root'),
  rootless: z
    .enum(['required', 'optional'])
    .default('optional')
    .describe('Whether no engine may run as root on this host'),
  users: z
    .array(z.string())
    .default([])
    .describe('Users with an engine of their own, beside those whose sockets are found'),
  dns: z
    .array(z.union([z.ipv4(), z.ipv6()]))
    .default([])
    .describe('Name servers that containers may ask; empty: any'),
  compose: z
    .array(absolutePath)
    .default([
      '/{srv,opt,root}/{compose,docker-compose}*.{yaml,yml}',
      '/{srv,opt,root}/*/{compose,docker-compose}*.{yaml,yml}',
      '/home/*/{compose,docker-compose}*.{yaml,yml}',
      '/home/*/*/{compose,docker-compose}*.{yaml,yml}',
    ])
    .describe('Compose files, or patterns. An override file is read with the one beside it'),
  scanReports: z
    .array(absolutePath)
    .default([])
    .describe('Reports of an image scanner, or patterns: the newest counts'),
  scanMaxAge: duration.prefault('30d').describe('A report of a scan that is older is out of date'),
})

export type Config = z.output<typeof configSchema>
