import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { foldName, isSecretName, isVariableReference, urlPasswords } from '../../../agent/lib/secret-names.ts'

test.each([
  ['smtp-password', 'smtppassword'],
  ['SMTPPassword', 'smtppassword'],
  ['smtp_password', 'smtppassword'],
  ['SMTP.Pass word', 'smtppassword'],
])('foldName() folds %p', (name, folded) => {
  expect(foldName(name)).toBe(folded)
})

test.each([
  'db_pass',
  'password',
  'token',
  'secret',
  'api_key',
  'DB_PASS',
  'dbPass',
  'db-pass',
  'API-KEY',
  'apiKey',
  'APIKey',
  'ROSTR_UPTIMEKUMA_DB_PASS',
  'ROSTR_REGISTRATION_TOKEN',
  'webhookSecret',
  'passphrase',
  'MYSQL_PWD',
  'SMTP_PASS',
  'AWS_SECRET_ACCESS_KEY',
  'SECRET_KEY_BASE',
  'MCP_ENCRYPTION_KEY',
  'API_KEY_2',
  'DB_PASSWORD_OLD',
  'tokens',
  'bearer.token',
])('isSecretName() is true for %p', (name) => {
  expect(isSecretName(name)).toBe(true)
})

test.each([
  '',
  'tokenFile',
  'password_file',
  'passwordHash',
  'secretsPath',
  'PWD',
  'OLDPWD',
  'pass',
  'bypass',
  'compass',
  'MAX_TOKENS',
  'minPasswordLength',
  'publicKey',
  'key',
  'keys',
  'recipients',
  'tokenizer',
  '__proto__',
])('isSecretName() is false for %p', (name) => {
  expect(isSecretName(name)).toBe(false)
})

test('isSecretName() does not depend on how the words are joined', () => {
  const words = fc.array(fc.constantFrom('smtp', 'db', 'api', 'key', 'token', 'password', 'file', 'max'), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(words, (parts) => {
      const camel = parts.map((part) => part[0]?.toUpperCase() + part.slice(1)).join('')
      const answers = [parts.join('_'), parts.join('-'), parts.join('_').toUpperCase(), camel].map(
        isSecretName,
      )
      expect(new Set(answers).size).toBe(1)
    }),
    { seed: 20261, numRuns: 300 },
  )
})

test.each([
  ['postgres://app:s3cret@db.example.org/app', ['s3cret']],
  ['see https://u:p%40ss@a and redis://:other@b:6379/0.', ['p%40ss', 'other']],
  ['https://u:p@ss@host/', ['p@ss']],
  ['https://user@host/path', []],
  ['https://host:8080/a@b:c@d', []],
  [`https://u:\${DB_PASS}@host`, []],
  [`https://u:\${DB_PASS:-fallback}@host`, [`\${DB_PASS:-fallback}`]],
  ['ssh://git@host:22/x', []],
  ['://', []],
])('urlPasswords() of %p is %p', (text, passwords) => {
  expect(urlPasswords(text)).toEqual(passwords)
})

test('urlPasswords() takes linear time on hostile text', () => {
  const before = process.cpuUsage()
  urlPasswords('://'.repeat(300_000))
  urlPasswords('a'.repeat(1_000_000))
  urlPasswords(`${'x://u:'.repeat(150_000)}@`)
  expect(process.cpuUsage(before).user).toBeLessThan(2_000_000)
})

test.each([
  [`\${NAME}`, true],
  [`\${NAME:-x}`, false],
  ['$NAME', false],
  [`a\${NAME}`, false],
])('isVariableReference() of %p is %p', (text, expected) => {
  expect(isVariableReference(text)).toBe(expected)
})
