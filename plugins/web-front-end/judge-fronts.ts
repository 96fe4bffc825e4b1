import type { Blind, Finding } from '../../agent/contract/mod.ts'
import type { Config, Front, Requirement } from './config.ts'
import { faultOfHsts, hstsRemedy, placeOf, RELOAD } from './judge-tls.ts'
import type { RuleId } from './rules.ts'
import { isLocalAddress, isTls, type Route, type Site } from './site.ts'

export const RULE_OF: Record<Requirement, RuleId> = {
  tls: 'front-without-tls',
  redirect: 'front-without-redirect',
  hsts: 'front-without-hsts',
  headers: 'front-without-headers',
  'rate-limit': 'front-without-rate-limit',
  'forward-headers': 'front-without-forward-headers',
}

/** A route of a site that hands requests on to the service. */
export interface Way {
  site: Site
  route: Route
}

/** What does not hold of a way, and what to do. */
interface Fault {
  says: string
  remedy: string
}

/** Ways to a service on a port of this host. `unclear`: why there may be others that are not seen. */
export function waysTo({ port, paths }: Front, sites: Site[]): { ways: Way[]; unclear: string[] } {
  const leads = ({ targets }: Route) =>
    targets.some(
      (target) => target.port === port && (isLocalAddress(target.host) || target.host === '0.0.0.0'),
    )
  const unclear: string[] = []
  const ways = sites.flatMap((site) => {
    let routes = site.routes
    if (paths.length > 0 && routes.some(leads)) {
      try {
        routes = [...new Set(paths.flatMap((path) => site.routesFor(path)))]
      } catch (error) {
        unclear.push(`${site.name}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    for (const { unclear: one } of routes) {
      if (one && (one.port ?? port) === port) unclear.push(`${site.name}: ${one.reason}`)
    }
    return routes.filter(leads).map((route) => ({ site, route }))
  })
  return { ways, unclear }
}

/** Pure: what is asked of the front ends of one service. `isAny`: there is a front end on this host at all. */
export function judgeFront(
  front: Front,
  sites: Site[],
  config: Config,
): { findings: Finding[]; blind: Blind[]; isFronted: boolean } {
  const { ways, unclear } = waysTo(front, sites)
  const subject = `port ${front.port}`
  const what = front.service ? `${front.service} (${subject})` : subject
  const asked = front.requires.map((requirement) => RULE_OF[requirement])
  const blind = unclear.map((reason) => ({ subject, reason, rules: ['no-front', ...asked] }))
  if (ways.length === 0) {
    const isSure = front.required && unclear.length === 0
    return { findings: isSure ? [noFront(front, what, subject)] : [], blind, isFronted: unclear.length > 0 }
  }
  const findings = front.requires.flatMap((requirement): Finding[] => {
    const faults = ways.flatMap(({ site, route }) => {
      const fault = JUDGES[requirement]({ site, route }, { front, sites, config })
      return fault ? [{ ...fault, site, route }] : []
    })
    const [first] = faults
    if (!first) return []
    const rule = RULE_OF[requirement]
    const more = faults.length > 1 ? `, and ${faults.length - 1} more` : ''
    return [
      {
        rule,
        subject,
        severity: rule === 'front-without-tls' ? 'critical' : 'warning',
        summary: `${what}: ${first.site.name}, ${first.route.name} ${first.says}${more}`,
        remedy: [...new Set(faults.map(({ remedy }) => remedy))].slice(0, 5).join('\n'),
        evidence: { ...placeOf(first.route), site: first.site.name, faults: faults.length },
      },
    ]
  })
  return { findings, blind, isFronted: true }
}

function noFront({ port }: Front, what: string, subject: string): Finding {
  return {
    rule: 'no-front',
    subject,
    severity: 'warning',
    summary: `Neither nginx nor Caddy hands requests on to ${what}`,
    remedy:
      `Put a front end with TLS before it, in nginx: a server that listens on 443 ssl, with\n` +
      `location / { proxy_pass http://127.0.0.1:${port}; }\nthen: ${RELOAD}`,
    evidence: { port },
  }
}

type Judge = (way: Way, about: { front: Front; sites: Site[]; config: Config }) => Fault | undefined

const JUDGES: Record<Requirement, Judge> = {
  tls: ({ site, route }) => {
    if (route.redirects) return undefined
    const clear = site.listens.find(({ isTls, address }) => !isTls && !isLocalAddress(address))
    if (!clear) return undefined
    return {
      says: `is reached in clear on ${clear.address}:${clear.port}`,
      remedy:
        site.program === 'nginx'
          ? `Write "listen ${clear.port === 80 ? 443 : clear.port} ssl;" and a certificate in the server at ${site.place.path}:${site.place.line}, ` +
            `and let another server send port 80 away: return 301 https://$host$request_uri; then: ${RELOAD}`
          : 'Write the name of the site without "http://" and without port 80, then: systemctl reload caddy',
    }
  },
  redirect: ({ site }, { front, sites }) => {
    if (!isTls(site)) return undefined
    const asked = front.paths.length > 0 ? front.paths : ['/']
    const plain = sites.find(
      (other) =>
        other.listens.some(({ isTls, address }) => !isTls && !isLocalAddress(address)) &&
        other.names.some((name) => site.names.includes(name)) &&
        // Other paths may be answered: those by which certificates are renewed are.
        asked.some((path) => answersInClear(other, path)),
    )
    if (!plain) return undefined
    return {
      says: `is also answered over plain HTTP, by ${plain.name}`,
      remedy:
        `Write in the server at ${plain.place.path}:${plain.place.line}, instead of its locations: ` +
        `return 301 https://$host$request_uri; then: ${RELOAD}`,
    }
  },
  hsts: ({ site, route }, { config }) => {
    const fault = isTls(site) ? faultOfHsts(route, config) : undefined
    return fault ? { says: fault, remedy: hstsRemedy(site, route, config) } : undefined
  },
  headers: ({ site, route }, { config }) => {
    const wrong = Object.entries(config.headers).filter(([name, values]) => {
      const value = route.headers.get(name.toLowerCase())?.value.toLowerCase()
      return (
        value === undefined || (values.length > 0 && !values.some((right) => right.toLowerCase() === value))
      )
    })
    if (wrong.length === 0) return undefined
    const lines = wrong.map(
      ([name, values]) => [name, values[0] ?? 'strict-origin-when-cross-origin'] as const,
    )
    return {
      says: `does not set ${wrong.map(([name]) => name).join(', ')}`,
      remedy:
        site.program === 'nginx'
          ? `Write in the block at ${route.place.path}:${route.place.line}, and repeat there what add_header says around it:\n` +
            `${lines.map(([name, value]) => `add_header ${name} "${value}" always;`).join('\n')}\nthen: ${RELOAD}`
          : `Write in the site:\n${lines.map(([name, value]) => `header ${name} "${value}"`).join('\n')}\nthen: systemctl reload caddy`,
    }
  },
  'rate-limit': ({ site, route }, { front }) => {
    const most = front.mostPerSecond
    const slowest = Math.min(...route.limits.flatMap(({ perSecond }) => perSecond ?? []))
    const isLimited = route.limits.length > 0
    if (isLimited && (most === undefined || slowest <= most)) return undefined
    const rate = `${most ?? 10}r/s`
    return {
      says: isLimited
        ? `lets a client ask ${Number.isFinite(slowest) ? `${slowest} times a second` : 'at a rate that is not to be seen'}, wanted at most ${most}`
        : 'limits no client',
      remedy:
        site.program === 'nginx'
          ? `Write in http: limit_req_zone $binary_remote_addr zone=port${front.port}:10m rate=${rate};\n` +
            `and in the block at ${route.place.path}:${route.place.line}: limit_req zone=port${front.port} burst=20 nodelay;\nthen: ${RELOAD}`
          : 'Caddy limits clients with the module http.handlers.rate_limit only, which its packages lack; limit them in the service, or put nginx in front',
    }
  },
  'forward-headers': ({ site, route }, { config }) => {
    const wanted = config.forwardHeaders.filter(
      (name) => site.program === 'nginx' || name.toLowerCase() !== 'x-real-ip',
    )
    const missing = wanted.filter((name) => !route.forwarded.has(name.toLowerCase()))
    // What the client sends is anybody's word.
    const believed = wanted.filter((name) => /^\$http_x_/.test(route.forwarded.get(name.toLowerCase()) ?? ''))
    if (missing.length === 0 && believed.length === 0) return undefined
    const lines = [...missing, ...believed].map(
      (name) => `proxy_set_header ${name} ${SOURCES[name.toLowerCase()] ?? '…'};`,
    )
    return {
      says:
        missing.length > 0
          ? `does not tell it ${missing.join(', ')}`
          : `hands on ${believed.join(', ')} as the client says it`,
      remedy:
        site.program === 'nginx'
          ? `Write in the block at ${route.place.path}:${route.place.line}, and repeat there what proxy_set_header says around it:\n` +
            `${lines.join('\n')}\nthen: ${RELOAD}`
          : `Take "header_up -${missing[0]}" out of its reverse_proxy, then: systemctl reload caddy`,
    }
  },
}

const SOURCES: Record<string, string> = {
  'x-real-ip': '$remote_addr',
  'x-forwarded-for': '$proxy_add_x_forwarded_for',
  'x-forwarded-proto': '$scheme',
  'x-forwarded-host': '$host',
}

function answersInClear(site: Site, path: string): boolean {
  try {
    return site.routesFor(path).some(({ redirects }) => !redirects)
  } catch {
    return site.routes.some(({ redirects }) => !redirects)
  }
}
