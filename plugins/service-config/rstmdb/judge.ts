import type { Finding } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { RANK, type Reach, reachOf, splitAddress } from '../reach.ts'
import { complain } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import { inlineSecret } from '../secrets.ts'
import { deleteLine, describePlace, type InForce, type Place, replaceOnLine } from '../setting.ts'
import type { Settings } from './settings.ts'
import type { Token } from './tokens.ts'

/** What is judged together: the settings in force, how it is started, and what lies on the disk. */
export interface Deployment {
  settings: Settings
  runtime: Runtime
  /** Where a setting that nobody wrote is blamed: the configuration, or the unit. */
  home: Place
  tokens: Token[]
  /** Every file with tokens could be read. */
  tokensKnown: boolean
  exists(path: string): boolean
  config: Config
}

const RESTART = 'systemctl restart rstmdb'

/** Pure but for `exists`: what is dangerous in how an rstmdb is set up. */
export function judgeRstmdb(deployment: Deployment): Finding[] {
  return [
    ...judgeAccess(deployment),
    ...judgeTls(deployment),
    ...judgeMetrics(deployment),
    ...judgeStorage(deployment),
    ...judgeReplication(deployment),
    ...judgeLog(deployment),
    ...judgeUnit(deployment),
  ]
}

interface Found {
  setting: InForce
  place: Place
  key: string
  remedy(value: string): string
}

/** A setting with the place to blame, and the whole remedy. */
function find({ settings, home, runtime }: Deployment, key: string): Found {
  const setting = settings.of(key)
  const reload = runtime.kind === 'unit' && setting.variable ? 'systemctl daemon-reload && ' : ''
  const restart =
    runtime.kind === 'container' ? `docker compose -f ${runtime.place?.path ?? ''} up -d` : RESTART
  return {
    setting,
    place: setting.place ?? setting.near ?? home,
    key: setting.variable ?? key,
    remedy: (value) => `${setting.edit(value)}\n${reload}${restart}`,
  }
}

const how = ({ place, variable }: InForce) =>
  place ? (variable ? `by ${variable}` : 'here') : 'by the default of rstmdb'

function boundTo(
  deployment: Deployment,
  key: string,
): { host: string; reach: Reach; published?: Place | undefined } | undefined {
  const address = splitAddress(deployment.settings.text(key) ?? '')
  if (!address) return undefined
  const { reach, place } = reachOf(deployment.runtime, address.host, address.port)
  return { host: address.host, reach, published: place }
}

function judgeAccess(deployment: Deployment): Finding[] {
  const { settings, tokens, tokensKnown, config, exists } = deployment
  const bound = boundTo(deployment, 'network.bind_addr')
  const reach = bound?.reach ?? 'everywhere'
  const findings: Finding[] = []
  const bind = find(deployment, 'network.bind_addr')
  if (bound?.reach === 'everywhere' && !config.addresses.includes(bound.host)) {
    findings.push(
      complain('wide-bind', {
        key: bind.key,
        place: bound.published ?? bind.place,
        summary: bound.published
          ? 'The port of rstmdb is published on every address of this host'
          : `rstmdb listens on ${bound.host}, ${how(bind.setting)}`,
        remedy: bound.published
          ? `Write 127.0.0.1: before the port at ${describePlace(bound.published)}`
          : bind.remedy('127.0.0.1:7401'),
        evidence: { address: bound.host },
      }),
    )
  }
  const required = find(deployment, 'auth.required')
  if (required.setting.value === false) {
    findings.push(
      complain('no-authentication', {
        key: required.key,
        place: required.place,
        severity: RANK[reach] <= RANK['its own containers'] ? 'warning' : 'critical',
        summary: `rstmdb asks for no token (auth.required is false, ${how(required.setting)}), and can be reached from ${reach}`,
        remedy: required.remedy('true'),
        evidence: { reach },
      }),
    )
  } else if (required.setting.value === true && tokensKnown && tokens.length === 0) {
    const secrets = find(deployment, 'auth.secrets_file')
    const path = settings.text('auth.secrets_file') ?? '/etc/rstmdb/tokens'
    findings.push(
      complain('would-not-start', {
        key: required.key,
        place: required.place,
        summary: 'auth.required is true and there is no token: rstmdb would not start',
        remedy: `openssl rand -hex 32 | tee /root/rstmdb.token | tr -d '\\n' | sha256sum | cut -c1-64 >> ${path}\n${secrets.remedy(path)}`,
      }),
    )
  }
  const file = find(deployment, 'auth.secrets_file')
  const path = settings.text('auth.secrets_file')
  if (path?.startsWith('/') && deployment.runtime.kind !== 'container' && !exists(path)) {
    findings.push(
      complain('would-not-start', {
        key: file.key,
        place: file.place,
        summary: `auth.secrets_file ${path} is not there: rstmdb would not start`,
        remedy: `install -m 600 -o rstmdb -g rstmdb /dev/null ${path}`,
      }),
    )
  }
  return findings
}

