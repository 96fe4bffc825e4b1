import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { judgeArguments } from '../../../plugins/secret-scan/check-people.ts'
import plugin from '../../../plugins/secret-scan/plugin.ts'
import { rules } from '../../../plugins/secret-scan/rules.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { waitUntil } from '../../kit/wait.ts'
import { NOTHING } from './settings.ts'

const SECRET = 'q0Zr81kdPlmN4vXs7aTb'
const HEX = '3f9c1b7a5d2e48606f81c0b9a7d3e5f21346587a9bcdef00112233445566778a'
const TEST_HASH = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

interface Case {
  rule: string
  /** Files below the directory: content, and mode where it matters. */
  fires: Record<string, string | [content: string, mode: number]>
  silent: Record<string, string | [content: string, mode: number]>
  /** With DIR for the directory. */
  config: Record<string, unknown>
  /** Where it fires. */
  at: [subject: string, line: number | null, severity: string][]
  /** Carried out in a shell, it makes the finding go away. */
  mends?: boolean
}

const CASES: Case[] = [
  {
    rule: 'secret-in-config',
    config: { files: ['DIR/a.yaml'] },
    fires: { 'a.yaml': [`x: 1\ndb_pass: ${SECRET}\n`, 0o600] },
    silent: { 'a.yaml': ['x: 1\ndb_pass: env:X\n', 0o600] },
    at: [['DIR/a.yaml:db_pass', 2, 'warning']],
  },
  {
    rule: 'secret-in-config',
    config: { files: ['DIR/a.yaml'], privateFiles: 'ok' },
    fires: { 'a.yaml': [`token: ${SECRET}\n`, 0o644] },
    silent: { 'a.yaml': [`token: ${SECRET}\n`, 0o640] },
    at: [['DIR/a.yaml:token', 1, 'critical']],
  },
  {
    rule: 'secret-in-config',
    config: { files: ['DIR/*'], names: ['relayCode'] },
    fires: { 'a.yaml': [`RELAY-CODE: ${SECRET}\n`, 0o600] },
    silent: { 'a.yaml': ['RELAY-CODE: $X\n', 0o600] },
    at: [['DIR/a.yaml:RELAY-CODE', 1, 'warning']],
  },
  {
    rule: 'known-bad-hash',
    config: { files: ['DIR/*'] },
    fires: {
      tokens: [`# billing\n${TEST_HASH}\n`, 0o600],
      'a.yaml': [`auth:\n  token_hashes: [${TEST_HASH}]\n`, 0o600],
    },
    silent: { tokens: [`${HEX}\n`, 0o600], sums: [`${TEST_HASH}  test.bin\n`, 0o600] },
    at: [
      ['DIR/a.yaml:of the word "test"', 2, 'critical'],
      ['DIR/tokens:of the word "test"', 2, 'critical'],
    ],
  },
  {
    rule: 'high-entropy',
    config: { files: ['DIR/*'], entropy: 'warning' },
    fires: { 'a.ini': [`[a]\nlicence = Zq0Zr81kdPlmN4vXs7aTbW2y\n`, 0o600] },
    silent: { 'a.ini': ['[a]\nlicence = aaaaaaaaaaaaaaaaaaaaaaaaaaaa\n', 0o600] },
    at: [['DIR/a.ini:licence', 2, 'info']],
  },
  {
    rule: 'secret-in-log',
    config: { logs: ['DIR/*.log'] },
    fires: {
      'a.log': `start\nlogin token=${SECRET}\nAuthorization: Bearer ${SECRET}\n`,
      'b.log': 'x\n-----BEGIN OPENSSH PRIVATE KEY-----\n',
    },
    silent: {
      'a.log': 'Accepted password for root from ::1\npassword: unknown\ntoken=***\nsecret: see the manual\n',
      'b.log': 'Password: \nno token here\n',
    },
    at: [
      ['DIR/a.log:token', 2, 'critical'],
      ['DIR/a.log:bearer token', 3, 'critical'],
      ['DIR/b.log:private key', 2, 'critical'],
    ],
  },
  {
    rule: 'secret-in-unit',
    config: { units: ['DIR/**'] },
    fires: {
      'a.service': `[Service]\n# c\nEnvironment=A=1 "DB_PASSWORD=${SECRET}"\nExecStart=/bin/app --token ${HEX}\n`,
      'b.service.d/x.conf': `[Service]\nSetCredential=db:${SECRET}\nEnvironment=MCP_KEY=${HEX}\n`,
    },
    silent: {
      'a.service':
        '[Service]\nEnvironment=A=1 TOKEN_FILE=/run/x DB_PASSWORD=$X PUBLIC_KEY=abc\nLoadCredential=db:/etc/x\nExecStart=/bin/app --token $TOKEN\n',
    },
    at: [
      ['DIR/a.service:DB_PASSWORD', 3, 'critical'],
      ['DIR/a.service:--token', 4, 'critical'],
      ['DIR/b.service.d/x.conf:db', 2, 'critical'],
      ['DIR/b.service.d/x.conf:MCP_KEY', 3, 'critical'],
    ],
  },
  {
    rule: 'secret-in-cron',
    config: { scheduled: ['DIR/*'] },
    fires: {
      nightly: [`0 1 * * * root PGPASSWORD=${SECRET} pg_dump x\n`, 0o600],
      'backup.sh': [`#!/bin/sh\nset -e\nTOKEN='${SECRET}'\n`, 0o755],
    },
    silent: {
      nightly: '0 1 * * * root PGPASSFILE=/root/.pgpass pg_dump x\n',
      'backup.sh': 'TOKEN=$(cat /run/t)\n',
    },
    at: [
      ['DIR/backup.sh:TOKEN', 3, 'critical'],
      ['DIR/nightly:PGPASSWORD', 1, 'warning'],
    ],
  },
  {
    rule: 'password-automation',
    config: { scheduled: ['DIR/*'] },
    fires: { nightly: '# sshpass\n0 1 * * * root sshpass -f /root/p ssh host\n' },
    silent: { nightly: '# sshpass\n0 1 * * * root ssh -o BatchMode=yes host\n' },
    at: [['DIR/nightly:sshpass', 2, 'critical']],
  },
  {
    rule: 'unverified-transfer',
    config: { units: ['DIR/*.service'], scheduled: ['DIR/*.sh'] },
    fires: {
      'a.service': '[Service]\nExecStart=/usr/bin/curl -sk https://h\n',
      'b.sh': 'curl --silent \\\n  --insecure https://h\n',
    },
    silent: { 'a.service': '[Service]\nExecStart=/usr/bin/curl -s https://h\n', 'b.sh': '# curl -k\n' },
    at: [
      ['DIR/a.service:curl --insecure', 2, 'critical'],
      ['DIR/b.sh:curl --insecure', 1, 'critical'],
    ],
  },
  {
    rule: 'dangerous-command',
    config: { jobs: ['DIR/config.ini'], scheduled: [], commands: 'strict' },
    fires: { 'config.ini': '[job-exec "a"]\nschedule = @daily\ncommand = sh -c "date"\n' },
    silent: { 'config.ini': '[job-exec "a"]\nschedule = @daily\ncommand = /scripts/backup\n' },
    at: [['DIR/config.ini:a shell', 3, 'warning']],
  },
  {
    rule: 'malformed-environment',
    config: { environmentFiles: ['DIR/env'] },
    fires: { env: ['export A=1\r\nB=2\r\n', 0o600] },
    silent: { env: ['A=1\nB=2\n', 0o600] },
    at: [
      ['DIR/env:1', 1, 'warning'],
      ['DIR/env:line endings', 1, 'warning'],
    ],
    mends: true,
  },
  {
    rule: 'open-secret-file',
    config: { environmentFiles: ['DIR/env'], credentialFiles: ['DIR/.git-credentials', 'DIR/.npmrc'] },
    fires: {
      env: [`A=1\nDB_PASSWORD=${SECRET}\n`, 0o644],
      '.npmrc': [`//r/:_authToken=${SECRET}\n`, 0o640],
    },
    silent: { env: ['A=1\nDB_PASSWORD=\n', 0o644], '.npmrc': ['registry=https://h/\n', 0o644] },
    at: [
      ['DIR/env', 2, 'critical'],
      ['DIR/.npmrc', null, 'warning'],
    ],
    mends: true,
  },
  {
    rule: 'missing-variable',
    config: { required: [{ name: 'T', files: ['DIR/env'], minimumLength: 64, pattern: 'hex' }] },
    fires: { env: ['A=1\nT=\n', 0o600] },
    silent: { env: [`T='${HEX}'\n`, 0o600] },
    at: [['DIR/env:T', 2, 'warning']],
    mends: true,
  },
  {
    rule: 'missing-variable',
    config: {
      environmentFiles: ['DIR/env'],
      required: [{ name: 'T', unit: 'DIR/a.service', minimumLength: 64, pattern: 'hex' }],
    },
    fires: { 'a.service': '[Service]\nEnvironmentFile=-DIR/env\n', env: ['A=1\n', 0o600] },
    silent: { 'a.service': '[Service]\nEnvironmentFile=-DIR/env\n', env: [`T=${HEX}\n`, 0o600] },
    at: [['DIR/env:T', null, 'warning']],
  },
  {
    rule: 'weak-variable',
    config: { required: [{ name: 'T', files: ['DIR/*.env'] }] },
    fires: { 'a.env': ['T=your-secure-password\n', 0o600] },
    silent: { 'a.env': [`T="${SECRET}${SECRET}"\n`, 0o600] },
    at: [['DIR/a.env:T', 1, 'critical']],
    mends: true,
  },
  {
    rule: 'secret-in-history',
    config: { histories: ['DIR/.bash_history'] },
    fires: { '.bash_history': `ls\napp --token ${SECRET}\nexport API_KEY=${HEX}\n` },
    silent: { '.bash_history': 'ls\napp --token "$TOKEN"\necho password\ngit log --grep=secret\n' },
    at: [
      ['DIR/.bash_history:API_KEY', 3, 'warning'],
      ['DIR/.bash_history:--token', 2, 'warning'],
    ],
  },
  {
    rule: 'stored-credentials',
    config: { credentialFiles: ['DIR/.git-credentials'] },
    fires: { '.git-credentials': [`https://u:${SECRET}@h\n`, 0o600] },
    silent: { '.git-credentials': ['', 0o600] },
    at: [['DIR/.git-credentials', null, 'warning']],
  },
  {
    rule: 'payment-card',
    config: { personalData: ['DIR/*.json'], nationalIds: true },
    fires: { 'a.json': '{\n"card": "4532 0151 1283 0366"}\n' },
    silent: { 'a.json': '{\n"order": "4532015112830367", "card": "4111111111111111"}\n' },
    at: [['DIR/a.json', 2, 'critical']],
  },
  {
    rule: 'national-id',
    config: { personalData: ['DIR/*.json'], nationalIds: true },
    fires: { 'a.json': '{"ssn": "123-45-6789"}\n' },
    silent: { 'a.json': '{"day": "2026-11-22", "tel": "555-12-34567"}\n' },
    at: [['DIR/a.json', 1, 'warning']],
  },
]

