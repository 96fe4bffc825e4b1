import { expect, test } from 'bun:test'
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolveSecret } from '../../../agent/config/secrets.ts'
import { UserError } from '../../../agent/lib/errors.ts'
import { Redactor } from '../../../agent/lib/redact.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const VALUE = 'correct-horse-battery'

function resolve(reference: string, env: Record<string, string> = {}, serviceUid = process.getuid?.() ?? 0) {
  const redactor = new Redactor()
  return { value: resolveSecret(reference, env, { redactor, serviceUid }), redactor }
}

/** The message of the refusal, which must be a UserError and must not show the value. */
function refusal(reference: string, env: Record<string, string> = {}, serviceUid?: number): string {
  try {
    resolve(reference, env, serviceUid)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    expect(Bun.inspect(error)).not.toContain(VALUE)
    return error.message
  }
  throw new Error('it was not refused')
}

test('resolveSecret() gives the value of a variable and registers it with the redactor', () => {
  const { value, redactor } = resolve('env:TOKEN', { TOKEN: VALUE })
  expect(value).toBe(VALUE)
  expect(redactor.text(`it is ${VALUE}`)).toBe('it is [redacted]')
})

test.each([
  ['env:TOKEN', {}, 'EnvironmentFile='],
  ['env:toString', {}, 'not set'],
  ['env:TOKEN', { TOKEN: '' }, 'empty'],
  ['env:TOKEN', { TOKEN: 'short' }, 'openssl rand'],
  [`env:${VALUE}`, {}, 'no name of a variable'],
  [VALUE, {}, 'wanted env:NAME'],
  [`vault:${VALUE}`, {}, 'wanted env:NAME'],
  ['file:relative/path', {}, 'absolute'],
  ['credential:api-token', {}, 'LoadCredential=api-token:'],
  ['credential:../../etc/shadow', { CREDENTIALS_DIRECTORY: '/etc' }, 'letters'],
  ['credential:..', { CREDENTIALS_DIRECTORY: '/etc' }, 'letters'],
  ['credential:a/b', { CREDENTIALS_DIRECTORY: '/etc' }, 'letters'],
  ['credential:x', { CREDENTIALS_DIRECTORY: 'relative' }, 'LoadCredential'],
])('resolveSecret() refuses %p with the environment %p and says what to do', (reference, env, hint) => {
  expect(refusal(reference, env)).toContain(hint)
})

test('resolveSecret() reads the file that NAME_FILE names where NAME is not set', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'token')
  writeFileSync(path, `${VALUE}\n`, { mode: 0o600 })
  expect(resolve('env:TOKEN', { TOKEN_FILE: path }).value).toBe(VALUE)
  expect(resolve('env:TOKEN', { TOKEN_FILE: path, TOKEN: 'another-long-value' }).value).toBe(
    'another-long-value',
  )
  chmodSync(path, 0o644)
  expect(refusal('env:TOKEN', { TOKEN_FILE: path })).toContain('chmod 0600')
  expect(refusal('env:TOKEN', { TOKEN_FILE: 'token' })).toContain('absolute')
})

test.each([0o600, 0o400])('resolveSecret() reads a file with mode %o without its last newline', (mode) => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'secret')
  writeFileSync(path, `${VALUE}\n`, { mode })
  expect(resolve(`file:${path}`).value).toBe(VALUE)
  chmodSync(path, 0o600)
  writeFileSync(path, `${VALUE}\n\n`)
  expect(resolve(`file:${path}`).value).toBe(`${VALUE}\n`)
  writeFileSync(path, `${VALUE}\r\n`)
  expect(resolve(`file:${path}`).value).toBe(VALUE)
})

test('resolveSecret() registers each line of a secret that has several', () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'key.pem')
  writeFileSync(path, '-----BEGIN PRIVATE KEY-----\nfirst-line-of-it\nsecond-line-of-it\n', { mode: 0o600 })
  const { redactor } = resolve(`file:${path}`)
  expect(redactor.text('x second-line-of-it -----BEGIN PRIVATE KEY-----')).toBe(
    'x [redacted] -----BEGIN PRIVATE KEY-----',
  )
})

test.each([0o640, 0o644, 0o604, 0o620, 0o700, 0o4600])(
  'resolveSecret() refuses a file with mode %o',
  (mode) => {
    using directory = temporaryDirectory()
    const path = join(directory.path, 'secret')
    writeFileSync(path, VALUE)
    chmodSync(path, mode)
    expect(refusal(`file:${path}`)).toContain(`run: chmod 0600 ${path}`)
  },
)

test('resolveSecret() refuses what is no regular file, a link, a missing, an oversized and a binary file', () => {
  using directory = temporaryDirectory()
  const path = (name: string) => join(directory.path, name)
  writeFileSync(path('target'), VALUE, { mode: 0o600 })
  symlinkSync(path('target'), path('link'))
  symlinkSync(path('loop'), path('loop'))
  mkdirSync(path('directory'))
  Bun.spawnSync(['mkfifo', '-m', '0600', path('fifo')])
  writeFileSync(path('large'), 'x'.repeat(65_537), { mode: 0o600 })
  writeFileSync(path('largest'), 'x'.repeat(65_536), { mode: 0o600 })
  writeFileSync(path('binary'), Buffer.from([0xff, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8]), { mode: 0o600 })
  writeFileSync(path('nul'), `${VALUE}\0${VALUE}`, { mode: 0o600 })
  writeFileSync(path('empty'), '\n', { mode: 0o600 })
  expect(refusal(`file:${path('link')}`)).toContain('symbolic link')
  expect(refusal(`file:${path('loop')}`)).toContain('symbolic link')
  expect(refusal(`file:${path('missing')}`)).toContain('no such file')
  expect(refusal(`file:${path('target')}/below`)).toContain('no such file')
  expect(refusal(`file:${path('directory')}`)).toContain('no regular file')
  expect(refusal(`file:${path('fifo')}`)).toContain('no regular file')
  expect(refusal('file:/dev/null')).toContain('no regular file')
  expect(refusal(`file:${path('large')}`)).toContain('larger')
  expect(resolve(`file:${path('largest')}`).value).toHaveLength(65_536)
  expect(refusal(`file:${path('binary')}`)).toContain('not UTF-8')
  expect(refusal(`file:${path('nul')}`)).toContain('NUL')
  expect(refusal(`file:${path('empty')}`)).toContain('empty')
})

test.skipIf(process.getuid?.() !== 0)(
  'resolveSecret() accepts a file of root and of the service user, and of nobody else',
  () => {
    using directory = temporaryDirectory()
    const path = join(directory.path, 'secret')
    writeFileSync(path, VALUE, { mode: 0o600 })
    expect(resolve(`file:${path}`, {}, 1234).value).toBe(VALUE)
    chownSync(path, 1234, 0)
    expect(resolve(`file:${path}`, {}, 1234).value).toBe(VALUE)
    expect(refusal(`file:${path}`, {}, 4321)).toContain('belongs to user id 1234')
  },
)

test('resolveSecret() reads a systemd credential, also with the group bits of its ACL', () => {
  using directory = temporaryDirectory()
  const env = { CREDENTIALS_DIRECTORY: directory.path }
  writeFileSync(join(directory.path, 'api-token'), VALUE)
  chmodSync(join(directory.path, 'api-token'), 0o440)
  expect(resolve('credential:api-token', env).value).toBe(VALUE)
  chmodSync(join(directory.path, 'api-token'), 0o444)
  expect(refusal('credential:api-token', env)).toContain('every user')
})
