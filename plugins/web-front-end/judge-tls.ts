import { type Finding, formatDuration, shellWord } from '../../agent/contract/mod.ts'
import { weakKinds } from './ciphers.ts'
import type { Config } from './config.ts'
import { isPublicTls, isTls, type Route, type Setting, type Site } from './site.ts'

/** What nginx offers where nobody says it; undefined when its version is not known. */
export type DefaultProtocols = string[] | undefined

export interface Judgement {
  findings: Finding[]
  /** Sites of which the versions of TLS are the program's own, which are not known. */
  unknownProtocols: Site[]
}

/** Pure: versions of TLS, cipher suites and HSTS of every site with TLS. A setting for many sites is told once. */
export function judgeTls(sites: Site[], config: Config, defaults: DefaultProtocols): Judgement {
  const findings = new Map<string, Finding>()
  const unknownProtocols: Site[] = []
  const add = (finding: Finding) => findings.set(`${finding.rule} ${finding.subject}`, finding)
  for (const site of sites.filter(isTls)) {
    const offered = site.protocols?.words ?? (site.program === 'Caddy' ? ['TLSv1.2', 'TLSv1.3'] : defaults)
    if (!offered) unknownProtocols.push(site)
    const old = offered?.filter((version) => !config.protocols.some((allowed) => allowed === version)) ?? []
    if (old.length > 0) add(oldProtocol(site, old, config))
    const weak =
      site.ciphers && offered?.some((version) => version !== 'TLSv1.3') ? weakKinds(site.ciphers.value) : []
    if (site.ciphers && weak.length > 0) add(weakCipher(site, site.ciphers, weak))
    if (!site.isStream && isPublicTls(site)) {
      const bare = site.routes.find(
        (route) => answers(site, route) && faultOfHsts(route, config) !== undefined,
      )
      if (bare) add(noHsts(site, bare, config))
    }
  }
  return { findings: [...findings.values()], unknownProtocols }
}

/** Not the server around its locations: those answer. */
function answers(site: Site, route: Route): boolean {
  return site.routes.length === 1 || route !== site.routes[0]
}

/** What is wrong with the HSTS of a route's answers; undefined: nothing. */
export function faultOfHsts({ headers }: Route, { hstsAtLeast }: Config): string | undefined {
  const setting = headers.get('strict-transport-security')
  if (!setting) return 'has no Strict-Transport-Security'
  const seconds = Number(/max-age="?(\d+)/i.exec(setting.value)?.[1] ?? 0)
  if (seconds * 1000 >= hstsAtLeast) return undefined
  return `lets browsers stay with https for ${formatDuration(seconds * 1000)} only`
}

function oldProtocol(site: Site, old: string[], { protocols }: Config): Finding {
  const setting = site.protocols
  const wanted = protocols.join(' ')
  return {
    rule: 'old-protocol',
    subject: setting?.owner ?? `${site.program} by default`,
    severity: 'warning',
    summary: `${setting?.owner ?? site.name} offers ${old.join(' and ')}${setting ? '' : ', which is its default'}`,
    remedy: setting
      ? replaceDirective(setting, 'ssl_protocols', wanted)
      : `echo 'ssl_protocols ${wanted};' > /etc/nginx/conf.d/tls.conf && ${RELOAD}`,
    evidence: { ...placeOf(setting ?? site), offered: old.join(' ') },
  }
}

function weakCipher(site: Site, ciphers: Setting, weak: string[]): Finding {
  const remedy =
    site.program === 'nginx'
      ? replaceDirective(ciphers, 'ssl_ciphers', 'HIGH:!aNULL:!MD5')
      : `Take \`ciphers\` out of \`tls\` in ${ciphers.place.path}, then: systemctl reload caddy`
  return {
    rule: 'weak-cipher',
    subject: ciphers.owner,
    severity: 'warning',
    summary: `${ciphers.owner} offers suites ${weak.join(', ')}`,
    remedy,
    evidence: { ...placeOf(ciphers), ciphers: ciphers.value.slice(0, 1000) },
  }
}

function noHsts(site: Site, route: Route, config: Config): Finding {
  return {
    rule: 'no-hsts',
    subject: site.name,
    severity: 'info',
    summary: `${site.name}, ${route.name} ${faultOfHsts(route, config)}`,
    remedy: hstsRemedy(site, route, config),
    evidence: placeOf(route),
  }
}

export function hstsRemedy({ program }: Site, { place }: Route, { hstsAtLeast }: Config): string {
  const value = `max-age=${Math.ceil(hstsAtLeast / 1000)}`
  return program === 'nginx'
    ? `Write in the block at ${place.path}:${place.line}, and repeat there what add_header says around it:\n` +
        `add_header Strict-Transport-Security "${value}" always;\nthen: ${RELOAD}`
    : `Write in the site: header Strict-Transport-Security "${value}", then: systemctl reload caddy`
}

export const RELOAD = 'nginx -t && systemctl reload nginx'

function replaceDirective({ place: { path, line } }: Setting, name: string, value: string): string {
  return `sed -i '${line}s/${name}[^;]*;/${name} ${value};/' ${shellWord(path)} && ${RELOAD}`
}

export function placeOf({ place: { path, line } }: { place: { path: string; line: number } }): {
  path: string
  line: number | null
} {
  return { path, line: line || null }
}
