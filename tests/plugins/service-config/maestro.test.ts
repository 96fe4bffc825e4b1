import { expect, test } from 'bun:test'
import { briefly, hostWith } from './host.ts'

const KEY = 'ab'.repeat(32)
const GOOD = `config_version: 2
server:
  port: 9876
  tls: {enabled: true, cert: data/tls/server.crt, key: data/tls/server.key}
auth:
  primary_provider: gitea
  admin_emails: [ops@example.org]
  secure_cookie: true
safety:
  bash_sandbox: always
llm:
  workers:
    - {id: w1, connection_type: direct, endpoint: "http://localhost:11434/v1", model: qwen3, max_concurrency: 2, enabled: true}
  metrics: {enabled: true, bearer_token: "env:MAESTRO_METRICS_TOKEN", allowed_hosts: ["10.0.4.9"]}
ssh: {enabled: false}
mcp: {allow_private_addresses: false}
`
const UNIT = `[Service]
WorkingDirectory=/opt/maestro
EnvironmentFile=/etc/maestro/env
ExecStart=/opt/maestro/scripts/server.sh start
`
const FILES = {
  '/opt/maestro/config.yaml': GOOD,
  '/opt/maestro/data/secrets/session-secret.key': KEY,
  '/etc/systemd/system/maestro.service': UNIT,
  '/etc/maestro/env': `MAESTRO_METRICS_TOKEN=${KEY}\n`,
}
const look = (more: Record<string, string | Uint8Array>, settings = {}) =>
  hostWith({ ...FILES, ...more }, { service: 'maestro', ...settings })

test('check finds nothing in a good MAESTRO', async () => {
  using host = look({})
  const { findings, blind } = await host.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
})

