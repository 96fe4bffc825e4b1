import { expect, test } from 'bun:test'
import { briefly, hostWith } from './host.ts'

const HASH = '1f2e3d4c5b6a79880716253443526170899aabbccddeeff00112233445566778'
const OTHER = '8f2e3d4c5b6a79880716253443526170899aabbccddeeff00112233445566778'

const GOOD = `network: {bind_addr: "10.0.4.20:7401", idle_timeout_secs: 600, max_connections: 2000}
auth: {required: true, secrets_file: "/etc/rstmdb/tokens"}
storage: {data_dir: "/var/lib/rstmdb", fsync_policy: every_write}
tls:
  enabled: true
  cert_path: "/etc/rstmdb/server.pem"
  key_path: "/etc/rstmdb/server-key.pem"
  require_client_cert: true
  client_ca_path: "/etc/rstmdb/client-ca.pem"
metrics: {enabled: true, bind_addr: "127.0.0.1:9090"}
`
const TOKENS = `# billing-worker 2026-05-01
${HASH}
# reporting 2026-07-15
${OTHER}
`
const UNIT = `[Unit]
Description=rstmdb

[Service]
User=rstmdb
Environment=RSTMDB_CONFIG=/etc/rstmdb/config.yaml
ExecStart=/usr/local/bin/rstmdb
KillSignal=SIGINT
`
const FILES = {
  '/etc/rstmdb/config.yaml': GOOD,
  '/etc/rstmdb/tokens': TOKENS,
  '/etc/rstmdb/server.pem': '',
  '/etc/rstmdb/server-key.pem': '',
  '/etc/rstmdb/client-ca.pem': '',
  '/etc/systemd/system/rstmdb.service': UNIT,
}
const look = (more: Record<string, string | Uint8Array>, settings = {}) =>
  hostWith({ ...FILES, ...more }, { service: 'rstmdb', ...settings })

test('check finds nothing in a good rstmdb', async () => {
  using host = look({})
  const { findings, blind } = await host.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
})