function place(directory: string, files: Case['fires']): void {
  for (const [name, file] of Object.entries(files)) {
    const [content, mode] = typeof file === 'string' ? [file, 0o644] : file
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content.replaceAll('DIR', directory))
    chmodSync(path, mode)
  }
}

function configOf({ config }: Case, directory: string): Record<string, unknown> {
  return { ...NOTHING, ...JSON.parse(JSON.stringify(config).replaceAll('DIR', directory)) }
}

for (const [index, one] of CASES.entries()) {
  test(`${one.rule} fires on its lines, and is silent where nothing is wrong (${index})`, async () => {
    using work = temporaryDirectory()
    using state = temporaryDirectory()
    const directory = join(work.path, 'srv')
    chmodSync(work.path, 0o755) // as on a host, so that modes of files decide
    mkdirSync(directory)
    const run = pluginUnderTest(plugin, configOf(one, directory), { stateDir: state.path })
    place(directory, one.fires)
    const report = await run.check()
    const found = report.findings.filter(({ rule }) => rule === one.rule)
    const said = found.map(({ subject, evidence, severity }) => [
      subject.replaceAll(directory, 'DIR'),
      evidence?.line ?? null,
      severity,
    ])
    expect(said.toSorted()).toEqual(one.at.toSorted())
    expect(found.every(({ remedy }) => (remedy ?? '') !== '')).toBe(true)
    expect([
      report.blind,
      JSON.stringify(report).includes(SECRET),
      JSON.stringify(report).includes(HEX),
    ]).toEqual([[], false, false])
    expect(report.inapplicable?.map(({ rule }) => rule)).not.toContain(one.rule)

    if (one.mends) {
      for (const { remedy } of found) {
        const { exitCode, stderr } = Bun.spawnSync(['sh', '-e', '-c', remedy ?? 'false'])
        expect([exitCode, stderr.toString()]).toEqual([0, ''])
      }
      expect((await run.check()).findings.filter(({ rule }) => rule === one.rule)).toEqual([])
    }
    place(directory, one.silent)
    const after = await run.check()
    const silent = Object.keys(one.silent).map((name) => join(directory, name))
    const left = after.findings.filter(
      ({ rule, subject }) => rule === one.rule && silent.some((path) => subject.startsWith(path)),
    )
    expect([left, after.blind]).toEqual([[], []])
  })
}

