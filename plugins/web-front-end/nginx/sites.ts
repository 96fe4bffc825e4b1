import type { Listen, Place, RateLimit, Route, Setting, Site } from '../site.ts'
import { blocksOf, type Context, inForce, namedIn, settingOf, toSetting } from './context.ts'
import { type Location, locationFor, patternOf } from './locations.ts'
import type { Directive } from './parse.ts'
import { targetsOf } from './targets.ts'

type Block = Directive & { block: Directive[] }

/** Every `server` of a configuration, of http and of stream, with what is in force in it. Pure. */
export function sitesOf(directives: Directive[]): Site[] {
  const main: Context = { name: 'nginx', directives, parent: undefined }
  return ['http', 'stream'].flatMap((kind) =>
    blocksOf(main, kind).flatMap(({ block }) => {
      const outer: Context = { name: `nginx ${kind}`, directives: block, parent: main }
      return blocksOf(outer, 'server').map((server) => siteOf(server, outer, kind === 'stream'))
    }),
  )
}

function siteOf(server: Block, outer: Context, isStream: boolean): Site {
  const names = server.block.flatMap(({ name, words }) => (name === 'server_name' ? words : []))
  const listens = listensOf(server)
  const label = names.find((name) => name !== '_' && name !== '') ?? (listens[0]?.address || '_')
  const place = placeOf(server)
  const context: Context = {
    name: `nginx ${isStream ? 'stream server' : 'server'} ${label}:${listens.map(({ port }) => port)[0] ?? 0}`,
    directives: server.block,
    parent: outer,
  }
  const locations = locationsOf(context)
  const own = routeOf('the server itself', place, context)
  const routes = [own, ...flatten(locations)]
  // Who asks by another name gets through; that may be when nothing is there to get to.
  const leadsNowhere = routes.every(({ targets, unclear }) => targets.length === 0 && !unclear)
  own.redirects ||= leadsNowhere && sendsEveryName(context, names)
  passThrough(routes, own)
  return {
    program: 'nginx',
    name: context.name,
    names,
    place,
    isStream,
    listens,
    protocols: settingOf(context, 'ssl_protocols'),
    ciphers: settingOf(context, 'ssl_ciphers'),
    certificates: certificatesOf(context),
    routes,
    routesFor: (path) => {
      const chosen = locationFor(locations, path)
      return chosen ? withFallbacks(chosen.value, routes) : [own]
    },
  }
}

/** What a request has been through before it comes to a route. */
function passThrough(routes: NginxRoute[], own: NginxRoute): void {
  for (const route of routes) {
    // What the server itself sends away never reaches a location.
    route.redirects ||= own.redirects
    const before = routes.filter(({ fallbacks }) => fallbacks.includes(route.name))
    if (before.every(({ limits }) => limits.length > 0)) {
      route.limits = [...route.limits, ...before.flatMap(({ limits }) => limits)]
    }
  }
}

function listensOf({ block, path, line }: Block): Listen[] {
  const all = block.filter(({ name, words }) => name === 'listen' && words.length > 0)
  const isAll = block.some(({ name, words }) => name === 'ssl' && words[0] === 'on')
  if (all.length === 0) return [{ address: '*', port: 80, isTls: isAll, place: { path, line } }]
  return all.map((listen) => {
    const [text = '', ...options] = listen.words
    const isTls = isAll || options.includes('ssl') || options.includes('quic')
    return { ...parseListen(text), isTls, place: placeOf(listen) }
  })
}

