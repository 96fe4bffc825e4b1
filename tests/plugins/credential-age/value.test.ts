import { expect, test } from 'bun:test'
import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { isHash, isPlaceholder, valueWeaknesses } from '../../../plugins/credential-age/value.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test.each([
  'changeme',
  'ChangeMe',
  'change-me-please',
  'your-secure-password',
  'your-secure-token',
  'your_api_key',
  'password',
  'test',
  'xxxxxxxxxxxxxxxx',
  '00000000000000000000000000000000',
  '...',
  '<your token>',
  '{{ vault_token }}',
  '%DB_PASS%',
  'replace-with-your-token',
  'insert-token-here',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sha256(''),
  sha256('test'),
  sha256('test').toUpperCase(),
  sha256('changeme'),
  sha256('my-secret-token'),
  'a5f3c6c86f1a6d3b8c4e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1',
])('isPlaceholder() knows %p', (value) => {
  expect(isPlaceholder(value)).toBe(true)
})

test('isPlaceholder() is silent about what a random generator makes', () => {
  const bytes = fc.uint8Array({ minLength: 24, maxLength: 48 })
  fc.assert(
    fc.property(bytes, (random) => {
      if (new Set(random).size < 12) return
      for (const encoding of ['hex', 'base64', 'base64url'] as const) {
        expect(isPlaceholder(Buffer.from(random).toString(encoding))).toBe(false)
      }
    }),
    { seed: 11, numRuns: 500 },
  )
})

test.each([
  [sha256('anything'), true],
  [sha256('anything').toUpperCase(), true],
  ['$2b$12$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghijk', true],
  ['$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$abcdef', true],
  ['ea5add57', false],
  ['$ecret', false],
])('isHash() of %p is %p', (value, expected) => {
  expect(isHash(value)).toBe(expected)
})

test.each([
  ['Tr0ub4dor&3', ['it is shorter than 32 characters']],
  ['abab'.repeat(10), ['it is made of few different characters']],
  ['aaa', ['it is shorter than 32 characters', 'it is made of few different characters']],
  [sha256('anything'), []],
])('valueWeaknesses() of %p is %p', (value, expected) => {
  expect(valueWeaknesses(value, 32)).toEqual(expected)
})

test('valueWeaknesses() is silent about 32 random bytes in hex and base64', () => {
  for (let round = 0; round < 200; round++) {
    const random = randomBytes(32)
    expect(valueWeaknesses(`x${random.toString('hex')}`, 32)).toEqual([])
    expect(valueWeaknesses(random.toString('base64'), 32)).toEqual([])
  }
})
