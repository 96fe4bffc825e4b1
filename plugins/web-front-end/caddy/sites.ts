import { z } from '../../../agent/contract/mod.ts'
import type { Listen, Place, RateLimit, Route, Setting, Site, Target } from '../site.ts'

// Of Caddy's JSON, as `caddy adapt` makes it of a Caddyfile, what is judged. Other keys do not matter.

const matcher = z.looseObject({ host: z.array(z.string()).optional(), path: z.array(z.string()).optional() })
const headerSet = z.record(z.string(), z.array(z.string()))
const handler = z.looseObject({ handler: z.string() })
const route = z.looseObject({
  match: z.array(matcher).default([]),
  handle: z.array(handler).default([]),
})
const proxy = z.looseObject({
  upstreams: z.array(z.looseObject({ dial: z.string().default('') })).default([]),
  dynamic_upstreams: z.unknown().optional(),
  headers: z
    .looseObject({
      request: z
        .looseObject({ set: headerSet.optional(), delete: z.array(z.string()).optional() })
        .optional(),
    })
    .optional(),
})
const headers = z.looseObject({
  response: z.looseObject({ set: headerSet.optional(), add: headerSet.optional() }).optional(),
})
const subroute = z.looseObject({ routes: z.array(route).default([]) })
const fixedResponse = z.looseObject({
  status_code: z.union([z.number(), z.string()]).optional(),
  headers: headerSet.optional(),
})
const rateLimit = z.looseObject({
  rate_limits: z
    .record(z.string(), z.looseObject({ max_events: z.number().optional(), window: z.unknown().optional() }))
    .default({}),
})
const policy = z.looseObject({
  match: z.looseObject({ sni: z.array(z.string()).optional() }).optional(),
  certificate_selection: z.looseObject({ any_tag: z.array(z.string()).optional() }).optional(),
  cipher_suites: z.array(z.string()).optional(),
  protocol_min: z.string().optional(),
  protocol_max: z.string().optional(),
})
const server = z.looseObject({
  listen: z.array(z.string()).default([]),
  routes: z.array(route).default([]),
  tls_connection_policies: z.array(policy).optional(),
  automatic_https: z
    .looseObject({ disable: z.boolean().optional(), disable_redirects: z.boolean().optional() })
    .optional(),
})
const configuration = z.looseObject({
  apps: z
    .looseObject({
      http: z
        .looseObject({ http_port: z.number().default(80), servers: z.record(z.string(), server).default({}) })
        .optional(),
      tls: z
        .looseObject({
          certificates: z
            .looseObject({
              load_files: z
                .array(
                  z.looseObject({
                    certificate: z.string(),
                    key: z.string(),
                    tags: z.array(z.string()).default([]),
                  }),
                )
                .default([]),
            })
            .optional(),
        })
        .optional(),
    })
    .optional(),
})

type RouteSpec = z.output<typeof route>
type ServerSpec = z.output<typeof server>
type Certificates = { certificate: string; key: string; tags: string[] }[]

/**
 * The sites of a configuration of Caddy. `source` is the file that people write, for the lines of findings. Pure;
 * throws where it is no configuration of Caddy.
 */
export function sitesOf(json: unknown, source: { path: string; text: string }): Site[] {
  const { apps } = configuration.parse(json)
  const certificates = apps?.tls?.certificates?.load_files ?? []
  const servers = Object.values(apps?.http?.servers ?? {})
  return servers.flatMap((one) => {
    const sites = one.routes.length > 0 ? one.routes : []
    return sites.map((top) =>
      siteOf(one, top, { certificates, source, httpPort: apps?.http?.http_port ?? 80 }),
    )
  })
}

interface Around {
  certificates: Certificates
  source: { path: string; text: string }
  httpPort: number
}