/** What changes in the good one, and what is found. */
const configs: [name: string, config: string, found: string[]][] = [
  [
    'a key that is misspelt',
    GOOD.replace('required:', 'requird:'),
    ['no-authentication 2 auth.required', 'unknown-key 2 auth.requird'],
  ],
  ['a section that there is not', `${GOOD}cache:\n  size: 1\n`, ['unknown-key 11 cache']],
  [
    'keys of logging',
    `${GOOD}logging:\n  level: info\n  format: json\n`,
    ['ineffective-key 12 logging.level', 'ineffective-key 13 logging.format'],
  ],
  [
    'no token is asked for',
    GOOD.replace('required: true', 'required: false'),
    ['no-authentication 2 auth.required'],
  ],
  ['nothing is said of tokens', GOOD.replace('required: true, ', ''), ['no-authentication 2 auth.required']],
  [
    'the sample of the guide',
    GOOD.replace(
      'auth: {required: true, secrets_file: "/etc/rstmdb/tokens"}',
      'auth:\n  required: true\n  token_hashes:\n    - "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    ),
    ['known-token 5 auth.token_hashes.0'],
  ],
  [
    'a hash in the configuration',
    GOOD.replace('secrets_file: "/etc/rstmdb/tokens"', `token_hashes: ["${HASH}"]`),
    ['inline-token 2 auth.token_hashes.0'],
  ],
  [
    'a token in clear',
    GOOD.replace('secrets_file: "/etc/rstmdb/tokens"', 'token_hashes: [hunter2-hunter2]'),
    ['inline-token 2 auth.token_hashes.0', 'plaintext-token 2 auth.token_hashes.0'],
  ],
  [
    'required and no token',
    GOOD.replace('secrets_file: "/etc/rstmdb/tokens"', 'token_hashes: []'),
    ['would-not-start 2 auth.required'],
  ],
  [
    'a file of tokens that is not there',
    GOOD.replace('/etc/rstmdb/tokens', '/etc/rstmdb/none'),
    ['would-not-start 2 auth.required', 'would-not-start 2 auth.secrets_file'],
  ],
  [
    'TLS is off',
    GOOD.replace('enabled: true\n  cert', 'enabled: false\n  cert'),
    ['unencrypted 5 tls.enabled'],
  ],
  ['TLS without a key', GOOD.replace(/ {2}key_path.*\n/, ''), ['would-not-start 4 tls.key_path']],
  [
    'a certificate that is not there',
    GOOD.replace('server.pem', 'gone.pem'),
    ['would-not-start 6 tls.cert_path'],
  ],
  [
    'no certificates of clients',
    GOOD.replace('require_client_cert: true', 'require_client_cert: false'),
    ['no-client-certificate 8 tls.require_client_cert'],
  ],
  [
    'certificates of clients without an authority',
    GOOD.replace(/ {2}client_ca.*\n/, ''),
    ['would-not-start 4 tls.client_ca_path'],
  ],
  ['all addresses', GOOD.replace('10.0.4.20', '0.0.0.0'), ['wide-bind 1 network.bind_addr']],
  ['all addresses of IPv6', GOOD.replace('10.0.4.20:7401', '[::]:7401'), ['wide-bind 1 network.bind_addr']],
  ['a public address', GOOD.replace('10.0.4.20', '203.0.113.9'), ['wide-bind 1 network.bind_addr']],
  [
    'metrics for everybody',
    GOOD.replace('127.0.0.1:9090', '0.0.0.0:9090'),
    ['open-metrics 10 metrics.bind_addr'],
  ],
  [
    'metrics for everybody by default',
    GOOD.replace(', bind_addr: "127.0.0.1:9090"', ''),
    ['open-metrics 10 metrics.bind_addr'],
  ],
  [
    'writes that are not synced',
    GOOD.replace('every_write', 'never'),
    ['unsafe-writes 3 storage.fsync_policy'],
  ],
  ['writes every 100 ms', GOOD.replace('fsync_policy: every_write', 'fsync_policy: {every_ms: 100}'), []],
  ['writes by a tag', GOOD.replace('fsync_policy: every_write', 'fsync_policy: !every_n 5'), []],
  [
    'the database may be emptied',
    GOOD.replace('fsync_policy', 'allow_flush_all: true, fsync_policy'),
    ['flush-allowed 3 storage.allow_flush_all'],
  ],
  ['a number as text', GOOD.replace('600', '"600"'), ['wrong-value 1 network.idle_timeout_secs']],
  [
    'a yes of YAML 1.1',
    GOOD.replace('required: true', 'required: yes'),
    ['no-authentication 2 auth.required', 'wrong-value 2 auth.required'],
  ],
  ['a name for an address', GOOD.replace('10.0.4.20', 'localhost'), ['wrong-value 1 network.bind_addr']],
  [
    'a list for a section',
    GOOD.replace('metrics: {enabled: true, bind_addr: "127.0.0.1:9090"}', 'metrics: []'),
    ['would-not-start 10 metrics'],
  ],
  ['a key twice', `${GOOD}metrics: {enabled: false}\n`, ['duplicate-key 11 metrics']],
  [
    'a token of the replication',
    `${GOOD}replication: {role: replica, upstream: "10.0.4.1:7401", auth_token: s3cr3t}\n`,
    ['secret-in-configuration 11 replication.auth_token'],
  ],
  ['a replica of nobody', `${GOOD}replication: {role: replica}\n`, ['would-not-start 11 replication.role']],
  [
    'an anchor and an alias',
    GOOD.replace('10.0.4.20:7401"', '10.0.4.20:7401"').replace('enabled: true\n', 'enabled: &on true\n'),
    [],
  ],
]
for (const [name, config, found] of configs) {
  test(`check finds ${found.join(', ') || 'nothing'} with ${name}`, async () => {
    using host = look({ '/etc/rstmdb/config.yaml': config })
    const { findings, blind } = await host.check()
    expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
  })
}

const units: [name: string, service: string, found: string[]][] = [
  [
    'a variable that takes the token away',
    'Environment=RSTMDB_AUTH_REQUIRED=false',
    ['no-authentication 6 RSTMDB_AUTH_REQUIRED', 'overridden 6 RSTMDB_AUTH_REQUIRED'],
  ],
  [
    'a yes that means no',
    'Environment=RSTMDB_AUTH_REQUIRED=yes',
    [
      'no-authentication 6 RSTMDB_AUTH_REQUIRED',
      'overridden 6 RSTMDB_AUTH_REQUIRED',
      'wrong-value 6 RSTMDB_AUTH_REQUIRED',
    ],
  ],
  ['a variable that says the same', 'Environment=RSTMDB_AUTH_REQUIRED=1', []],
  [
    'an address for everybody, the second word of a line that goes on',
    'Environment="RUST_LOG=info" \\\n  RSTMDB_BIND=0.0.0.0:7401',
    ['overridden 7 RSTMDB_BIND', 'wide-bind 7 RSTMDB_BIND'],
  ],
  ['an address that is none', 'Environment=RSTMDB_BIND=:7401', ['ineffective-variable 6 RSTMDB_BIND']],
  [
    'a variable that is not read',
    'Environment=RSTMDB_LOG_FORMAT=json',
    ['ineffective-variable 6 RSTMDB_LOG_FORMAT'],
  ],
  [
    'a variable that is misspelt',
    'Environment=RSTMDB_TLS_ENABLE=1',
    ['ineffective-variable 6 RSTMDB_TLS_ENABLE'],
  ],
  ['a log without logins', 'Environment=RUST_LOG=error', ['no-audit-log 6 RUST_LOG']],
  ['a log of one module', 'Environment=RUST_LOG=warn,rstmdb=info', ['no-audit-log 6 RUST_LOG']],
  ['a reload', 'ExecReload=/bin/kill -HUP $MAINPID', ['reload-kills 6 ExecReload']],
  [
    'a token in the unit',
    'Environment=RSTMDB_REPL_AUTH_TOKEN=abcdefgh',
    ['secret-in-unit 6 RSTMDB_REPL_AUTH_TOKEN'],
  ],
  [
    'a hash in the unit',
    `Environment=RSTMDB_AUTH_TOKEN_HASH=${HASH}`,
    ['inline-token 6 RSTMDB_AUTH_TOKEN_HASH'],
  ],
]
for (const [name, service, found] of units) {
  test(`check finds ${found.join(', ') || 'nothing'} in a unit with ${name}`, async () => {
    const unit = UNIT.replace('User=rstmdb\n', `User=rstmdb\n${service}\n`)
    using host = look({ '/etc/systemd/system/rstmdb.service': unit })
    const { findings, blind } = await host.check()
    expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
  })
}

test('check reads drop-ins and the files that they name, the last one wins', async () => {
  using host = look({
    '/etc/systemd/system/rstmdb.service.d/10-a.conf': '[Service]\nEnvironment=RSTMDB_TLS_ENABLED=0\n',
    '/etc/systemd/system/rstmdb.service.d/20-b.conf': '[Service]\nEnvironmentFile=-/etc/default/rstmdb\n',
    '/etc/default/rstmdb':
      '# of the service\nRSTMDB_TLS_ENABLED=1\nexport RSTMDB_DATA=/srv\nRSTMDB_METRICS_BIND=0.0.0.0:9090\n',
  })
  const { findings, blind } = await host.check()
  expect(blind).toEqual([])
  expect(findings.map(({ rule, subject, evidence }) => [rule, subject, evidence?.line])).toEqual([
    ['overridden', '/etc/default/rstmdb#RSTMDB_METRICS_BIND', 4],
    ['ineffective-variable', '/etc/default/rstmdb#RSTMDB_DATA', 3],
    ['open-metrics', '/etc/default/rstmdb#RSTMDB_METRICS_BIND', 4],
  ])
})

test('check is blind where a file of variables is missing or may not be read', async () => {
  using host = look({
    '/etc/systemd/system/rstmdb.service.d/x.conf': '[Service]\nEnvironmentFile=/etc/secret/env\n',
    '/etc/secret/env': 'RSTMDB_AUTH_REQUIRED=0\n',
  })
  const { blind } = await host.check()
  expect(blind?.map(({ subject }) => subject)).toEqual(['/etc/secret/env', 'rstmdb.service'])
  using declared = look(
    {
      '/etc/systemd/system/rstmdb.service.d/x.conf': '[Service]\nEnvironmentFile=/etc/secret/env\n',
      '/etc/secret/env': 'RSTMDB_AUTH_REQUIRED=0\n',
    },
    { environmentFiles: ['/etc/secret/env'] },
  )
  const report = await declared.check()
  expect(report.blind).toEqual([])
  expect(briefly(report.findings)).toContain('no-authentication 1 RSTMDB_AUTH_REQUIRED')
})

test('check says that a unit without RSTMDB_CONFIG leaves its file unread, and judges the defaults', async () => {
  using host = look({ '/etc/systemd/system/rstmdb.service': UNIT.replace(/Environment=.*\n/, '') })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual([
    'no-authentication 5 auth.required',
    'other-file-in-use 5 RSTMDB_CONFIG',
  ])
  expect(findings.find(({ rule }) => rule === 'no-authentication')?.severity).toBe('warning')
})

test('check says that a configuration that the unit names is not there', async () => {
  using host = look({ '/etc/systemd/system/rstmdb.service': UNIT.replace('config.yaml', 'other.yaml') })
  expect(briefly((await host.check()).findings)).toEqual(['would-not-start 6 RSTMDB_CONFIG'])
})

const CONTAINER = `services:
  db:
    image: ghcr.io/rstmdb/rstmdb:0.1.4
    environment:
      RSTMDB_CONFIG: /etc/rstmdb/config.yaml
      RSTMDB_BIND: 0.0.0.0:7401
    ports:
      - "127.0.0.1:7401:7401"
`
test.each<[string, string, string[]]>([
  ['published on loopback', CONTAINER, ['overridden 6 RSTMDB_BIND']],
  [
    'published everywhere',
    CONTAINER.replace('127.0.0.1:', ''),
    ['overridden 6 RSTMDB_BIND', 'wide-bind 8 RSTMDB_BIND'],
  ],
  ['not published', CONTAINER.replace(/ {4}ports:\n.*\n/, ''), ['overridden 6 RSTMDB_BIND']],
])('check counts the ports of a container that are %s', async (_, compose, found) => {
  const { '/etc/systemd/system/rstmdb.service': _unit, ...files } = FILES
  using host = hostWith({ ...files, '/srv/rstmdb/compose.yaml': compose }, { service: 'rstmdb' })
  const { findings, blind } = await host.check()
  expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
})

test.each<[string, string, string[]]>([
  ['capital letters', HASH.toUpperCase(), ['malformed-token 1 line-1']],
  [
    'the hash of nothing',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    ['known-token 1 line-1'],
  ],
  [
    'a sample of the guide',
    'a5f3c6c86f1a6d3b8c4e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1',
    ['known-token 1 line-1'],
  ],
  ['a token in clear', '# a\n\nhunter2\n', ['plaintext-token 3 line-3']],
])('check finds %s in the file of tokens', async (_, text, found) => {
  using host = look({ '/etc/rstmdb/tokens': text })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual(found)
  expect(JSON.stringify(findings)).not.toContain('hunter2')
})

test('check finds fewer tokens than services only when their number is said', async () => {
  using few = look({}, { rstmdb: { clients: 3 } })
  expect(briefly((await few.check()).findings)).toEqual(['shared-token - tokens'])
  using enough = look({}, { rstmdb: { clients: 2 } })
  expect((await enough.check()).findings).toEqual([])
})

test('check finds a rotation of logs that reloads', async () => {
  using host = look({
    '/etc/logrotate.d/rstmdb':
      '/var/log/rstmdb/*.log {\n  postrotate\n    systemctl reload rstmdb\n  endscript\n}\n',
  })
  expect(briefly((await host.check()).findings)).toEqual(['reload-kills 3 line-3'])
})

test('check says that no rule applies where there is no rstmdb', async () => {
  using host = hostWith({ '/etc/hostname': 'a' }, { service: 'rstmdb' })
  const { findings, blind, inapplicable } = await host.check()
  expect({ findings, blind: blind ?? [] }).toEqual({ findings: [], blind: [] })
  expect(inapplicable?.find(({ rule }) => rule === 'no-authentication')?.reason).toContain('not installed')
})

test('check is blind about what variables may change where nothing tells how it is started', async () => {
  const { '/etc/systemd/system/rstmdb.service': _unit, ...files } = FILES
  using host = hostWith(files, { service: 'rstmdb' })
  const { findings, blind } = await host.check()
  expect(findings).toEqual([])
  expect(blind).toHaveLength(1)
  expect(blind?.[0]?.rules).toContain('no-authentication')
  expect(blind?.[0]?.rules).not.toContain('unknown-key')
  using told = hostWith(files, { service: 'rstmdb', units: [], compose: [] })
  expect((await told.check()).blind).toEqual([])
})

test.each<[string, string | Uint8Array, number | null]>([
  ['broken YAML', 'network:\n  a: [1\nauth: }\n', 3],
  ['a tab', 'network:\n\tbind_addr: x\n', 2],
  ['NUL bytes', 'a: 1\nb: \0\n', 2],
  ['UTF-16', Buffer.from('\ufeffauth: {}', 'utf16le'), 1],
  ['bytes that are no UTF-8', Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe, 0x0a]), null],
  ['two documents', 'auth: {required: true}\n---\nauth: {required: true}\n', null],
  ['an alias that stands for nothing', 'auth: *x\n', 1],
  ['too deep a nesting', `a: ${'['.repeat(2000)}`, 1],
])('check is blind and says that rstmdb would not start with %s', async (_, content, line) => {
  using host = look({ '/etc/rstmdb/config.yaml': content })
  const { findings, blind } = await host.check()
  expect(findings.map(({ rule }) => rule)).toContain('would-not-start')
  if (line !== null) expect(findings[0]?.evidence?.line).toBe(line)
  expect(blind?.map(({ subject }) => subject)).toContain('/etc/rstmdb/config.yaml')
})

