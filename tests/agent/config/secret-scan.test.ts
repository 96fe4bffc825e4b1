import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { LineCounter, parseDocument } from 'yaml'
import { findSecrets } from '../../../agent/config/secret-scan.ts'

function scan(text: string) {
  const lines = new LineCounter()
  return findSecrets(parseDocument(text, { lineCounter: lines }), lines)
}

const places = (text: string) => scan(text).map((found) => `${found.keyPath}:${found.line}:${found.column}`)

test('findSecrets() names key path, line and column, and nothing of the value', () => {
  const found = scan('jobs:\n  mail:\n    config:\n      smtpPassword: hunter2hunter2\n')
  expect(found).toEqual([
    {
      keyPath: 'jobs.mail.config.smtpPassword',
      key: 'smtpPassword',
      line: 4,
      column: 21,
      what: 'a secret as text',
    },
  ])
  expect(JSON.stringify(found)).not.toContain('hunter2')
})

test.each([
  'db_pass',
  'password',
  'token',
  'secret',
  'api_key',
  'passphrase',
  'API-Key',
  'dbPass',
  'Pass-Word',
])('findSecrets() finds a value of %p at any depth', (key) => {
  expect(places(`${key}: value1`)).toEqual([`${key}:1:${key.length + 3}`])
  expect(scan(`a:\n  - b:\n      ${key}: "value1"`)).toHaveLength(1)
  expect(scan(`{"a": {"${key}": 'value1'}}`)).toHaveLength(1)
})

test.each([
  'secret: env:REEVE_WEBHOOK_SECRET',
  'passphrase: file:/etc/reeve/passphrase',
  'token: credential:api-token',
  `password: \${DB_PASS}`,
  'password: ""',
  'password:',
  'password: ~',
  'password: "   "',
  'password: true',
  'tokens: 4096',
  'max_tokens: 4096',
  'passwordFile: /etc/app/password',
  'token_file: /etc/app/token',
  'recipients: [ops@example.org]',
  'url: https://hooks.example.org/reeve',
  'keys: [DB_PASS, API_TOKEN]',
  '# password: hunter2',
  'jobs: { rotate-token: { plugin: command, config: { argv: [/bin/true] } } }',
  'grant: { secrets: [env:ONE, "file:/two"] }',
  'user: git@example.org',
])('findSecrets() is silent about %p', (text) => {
  expect(scan(text)).toEqual([])
})

test.each([
  ['token: 12345678', 'token'],
  [`password: "\${DB_PASS:-fallback}"`, 'password'],
  ['password: env:not a name', 'password'],
  [`password: prefix \${DB_PASS}`, 'password'],
  ['tokens: [one1, two2]', 'tokens[0]'],
  ['secret: { value: abc }', 'secret.value'],
  ['secrets: [{ name: one, value: abc }]', 'secrets[0].value'],
  ['password: |\n  several\n  lines', 'password'],
  ['password: !!binary aHVudGVyMg==', 'password'],
  ['password: !custom hunter2', 'password'],
  ['x: &pw hunter2\npassword: *pw', 'password'],
  ['x: &list [hunter2]\ntokens: *list', 'tokens[0]'],
  ['? &pw hunter2\n: 1\npassword: *pw', 'password'],
  ['base: &base { token: abc }\nother: { <<: *base }', 'base.token'],
  ['db: postgres://app:s3cret@db/app', 'db'],
  ['argv: [curl, "https://u:p@host/"]', 'argv[1]'],
  ['url: https://hooks.slack.com/services/T0/B0/xyz', 'url'],
  ['note: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  b3BlbnNzaA\n', 'note'],
])('findSecrets() finds the one in %p', (text, keyPath) => {
  expect(scan(text).map((found) => found.keyPath)).toContain(keyPath)
})

test('findSecrets() does not show a key that is itself a secret', () => {
  const found = scan('mirrors:\n  https://user:hunter2@host: { password: abc }\n')
  expect(found.map((secret) => secret.keyPath)).toEqual(['mirrors.…', 'mirrors.….password'])
  expect(JSON.stringify(found)).not.toContain('hunter2')
})

test('findSecrets() reports an anchored secret once, however often it is used', () => {
  expect(scan('a: &x { token: abc }\nb: *x\nc: [*x, *x]\n')).toHaveLength(1)
})

test('findSecrets() takes the nearest anchor of a name', () => {
  expect(places('a: &x env:NAME\ntoken: *x\nb: &x literal1\nsecret: *x\n')).toEqual(['secret:3:7'])
})

test('findSecrets() ends on aliases that multiply and on aliases of themselves', () => {
  const bomb = ['a0: &a0 [x, y]']
  for (let level = 1; level < 60; level++) {
    bomb.push(
      `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    )
  }
  bomb.push('token: *a59')
  expect(scan(bomb.join('\n'))).toHaveLength(2)
  expect(scan('loop: &loop { token: abc, again: *loop }')).toHaveLength(1)
})

test('findSecrets() finds every planted secret and never shows one', () => {
  const value = fc.string({
    unit: fc.constantFrom(...'abcdefghjkmnpqrstuvwxyz23456789'),
    minLength: 12,
    maxLength: 40,
  })
  const key = fc.constantFrom('password', 'API_TOKEN', 'client-secret', 'apiKey', 'passphrase')
  const depth = fc.array(fc.constantFrom('jobs', 'config', 'x', 'list'), { maxLength: 5 })
  fc.assert(
    fc.property(value, key, depth, (secret, name, above) => {
      const tree = above.reduceRight<object>(
        (inner, parent) => (parent === 'list' ? { list: [inner] } : { [parent]: inner }),
        { [name]: secret, other: 'value' },
      )
      const found = scan(JSON.stringify(tree))
      expect(found).toHaveLength(1)
      expect(found[0]?.key).toBe(name)
      expect(JSON.stringify(found)).not.toContain(secret)
    }),
    { seed: 7, numRuns: 200 },
  )
})
