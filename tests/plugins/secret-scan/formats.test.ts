import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import plugin from '../../../plugins/secret-scan/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { NOTHING } from './settings.ts'

/** Secrets in every format: [line, name, value], and what must stay silent beside them. */
const FORMATS: Record<string, { text: string; planted: [line: number, name: string, value: string][] }> = {
  'app.yaml': {
    text: [
      '# password: in-a-comment',
      'db:',
      '  host: 10.0.0.1',
      '  db_pass: s3cret-one',
      'registration:',
      '  token: ""',
      '  other_token: ~',
      'empty:',
      '  api-key:',
      'nested: { deep: { API_KEY: "s3cret-two", port: 1 }, list: [a, b] }',
      'smtp:',
      '  password:',
      '    value: s3cret-three',
      'block:',
      '  secret: |-',
      '    s3cret-four',
      '    and more',
      'tokens:',
      '  - s3cret-five',
      '  - env:TOKEN',
      '  - s3cret-six   # why not',
      'url: postgres://app:s3cret-seven@db/app',
      'reference: &shared s3cret-eight',
      'password: *shared',
      'ok:',
      `  - password: \${DB_PASSWORD}`,
      '  - password: env:DB_PASSWORD',
      '  - secret: file:/run/secrets/db',
      '  - secret: credential:db',
      '  - token: !vault |',
      '      66386439',
      '  - token: "{{ vault.token }}"',
      '  - password_file: /run/secrets/db',
      '  - token_expiry: 24h',
      '  - max_tokens: 4096',
      '  - web-password-hash: $2y$12$abcdefghijklmnopqrstuv',
      'typed: !!str plain',
      'typed-secret: !!str s3cret-nine',
      '"quoted secret": \'s3cret-ten\'',
      'multiline-password:',
      '  s3cret-eleven',
    ].join('\n'),
    planted: [
      [4, 'db_pass', 's3cret-one'],
      [10, 'API_KEY', 's3cret-two'],
      [13, 'password', 's3cret-three'],
      [16, 'secret', 's3cret-four'],
      [19, 'tokens', 's3cret-five'],
      [21, 'tokens', 's3cret-six'],
      [22, 'password in a URL', 's3cret-seven'],
      [24, 'password', 's3cret-eight'],
      [38, 'typed-secret', 's3cret-nine'],
      [39, 'quoted secret', 's3cret-ten'],
      [41, 'multiline-password', 's3cret-eleven'],
    ],
  },
  'config.ini': {
    text: [
      '[global]',
      'smtp_password = s3cret-one',
      'SMTPPassword=s3cret-two',
      'smtp-password: "s3cret-three"',
      '; smtp-password = in-a-comment',
      `web-secret-key = \${WEB_SECRET}`,
      `web-secret-key = \${WEB_SECRET:-s3cret-four}`,
      `web-secret-key = \${WEB_SECRET:-}`,
      'secret =',
      'token = # nothing',
      'slack-webhook = https://hooks.slack.com/services/T00000001/B00000001/abcdefABCDEF012345678901',
    ].join('\r\n'),
    planted: [
      [2, 'smtp_password', 's3cret-one'],
      [3, 'SMTPPassword', 's3cret-two'],
      [4, 'smtp-password', 's3cret-three'],
      [7, 'web-secret-key', `\${WEB_SECRET:-s3cret-four}`],
      [11, 'slack', 'https://hooks.slack.com/services/T00000001/B00000001/abcdefABCDEF012345678901'],
    ],
  },
  'app.toml': {
    text: [
      '[a.b]',
      'password = "s3cret-one"',
      "api_key = 's3cret-two' # a comment",
      'inline = { token = "s3cret-three", n = 1 }',
      'secret = """',
      's3cret-four"""',
      'tokens = [',
      '  "s3cret-five",',
      '  "env:TOKEN",',
      ']',
      'password_file = "/run/secrets/x"',
    ].join('\n'),
    planted: [
      [2, 'password', 's3cret-one'],
      [3, 'api_key', 's3cret-two'],
      [4, 'token', 's3cret-three'],
      [6, 'secret', 's3cret-four'],
      [8, 'tokens', 's3cret-five'],
    ],
  },
  'app.json': {
    text: `{"a":{"password":"s3cret-one","token":null,"secret":""},"list":[{"apiKey":"s3cret-two"},\n {"client_secret": {"value": "s3cret-three"}}],\n "passwords": [\n  "s3cret-four"\n ], "ok_secret": "\${X}", "escaped_token": "s3cret\\"five"}\n`,
    planted: [
      [1, 'password', 's3cret-one'],
      [1, 'apiKey', 's3cret-two'],
      [2, 'client_secret', 's3cret-three'],
      [4, 'passwords', 's3cret-four'],
      [5, 'escaped_token', 's3cret\\"five'],
    ],
  },
  'app.env': {
    text: 'export DB_PASSWORD=s3cret-one\nAPI_KEY="s3cret two words"\nTOKEN=\'$OTHER\'\nSECRET_KEY=\n#PASSWORD=no\nDATABASE_URL=mysql://u:s3cret-three@h/d\n',
    planted: [
      [1, 'DB_PASSWORD', 's3cret-one'],
      [2, 'API_KEY', 's3cret two words'],
      [6, 'password in a URL', 's3cret-three'],
    ],
  },
  'config.php': {
    text: "<?php\ndefine('DB_PASSWORD', 's3cret-one');\n$db['password'] = 's3cret-two';\n$db['secret'] = getenv('X');\n",
    planted: [
      [2, 'DB_PASSWORD', 's3cret-one'],
      [3, 'password', 's3cret-two'],
    ],
  },
  'users.xml': {
    text: '<a><password>s3cret-one</password>\n<!-- <password>no</password>\n <password>no</password> -->\n<c password="s3cret-two"/></a>\n',
    planted: [
      [1, 'password', 's3cret-one'],
      [4, 'password', 's3cret-two'],
    ],
  },
  'redis.conf': {
    text: '# requirepass foobared\nrequirepass s3cret-one\nmasterauth "s3cret-two"\nrequirepassword no\n',
    planted: [
      [2, 'requirepass', 's3cret-one'],
      [3, 'masterauth', 's3cret-two'],
    ],
  },
  'compose.yml': {
    text: `services:\n  o:\n    labels:\n      ofelia.smtp-password: s3cret-one\n    environment:\n      - WEB_SECRET_KEY=s3cret-two\n      - "TOKEN=\${TOKEN}"\n    command: ["--token", "x"]\n`,
    planted: [
      [4, 'ofelia.smtp-password', 's3cret-one'],
      [6, 'WEB_SECRET_KEY', 's3cret-two'],
    ],
  },
  'action.py': {
    text: [
      'def __init__(self, host="localhost", user=None, password=None):',
      '    self.password =password',
      '    """',
      '    password : str, optional',
      '    """',
      "    DB_PASSWORD = 's3cret-one'",
    ].join('\n'),
    planted: [[6, 'DB_PASSWORD', 's3cret-one']],
  },
  'filter.conf': {
    text: "failregex = ^Access denied for '[^']+' (to database '[^']*'|\\(using password: (YES|NO)\\))*$\nmy password: s3cret-1ne\n",
    planted: [[2, 'password', 's3cret-1ne']],
  },
  'key.conf': {
    text: `a = 1\n-----BEGIN EC PRIVATE KEY-----\n${'MHcCAQEE'.repeat(8)}\n-----END EC PRIVATE KEY-----\n`,
    planted: [[2, 'private key', 'MHcCAQEE'.repeat(8)]],
  },
}

