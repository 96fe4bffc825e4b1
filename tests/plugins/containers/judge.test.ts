import { expect, test } from 'bun:test'
import { configSchema, HARDENING } from '../../../plugins/containers/config.ts'
import { parseContainer, traitsOf } from '../../../plugins/containers/engine/parse-container.ts'
import { containerShape, imageShape, infoShape } from '../../../plugins/containers/engine/shapes.ts'
import { judgeContainer } from '../../../plugins/containers/judge/container.ts'
import { judgeImageAge } from '../../../plugins/containers/judge/image-age.ts'
import { judgeStale } from '../../../plugins/containers/judge/stale.ts'
import { dockerContainer, dockerImage } from '../../kit/docker-server.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.parse('2027-01-15T08:00:00Z')

interface Case {
  host?: Record<string, unknown>
  config?: Record<string, unknown>
  more?: Record<string, unknown>
  info?: Record<string, unknown>
  policy?: Record<string, unknown>
  image?: Record<string, unknown>
}

function judged({ host, config, more, info = {}, policy = {}, image = {} }: Case) {
  const container = containerShape.parse(dockerContainer('web', host, config, more))
  const traits = traitsOf('docker', 'docker', infoShape.parse(info))
  const settings = parseContainer(container, traits, imageShape.parse({ ...dockerImage(), ...image }))
  const { findings, blind } = judgeContainer(settings, configSchema.parse(policy))
  expect(blind).toEqual([])
  return findings
}

const brief = (it: Case) => judged(it).map(({ rule, severity, subject }) => `${severity} ${rule} ${subject}`)

