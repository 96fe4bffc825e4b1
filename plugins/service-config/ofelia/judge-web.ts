import type { Finding } from '../../../agent/contract/mod.ts'
import { RANK, reachOf, splitAddress } from '../reach.ts'
import { complain, type RuleId } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import { describePlace } from '../setting.ts'
import type { Global, Globals } from './globals.ts'
import { goBoolean, referenceTo } from './values.ts'

/** Rules that are about the web interface: they have nothing to judge where it is off. */
export const WEB_RULES: readonly RuleId[] = [
  'no-authentication',
  'wide-bind',
  'weak-password-hash',
  'default-username',
  'long-session',
  'many-login-attempts',
  'trusted-proxies',
]

const PLACEHOLDERS = /^(changeme|change-me|password|secret|your[-_ ].*|example.*|\.\.\.|x{3,}|<.*>)$/i
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
const MIN_COST = 12
const MIN_SECRET_BYTES = 32

/** Pure: the web interface and the profiler. Values that nobody can tell come back as `unknown`. */
export function judgeWeb(
  globals: Globals,
  runtime: Runtime,
  addresses: readonly string[],
): { findings: Finding[]; unknown: { rule: RuleId; name: string }[] } {
  const unknown: { rule: RuleId; name: string }[] = []
  const findings = [...judgeProfiler(globals, runtime, addresses)]
  if (!globals.isOn('enable-web')) return { findings, unknown }
  const address = globals.of('web-address')
  const bound = splitAddress(address.text ?? '')
  const { reach, place: published } = bound
    ? reachOf(runtime, bound.host, bound.port)
    : { reach: 'everywhere' as const, place: undefined }
  if (address.text === undefined) unknown.push({ rule: 'wide-bind', name: 'web-address' })
  else if (reach === 'everywhere' && !addresses.includes(bound?.host || '0.0.0.0')) {
    findings.push(
      complain('wide-bind', {
        key: address.name,
        place: published ?? address.place,
        summary: published
          ? 'The port of the web interface is published on every address of this host'
          : `The web interface listens on ${bound?.host || 'all addresses'}${address.isDefault ? ', by the default of Ofelia' : ''}`,
        remedy: published
          ? `Write 127.0.0.1: before the port at ${describePlace(published)}`
          : address.edit(`127.0.0.1:${bound?.port ?? 8081}`),
        evidence: { reach },
      }),
    )
  }
  const auth = globals.of('web-auth-enabled')
  if (auth.text === undefined) {
    unknown.push({ rule: 'no-authentication', name: 'web-auth-enabled' })
    return { findings, unknown }
  }
  if (goBoolean(auth.text) !== true) {
    const summary = `The web interface asks nobody who he is, and can be reached from ${reach}: whoever does may run commands`
    findings.push(
      complain('no-authentication', {
        key: auth.name,
        place: auth.place,
        severity: RANK[reach] <= RANK['its own containers'] ? 'warning' : 'critical',
        summary,
        remedy: switchOn(globals, auth),
        evidence: { reach },
      }),
    )
    return { findings, unknown }
  }
  findings.push(...judgeLogin(globals, unknown))
  return { findings, unknown }
}

/** All that a login needs: without a name and a hash Ofelia would not start. Lines are only put in at the end. */
function switchOn(globals: Globals, auth: Global): string {
  const hash = globals.of('web-password-hash')
  const variable = referenceTo('OFELIA_WEB_PASSWORD_HASH')
  return [
    ...(auth.isDefault ? [] : [auth.edit('true')]),
    ...(globals.of('web-username').text === '' ? [globals.of('web-username').edit('ops')] : []),
    ...(hash.text === '' ? [hash.edit(variable)] : []),
    ...(auth.isDefault ? [auth.edit('true')] : []),
    ...(hash.text === ''
      ? [
          `Make the hash by: ofelia hash-password --cost ${MIN_COST}, and put it into OFELIA_WEB_PASSWORD_HASH, in a file of mode 0600 that it is started with`,
        ]
      : []),
  ].join('\n')
}