const changes: [name: string, from: string, to: string, found: string[]][] = [
  ['the sandbox off', 'bash_sandbox: always', 'bash_sandbox: off', ['no-sandbox 10 safety.bash_sandbox']],
  [
    'the sandbox if there is one',
    'bash_sandbox: always',
    'bash_sandbox: auto',
    ['no-sandbox 10 safety.bash_sandbox'],
  ],
  [
    'nothing about the sandbox',
    'safety:\n  bash_sandbox: always\n',
    '',
    ['no-sandbox - safety.bash_sandbox'],
  ],
  [
    'a sandbox that there is not',
    'bash_sandbox: always',
    'bash_sandbox: docker',
    ['no-sandbox 10 safety.bash_sandbox', 'wrong-value 10 safety.bash_sandbox'],
  ],
  [
    'a sandbox that is misspelt',
    'bash_sandbox: always',
    'bash_sandbx: always',
    ['no-sandbox 9 safety.bash_sandbox', 'unknown-key 10 safety.bash_sandbx'],
  ],
  ['a section of another version', 'ssh: {', 'scheduler: {workers: 3}\nssh: {', []],
  [
    'settings of a provider',
    '  secure_cookie',
    '  gitea: {base_url: "https://git.example.org", client_id: abc}\n  secure_cookie',
    [],
  ],
  [
    'a secret of a provider',
    '  secure_cookie',
    '  gitea: {client_secret: s3cr3t-s3cr3t}\n  secure_cookie',
    ['secret-in-configuration 8 auth.gitea.client_secret'],
  ],
  ['no login', '  primary_provider: gitea\n', '', ['no-authentication 5 auth']],
  [
    'two logins',
    '  primary_provider: gitea',
    '  google: {client_id: a}\n  local: {enabled: true}',
    ['no-primary-provider 5 auth.primary_provider'],
  ],
  [
    'a primary login that is not set up',
    '  primary_provider: gitea',
    '  primary_provider: gitea\n  local: {enabled: true}',
    ['no-primary-provider 6 auth.primary_provider'],
  ],
  [
    'a login that there is not',
    'primary_provider: gitea',
    'primary_provider: github',
    ['wrong-value 6 auth.primary_provider'],
  ],
  ['no administrators', '  admin_emails: [ops@example.org]\n', '', ['administrators 5 auth.admin_emails']],
  [
    'everybody an administrator',
    '[ops@example.org]',
    '["*@example.org"]',
    ['administrators 7 auth.admin_emails'],
  ],
  [
    'a domain of administrators',
    '[ops@example.org]',
    '["example.org"]',
    ['administrators 7 auth.admin_emails'],
  ],
  [
    'many administrators',
    '[ops@example.org]',
    '[a@x.org, b@x.org, c@x.org, d@x.org]',
    ['administrators 7 auth.admin_emails'],
  ],
  [
    'a secret of the sessions',
    '  secure_cookie',
    `  session_secret: ${KEY}\n  secure_cookie`,
    ['secret-in-configuration 8 auth.session_secret'],
  ],
  [
    'a short secret of the sessions',
    '  secure_cookie',
    '  session_secret: abcdefgh\n  secure_cookie',
    ['secret-in-configuration 8 auth.session_secret', 'weak-secret 8 auth.session_secret'],
  ],
  [
    'a secret of the sessions by reference',
    '  secure_cookie',
    '  session_secret: env:MAESTRO_SESSION\n  secure_cookie',
    [],
  ],
  [
    'no TLS, and cookies for TLS',
    '  tls: {enabled: true, cert: data/tls/server.crt, key: data/tls/server.key}\n',
    '',
    ['insecure-cookie 7 auth.secure_cookie'],
  ],
  ['all addresses', '  port: 9876', '  port: 9876\n  host: 0.0.0.0', ['wide-bind 4 server.host']],
  [
    'all addresses and no TLS',
    '  tls: {enabled: true, cert: data/tls/server.crt, key: data/tls/server.key}',
    '  tls: {enabled: false}\n  host: "::"',
    ['insecure-cookie 9 auth.secure_cookie', 'unencrypted 4 server.tls', 'wide-bind 5 server.host'],
  ],
  ['metrics for everybody', '["10.0.4.9"]', '["*"]', ['open-metrics 14 llm.metrics.allowed_hosts']],
  [
    'metrics that are off',
    '{enabled: true, bearer_token: "env:MAESTRO_METRICS_TOKEN", allowed_hosts: ["10.0.4.9"]}',
    '{enabled: false, allowed_hosts: ["*"]}',
    [],
  ],
  [
    'metrics of the gateway',
    'ssh: {',
    'gateway: {metrics: {allowed_hosts: ["0.0.0.0/0"]}}\nssh: {',
    ['open-metrics 15 gateway.metrics.allowed_hosts'],
  ],
  [
    'a token in the file',
    '"env:MAESTRO_METRICS_TOKEN"',
    '"0123456789"',
    ['secret-in-configuration 14 llm.metrics.bearer_token'],
  ],
  [
    'a token that nothing sets',
    'env:MAESTRO_METRICS_TOKEN',
    'env:METRICS',
    ['missing-secret 14 llm.metrics.bearer_token'],
  ],
  [
    'a key of a model',
    'model: qwen3',
    'model: qwen3, api_key: sk-0123',
    ['secret-in-configuration 13 llm.workers.0.api_key'],
  ],
  [
    'a placeholder',
    'model: qwen3',
    'model: qwen3, api_key: your-key',
    ['placeholder-secret 13 llm.workers.0.api_key'],
  ],
  [
    'SSH',
    'ssh: {enabled: false}',
    'ssh: {enabled: true}',
    ['missing-secret 15 ssh.enabled', 'tool-enabled 15 ssh.enabled'],
  ],
  ['servers of tools', 'mcp: {', 'mcp: {servers: [{name: x}], ', ['missing-secret 16 mcp']],
  [
    'addresses of the network',
    'allow_private_addresses: false',
    'allow_private_addresses: true',
    ['private-addresses-allowed 16 mcp.allow_private_addresses'],
  ],
  ['another version', 'config_version: 2', 'config_version: 1', ['wrong-value 1 config_version']],
  ['a port that is none', 'port: 9876', 'port: http', ['wrong-value 3 server.port']],
  [
    'a key twice',
    'ssh: {enabled: false}',
    'ssh: {enabled: false}\nssh: {enabled: false}',
    ['duplicate-key 16 ssh'],
  ],
]
for (const [name, from, to, found] of changes) {
  test(`check finds ${found.join(', ') || 'nothing'} in MAESTRO with ${name}`, async () => {
    expect(GOOD).toContain(from)
    using host = look({ '/opt/maestro/config.yaml': GOOD.replace(from, () => to) })
    const { findings, blind } = await host.check()
    expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
    expect(JSON.stringify(findings)).not.toContain('s3cr3t')
  })
}

