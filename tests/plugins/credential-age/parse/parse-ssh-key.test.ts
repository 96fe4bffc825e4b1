import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Unreadable } from '../../../../plugins/credential-age/credential.ts'
import { parseSshKeys } from '../../../../plugins/credential-age/parse/parse-ssh-key.ts'
import { bytesOf, processorClock, run, sshKey } from '../material.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-ssh-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const KEYS: [name: string, ...options: string[]][] = [
  ['ed25519', '-t', 'ed25519'],
  ['ed25519-encrypted', '-t', 'ed25519', '-N', 'a passphrase', '-a', '1'],
  ['rsa-1024', '-t', 'rsa', '-b', '1024'],
  ['rsa-2048-pem', '-t', 'rsa', '-b', '2048', '-m', 'PEM'],
  ['rsa-2048-pkcs8', '-t', 'rsa', '-b', '2048', '-m', 'PKCS8'],
  ['ecdsa-256', '-t', 'ecdsa', '-b', '256'],
  ['ecdsa-384-pem', '-t', 'ecdsa', '-b', '384', '-m', 'PEM'],
  ['ecdsa-521-pkcs8', '-t', 'ecdsa', '-b', '521', '-m', 'PKCS8'],
  ['dsa', '-t', 'dsa'],
]

beforeAll(() => {
  for (const [name, ...options] of KEYS) sshKey(directory, name, ...options)
})

/** Bits, fingerprint and type as ssh-keygen tells them. */
function told(path: string) {
  const [bits, fingerprint, ...rest] = run(['ssh-keygen', '-l', '-f', path]).toString().trim().split(' ')
  return { bits: Number(bits), fingerprint, type: rest.at(-1) }
}

const TYPES: Record<string, string> = {
  '(ED25519)': 'ed25519',
  '(RSA)': 'rsa',
  '(ECDSA)': 'ecdsa',
  '(DSA)': 'dsa',
}

test.each(KEYS.map(([name]) => name))('parseSshKeys() tells of %p what ssh-keygen tells', (name) => {
  const path = join(directory, name)
  const { bits, fingerprint, type = '' } = told(`${path}.pub`)
  const expected = { algorithm: TYPES[type], bits, publicFingerprint: fingerprint }
  const [publicKey, ...others] = parseSshKeys(bytesOf(`${path}.pub`), false).members
  expect(others).toEqual([])
  expect(publicKey).toMatchObject({ ...expected, confidential: false, label: `${name}@host` })
  expect(publicKey?.id).toBeUndefined()
  const { members, problems } = parseSshKeys(bytesOf(path), false)
  expect(problems).toEqual([])
  expect(members).toHaveLength(1)
  expect(members[0]).toMatchObject({ ...expected, confidential: true, encrypted: name.includes('encrypted') })
  // One key in two formats is one credential.
  expect(Buffer.from(members[0]?.identity ?? []).equals(Buffer.from(publicKey?.identity ?? []))).toBe(true)
})

test.each([
  ['pem', ['-m', 'PEM']],
  ['pkcs8', ['-m', 'PKCS8']],
])('parseSshKeys() says that an encrypted key in %p hides what it is', (name, options) => {
  const path = sshKey(directory, `hidden-${name}`, '-t', 'ecdsa', '-N', 'a passphrase', ...options)
  const { members, problems } = parseSshKeys(bytesOf(path), false)
  expect(members).toEqual([])
  expect(problems).toHaveLength(1)
  expect(problems[0]).toContain('ssh-keygen -p -f')
})

test('parseSshKeys() reads legacy DSA in PEM as DSA', () => {
  const path = sshKey(directory, 'dsa-pem', '-t', 'dsa', '-m', 'PEM')
  expect(parseSshKeys(bytesOf(path), false).members[0]).toMatchObject({
    algorithm: 'dsa',
    confidential: true,
  })
})

test('parseSshKeys() reads authorized_keys with options, comments and expiry', () => {
  const key = (name: string) => readFileSync(join(directory, `${name}.pub`), 'utf8').trim()
  const text = [
    '# people',
    '',
    key('ed25519'),
    `from="10.0.0.0/8,\\"x y\\"",no-pty,command="/bin/echo hi # there" ${key('rsa-1024')}`,
    `restrict,expiry-time="20270331" ${key('ecdsa-256')}`,
    `expiry-time="202703311530Z" ${key('dsa')}`,
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI',
    'ssh-rsa',
    'ssh-quantum AAAA',
  ].join('\n')
  const { members, problems } = parseSshKeys(Buffer.from(text), true)
  expect(members.map(({ id, line, label }) => [id, line, label])).toEqual([
    [told(join(directory, 'ed25519.pub')).fingerprint, 3, 'ed25519@host'],
    [told(join(directory, 'rsa-1024.pub')).fingerprint, 4, 'rsa-1024@host'],
    [told(join(directory, 'ecdsa-256.pub')).fingerprint, 5, 'ecdsa-256@host'],
    [told(join(directory, 'dsa.pub')).fingerprint, 6, 'dsa@host'],
  ])
  expect(members[2]?.expiresAtMs).toBe(new Date(2027, 2, 31).getTime())
  expect(members[3]?.expiresAtMs).toBe(Date.UTC(2027, 2, 31, 15, 30))
  expect(problems).toEqual([
    'line 7: the key is no base64 (truncated?)',
    'line 8: the key is no base64 (truncated?)',
    'line 9: wanted an SSH public key',
  ])
})