const hash = (value: string) => createHash('sha256').update(value).digest('hex').slice(0, 8)

for (const [name, { text, planted }] of Object.entries(FORMATS)) {
  for (const [encoding, encode] of [
    ['UTF-8', (content: string) => Buffer.from(content)],
    ['UTF-8 with a mark', (content: string) => Buffer.from(`\uFEFF${content}`)],
    ['CR LF', (content: string) => Buffer.from(content.replace(/\r?\n/g, '\r\n'))],
    ['UTF-16', (content: string) => Buffer.from(`\uFEFF${content}`, 'utf16le')],
    ['UTF-16 without a mark', (content: string) => Buffer.from(content, 'utf16le')],
    [
      'bytes that are no UTF-8',
      (content: string) => Buffer.concat([Buffer.from(content), Buffer.from([10, 0xff, 0xfe, 0x80])]),
    ],
  ] as const) {
    test(`each secret planted in ${name} (${encoding}) is found on its line, and nothing else`, async () => {
      using work = temporaryDirectory()
      const path = join(work.path, name)
      writeFileSync(path, encode(text), { mode: 0o600 })
      const config = { ...NOTHING, files: [path] }
      const report = await pluginUnderTest(plugin, config, { stateDir: join(work.path, 'state') }).check()
      expect(report.blind).toEqual([])
      const found = report.findings.map(({ evidence }) => [evidence?.line, evidence?.key, evidence?.sha256])
      expect(found.toSorted()).toEqual(
        planted.map(([line, key, value]): (string | number)[] => [line, key, hash(value)]).toSorted(),
      )
      const said = JSON.stringify(report)
      for (const [, , value] of planted) expect(said).not.toContain(value)
    })
  }
}