test('check takes a port that everybody reaches without a login for the gravest', async () => {
  const config = GOOD.replace('  primary_provider: gitea\n', '').replace(
    '  port: 9876',
    '  port: 9876\n  host: 0.0.0.0',
  )
  using host = look({ '/opt/maestro/config.yaml': config })
  const { findings } = await host.check()
  expect(findings.find(({ rule }) => rule === 'no-authentication')?.severity).toBe('critical')
})

test('check finds no key of the sessions where none is kept', async () => {
  const { '/opt/maestro/data/secrets/session-secret.key': _key, ...files } = FILES
  using host = hostWith(files, { service: 'maestro' })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual(['unstable-session-secret 5 auth.session_secret'])
  host.carryOut(findings[0]?.remedy ?? '')
  expect((await host.check()).findings).toEqual([])
})

test('check wants the cookie to fit a proxy that ends TLS', async () => {
  const plain = GOOD.replace(/ {2}tls:.*\n/, '')
  using right = look({ '/opt/maestro/config.yaml': plain }, { maestro: { tls: 'proxy' } })
  expect((await right.check()).findings).toEqual([])
  using wrong = look(
    { '/opt/maestro/config.yaml': plain.replace('secure_cookie: true', 'secure_cookie: false') },
    { maestro: { tls: 'proxy' } },
  )
  expect(briefly((await wrong.check()).findings)).toEqual(['insecure-cookie 7 auth.secure_cookie'])
})

test.each<[string, string, string[]]>([
  ['on loopback', '127.0.0.1:9876:9876', []],
  ['on every address', '9876:9876', ['wide-bind 6 server.port']],
])('check counts the port of the container that is published %s', async (_, port, found) => {
  const { '/etc/systemd/system/maestro.service': _unit, ...files } = FILES
  const compose = `services:\n  maestro:\n    build: .\n    env_file: .env\n    ports:\n      - "${port}"\n`
  using host = hostWith(
    {
      ...files,
      '/opt/maestro/docker-compose.yml': compose,
      '/opt/maestro/.env': `MAESTRO_METRICS_TOKEN=${KEY}\n`,
    },
    { service: 'maestro' },
  )
  const { findings, blind } = await host.check()
  expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
})

test.each<[string, string, string[]]>([
  [
    'in the unit',
    `[Service]\nEnvironment=MCP_ENCRYPTION_KEY=${KEY} MAESTRO_METRICS_TOKEN=x${KEY}\nExecStart=/x\n`,
    ['secret-in-unit 2 MAESTRO_METRICS_TOKEN', 'secret-in-unit 2 MCP_ENCRYPTION_KEY'],
  ],
])('check finds secrets that stand %s', async (_, unit, found) => {
  using host = look({ '/etc/systemd/system/maestro.service': unit })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual(found)
  expect(JSON.stringify(findings)).not.toContain(KEY)
})

test.each<[string, string, string[]]>([
  ['short', 'abcd', ['weak-secret 2 MCP_ENCRYPTION_KEY']],
  ['no hex', 'z'.repeat(64), ['weak-secret 2 MCP_ENCRYPTION_KEY']],
  ['a placeholder', 'changeme', ['placeholder-secret 2 MCP_ENCRYPTION_KEY']],
  ['right', KEY, []],
])('check finds a key for tools that is %s', async (_, key, found) => {
  using host = look({ '/etc/maestro/env': `MAESTRO_METRICS_TOKEN=${KEY}\nMCP_ENCRYPTION_KEY=${key}\n` })
  expect(briefly((await host.check()).findings)).toEqual(found)
})
