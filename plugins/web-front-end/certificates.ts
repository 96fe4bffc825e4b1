import { createPrivateKey, X509Certificate } from 'node:crypto'
import {
  type Blind,
  describeError,
  type Finding,
  type HostReader,
  NotPermittedError,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { placeOf } from './judge-tls.ts'
import type { RuleId } from './rules.ts'
import { isPublicTls, isTls, type Setting, type Site } from './site.ts'

const MAX_FILE_BYTES = 1024 * 1024
const CERTIFICATE_RULES: RuleId[] = ['certificate-unusable', 'self-signed-certificate', 'key-mismatch']
const KEY_RULES: RuleId[] = ['key-readable', 'key-mismatch', 'certificate-unusable']

/** A certificate with its key, as some sites name them. */
interface Pair {
  program: Site['program']
  /** Somebody else than this host is shown it. */
  isPublic: boolean
  certificate: Setting
  key: Setting | undefined
}

/** The files of certificates and keys that sites name: there, private, belonging together, not signed by themselves. */
export function examineCertificates(
  host: HostReader,
  sites: Site[],
  config: Config,
): { findings: Finding[]; blind: Blind[]; examined: number } {
  const findings: Finding[] = []
  const blind: Blind[] = []
  const pairs = pairsOf(sites, config)
  for (const pair of pairs) {
    const report = (
      rule: RuleId,
      severity: Finding['severity'],
      setting: Setting,
      summary: string,
      remedy: string,
    ) =>
      findings.push({ rule, subject: setting.value, severity, summary, remedy, evidence: placeOf(setting) })
    const attempt = <T>(setting: Setting, rules: RuleId[], read: (text: string) => T): T | undefined => {
      const path = setting.value
      if (/\$/.test(path) || !path.startsWith('/')) {
        blind.push({ subject: path, reason: 'which file it is only turns out at run time', rules })
        return undefined
      }
      try {
        if (!host.statTarget(path)) {
          const summary = `${path}, which ${setting.owner} names, does not exist`
          const remedy = `Make it, or take it out of ${setting.place.path}:${setting.place.line}`
          report('certificate-unusable', 'critical', setting, summary, remedy)
          return undefined
        }
        return read(host.readText(path, { maxBytes: MAX_FILE_BYTES, follow: true }))
      } catch (error) {
        const reason =
          error instanceof NotPermittedError
            ? `it is in none of the directories that this job looks into (\`certificates\`)`
            : describeError(error)
        blind.push({ subject: path, reason, rules })
        return undefined
      }
    }
    const certificate = attempt(pair.certificate, CERTIFICATE_RULES, (text) =>
      parsed(() => new X509Certificate(text)),
    )
    if (certificate === 'damaged') {
      const { value, owner } = pair.certificate
      const remedy = 'Put the certificate there as PEM, the one of the server first'
      report(
        'certificate-unusable',
        'critical',
        pair.certificate,
        `${value}, which ${owner} names, is no certificate`,
        remedy,
      )
    } else if (certificate && pair.isPublic && isSelfSigned(certificate)) {
      const { value, owner } = pair.certificate
      const summary = `${owner} shows others ${value}, which is signed by itself`
      const remedy = 'Get one that its visitors trust: certbot --nginx, or one of the authority of the house'
      report('self-signed-certificate', 'warning', pair.certificate, summary, remedy)
    }
    if (!pair.key) continue
    const { value: path, owner } = pair.key
    judgeMode(host, pair, config, report)
    const key = attempt(pair.key, KEY_RULES, (text) => {
      if (/ENCRYPTED/.test(text)) {
        blind.push({ subject: path, reason: 'it is encrypted', rules: ['key-mismatch'] })
        return undefined
      }
      return parsed(() => createPrivateKey(text))
    })
    if (key === 'damaged') {
      const remedy = 'Put the key there as PEM'
      report('certificate-unusable', 'critical', pair.key, `${path}, which ${owner} names, is no key`, remedy)
    } else if (key && certificate && certificate !== 'damaged' && !certificate.checkPrivateKey(key)) {
      const summary = `${path} is not the key of ${pair.certificate.value}; ${pair.program} will not start with them`
      const remedy = 'Put the key there for which the certificate was issued, then: nginx -t'
      report('key-mismatch', 'critical', pair.key, summary, remedy)
    }
  }
  return { findings: onlyFirst(findings), blind, examined: pairs.length }
}

/** Undefined paths are left out; relative ones are below the directory of nginx.conf. */
function pairsOf(sites: Site[], { nginx }: Config): Pair[] {
  const base = nginx.slice(0, nginx.lastIndexOf('/'))
  const absolute = (setting: Setting): Setting => ({
    ...setting,
    value: /^[/$]|^(?:data|engine|store):/.test(setting.value) ? setting.value : `${base}/${setting.value}`,
  })
  const pairs = new Map<string, Pair>()
  for (const site of sites.filter(isTls)) {
    for (const { certificate, key } of site.certificates) {
      const pair: Pair = {
        program: site.program,
        isPublic: isPublicTls(site),
        certificate: absolute(certificate),
        key: key && absolute(key),
      }
      const id = `${pair.certificate.value}\0${pair.key?.value}`
      const known = pairs.get(id)
      if (known) known.isPublic ||= pair.isPublic
      else pairs.set(id, pair)
    }
  }
  return [...pairs.values()]
}

function judgeMode(
  host: HostReader,
  { key }: Pair,
  { keyGroups }: Config,
  report: (
    rule: RuleId,
    severity: Finding['severity'],
    setting: Setting,
    summary: string,
    remedy: string,
  ) => void,
): void {
  if (!key?.value.startsWith('/') || key.value.includes('$')) return
  const stat = host.statTarget(key.value)
  if (!stat) return
  const group = host.groupName(stat.gid)
  const allowed = keyGroups.includes(group) ? 0o740 : 0o700
  if ((stat.mode & 0o777 & ~allowed) === 0) return
  const mode = stat.mode.toString(8).padStart(4, '0')
  report(
    'key-readable',
    (stat.mode & 0o007) === 0 ? 'warning' : 'critical',
    key,
    `${key.value}, a private key of ${key.owner}, has the mode ${mode} and the group ${group}`,
    `chmod 0600 -- ${shellWord(key.value)}`,
  )
}

function parsed<T>(parse: () => T): T | 'damaged' {
  try {
    return parse()
  } catch {
    return 'damaged'
  }
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.issuer === certificate.subject && certificate.verify(certificate.publicKey)
}

/** Rule and subject are the identity of a finding. */
function onlyFirst(findings: Finding[]): Finding[] {
  const byIdentity = new Map<string, Finding>()
  for (const finding of findings) {
    const id = `${finding.rule}\0${finding.subject}`
    if (!byIdentity.has(id)) byIdentity.set(id, finding)
  }
  return [...byIdentity.values()]
}