test('every rule has a case, here or with the repositories', () => {
  const git = [
    'tracked-file',
    'not-ignored',
    'not-tracked',
    'secret-in-repository',
    'secret-staged',
    'secret-in-commit',
  ]
  const elsewhere = [...git, 'credentials-in-remote', 'no-commit-hook', 'secret-in-arguments']
  expect([...new Set([...CASES.map(({ rule }) => rule), ...elsewhere])].toSorted()).toEqual(
    Object.keys(rules).toSorted(),
  )
})

test.each([
  [['/usr/bin/app', '--token', SECRET], ['process app: --token']],
  [['sh', '-c', `app --password=${SECRET} && true`], ['process sh: --password']],
  [['/usr/bin/app', '--token-file', '/run/x'], []],
  [['app', 'password', SECRET], []],
  [['postgres: writer process   '], []],
])('judgeArguments() of %j finds %j', (words, subjects) => {
  const found = judgeArguments(7, words)
  expect(found.map(({ subject }) => subject)).toEqual(subjects)
  expect(JSON.stringify(found)).not.toContain(SECRET)
})

test('a secret in the arguments of a running process is found, and gone with it', async () => {
  using state = temporaryDirectory()
  const run = pluginUnderTest(plugin, { ...NOTHING, processes: true }, { stateDir: state.path })
  const child = Bun.spawn(['sleep', '300'], { argv0: 'reeve-test-sleeper' })
  const other = Bun.spawn(['sh', '-c', 'sleep 300; true', 'reeve-test-shell', `--api-key=${SECRET}`])
  const found = async () =>
    (await run.check()).findings.filter(({ subject }) => subject === 'process sh: --api-key')
  try {
    await waitUntil('the process is there', 5000, async () => (await found()).length === 1)
    expect(JSON.stringify(await found())).not.toContain(SECRET)
  } finally {
    child.kill()
    other.kill()
    await Promise.all([child.exited, other.exited])
  }
  expect(await found()).toEqual([])
})

