import { expect, test } from 'bun:test'
import { briefly, hostWith } from './host.ts'

const TOKEN = '3f9c'.repeat(16)
const CONFIG = `inventory_dir: ~/.rostr/inventory
backup_dir: ~/.rostr/backups
ssh:
  identity_file: ~/.ssh/id_ed25519
registration:
  port: 8888
  allowed_groups: [production, staging]
  token: ""            # empty = allowed
uptimekuma:
  db_host: 127.0.0.1
  db_port: 3306
  db_pass:             # null = allowed
`
const ENV = `ROSTR_UPTIMEKUMA_DB_PASS='${'q0Zr'.repeat(11)}'
ROSTR_REGISTRATION_TOKEN='${TOKEN}'
ROSTR_ALLOWED_GROUPS='production,staging'
`
const UNIT = `[Service]
EnvironmentFile=%h/.config/rostr/env
ExecStart=%h/.local/bin/rostr api serve
`
const HOME = '/home/deploy'
const FILES = {
  [`${HOME}/.rostr/config.yaml`]: CONFIG,
  [`${HOME}/.config/rostr/env`]: ENV,
  [`${HOME}/.config/systemd/user/registration.service`]: UNIT,
  [`${HOME}/.config/systemd/user/other.service`]: '[Service]\nExecStart=/usr/bin/true\n',
}
const look = (more: Record<string, string | Uint8Array>, settings = {}) =>
  hostWith({ ...FILES, ...more }, { service: 'rostr', ...settings })

test.each([{}, { home: HOME }])('check finds nothing in a good rostr with %p', async (settings) => {
  using host = look({}, settings)
  const { findings, blind } = await host.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
})

test.each<[string, string, string[]]>([
  [
    'token: ""            # empty = allowed',
    `token: ${TOKEN}`,
    ['secret-in-configuration 8 registration.token', 'would-not-start 8 registration.token'],
  ],
  [
    'db_pass:             # null = allowed',
    'db_pass: hunter2',
    ['secret-in-configuration 12 uptimekuma.db_pass', 'would-not-start 12 uptimekuma.db_pass'],
  ],
  [
    'db_pass:             # null = allowed',
    'DB-Pass: hunter2',
    ['secret-in-configuration 12 uptimekuma.DB-Pass'],
  ],
  [
    'db_pass:             # null = allowed',
    `db_pass: \${KUMA_PASS}`,
    ['would-not-start 12 uptimekuma.db_pass'],
  ],
  [
    'db_pass:             # null = allowed',
    'keys: [{api_key: hunter2}]',
    ['secret-in-configuration 12 uptimekuma.keys.0.api_key', 'would-not-start 12 uptimekuma.keys.0.api_key'],
  ],
  [
    'port: 8888',
    'port: 8888\n  webhook_url: http://n8n.example.org/x',
    ['unencrypted-webhook 7 registration.webhook_url'],
  ],
  ['port: 8888', 'port: 8888\n  webhook_url: http://127.0.0.1:5678/x', []],
  ['port: 8888', 'port: 8888\n  port: 8889', ['duplicate-key 7 port']],
])('check of a configuration with %s for %s', async (from, to, found) => {
  expect(CONFIG).toContain(from)
  using host = look({ [`${HOME}/.rostr/config.yaml`]: CONFIG.replace(from, () => to) })
  const { findings, blind } = await host.check()
  expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
  expect(JSON.stringify(findings)).not.toMatch(/hunter2|3f9c3f9c3f9c/)
})

test('remedies of a configuration with secrets make their findings go away', async () => {
  const config = CONFIG.replace('token: ""            # empty = allowed', `token: ${TOKEN}`).replace(
    'db_pass:             #',
    'db_pass: "hunter2" #',
  )
  using host = look({ [`${HOME}/.rostr/config.yaml`]: config })
  for (const { rule, remedy } of (await host.check()).findings) {
    if (rule === 'secret-in-configuration') expect(host.carryOut(remedy ?? '')).toHaveLength(1)
  }
  expect(briefly((await host.check()).findings)).toEqual(['configuration-changed -'])
})