const bind = (source: string, readOnly = false) => ({
  Mounts: [{ Type: 'bind', Source: source, Destination: '/x', Mode: '', RW: !readOnly }],
})
const ROOTLESS = { SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'] }

test('judgeContainer() is silent about a container that is held tight', () => {
  expect(brief({})).toEqual([])
})

test.each([
  ['privileged', { host: { Privileged: true, CapDrop: null } }, ['critical privileged docker/web']],
  [
    'rootless and privileged',
    { host: { Privileged: true }, info: ROOTLESS },
    ['warning privileged docker/web'],
  ],
  ['SYS_ADMIN', { host: { CapAdd: ['SYS_ADMIN'] } }, ['critical dangerous-capability docker/web']],
  ['CAP_SYS_MODULE', { host: { CapAdd: ['CAP_SYS_MODULE'] } }, ['critical dangerous-capability docker/web']],
  ['ALL', { host: { CapAdd: ['ALL'] } }, ['critical dangerous-capability docker/web']],
  ['NET_RAW', { host: { CapAdd: ['NET_RAW'] } }, ['warning dangerous-capability docker/web']],
  [
    'NET_ADMIN, allowed',
    { host: { CapAdd: ['NET_ADMIN'] }, policy: { capabilities: ['CAP_NET_ADMIN'] } },
    [],
  ],
  ['nothing dropped', { host: { CapDrop: null } }, ['info capabilities-kept docker/web']],
  ['some dropped', { host: { CapDrop: ['NET_RAW', 'MKNOD'] } }, ['info capabilities-kept docker/web']],
  ['setuid programs', { host: { SecurityOpt: null } }, ['info privilege-escalation docker/web']],
  ['the long form', { host: { SecurityOpt: ['no-new-privileges:true'] } }, []],
  [
    'the form that is off',
    { host: { SecurityOpt: ['no-new-privileges:false'] } },
    ['info privilege-escalation docker/web'],
  ],
  [
    'the daemon forbids',
    { host: { SecurityOpt: null }, info: { SecurityOptions: ['name=no-new-privileges'] } },
    [],
  ],
  [
    'no walls',
    { host: { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined', 'apparmor:unconfined'] } },
    ['warning unconfined docker/web:seccomp', 'warning unconfined docker/web:apparmor'],
  ],
  ['no user', { config: { User: '' } }, ['warning root-user docker/web']],
  ['root', { config: { User: 'root' } }, ['warning root-user docker/web']],
  ['0:0', { config: { User: '0:0' } }, ['warning root-user docker/web']],
  [
    'root of a remapped engine',
    { config: { User: '0' }, info: { SecurityOptions: ['name=userns'] } },
    ['info root-user docker/web'],
  ],
  ['a name', { config: { User: 'nobody' } }, []],
  ['a writable root', { host: { ReadonlyRootfs: false } }, ['info writable-root docker/web']],
  [
    'a writable root without tmpfs',
    { host: { ReadonlyRootfs: false, Tmpfs: null } },
    ['info writable-root docker/web', 'info temporary-files docker/web'],
  ],
  [
    'a tmpfs that executes',
    { host: { Tmpfs: { '/tmp': 'exec,size=1m' } } },
    ['info temporary-files docker/web:/tmp'],
  ],
  ['a tmpfs of any size', { host: { Tmpfs: { '/tmp': '' } } }, ['info temporary-files docker/web:/tmp']],
  ['no memory limit', { host: { Memory: 0 } }, ['warning memory-unlimited docker/web']],
  ['no processor limit', { host: { NanoCpus: 0 } }, ['info cpu-unlimited docker/web']],
  ['a quota', { host: { NanoCpus: 0, CpuQuota: 50_000 } }, []],
  ['no limit of processes', { host: { PidsLimit: null } }, ['info pids-unlimited docker/web']],
  ['any number of processes', { host: { PidsLimit: -1 } }, ['info pids-unlimited docker/web']],
  ['the network of the host', { host: { NetworkMode: 'host' } }, ['warning host-network docker/web']],
  ['the default network', { host: { NetworkMode: 'bridge' } }, ['info default-network docker/web']],
  ['processes of the host', { host: { PidMode: 'host' } }, ['critical host-namespace docker/web:pid']],
  ['shared memory of the host', { host: { IpcMode: 'host' } }, ['warning host-namespace docker/web:ipc']],
  [
    'the socket',
    { more: bind('/var/run/docker.sock') },
    ['critical engine-socket-mounted docker/web:/var/run/docker.sock'],
  ],
  [
    'the socket read-only',
    { more: bind('/run/docker.sock', true) },
    ['critical engine-socket-mounted docker/web:/run/docker.sock'],
  ],
  [
    'the socket of Podman',
    { more: bind('/run/podman/podman.sock', true) },
    ['critical engine-socket-mounted docker/web:/run/podman/podman.sock'],
  ],
  [
    'a directory of sockets',
    { more: bind('/var/run') },
    ['critical engine-socket-mounted docker/web:/var/run'],
  ],
  [
    'a mount of settings alone',
    { host: { Binds: ['/etc:/x:ro'] } },
    ['warning host-path-mounted docker/web:/etc'],
  ],
  ['/etc', { more: bind('/etc') }, ['critical host-path-mounted docker/web:/etc']],
  ['/root/', { more: bind('/root/') }, ['critical host-path-mounted docker/web:/root/']],
  ['/proc', { more: bind('/proc') }, ['critical host-path-mounted docker/web:/proc']],
  ['/proc read-only', { more: bind('/proc', true) }, []],
  ['/sys/kernel', { more: bind('/sys/kernel') }, ['critical host-path-mounted docker/web:/sys/kernel']],
  ['a single harmless file', { more: bind('/etc/localtime', true) }, []],
  ['a directory of data', { more: bind('/srv/data') }, []],
  [
    'a port everywhere',
    {
      host: { PortBindings: { '3306/tcp': [{ HostIp: '', HostPort: '3306' }] } },
      more: { NetworkSettings: null },
    },
    ['warning published-everywhere docker/web:3306/tcp'],
  ],
  [
    'a port everywhere over IPv6',
    {
      host: { PortBindings: { '53/udp': [{ HostIp: '::', HostPort: '53' }] } },
      more: { NetworkSettings: null },
    },
    ['warning published-everywhere docker/web:53/udp'],
  ],
  ['a public port', { host: { PortBindings: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '80' }] } } }, []],
  [
    'an address of the host',
    { host: { PortBindings: { '81/tcp': [{ HostIp: '10.0.0.1', HostPort: '81' }] } } },
    [],
  ],
  ['no tag', { config: { Image: 'nginx' } }, ['warning mutable-tag docker/web']],
  ['latest', { config: { Image: 'ghcr.io/a/b:latest' } }, ['warning mutable-tag docker/web']],
  ['a tag', { config: { Image: 'nginx:1.29' } }, ['info image-unpinned docker/web']],
  [
    'a port in the registry',
    { config: { Image: 'localhost:5000/a' }, policy: { registries: ['localhost:5000'] } },
    ['warning mutable-tag docker/web'],
  ],
  ['an id', { config: { Image: `sha256:${'1'.repeat(64)}` } }, []],
  ['built here', { config: { Image: 'app:latest' }, image: { RepoDigests: [] } }, []],
  [
    'a registry that is not trusted',
    { config: { Image: `evil.example/a:1@sha256:${'a'.repeat(64)}` } },
    ['warning untrusted-registry docker/web'],
  ],
  [
    'an owner that is not trusted',
    { policy: { registries: ['ghcr.io/other'] } },
    ['warning untrusted-registry docker/web'],
  ],
  ['an owner that is trusted', { policy: { registries: ['ghcr.io/example'] } }, []],
  [
    'other name servers',
    { host: { Dns: ['8.8.8.8'] }, policy: { dns: ['10.0.0.53'] } },
    ['warning foreign-dns docker/web'],
  ],
  ['its name server', { host: { Dns: ['10.0.0.53'] }, policy: { dns: ['10.0.0.53'] } }, []],
  ['any name server', { host: { Dns: ['8.8.8.8'] } }, []],
] satisfies [string, Case, string[]][])('judgeContainer() of a container with %s', (_, it, expected) => {
  expect(brief(it)).toEqual(expected)
})