test('a known secret is found in logs whatever stands beside it, and told by its reference', async () => {
  using work = temporaryDirectory()
  using state = temporaryDirectory()
  const known = 'env:APP_SECRET'
  writeFileSync(join(work.path, 'a.log'), `one\nGET /?x=${SECRET}.\n`)
  const config = { ...NOTHING, logs: [`${work.path}/*.log`], known: [known] }
  const run = pluginUnderTest(plugin, config, { stateDir: state.path, secrets: { [known]: SECRET } })
  const { findings } = await run.check()
  expect(findings.map(({ subject, evidence }) => [subject, evidence?.line])).toEqual([
    [`${work.path}/a.log:${known}`, 2],
  ])
  expect(JSON.stringify(findings)).not.toContain(SECRET)
})

test('a value that is listed as allowed is no finding', async () => {
  using work = temporaryDirectory()
  using state = temporaryDirectory()
  writeFileSync(join(work.path, 'a.yaml'), `token: ${SECRET}\n`)
  const config = { ...NOTHING, files: [`${work.path}/a.yaml`] }
  const [finding] = (await pluginUnderTest(plugin, config, { stateDir: state.path }).check()).findings
  const allowed = { ...config, allowed: [String(finding?.evidence?.sha256)] }
  expect((await pluginUnderTest(plugin, allowed, { stateDir: state.path }).check()).findings).toEqual([])
})

test('what a job does not look at, and what is not there, is not applicable', async () => {
  using work = temporaryDirectory()
  using state = temporaryDirectory()
  const none = await pluginUnderTest(plugin, NOTHING, { stateDir: state.path }).check()
  expect(none.inapplicable?.map(({ rule }) => rule).toSorted()).toEqual(
    Object.keys(rules)
      .filter((rule) => rule !== 'open-secret-file')
      .toSorted(),
  )
  const config = { ...NOTHING, logs: [`${work.path}/*.log`] }
  const empty = await pluginUnderTest(plugin, config, { stateDir: state.path }).check()
  expect(empty.inapplicable).toContainEqual({ rule: 'secret-in-log', reason: 'there are no logs' })
})
