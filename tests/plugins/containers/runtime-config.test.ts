import { expect, test } from 'bun:test'
import { configSchema } from '../../../plugins/containers/config.ts'
import {
  parseRuntimeConfig,
  runtimeConfigShape,
} from '../../../plugins/containers/engine/parse-runtime-config.ts'
import { judgeContainer } from '../../../plugins/containers/judge/container.ts'

const STORAGE = '/var/lib/containers/storage'
const OWN = `${STORAGE}/overlay-containers/${'a'.repeat(64)}/userdata/hosts`

/** config.json as crun gets it for a container that is held tight, and what differs. */
const document = (more: {
  process?: object
  root?: object
  mounts?: object[]
  annotations?: object
  resources?: object
  namespaces?: string[]
  linux?: object
}) => ({
  ociVersion: '1.0.2-dev',
  process: {
    user: { uid: 1000, gid: 1000 },
    env: ['TOKEN=secret'],
    capabilities: { bounding: ['CAP_NET_BIND_SERVICE'] },
    noNewPrivileges: true,
    ...more.process,
  },
  root: { path: '/x', readonly: true, ...more.root },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    { destination: '/etc/hosts', type: 'bind', source: OWN, options: ['bind', 'rprivate'] },
    {
      destination: '/run',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['rw', 'rprivate', 'nosuid', 'nodev', 'tmpcopyup'],
    },
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['noexec', 'nosuid', 'size=10m'] },
    ...(more.mounts ?? []),
  ],
  annotations: { 'io.podman.annotations.privileged': 'FALSE', ...more.annotations },
  linux: {
    resources: {
      memory: { limit: 67_108_864 },
      cpu: { quota: 50_000 },
      pids: { limit: 50 },
      ...more.resources,
    },
    namespaces: (more.namespaces ?? ['pid', 'network', 'ipc', 'uts', 'mount']).map((type) => ({ type })),
    seccomp: { defaultAction: 'SCMP_ACT_ERRNO' },
    ...more.linux,
  },
})

function brief(more: Parameters<typeof document>[0], isRootless = false): string[] {
  const identity = {
    subject: 'podman/web',
    name: 'web',
    image: 'localhost/web:1',
    isRootless,
    storage: STORAGE,
  }
  const settings = parseRuntimeConfig(runtimeConfigShape.parse(document(more)), identity)
  const { findings, blind } = judgeContainer(settings, configSchema.parse({}))
  expect(blind).toEqual([])
  return findings.map(
    ({ rule, severity, subject }) => `${severity} ${rule} ${subject.slice('podman/web'.length)}`,
  )
}

const bind = (source: string, ...options: string[]) => [
  { destination: '/x', type: 'bind', source, options: ['rbind', ...options] },
]

test.each([
  ['is held tight', {}, []],
  ['is root', { process: { user: { uid: 0 } } }, ['warning root-user ']],
  ['may gain privileges', { process: { noNewPrivileges: null } }, ['info privilege-escalation ']],
  [
    'keeps capabilities',
    { process: { capabilities: { bounding: ['CAP_CHOWN', 'CAP_NET_RAW'] } } },
    ['info capabilities-kept '],
  ],
  [
    'has more',
    { process: { capabilities: { bounding: ['CAP_SYS_ADMIN'] } } },
    ['critical dangerous-capability '],
  ],
  [
    'is privileged',
    {
      annotations: { 'io.podman.annotations.privileged': 'TRUE' },
      linux: { seccomp: null },
      process: { capabilities: { bounding: ['CAP_SYS_ADMIN'] } },
    },
    ['critical privileged '],
  ],
  ['has no filter of calls', { linux: { seccomp: undefined } }, ['warning unconfined :seccomp']],
  ['can write its root', { root: { readonly: false } }, ['info writable-root ']],
  [
    'has no limits',
    { resources: { memory: null, cpu: {}, pids: { limit: 0 } } },
    ['warning memory-unlimited ', 'info cpu-unlimited ', 'info pids-unlimited '],
  ],
  [
    'is in the network of the host',
    { namespaces: ['pid', 'ipc', 'uts', 'mount'] },
    ['warning host-network '],
  ],
  [
    'sees processes of the host',
    { namespaces: ['network', 'ipc', 'uts', 'mount'] },
    ['critical host-namespace :pid'],
  ],
  ['mounts /etc', { mounts: bind('/etc') }, ['critical host-path-mounted :/etc']],
  ['mounts /etc read-only', { mounts: bind('/etc', 'ro') }, ['warning host-path-mounted :/etc']],
  [
    'mounts the socket',
    { mounts: bind('/run/podman/podman.sock', 'ro') },
    ['critical engine-socket-mounted :/run/podman/podman.sock'],
  ],
  [
    'executes in its tmpfs',
    { mounts: [{ destination: '/cache', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=1m'] }] },
    ['info temporary-files :/cache'],
  ],
  [
    'has users of its own',
    { process: { user: { uid: 0 } }, linux: { uidMappings: [{}] } },
    ['info root-user '],
  ],
] satisfies [string, Parameters<typeof document>[0], string[]][])(
  'parseRuntimeConfig() of a container that %s',
  (_, more, expected) => {
    expect(brief(more)).toEqual(expected)
  },
)

test('parseRuntimeConfig() of a rootless container makes less of it', () => {
  expect(brief({ mounts: bind('/etc') }, true)).toEqual(['warning host-path-mounted :/etc'])
})