test('judgeContainer() judges only what is dangerous when no hardening is asked for', () => {
  const open = {
    host: {
      CapDrop: null,
      CapAdd: null,
      SecurityOpt: null,
      ReadonlyRootfs: false,
      Memory: 0,
      NanoCpus: 0,
      PidsLimit: 0,
      Tmpfs: null,
    },
    config: { User: '', Image: 'nginx' },
  }
  const asked = new Set(judged(open).map(({ rule }) => rule))
  expect([...asked].every((rule) => HARDENING.some((one) => one === rule))).toBe(true)
  expect(asked.size).toBe(9)
  expect(brief({ ...open, policy: { hardening: [] } })).toEqual([])
})

test('judgeContainer() gives the exact command where a limit can be set while it runs', () => {
  const [finding] = judged({ host: { Memory: 0 } })
  expect(finding?.remedy).toStartWith('docker update --memory 512m --memory-swap 1g web\n')
})

test('judgeContainer() names the compose file that a container was made of', () => {
  const Labels = {
    'com.docker.compose.project.config_files': '/srv/my app/compose.yaml',
    'com.docker.compose.service': 'web',
  }
  const [finding] = judged({ host: { ReadonlyRootfs: false }, config: { Labels } })
  expect(finding?.remedy).toBe(
    "In /srv/my app/compose.yaml, service web: read_only: true, and volumes for what it writes\ndocker compose -f '/srv/my app/compose.yaml' up -d web",
  )
})

test('parseContainer() names the tasks of a swarm by their service', () => {
  const [finding] = judged({
    host: { Privileged: true },
    config: { Labels: { 'com.docker.swarm.service.name': 'shop_web' } },
  })
  expect(finding?.subject).toBe('docker/shop_web')
})

const age = (image: Record<string, unknown> | undefined) => {
  const parsed = image && imageShape.parse({ ...dockerImage(), ...image })
  const { findings, blind } = judgeImageAge('docker/web', 'nginx:1', parsed, {
    imageMaxAge: 90 * DAY_MS,
    nowMs: NOW_MS,
  })
  return [...findings.map(({ summary }) => summary), ...blind.map(({ reason }) => reason)]
}

test.each([
  ['of last month', { Created: '2026-12-10T08:00:00Z' }, []],
  ['of 90 days ago', { Created: '2026-10-17T08:00:00Z' }, []],
  ['of 91 days ago', { Created: '2026-10-16T08:00:00Z' }, ['built 91d ago']],
  ['as Podman lists it', { Created: 1_700_000_000 }, ['built']],
  ['of 1970, fetched lately', { Created: '1970-01-01T00:00:00Z' }, []],
  [
    'of 1970, fetched long ago',
    { Created: '1970-01-01T00:00:00Z', Metadata: { LastTagTime: '2026-01-01T00:00:00Z' } },
    ['fetched'],
  ],
  [
    'of 1970, fetched nobody knows when',
    { Created: '1970-01-01T00:00:00Z', Metadata: { LastTagTime: '0001-01-01T00:00:00Z' } },
    ['does not say when'],
  ],
  ['without a date', { Created: '', Metadata: null }, ['does not say when']],
  ['that is not told of', undefined, ['does not tell']],
] as const)('judgeImageAge() of an image %s', (_, image, expected) => {
  const said = age(image)
  expect(said).toHaveLength(expected.length)
  for (const [index, text] of expected.entries()) expect(said[index]).toContain(text)
})

const stale = (
  status: string,
  finished: string,
  labels: Record<string, string> = { 'ofelia.job.name': 'prune' },
) =>
  judgeStale(
    'docker/job',
    'docker',
    containerShape.parse(
      dockerContainer('job', {}, { Labels: labels }, { State: { Status: status, FinishedAt: finished } }),
    ),
    { ...configSchema.parse({}), nowMs: NOW_MS },
  ).map(({ rule, remedy }) => `${rule}: ${remedy}`)

test.each([
  ['exited', '2027-01-13T08:00:00Z', 1],
  ['exited', '2027-01-15T07:00:00Z', 0],
  ['running', '0001-01-01T00:00:00Z', 0],
  // It was made on 2026-12-20 and never started.
  ['created', '0001-01-01T00:00:00Z', 1],
  ['dead', '2027-01-13T08:00:00Z', 1],
])('judgeStale() of a job container that is %s since %s: %d', (status, finished, count) => {
  expect(stale(status, finished)).toEqual(count === 0 ? [] : ['container-stale: docker rm job'])
})

test('judgeStale() leaves alone what no scheduler made', () => {
  expect(stale('exited', '2026-01-13T08:00:00Z', {})).toEqual([])
})