function judgeTls(deployment: Deployment): Finding[] {
  const { settings, config, exists, runtime } = deployment
  const reach = boundTo(deployment, 'network.bind_addr')?.reach ?? 'everywhere'
  const isFar = RANK[reach] >= RANK['the private network']
  const enabled = find(deployment, 'tls.enabled')
  if (enabled.setting.value === false) {
    if (!isFar) return []
    const summary = `rstmdb can be reached from ${reach} and does not encrypt (tls.enabled is false, ${how(enabled.setting)})`
    const remedy = ['cert_path', 'key_path'].some((key) => !settings.text(`tls.${key}`))
      ? `${find(deployment, 'tls.cert_path').setting.edit(settings.text('tls.cert_path') ?? '/etc/rstmdb/server.pem')}\n${find(deployment, 'tls.key_path').setting.edit(settings.text('tls.key_path') ?? '/etc/rstmdb/server-key.pem')}\n${enabled.remedy('true')}`
      : enabled.remedy('true')
    return [
      complain('unencrypted', {
        key: enabled.key,
        place: enabled.place,
        summary,
        remedy,
        evidence: { reach },
      }),
    ]
  }
  if (enabled.setting.value !== true) return []
  const findings: Finding[] = []
  const client = find(deployment, 'tls.require_client_cert')
  if (isFar && config.rstmdb.mutualTls && client.setting.value === false) {
    const summary = `rstmdb asks clients for no certificate (tls.require_client_cert is false, ${how(client.setting)})`
    findings.push(
      complain('no-client-certificate', {
        key: client.key,
        place: client.place,
        summary,
        remedy: client.remedy('true'),
      }),
    )
  }
  const needed = [
    'tls.cert_path',
    'tls.key_path',
    ...(settings.isOn('tls.require_client_cert') ? ['tls.client_ca_path'] : []),
  ]
  for (const key of needed) {
    const { place, setting, key: subject, remedy } = find(deployment, key)
    const path = settings.text(key)
    const example =
      { 'tls.cert_path': 'server.pem', 'tls.key_path': 'server-key.pem' }[key] ?? 'client-ca.pem'
    if (path === undefined && setting.variable === undefined) {
      const summary = `TLS is on and ${key} is not set: rstmdb would not start`
      findings.push(
        complain('would-not-start', { key, place, summary, remedy: remedy(`/etc/rstmdb/${example}`) }),
      )
    } else if (path?.startsWith('/') && runtime.kind !== 'container' && !exists(path)) {
      const summary = `${key} names ${path}, which is not there: rstmdb would not start`
      findings.push(
        complain('would-not-start', {
          key: subject,
          place,
          summary,
          remedy: `Put the file there, or name another one at ${describePlace(place)}`,
        }),
      )
    }
  }
  return findings
}

function judgeMetrics(deployment: Deployment): Finding[] {
  if (!deployment.settings.isOn('metrics.enabled')) return []
  const bound = boundTo(deployment, 'metrics.bind_addr')
  if (
    !bound ||
    RANK[bound.reach] <= RANK['its own containers'] ||
    deployment.config.addresses.includes(bound.host)
  )
    return []
  const { key, setting, place, remedy } = find(deployment, 'metrics.bind_addr')
  const summary = `Metrics ask for no token and can be read from ${bound.reach}: ${bound.host}, ${how(setting)}`
  return [
    complain('open-metrics', {
      key,
      place: bound.published ?? place,
      summary,
      remedy: bound.published
        ? `Write 127.0.0.1: before the port at ${describePlace(bound.published)}`
        : remedy('127.0.0.1:9090'),
      evidence: { reach: bound.reach },
    }),
  ]
}