/** "80", "*:80", "127.0.0.1", "[::]:443", "unix:/run/x.sock". */
function parseListen(text: string): { address: string; port: number } {
  if (text.startsWith('unix:')) return { address: text, port: 0 }
  if (/^\d+$/.test(text)) return { address: '*', port: Number(text) }
  const [, address = text, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? []
  return { address, port: Number(port ?? 80) }
}

function certificatesOf(context: Context): Site['certificates'] {
  const { found: certificates = [], owner = context } = inForce(context, 'ssl_certificate') ?? {}
  const keys = inForce(context, 'ssl_certificate_key')
  return certificates.map((certificate, index) => {
    const key = keys?.found[index]
    return { certificate: toSetting(certificate, owner), key: key && keys && toSetting(key, keys.owner) }
  })
}

function locationsOf(context: Context): Location<NginxRoute>[] {
  return blocksOf(context, 'location').map((location) => {
    const name = `location ${location.words.join(' ')}`
    const inner: Context = { name: `${context.name} ${name}`, directives: location.block, parent: context }
    return {
      pattern: patternOf(location),
      inner: locationsOf(inner),
      value: routeOf(name, placeOf(location), inner),
    }
  })
}

function flatten(locations: Location<NginxRoute>[]): NginxRoute[] {
  return locations.flatMap(({ value, inner }) => [value, ...flatten(inner)])
}

interface NginxRoute extends Route {
  /** Named locations that may go on with a request. */
  fallbacks: string[]
}

function withFallbacks(route: NginxRoute, routes: NginxRoute[]): NginxRoute[] {
  return [route, ...routes.filter(({ name }) => route.fallbacks.includes(name))]
}

function routeOf(name: string, place: Place, context: Context): NginxRoute {
  const conditional = blocksOf(context, 'if').map(
    ({ block }): Context => ({ name: context.name, directives: block, parent: context }),
  )
  const handed = [context, ...conditional].map(targetsOf)
  return {
    name,
    place,
    targets: handed.flatMap(({ targets }) => targets),
    unclear: handed.find(({ unclear }) => unclear !== undefined)?.unclear,
    headers: headersOf(context),
    limits: limitsOf(context),
    forwarded: forwardedOf(context),
    redirects: redirects(context),
    fallbacks: context.directives.flatMap(({ name: directive, words }) =>
      directive === 'try_files' || directive === 'error_page'
        ? words.filter((word) => word.startsWith('@')).map((word) => `location ${word}`)
        : [],
    ),
  }
}

function headersOf(context: Context): Map<string, Setting> {
  const { found = [], owner = context } = inForce(context, 'add_header') ?? {}
  return new Map(
    found.flatMap((directive) => {
      const [name = '', value = ''] = directive.words
      // An empty value is no header.
      return value === '' ? [] : [[name.toLowerCase(), { ...toSetting(directive, owner), value }] as const]
    }),
  )
}

function forwardedOf(context: Context): Map<string, string> {
  const { found = [] } = inForce(context, 'proxy_set_header') ?? {}
  return new Map(
    found.flatMap(({ words: [name = '', value = ''] }) =>
      value === '' ? [] : [[name.toLowerCase(), value] as const],
    ),
  )
}

function limitsOf(context: Context): RateLimit[] {
  if (settingOf(context, 'limit_req_dry_run')?.value === 'on') return []
  const { found = [] } = inForce(context, 'limit_req') ?? {}
  return found.map((directive) => {
    const zone = optionOf(directive, 'zone')
    return { perSecond: zone === undefined ? undefined : rateOf(zone, context), place: placeOf(directive) }
  })
}

function rateOf(zone: string, context: Context): number | undefined {
  const zones: Directive[] = []
  for (let at: Context | undefined = context; at; at = at.parent) {
    zones.push(...namedIn(at.directives, 'limit_req_zone'))
  }
  const own = zones.find((directive) => optionOf(directive, 'zone')?.split(':', 1)[0] === zone)
  const [, count, unit] = /^(\d+)r\/([sm])$/.exec((own && optionOf(own, 'rate')) ?? '') ?? []
  return count === undefined ? undefined : Number(count) / (unit === 'm' ? 60 : 1)
}

function optionOf({ words }: Directive, name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
}

/** It sends to https whatever comes. */
function isAway({ name, words }: Directive): boolean {
  if (name === 'return') return /^https:/.test(words.at(-1) ?? '')
  return (
    name === 'rewrite' &&
    /^(?:\^|\.\*|\^\(\.\*\)\$?|\^\/\(\.\*\)\$?|\^\.\*\$?)$/.test(words[0] ?? '') &&
    /^https:/.test(words[1] ?? '')
  )
}

/** As certbot writes it: `if ($host = a.example.org) { return 301 https://… }` for each name of the server. */
function sendsEveryName(context: Context, names: string[]): boolean {
  const sent = blocksOf(context, 'if').flatMap(({ words, block }) => {
    const [, name] = /^\(?\s*\$host\s*=\s*"?([^\s"]+?)"?\s*\)?$/.exec(words.join(' ')) ?? []
    return name !== undefined && block.some(isAway) ? [name] : []
  })
  return names.length > 0 && names.every((name) => sent.includes(name))
}

/** `return 301 https://…`, `rewrite ^ https://… permanent`; also where it is asked whether it came over plain HTTP. */
function redirects(context: Context): boolean {
  const asksForPlain = ({ words }: Directive) =>
    /^\(?\s*\$(?:scheme\s*!?=\s*"?https?|https\s*(?:=\s*(?:""|''|)|!=\s*"?on)|ssl_protocol\s*=)/.test(
      words.join(' '),
    )
  return (
    context.directives.some(isAway) ||
    blocksOf(context, 'if').some((condition) => asksForPlain(condition) && condition.block.some(isAway))
  )
}

function placeOf({ path, line }: Directive): Place {
  return { path, line }
}
