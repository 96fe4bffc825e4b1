import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  covers,
  formatAddress,
  formatPrefix,
  isLoopback,
  isPrivate,
  parseAddress,
  parsePrefix,
} from '../../../agent/lib/ip-address.ts'

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::1', '::1'],
  ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::', '::'],
])('parseAddress() reads %s as %s', (text, formatted) => {
  const address = parseAddress(text)
  expect(address && formatAddress(address)).toBe(formatted)
})

test.each([
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  ':::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  'g::',
  'localhost',
])('parseAddress() refuses "%s"', (text) => {
  expect(parseAddress(text)).toBeUndefined()
})

test('parsePrefix() clears what is beyond the prefix, and refuses a length that there is not', () => {
  const prefix = parsePrefix('10.1.2.3/8')
  expect(prefix && formatPrefix(prefix)).toBe('10.0.0.0/8')
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/x', 'x/8'])
    expect(parsePrefix(text)).toBeUndefined()
})

test.each([
  ['127.0.0.1', true, true],
  ['::1', true, true],
  ['10.9.8.7', false, true],
  ['172.31.0.0/16', false, true],
  ['172.32.0.0/16', false, false],
  ['100.64.0.1', false, true],
  ['fd00::1', false, true],
  ['8.8.8.8', false, false],
  ['0.0.0.0/0', false, false],
])('of %s, isLoopback() is %p and isPrivate() is %p', (text, loopback, isNear) => {
  const prefix = parsePrefix(text)
  if (!prefix) throw new Error(text)
  expect([isLoopback(prefix), isPrivate(prefix)]).toEqual([loopback, isNear])
})

test('an address comes back from its text, and lies in every prefix of it', () => {
  const value = fc.oneof(
    fc.record({ family: fc.constant(4 as const), value: fc.bigInt(0n, 2n ** 32n - 1n), bits: fc.nat(32) }),
    fc.record({
      family: fc.constant(6 as const),
      value: fc.bigInt(2n ** 64n, 2n ** 128n - 1n),
      bits: fc.nat(128),
    }),
  )
  fc.assert(
    fc.property(value, ({ family, value, bits }) => {
      const text = formatAddress({ family, value })
      expect(parseAddress(text)).toEqual({ family, value })
      const prefix = parsePrefix(`${text}/${bits}`)
      const own = parsePrefix(text)
      expect(prefix && own && covers(prefix, own)).toBe(true)
    }),
    { seed: 5 },
  )
})
