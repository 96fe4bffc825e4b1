import type { Blind, CheckContext, Fact, Inapplicable, Report } from '../../agent/contract/mod.ts'
import { examineCertificates } from './certificates.ts'
import type { Config } from './config.ts'
import { judgeFront, RULE_OF, waysTo } from './judge-fronts.ts'
import { judgeTls } from './judge-tls.ts'
import { defaultProtocols, readCaddy, readNginx } from './read.ts'
import { type RuleId, rules } from './rules.ts'
import { isTls, type Site } from './site.ts'

const TLS_RULES: RuleId[] = [
  'old-protocol',
  'weak-cipher',
  'key-readable',
  'key-mismatch',
  'certificate-unusable',
  'self-signed-certificate',
  'no-hsts',
]

export async function checkFrontEnds({ config, host, signal }: CheckContext<Config>): Promise<Report> {
  const seen = [readNginx(host, config), await readCaddy(host, config, signal)]
  const sites = seen.flatMap((one) => one.sites)
  const blind: Blind[] = seen.flatMap((one) => one.blind)
  const isInstalled = seen.some((one) => one.isInstalled)
  const needsDefault = sites.some((site) => site.program === 'nginx' && isTls(site) && !site.protocols)
  const tls = judgeTls(sites, config, needsDefault ? await defaultProtocols(host, signal) : undefined)
  const reason = 'nobody says which versions of TLS it offers, and the version of nginx is not to be seen'
  blind.push(...tls.unknownProtocols.map(({ name }) => ({ subject: name, reason, rules: ['old-protocol'] })))
  const certificates = examineCertificates(host, sites, config)
  // What was not read may hold a front end, so that there is none is not sure.
  const isSure = seen.every((one) => one.blind.length === 0)
  const fronts = config.fronts.map((front) =>
    judgeFront(isSure ? front : { ...front, required: false }, sites, config),
  )
  return {
    findings: [...tls.findings, ...certificates.findings, ...fronts.flatMap(({ findings }) => findings)],
    blind: [...blind, ...certificates.blind, ...fronts.flatMap((front) => front.blind)],
    inapplicable: isSure ? inapplicable(sites, isInstalled, config, fronts) : [],
    facts: factsOf(sites, config),
    coverage: { examined: sites.length + certificates.examined + config.fronts.length, skipped: 0 },
  }
}

function inapplicable(
  sites: Site[],
  isInstalled: boolean,
  config: Config,
  fronts: { isFronted: boolean }[],
): Inapplicable[] {
  const none = isInstalled ? 'no site of nginx or Caddy has TLS' : 'neither nginx nor Caddy is installed'
  const tls = sites.some(isTls) ? [] : TLS_RULES.map((rule) => ({ rule, reason: none }))
  const asked = new Set<string>(
    config.fronts.flatMap(({ requires, required }, index) => [
      ...(fronts[index]?.isFronted ? requires.map((requirement) => RULE_OF[requirement]) : []),
      ...(required ? ['no-front'] : []),
    ]),
  )
  const ports = config.fronts.map(({ port }) => port).join(', ')
  const idle = ports === '' ? 'the job names no service behind a front end' : `nothing fronts port ${ports}`
  const ofFronts = Object.keys(rules).filter((rule) => rule === 'no-front' || rule.startsWith('front-'))
  return [...tls, ...ofFronts.filter((rule) => !asked.has(rule)).map((rule) => ({ rule, reason: idle }))]
}

/** Which site fronts which service. */
function factsOf(sites: Site[], config: Config): Fact[] {
  return config.fronts.flatMap((front) =>
    [...new Map(waysTo(front, sites).ways.map(({ site }) => [site.name, site])).values()].map((site) => ({
      kind: 'web-front',
      subject: `${site.name} -> ${front.port}`,
      data: {
        port: front.port,
        names: site.names.join(' ').slice(0, 1000),
        listens: site.listens
          .map(({ address, port }) => `${address}:${port}`)
          .join(' ')
          .slice(0, 1000),
        tls: isTls(site),
        path: site.place.path,
        line: site.place.line || null,
      },
    })),
  )
}