function siteOf(server: ServerSpec, top: RouteSpec, { certificates, source, httpPort }: Around): Site {
  const names = top.match.flatMap(({ host }) => host ?? [])
  const label = names[0] ?? server.listen[0] ?? 'default'
  const name = `Caddy site ${label}`
  const place = placeOf(source, names[0] ?? server.listen[0] ?? '')
  const listens = server.listen.map((text): Listen => {
    const { address, port } = parseListen(text)
    return { address, port, isTls: isTls(server, names, port, httpPort), place }
  })
  const policies = server.tls_connection_policies ?? []
  const own =
    policies.find(({ match }) => match?.sni?.some((sni) => names.includes(sni))) ??
    policies.find(({ match }) => !match?.sni)
  const setting = (words: string[], needle: string): Setting => ({
    value: words.join(' '),
    words,
    place: placeOf(source, needle, place.line),
    owner: name,
  })
  const routes: Route[] = []
  collect([top], { source, place, routes, headers: new Map(), limits: [], paths: '', owner: name })
  const tags = own?.certificate_selection?.any_tag ?? []
  return {
    program: 'Caddy',
    name,
    names,
    place,
    isStream: false,
    listens,
    protocols: own?.protocol_min
      ? setting(versions(own.protocol_min, own.protocol_max), 'protocols')
      : undefined,
    ciphers: own?.cipher_suites ? setting(own.cipher_suites, 'ciphers') : undefined,
    certificates: certificates
      .filter((one) => one.tags.some((tag) => tags.includes(tag)))
      .map(({ certificate, key }) => ({
        certificate: setting([certificate], certificate),
        key: setting([key], key),
      })),
    routes,
    // Caddy takes the first that matches; which that is depends on more than the path.
    routesFor: (path) => routes.filter((one) => mayServe(one.name, path)),
  }
}

const VERSIONS = ['tls1.0', 'tls1.1', 'tls1.2', 'tls1.3']
const NAMES = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

function versions(min: string, max = 'tls1.3'): string[] {
  return NAMES.filter((_, index) => index >= VERSIONS.indexOf(min) && index <= VERSIONS.indexOf(max))
}

/** With policies, or by itself where a name is served on another port than that of plain HTTP. */
function isTls(server: ServerSpec, names: string[], port: number, httpPort: number): boolean {
  if (port === httpPort) return false
  if (server.tls_connection_policies) return true
  return names.length > 0 && server.automatic_https?.disable !== true
}

/** ":443", "127.0.0.1:80", "tcp/[::]:443", "udp/:443", "unix//run/x". */
function parseListen(text: string): { address: string; port: number } {
  if (text.startsWith('unix/')) return { address: text, port: 0 }
  const [, address = '', port] = /^(?:\w+\/)?(\[[^\]]*\]|[^:]*)(?::(\d+)(?:-\d+)?)?$/.exec(text) ?? []
  return { address: address || '*', port: Number(port ?? 443) }
}

interface Walk {
  source: Around['source']
  place: Place
  owner: string
  routes: Route[]
  headers: Map<string, Setting>
  limits: RateLimit[]
  /** Of the matchers on the way: "/api/*". */
  paths: string
}

const MAX_DEPTH = 32

/** Handlers in their order: what comes before a response is in force for it. */
function collect(specs: RouteSpec[], walk: Walk, depth = 0): void {
  if (depth > MAX_DEPTH) throw new Error(`its routes are nested deeper than ${MAX_DEPTH}`)
  for (const { match, handle } of specs) {
    const paths = match.flatMap(({ path }) => path ?? []).join(' ') || walk.paths
    // What a route without a matcher sets holds for those after it, too.
    const isForAll = match.length === 0
    const inner: Walk = isForAll
      ? walk
      : { ...walk, paths, headers: new Map(walk.headers), limits: [...walk.limits] }
    for (const one of handle) handleOne(one, inner, depth)
  }
}