test('parseSshKeys() refuses an expiry that is no time, and a key that is not of its type', () => {
  const key = readFileSync(join(directory, 'ed25519.pub'), 'utf8').trim()
  const lines = [`expiry-time="tomorrow" ${key}`, key.replace('ssh-ed25519', 'ssh-rsa')]
  expect(parseSshKeys(Buffer.from(lines.join('\n')), true)).toEqual({
    members: [],
    problems: [
      'line 1: its option expiry-time is no time',
      'line 2: the key is not of the type that it says',
    ],
  })
})

test('parseSshKeys() reads certificates of OpenSSH with their validity', () => {
  const subject = sshKey(directory, 'certified', '-t', 'ecdsa')
  const sign = ['ssh-keygen', '-q', '-s', join(directory, 'ed25519'), '-I', 'deploy of prod', '-n', 'root']
  run([...sign, '-V', '20270101000000Z:20270401000000Z', `${subject}.pub`])
  const [certificate] = parseSshKeys(bytesOf(`${subject}-cert.pub`), false).members
  expect(certificate).toMatchObject({
    algorithm: 'ecdsa',
    publicFingerprint: told(`${subject}.pub`).fingerprint,
    validFromMs: Date.UTC(2027, 0, 1),
    expiresAtMs: Date.UTC(2027, 3, 1),
  })
  run([...sign, `${subject}.pub`])
  expect(parseSshKeys(bytesOf(`${subject}-cert.pub`), false).members[0]?.expiresAtMs).toBeUndefined()
})

test('parseSshKeys() says that a file without a key is empty, but a list may be', () => {
  expect(parseSshKeys(Buffer.from(''), false).members).toEqual([{ value: '', confidential: false }])
  expect(parseSshKeys(Buffer.from('# nobody\n'), true)).toEqual({ members: [], problems: [] })
})

test('parseSshKeys() never takes a truncated private key for a whole one', () => {
  for (const [name] of KEYS) {
    const bytes = bytesOf(join(directory, name))
    for (let length = 40; length < bytes.length - 2; length += 37) {
      const { members, problems } = parseSshKeys(bytes.subarray(0, length), false)
      expect([members.length, problems.length > 0]).toEqual([0, true])
    }
  }
})

test('parseSshKeys() throws nothing but Unreadable, whatever is done to a key', () => {
  const originals = KEYS.flatMap(([name]) => [
    bytesOf(join(directory, name)),
    bytesOf(join(directory, `${name}.pub`)),
  ])
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 })
  const spentMs = processorClock()
  fc.assert(
    fc.property(fc.nat({ max: originals.length - 1 }), edits, fc.nat(), (which, changes, cut) => {
      const bytes = Uint8Array.from(originals[which] ?? [])
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      try {
        const { problems } = parseSshKeys(bytes.subarray(0, 10 + (cut % bytes.length)), cut % 2 === 0)
        expect(problems.length).toBeLessThanOrEqual(20)
      } catch (error) {
        expect(error).toBeInstanceOf(Unreadable)
      }
    }),
    { seed: 5, numRuns: 1500 },
  )
  expect(spentMs()).toBeLessThan(20_000)
})

test.each([
  ['-----BEGIN OPENSSH PRIVATE KEY-----\n'.repeat(28_000)],
  [`-----BEGIN RSA PRIVATE KEY-----\n${'A'.repeat(1_000_000)}\n-----END RSA PRIVATE KEY-----\n`],
  [`-----BEGIN PRIVATE KEY-----\n${'MIIA'.repeat(250_000)}\n-----END PRIVATE KEY-----\n`],
  ['"'.repeat(1_000_000)],
  [`ssh-rsa ${'A'.repeat(1_000_000)}`],
  ['ssh-rsa AAAA\n'.repeat(76_000)],
  [`ssh-rsa AAAAB3NzaC1yc2E//${'/'.repeat(800_000)}`],
  [`expiry-time="${'1'.repeat(1_000_000)}`],
])('parseSshKeys() ends soon on a hostile file', (text) => {
  const spentMs = processorClock()
  try {
    expect(parseSshKeys(Buffer.from(text), true).members).toEqual([])
  } catch (error) {
    expect(error).toBeInstanceOf(Unreadable)
  }
  expect(spentMs()).toBeLessThan(3000)
})
