import type { Finding } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { RANK, type Reach, reachOf, reachOfHost } from '../reach.ts'
import type { YamlNode } from '../read/yaml.ts'
import { complain, type RuleId } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import { judgeVariable } from '../secrets.ts'
import { describePlace, type Place } from '../setting.ts'
import type { YamlConfig } from '../yaml-config.ts'
import { BIND_KEYS, ENCRYPTION_KEY, PROVIDERS } from './keys.ts'

export interface Deployment {
  config: YamlConfig
  runtime: Runtime
  /** Of data/secrets/session-secret.key; undefined where there is none. */
  sessionKeyBytes: number | undefined
  settings: Config
}

/** Pure: what is dangerous in how a MAESTRO is set up. */
export function judgeMaestro(deployment: Deployment): Finding[] {
  const network = reachOfMaestro(deployment)
  const providers = providersOf(deployment.config)
  return [
    ...judgeBind(deployment, network),
    ...judgeLogin(deployment, providers, network.reach),
    ...judgeTransport(deployment, network.reach),
    ...judgeSandbox(deployment),
    ...judgeMetrics(deployment),
    ...judgeTools(deployment),
  ]
}

const RESTART = 'systemctl restart maestro'

function say(
  { config }: Deployment,
  rule: RuleId,
  key: string,
  summary: string,
  remedy?: string,
  severity?: Finding['severity'],
): Finding {
  return complain(rule, { key, place: config.place(key), summary, remedy, ...(severity ? { severity } : {}) })
}

interface Network {
  reach: Reach
  key: string
  host: string
  place: Place | undefined
}

/** From where it can be reached: by its address, the variable HOST, or the ports of its container. */
function reachOfMaestro({ config, runtime }: Deployment): Network {
  const server = config.at('server')
  const key = BIND_KEYS.find((name) => typeof server?.entries.get(name)?.value === 'string')
  const variable = runtime.variables.get('HOST')
  const written = key === undefined ? undefined : String(server?.entries.get(key)?.value)
  const port = Number(runtime.variables.get('PORT')?.value ?? config.at('server.port')?.value ?? 9876)
  if (runtime.kind === 'container') {
    const { reach, place } = reachOf(runtime, '0.0.0.0', port)
    return { reach, key: 'server.port', host: 'its published port', place }
  }
  if (variable?.value)
    return { reach: reachOfHost(variable.value), key: 'HOST', host: variable.value, place: variable.place }
  if (written === undefined) return { reach: 'this host', key: 'server', host: '127.0.0.1', place: undefined }
  const host = written.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return { reach: reachOfHost(host), key: `server.${key}`, host, place: config.place(`server.${key}`) }
}

function judgeBind({ config, settings }: Deployment, { reach, key, host, place }: Network): Finding[] {
  if (reach !== 'everywhere' || settings.addresses.includes(host)) return []
  const isPublished = key === 'server.port'
  const summary = isPublished
    ? 'The port of MAESTRO is published on every address of this host'
    : `MAESTRO listens on ${host}`
  const remedy =
    isPublished && place
      ? `Write 127.0.0.1: before the port at ${describePlace(place)}`
      : key === 'HOST'
        ? undefined
        : `${config.edit(key)('127.0.0.1')}\n${RESTART}`
  return [
    complain('wide-bind', {
      key,
      place: place ?? config.place('server'),
      summary,
      remedy,
      evidence: { reach },
    }),
  ]
}

/** Providers that are set up: by a part of their own, or by being the primary one. */
function providersOf(config: YamlConfig): {
  enabled: string[]
  declared: string[]
  primary: string | undefined
} {
  const isOn = (node: YamlNode | undefined) =>
    node !== undefined &&
    (node.value === true ||
      (node.kind === 'map' && node.entries.size > 0 && node.entries.get('enabled')?.value !== false))
  const declared = PROVIDERS.filter(
    (name) => isOn(config.at(`auth.${name}`)) || isOn(config.at(`auth.providers.${name}`)),
  )
  const primary = config.at('auth.primary_provider')?.value
  if (config.at('auth.enabled')?.value === false) return { enabled: [], declared: [], primary: undefined }
  const isDisabled = (name: string) => config.at(`auth.${name}.enabled`)?.value === false
  const named = typeof primary === 'string' && primary !== '' && !isDisabled(primary) ? [primary] : []
  return {
    enabled: [...new Set([...declared, ...named])],
    declared,
    primary: typeof primary === 'string' ? primary : undefined,
  }
}