test('check takes a byte order mark and lines of Windows', async () => {
  using host = look({
    '/etc/rstmdb/config.yaml': `\ufeff${GOOD.replaceAll('\n', '\r\n').replace('required: true', 'required: false')}`,
  })
  expect(briefly((await host.check()).findings)).toEqual(['no-authentication 2 auth.required'])
})

test('check is bounded with aliases that multiply', async () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let index = 1; index < 9; index++) {
    lines.push(
      `a${index}: &a${index} [${Array(10)
        .fill(`*a${index - 1}`)
        .join(', ')}]`,
    )
  }
  using host = look({ '/etc/rstmdb/config.yaml': `${lines.join('\n')}\n` })
  const start = performance.now()
  const { blind } = await host.check()
  expect(performance.now() - start).toBeLessThan(2000)
  expect(blind?.[0]?.reason).toContain('too many parts')
})

/** Carried out as they are written, remedies make their findings go away. */
const BAD = `network:
  bind_addr: 0.0.0.0:7401
  idle_timeout_secs: "300"
auth:
  required: false
storage: {fsync_policy: never, allow_flush_all: true}
tls:
  enabled: false
metrics:
  enabled: true
logging:
  level: info
caching: 1
`
test('remedies of a bad rstmdb make its findings go away', async () => {
  using host = look({ '/etc/rstmdb/config.yaml': BAD, '/root/.profile': '' })
  const first = await host.check()
  expect(briefly(first.findings)).toEqual([
    'flush-allowed 6 storage.allow_flush_all',
    'ineffective-key 12 logging.level',
    'no-authentication 5 auth.required',
    'open-metrics 9 metrics.bind_addr',
    'unencrypted 8 tls.enabled',
    'unknown-key 13 caching',
    'unsafe-writes 6 storage.fsync_policy',
    'wide-bind 2 network.bind_addr',
    'wrong-value 3 network.idle_timeout_secs',
  ])
  let rounds = 0
  for (let { findings } = first; findings.length > 0; { findings } = await host.check()) {
    const [finding] = findings.filter(({ rule }) => rule !== 'configuration-changed')
    if (!finding) break
    expect([finding.subject, host.carryOut(finding.remedy ?? '')]).not.toEqual([finding.subject, []])
    expect(++rounds).toBeLessThan(20)
  }
  const { findings, blind } = await host.check()
  expect({ left: briefly(findings), blind }).toEqual({
    left: ['configuration-changed -', 'configuration-changed -'],
    blind: [],
  })
})