function judgeStorage(deployment: Deployment): Finding[] {
  const { settings } = deployment
  const findings: Finding[] = []
  const fsync = find(deployment, 'storage.fsync_policy')
  if (fsync.setting.value === 'never') {
    const summary = 'storage.fsync_policy is never: what was confirmed is lost in a crash of the host'
    findings.push(
      complain('unsafe-writes', {
        key: fsync.key,
        place: fsync.place,
        summary,
        remedy: fsync.remedy('every_write'),
      }),
    )
  }
  const flush = find(deployment, 'storage.allow_flush_all')
  if (settings.isOn('storage.allow_flush_all')) {
    const summary = 'storage.allow_flush_all is true: any client may empty the database'
    findings.push(
      complain('flush-allowed', {
        key: flush.key,
        place: flush.place,
        summary,
        remedy: flush.remedy('false'),
      }),
    )
  }
  return findings
}

function judgeReplication(deployment: Deployment): Finding[] {
  const { settings, runtime } = deployment
  const findings: Finding[] = []
  const upstream = find(deployment, 'replication.upstream')
  if (
    settings.text('replication.role') === 'replica' &&
    upstream.setting.value === undefined &&
    !upstream.setting.variable
  ) {
    const { place, key } = find(deployment, 'replication.role')
    const summary = 'It is a replica and replication.upstream is not set: rstmdb would not start'
    findings.push(
      complain('would-not-start', { key, place, summary, remedy: upstream.remedy('PRIMARY:7401') }),
    )
  }
  const token = find(deployment, 'replication.auth_token')
  const variable = token.setting.variable ? runtime.variables.get(token.setting.variable) : undefined
  if (typeof token.setting.value === 'string' && token.setting.value !== '') {
    if (!variable) {
      const summary = 'The token of the replication stands in the configuration'
      const remedy = `${token.place.line ? deleteLine(token.place) : ''}\nPut RSTMDB_REPL_AUTH_TOKEN into a file that the unit reads by EnvironmentFile=`
      findings.push(
        complain('secret-in-configuration', { key: token.key, place: token.place, summary, remedy }),
      )
    } else if (variable.inline) findings.push(inlineSecret(variable))
  }
  return findings
}

function judgeLog({ runtime }: Deployment): Finding[] {
  const level = runtime.variables.get('RUST_LOG')
  if (level?.value === undefined) return []
  // Directives for single modules may hide more or less; the one without a name holds for the rest.
  const general = level.value
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .find((part) => !/[=[]/.test(part))
  if (general === undefined || /^(info|debug|trace|\d)$/.test(general) || !/^(off|error|warn)$/.test(general))
    return []
  const summary = `RUST_LOG=${general} keeps logins and operations out of the log`
  const remedy = `${level.edit('info')}\n${runtime.kind === 'unit' ? 'systemctl daemon-reload && ' : ''}${RESTART}`
  return [complain('no-audit-log', { key: level.name, place: level.place, summary, remedy })]
}

/** SIGHUP and SIGTERM are not handled: the first ends it at a reload, the second ends it without a last flush. */
function judgeUnit({ runtime }: Deployment): Finding[] {
  if (runtime.kind !== 'unit') return []
  return runtime.settings
    .filter(({ key, value }) => key === 'ExecReload' && value !== '')
    .map(({ path, line, value }) => {
      const place = { path, line }
      const summary = /HUP/.test(value)
        ? 'A reload sends rstmdb a signal that ends it: it has no reload'
        : 'rstmdb has no reload: what this does is not what is meant'
      return complain('reload-kills', {
        key: 'ExecReload',
        place,
        summary,
        remedy: `${deleteLine(place)} && systemctl daemon-reload`,
      })
    })
}

/** Pure: lines of a logrotate configuration that reload the service. */
export function judgeLogrotate(path: string, text: string): Finding[] {
  return text.split('\n').flatMap((line, index): Finding[] => {
    if (
      /^\s*#/.test(line) ||
      !/\breload\b.*\brstmdb\b|\bkillall\b.*HUP.*\brstmdb\b|pkill.*HUP.*rstmdb/.test(line)
    )
      return []
    const place = { path, line: index + 1 }
    const summary =
      'The rotation of logs reloads rstmdb, which has no reload: the script fails, or the service ends'
    const remedy = `${replaceOnLine(place, line.trim(), '# rstmdb has no reload: copytruncate instead')}\nPut copytruncate into the same block`
    return [complain('reload-kills', { key: `line-${index + 1}`, place, summary, remedy })]
  })
}