function judgeLogin(
  deployment: Deployment,
  { enabled, declared, primary }: ReturnType<typeof providersOf>,
  reach: Reach,
): Finding[] {
  const { config, settings, sessionKeyBytes } = deployment
  if (enabled.length === 0) {
    const summary = `No login is set up (auth: google, gitea or local), and MAESTRO can be reached from ${reach}: whoever does runs commands here`
    const remedy = `${config.edit('auth.primary_provider')('local')}\nSet up the accounts: Settings → Authentication, then: ${RESTART}`
    const severity = RANK[reach] <= RANK['its own containers'] ? 'warning' : 'critical'
    return [say(deployment, 'no-authentication', 'auth', summary, remedy, severity)]
  }
  const findings: Finding[] = []
  if (enabled.length > 1 && primary === undefined) {
    const summary = `${enabled.join(', ')} are set up, and auth.primary_provider does not say which is the one`
    findings.push(
      say(
        deployment,
        'no-primary-provider',
        'auth.primary_provider',
        summary,
        `${config.edit('auth.primary_provider')(enabled[0] ?? 'local')}\n${RESTART}`,
      ),
    )
  } else if (primary !== undefined && declared.length > 0 && !declared.some((name) => name === primary)) {
    const summary = `auth.primary_provider is ${primary.slice(0, 40)}, which is not set up; ${declared.join(', ')} is`
    findings.push(
      say(
        deployment,
        'no-primary-provider',
        'auth.primary_provider',
        summary,
        `${config.edit('auth.primary_provider')(declared[0] ?? 'local')}\n${RESTART}`,
      ),
    )
  }
  const admins = (config.at('auth.admin_emails')?.items ?? []).map(({ value }) => String(value ?? ''))
  const wide = admins.filter((email) => /\*|^@|^[^@]*$/.test(email))
  const example = `${config.edit('auth.admin_emails')('[ADDRESS@EXAMPLE.ORG]')}\n${RESTART}`
  if (admins.length === 0)
    findings.push(
      say(
        deployment,
        'administrators',
        'auth.admin_emails',
        'auth.admin_emails names nobody: who is an administrator is left to chance',
        example,
      ),
    )
  else if (wide.length > 0)
    findings.push(
      say(
        deployment,
        'administrators',
        'auth.admin_emails',
        'auth.admin_emails names more than single people',
        example,
      ),
    )
  else if (admins.length > settings.maestro.administrators) {
    const summary = `${admins.length} people are administrators, at most ${settings.maestro.administrators} are wanted`
    findings.push(say(deployment, 'administrators', 'auth.admin_emails', summary, example))
  }
  const secret = config.at('auth.session_secret')?.value
  if (
    (secret === undefined || secret === null || secret === '') &&
    (sessionKeyBytes ?? 0) < 32 &&
    deployment.runtime.kind !== 'container'
  ) {
    const summary =
      sessionKeyBytes === undefined
        ? 'auth.session_secret is not set, and data/secrets/session-secret.key is not there: a start may end every session'
        : `data/secrets/session-secret.key has ${sessionKeyBytes} bytes, wanted at least 32`
    const directory = config.path.slice(0, Math.max(1, config.path.lastIndexOf('/')))
    const remedy = `install -d -m 700 ${directory}/data/secrets\nopenssl rand -hex 32 > ${directory}/data/secrets/session-secret.key\nchmod 600 ${directory}/data/secrets/session-secret.key\n${RESTART}`
    findings.push(say(deployment, 'unstable-session-secret', 'auth.session_secret', summary, remedy))
  }
  return findings
}

function hasTls(config: YamlConfig): boolean {
  const tls = config.at('server.tls')
  if (!tls) return false
  return (
    tls.value === true ||
    (tls.kind === 'map' && tls.entries.size > 0 && tls.entries.get('enabled')?.value !== false)
  )
}

function judgeTransport(deployment: Deployment, reach: Reach): Finding[] {
  const { config, settings } = deployment
  const native = hasTls(config)
  const isProxied = settings.maestro.tls === 'proxy'
  const cookie = config.at('auth.secure_cookie')?.value
  const findings: Finding[] = []
  if (!native && !isProxied && RANK[reach] >= RANK['the private network']) {
    const summary = `MAESTRO can be reached from ${reach} and does not encrypt: server.tls is off`
    findings.push(
      say(
        deployment,
        'unencrypted',
        'server.tls',
        summary,
        `${config.edit('server.tls')('{enabled: true}')}\n${RESTART}`,
      ),
    )
  }
  if (isProxied && !native && cookie !== true) {
    const summary =
      'A proxy ends TLS, and auth.secure_cookie is not true: the cookie of a session may go out in clear'
    findings.push(
      say(
        deployment,
        'insecure-cookie',
        'auth.secure_cookie',
        summary,
        `${config.edit('auth.secure_cookie')('true')}\n${RESTART}`,
      ),
    )
  }
  if (!native && !isProxied && cookie === true) {
    const summary =
      'auth.secure_cookie is true and nothing ends TLS: no browser sends the cookie, and nobody can log in'
    findings.push(
      say(
        deployment,
        'insecure-cookie',
        'auth.secure_cookie',
        summary,
        'Switch server.tls on, or say in this job that a proxy ends TLS: maestro: {tls: proxy}',
      ),
    )
  }
  return findings
}

