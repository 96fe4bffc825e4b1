import { expect, test } from 'bun:test'
import { createHash, createHmac } from 'node:crypto'
import { hmacSha256, sha256 } from '../../../agent/lib/digest.ts'

const TEXTS = ['', 'a', 'ä\0b', '\udc80x', new Uint8Array([0, 255, 10])]

test('sha256() of several parts is that of all of them in one', () => {
  for (const text of TEXTS) {
    const expected = createHash('sha256').update('head\0').update(text).digest('hex')
    expect(sha256('head\0', text)).toBe(expected)
  }
  expect(sha256()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('hmacSha256() agrees with OpenSSL for short, exact and long keys', () => {
  for (const bytes of [1, 32, 64, 65, 200]) {
    const key = new Uint8Array(bytes).fill(7)
    for (const text of TEXTS) {
      expect(hmacSha256(key, text)).toBe(createHmac('sha256', key).update(text).digest('hex'))
    }
  }
})
