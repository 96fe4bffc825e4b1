import type { Finding } from '../../../agent/contract/mod.ts'
import type { YamlNode } from '../read/yaml.ts'
import { complain } from '../rules.ts'
import { judgeVariable } from '../secrets.ts'
import { type Deployment, RESTART, say } from './deployment.ts'
import { judgeLogin, providersOf } from './judge-login.ts'
import { judgeBind, judgeTransport, reachOfMaestro } from './judge-network.ts'
import { ENCRYPTION_KEY } from './keys.ts'

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
