import { chmodSync } from 'node:fs'

/** What a foreign daemon answers, by path without the query: a value as JSON, or a function that makes an answer. */
export type Answers = Record<string, unknown>

/**
 * Stands for Docker's daemon where there is none: a server on a unix socket that answers documents written after
 * its published reference. Ended by `using`.
 */
export class DockerServer implements Disposable {
  /** "GET /info", in the order of arrival. */
  readonly asked: string[] = []
  private readonly server: Bun.Server<undefined>

  constructor(
    readonly socket: string,
    readonly answers: Answers,
  ) {
    this.server = Bun.serve({
      unix: socket,
      fetch: (request) => {
        const { pathname, search } = new URL(request.url)
        this.asked.push(`${request.method} ${pathname}${search}`)
        const answer = this.answers[pathname]
        if (typeof answer === 'function') return answer()
        if (answer === undefined) return Response.json({ message: 'page not found' }, { status: 404 })
        return Response.json(answer)
      },
    })
    chmodSync(socket, 0o660)
    this.server.unref()
  }

  [Symbol.dispose](): void {
    this.server.stop(true)
  }
}

type Container = { Id: string } & Record<string, unknown>

/** Answers of a daemon with these containers and images. */
export function dockerAnswers(
  containers: Container[],
  images: Record<string, unknown> = {},
  info = {},
): Answers {
  return {
    '/version': {
      Version: '28.2.2',
      ApiVersion: '1.50',
      Components: [{ Name: 'Engine', Version: '28.2.2' }],
    },
    '/info': {
      ID: 'b3c2f1d4',
      SecurityOptions: ['name=apparmor', 'name=seccomp,profile=builtin', 'name=cgroupns'],
      RegistryConfig: {
        InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
        IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } },
        Mirrors: [],
      },
      ...info,
    },
    '/containers/json': containers.map((one) => ({
      Id: one.Id,
      Names: [one.Name],
      Image: 'image',
      State: 'running',
      Labels: {},
    })),
    ...Object.fromEntries(containers.map((one) => [`/containers/${one.Id}/json`, one])),
    ...Object.fromEntries(Object.entries(images).map(([id, image]) => [`/images/${id}/json`, image])),
  }
}

export const GOOD_IMAGE = `sha256:${'1'.repeat(64)}`
const DIGEST = `sha256:${'a'.repeat(64)}`
let count = 0

/** The answer of `GET /containers/ID/json` for a container that is held as tight as it can be, and what differs. */
export function dockerContainer(
  name: string,
  host: Record<string, unknown> = {},
  config: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Container {
  const id = (++count).toString(16).padStart(64, '0')
  return {
    Id: id,
    Name: `/${name}`,
    Image: GOOD_IMAGE,
    Created: '2026-12-20T08:00:00.000000000Z',
    State: { Status: 'running', Running: true, Pid: 4711, ExitCode: 0, FinishedAt: '0001-01-01T00:00:00Z' },
    Config: {
      Hostname: id.slice(0, 12),
      Image: `ghcr.io/example/app:1.2@${DIGEST}`,
      User: '1000:1000',
      Labels: {},
      Env: ['PATH=/usr/bin'],
      ...config,
    },
    HostConfig: {
      Binds: null,
      Privileged: false,
      CapAdd: ['CAP_NET_BIND_SERVICE'],
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Memory: 536_870_912,
      MemorySwap: 1_073_741_824,
      NanoCpus: 500_000_000,
      CpuQuota: 0,
      PidsLimit: 200,
      NetworkMode: 'app_default',
      PidMode: '',
      IpcMode: 'private',
      UTSMode: '',
      UsernsMode: '',
      CgroupnsMode: 'private',
      Tmpfs: { '/tmp': 'size=64m' },
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] },
      Dns: [],
      ...host,
    },
    Mounts: [],
    NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] } },
    ...more,
  }
}

/** The answer of `GET /images/ID/json` for an image that was built then. */
export function dockerImage(created = '2026-12-10T08:00:00Z') {
  return {
    Id: GOOD_IMAGE,
    RepoTags: ['ghcr.io/example/app:1.2'],
    RepoDigests: [`ghcr.io/example/app@${DIGEST}`],
    Created: created,
    Metadata: { LastTagTime: '2026-12-11T08:00:00Z' },
  }
}