function judgeLogin(globals: Globals, unknown: { rule: RuleId; name: string }[]): Finding[] {
  const findings: Finding[] = []
  const username = globals.of('web-username')
  if (username.text === '') {
    findings.push(missing(username, 'would-not-start', 'ops'))
  } else if (username.text !== undefined && /^(admin|administrator|root|user|ofelia)$/i.test(username.text)) {
    const summary = 'The name to log in with is one that everybody tries first'
    findings.push(
      complain('default-username', {
        key: username.name,
        place: username.place,
        summary,
        remedy: username.edit('ops-NAME'),
      }),
    )
  }
  findings.push(...judgeHash(globals.of('web-password-hash'), unknown))
  findings.push(...judgeSecretKey(globals.of('web-secret-key'), unknown))
  const expiry = globals.of('web-token-expiry')
  if (Number(expiry.text) > 24) {
    const summary = `A login holds for ${expiry.text} hours: a token that was stolen is good for as long`
    findings.push(
      complain('long-session', {
        key: expiry.name,
        place: expiry.place,
        summary,
        remedy: expiry.edit('24'),
      }),
    )
  }
  const attempts = globals.of('web-max-login-attempts')
  if (Number(attempts.text) > 5) {
    const summary = `${attempts.text} passwords may be tried in a minute`
    findings.push(
      complain('many-login-attempts', {
        key: attempts.name,
        place: attempts.place,
        summary,
        remedy: attempts.edit('5'),
      }),
    )
  }
  const proxies = globals.of('web-trusted-proxies')
  if (/(^|[\s,])(0\.0\.0\.0\/0|::\/0|\*)([\s,]|$)/.test(proxies.text ?? '')) {
    const summary =
      'Every address counts as a proxy: whoever comes may say that he is somebody else, and try passwords for ever'
    findings.push(
      complain('trusted-proxies', {
        key: proxies.name,
        place: proxies.place,
        summary,
        remedy: proxies.edit('127.0.0.1/32'),
      }),
    )
  }
  return findings
}

function missing(global: Global, rule: RuleId, example: string): Finding {
  const summary = `Logins are asked for and ${global.key} is not set: Ofelia would not start`
  return complain(rule, { key: global.name, place: global.place, summary, remedy: global.edit(example) })
}

function judgeHash(hash: Global, unknown: { rule: RuleId; name: string }[]): Finding[] {
  if (hash.text === undefined) {
    unknown.push({ rule: 'weak-password-hash', name: hash.key })
    return []
  }
  if (hash.text === '') return [missing(hash, 'would-not-start', referenceTo('OFELIA_WEB_PASSWORD_HASH'))]
  // A reference that nothing sets is told as such.
  if (hash.text.startsWith('${')) return []
  const cost = BCRYPT.exec(hash.text)?.[1]
  if (cost !== undefined && Number(cost) >= MIN_COST) return []
  const summary =
    cost === undefined
      ? 'The hash of the password is none of bcrypt: nobody can log in, or it is the password itself'
      : `The hash of the password has cost ${Number(cost)}, wanted at least ${MIN_COST}`
  const remedy = `ofelia hash-password --cost ${MIN_COST}\nPut what it prints in the place of the old one at ${describePlace(hash.place)}`
  return [
    complain('weak-password-hash', {
      key: hash.name,
      place: hash.place,
      summary,
      remedy,
      evidence: { cost: cost ? Number(cost) : null },
    }),
  ]
}

function judgeSecretKey(secret: Global, unknown: { rule: RuleId; name: string }[]): Finding[] {
  if (secret.text === undefined) {
    unknown.push({ rule: 'weak-secret', name: secret.key })
    return []
  }
  const make = `openssl rand -base64 48\nPut what it prints into OFELIA_WEB_SECRET_KEY, in a file of mode 0600`
  if (secret.text === '') {
    const summary = 'web-secret-key is not set: every start ends all logins'
    return [
      complain('missing-secret', {
        key: secret.name,
        place: secret.place,
        severity: 'info',
        summary,
        remedy: make,
      }),
    ]
  }
  if (secret.text.startsWith('${')) return []
  if (PLACEHOLDERS.test(secret.text)) {
    const summary = 'web-secret-key is a placeholder'
    return [complain('placeholder-secret', { key: secret.name, place: secret.place, summary, remedy: make })]
  }
  if (Buffer.byteLength(secret.text) >= MIN_SECRET_BYTES) return []
  const summary = `web-secret-key has ${Buffer.byteLength(secret.text)} bytes, wanted at least ${MIN_SECRET_BYTES}`
  return [complain('weak-secret', { key: secret.name, place: secret.place, summary, remedy: make })]
}

function judgeProfiler(globals: Globals, runtime: Runtime, addresses: readonly string[]): Finding[] {
  if (!globals.isOn('enable-pprof')) return []
  const address = globals.of('pprof-address')
  const bound = splitAddress(address.text ?? '')
  if (address.text !== undefined && bound && addresses.includes(bound.host)) return []
  const { reach } = bound ? reachOf(runtime, bound.host, bound.port) : { reach: 'everywhere' as const }
  if (RANK[reach] <= RANK['its own containers']) return []
  const summary = `The profiler can be reached from ${reach}`
  return [
    complain('open-profiler', {
      key: address.name,
      place: address.place,
      summary,
      remedy: address.edit('127.0.0.1:8080'),
    }),
  ]
}