function handleOne(one: z.output<typeof handler>, walk: Walk, depth: number): void {
  const { owner, source, place } = walk
  if (one.handler === 'subroute') collect(subroute.parse(one).routes, walk, depth + 1)
  else if (one.handler === 'headers') {
    const { response } = headers.parse(one)
    for (const [name, values] of Object.entries({ ...response?.add, ...response?.set })) {
      const value = values.join(', ')
      const at = placeOf(source, name, place.line)
      walk.headers.set(name.toLowerCase(), { value, words: values, place: at, owner })
    }
  } else if (one.handler === 'rate_limit') {
    const zones = Object.values(rateLimit.parse(one).rate_limits)
    for (const { max_events, window } of zones) {
      const seconds = secondsOf(window)
      const perSecond = max_events !== undefined && seconds ? max_events / seconds : undefined
      walk.limits.push({ perSecond, place: placeOf(source, 'rate_limit', place.line) })
    }
  } else if (one.handler === 'reverse_proxy') {
    const { upstreams, dynamic_upstreams, headers: changed } = proxy.parse(one)
    const targets = upstreams.map(({ dial }) => targetOf(dial))
    const isDynamic = dynamic_upstreams !== undefined || upstreams.some(({ dial }) => dial.includes('{'))
    // By itself it tells the service who asks, and does not believe what the client says.
    const forwarded = new Map(
      ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'].map((name) => [name, '']),
    )
    for (const name of Object.keys(changed?.request?.set ?? {})) forwarded.set(name.toLowerCase(), '')
    for (const name of changed?.request?.delete ?? []) forwarded.delete(name.toLowerCase())
    const dial = upstreams[0]?.dial ?? ''
    walk.routes.push({
      ...emptyRoute(walk, placeOf(source, dial, place.line)),
      targets,
      unclear: isDynamic
        ? { reason: 'where it hands requests on to is decided by a variable', port: undefined }
        : undefined,
      forwarded,
    })
  } else if (one.handler === 'static_response') {
    const { status_code, headers: sent } = fixedResponse.parse(one)
    const location =
      Object.entries(sent ?? {}).find(([name]) => name.toLowerCase() === 'location')?.[1][0] ?? ''
    const redirects = /^30[1278]$/.test(String(status_code)) && location.startsWith('https:')
    walk.routes.push({ ...emptyRoute(walk, place), redirects })
  } else walk.routes.push(emptyRoute(walk, place))
}

function emptyRoute(walk: Walk, place: Place): Route {
  return {
    name: walk.paths === '' ? 'all requests' : `requests for ${walk.paths}`,
    place,
    targets: [],
    headers: new Map(walk.headers),
    limits: [...walk.limits],
    forwarded: new Map(),
    redirects: false,
  }
}

function mayServe(name: string, path: string): boolean {
  const [, patterns] = /^requests for (.*)$/.exec(name) ?? []
  if (patterns === undefined) return true
  return patterns.split(' ').some((pattern) => {
    if (pattern.startsWith('*') || !pattern.endsWith('*')) return pattern.startsWith('*') || pattern === path
    return path.startsWith(pattern.slice(0, -1))
  })
}

function targetOf(dial: string): Target {
  if (dial.startsWith('unix/')) return { host: dial, port: 0 }
  const [, host = dial, port] = /^(?:\w+\/)?(\[[^\]]*\]|[^:]*):(\d+)$/.exec(dial) ?? []
  return { host: host.replace(/^\[(.*)\]$/, '$1').toLowerCase(), port: Number(port ?? 0) }
}

const SECONDS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

/** "10s", or nanoseconds. */
function secondsOf(window: unknown): number | undefined {
  if (typeof window === 'number') return window / 1e9
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(window)) ?? []
  return count === undefined ? undefined : Number(count) * (SECONDS[unit] ?? 1)
}

/** The first line from there on that has the text, comments aside. */
function placeOf({ path, text }: { path: string; text: string }, needle: string, from = 1): Place {
  if (needle === '') return { path, line: from > 1 ? from : 0 }
  const lines = text.split('\n')
  const index = lines.findIndex(
    (line, at) => at >= from - 1 && line.toLowerCase().replace(/#.*/, '').includes(needle.toLowerCase()),
  )
  return { path, line: index + 1 }
}