function judgeSandbox(deployment: Deployment): Finding[] {
  const { config } = deployment
  const value = config.at('safety.bash_sandbox')?.value
  if (value === 'always') return []
  const remedy = `${config.edit('safety.bash_sandbox')('always')}\n${RESTART}`
  if (value === 'off' || value === false) {
    return [
      say(
        deployment,
        'no-sandbox',
        'safety.bash_sandbox',
        'Commands of tasks run without a sandbox: safety.bash_sandbox is off',
        remedy,
      ),
    ]
  }
  // What is none of the three is told as such; what it comes to nobody knows.
  const what =
    value === undefined || value === null
      ? 'auto by default'
      : value === 'auto'
        ? 'auto'
        : 'none of its three values'
  const summary = `safety.bash_sandbox is ${what}: without bubblewrap commands run without a sandbox, and nobody is told`
  return [say(deployment, 'no-sandbox', 'safety.bash_sandbox', summary, remedy, 'warning')]
}

/** Every part called "metrics": of the workers, and of the gateway. */
function* metricsOf(node: YamlNode, path: string[] = []): Generator<{ key: string; node: YamlNode }> {
  for (const [name, child] of node.entries) {
    if (name === 'metrics' && child.kind === 'map') yield { key: [...path, name].join('.'), node: child }
    else if (child.kind === 'map') yield* metricsOf(child, [...path, name])
  }
}

function judgeMetrics(deployment: Deployment): Finding[] {
  const { config, runtime } = deployment
  const findings: Finding[] = []
  for (const { key, node } of metricsOf(config.file.root)) {
    if (node.entries.get('enabled')?.value === false) continue
    const token = node.entries.get('bearer_token')?.value
    const hosts = node.entries.get('allowed_hosts')
    const names =
      hosts?.kind === 'list'
        ? hosts.items.map(({ value }) => String(value))
        : hosts
          ? [String(hosts.value)]
          : []
    const hasToken = typeof token === 'string' && token !== ''
    if (names.some((name) => /^(\*|0\.0\.0\.0(\/0)?|::(\/0)?)$/.test(name))) {
      const summary = `${key}.allowed_hosts lets everybody read the metrics${hasToken ? ' who has the token' : ''}`
      const remedy = `${config.edit(`${key}.allowed_hosts`)('["127.0.0.1"]')}\n${RESTART}`
      findings.push(
        say(
          deployment,
          'open-metrics',
          `${key}.allowed_hosts`,
          summary,
          remedy,
          hasToken ? 'info' : 'warning',
        ),
      )
    }
    const name = typeof token === 'string' ? /^env:(\w+)$/.exec(token)?.[1] : undefined
    if (name !== undefined && runtime.complete && !runtime.variables.get(name)) {
      const summary = `${key}.bearer_token refers to ${name}, which nothing sets`
      findings.push(
        say(
          deployment,
          'missing-secret',
          `${key}.bearer_token`,
          summary,
          `Set ${name} in the environment of ${runtime.name}: openssl rand -hex 32`,
        ),
      )
    }
    const value = name === undefined ? undefined : runtime.variables.get(name)
    if (value) findings.push(...judgeVariable(value, 32))
  }
  return findings
}

function judgeTools(deployment: Deployment): Finding[] {
  const { config, runtime } = deployment
  const findings: Finding[] = []
  const hasSsh = config.at('ssh.enabled')?.value === true
  const mcp = config.at('mcp')
  const usesMcp =
    mcp?.entries.get('enabled')?.value !== false &&
    [...(mcp?.entries.keys() ?? [])].some((key) => key !== 'allow_private_addresses' && key !== 'enabled')
  for (const [key, what] of [
    ['ssh.enabled', 'commands on other hosts'],
    ['browser.enabled', 'a browser with whatever it fetches'],
  ] as const) {
    if (config.at(key)?.value !== true) continue
    findings.push(
      say(
        deployment,
        'tool-enabled',
        key,
        `Tasks may use ${what}: who may start tasks?`,
        `${config.edit(key)('false')}\n${RESTART}`,
      ),
    )
  }
  if (config.at('mcp.allow_private_addresses')?.value === true) {
    const summary = 'mcp.allow_private_addresses is true: tasks may ask every service of this network'
    findings.push(
      say(
        deployment,
        'private-addresses-allowed',
        'mcp.allow_private_addresses',
        summary,
        `${config.edit('mcp.allow_private_addresses')('false')}\n${RESTART}`,
      ),
    )
  }
  const key = runtime.variables.get(ENCRYPTION_KEY)
  if (!key) {
    if ((hasSsh || usesMcp) && runtime.complete) {
      const summary = `${hasSsh ? 'SSH' : 'MCP'} needs ${ENCRYPTION_KEY}, and nothing sets it: its credentials cannot be kept`
      findings.push(
        say(
          deployment,
          'missing-secret',
          hasSsh ? 'ssh.enabled' : 'mcp',
          summary,
          `Set ${ENCRYPTION_KEY} in the environment of ${runtime.name}: openssl rand -hex 32`,
        ),
      )
    }
    return findings
  }
  findings.push(...judgeVariable(key, 64))
  if (key.value !== undefined && key.value.length >= 64 && !/^[0-9a-fA-F]{64}$/.test(key.value)) {
    const summary = `${ENCRYPTION_KEY} is not 64 hex digits`
    findings.push(
      complain('weak-secret', {
        key: ENCRYPTION_KEY,
        place: key.place,
        summary,
        remedy: 'openssl rand -hex 32',
      }),
    )
  }
  return findings
}