test.each<[string, string, string[]]>([
  [
    'the example of the documents',
    ENV.replace(TOKEN, 'your-secure-token'),
    ['placeholder-secret 2 ROSTR_REGISTRATION_TOKEN'],
  ],
  [
    'a short password',
    ENV.replace(/q0Zr[^']*/, 'short-password'),
    ['weak-secret 1 ROSTR_UPTIMEKUMA_DB_PASS'],
  ],
  ['no token', ENV.replace(/ROSTR_REG.*\n/, ''), ['missing-secret 2 ROSTR_REGISTRATION_TOKEN']],
  ['an empty token', ENV.replace(`'${TOKEN}'`, ''), ['missing-secret 2 ROSTR_REGISTRATION_TOKEN']],
  ['no password', ENV.replace(/ROSTR_UPTIME.*\n/, ''), ['missing-secret - ROSTR_UPTIMEKUMA_DB_PASS']],
  ['no groups', ENV.replace(/ROSTR_ALLOWED.*\n/, ''), ['open-groups 2 ROSTR_ALLOWED_GROUPS']],
  ['every group', ENV.replace('production,staging', '*'), ['open-groups 3 ROSTR_ALLOWED_GROUPS']],
  [
    'exports',
    ENV.replace('ROSTR_REG', 'export ROSTR_REG'),
    ['ineffective-variable 2 ROSTR_REGISTRATION_TOKEN', 'missing-secret 2 ROSTR_REGISTRATION_TOKEN'],
  ],
])('check of a file of variables with %s', async (_, env, found) => {
  using host = look({ [`${HOME}/.config/rostr/env`]: env })
  const { findings, blind } = await host.check()
  expect({ findings: briefly(findings), blind }).toEqual({ findings: found, blind: [] })
})

test('check tells a token in the unit, where rostr itself puts it', async () => {
  const unit = `[Service]\nEnvironment=ROSTR_REGISTRATION_TOKEN=${TOKEN}\nEnvironment=ROSTR_ALLOWED_GROUPS=production\nExecStart=/usr/bin/rostr api\n`
  using host = look({ [`${HOME}/.config/systemd/user/registration.service`]: unit })
  const { findings } = await host.check()
  expect(briefly(findings)).toEqual(['secret-in-unit 2 ROSTR_REGISTRATION_TOKEN'])
  expect(JSON.stringify(findings)).not.toContain(TOKEN)
})

test('check has nothing to say of the API where no unit runs it', async () => {
  using host = hostWith(
    {
      [`${HOME}/.rostr/config.yaml`]: CONFIG,
      [`${HOME}/.config/rostr/env`]: ENV.replace(/ROSTR_(REG|ALL).*\n/g, ''),
    },
    { service: 'rostr' },
  )
  const { findings, blind, inapplicable } = await host.check()
  expect({ findings, blind }).toEqual({ findings: [], blind: [] })
  expect(inapplicable?.find(({ rule }) => rule === 'open-groups')?.reason).toContain('registration API')
})

test('check says that nothing applies where nobody has rostr', async () => {
  using host = hostWith({ '/home/a/.bashrc': '' }, { service: 'rostr' })
  const { findings, inapplicable } = await host.check()
  expect(findings).toEqual([])
  expect(inapplicable?.some(({ rule }) => rule === 'would-not-start')).toBe(true)
})

test('check tells homes apart', async () => {
  using host = look({
    '/home/other/.rostr/config.yaml': CONFIG,
    '/home/other/.config/rostr/env': ENV.replace(TOKEN, 'your-secure-token'),
    '/home/other/.config/systemd/user/registration.service': UNIT,
  })
  const { findings, blind } = await host.check()
  expect(blind).toEqual([])
  expect(findings.map(({ rule, subject }) => [rule, subject])).toEqual([
    ['placeholder-secret', '/home/other/.config/rostr/env#ROSTR_REGISTRATION_TOKEN'],
  ])
})
