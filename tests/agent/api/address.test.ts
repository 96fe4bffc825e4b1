import { expect, test } from 'bun:test'
import { clientKey, isAllowedHost, isLoopbackAddress } from '../../../agent/api/address.ts'

const loopback = { listen: '127.0.0.1:7338', hosts: ['status.example.org', 'other.example.org:8443'] }

test.each([
  ['localhost', true],
  ['localhost:7338', true],
  ['LOCALHOST:7338', true],
  ['127.0.0.1:7338', true],
  ['127.0.0.1:8000', true],
  ['[::1]:7338', true],
  ['[::1]', true],
  ['status.example.org', true],
  ['status.example.org:443', true],
  ['other.example.org:8443', true],
  ['other.example.org', false],
  ['other.example.org:443', false],
  ['evil.example.com:7338', false],
  ['localhost.evil.example.com', false],
  ['evil.example.com#localhost', false],
  ['localhost@evil.example.com', false],
  ['127.0.0.1.nip.io:7338', false],
  ['127.0.0.2:7338', false],
  ['192.0.2.1:7338', false],
  ['::1', false],
  ['localhost:', false],
  ['localhost:7338:7338', false],
  ['', false],
  [undefined, false],
])('isAllowedHost() says of the Host header %p: %p', (header, allowed) => {
  expect(isAllowedHost(header, loopback)).toBe(allowed)
})

test('isAllowedHost() allows the address that it listens on', () => {
  expect(isAllowedHost('192.0.2.1:7338', { listen: '192.0.2.1:7338', hosts: [] })).toBe(true)
  expect(isAllowedHost('[2001:db8::1]:7338', { listen: '[2001:DB8::1]:7338', hosts: [] })).toBe(true)
})

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['2001:0db8::', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  [undefined, 'unknown'],
])('clientKey() counts %p by %p', (address, key) => {
  expect(clientKey(address)).toBe(key)
})

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::ffff:127.0.0.1', true],
  ['::1', true],
  ['128.0.0.1', false],
  ['::2', false],
  ['2001:db8::7f00:1', false],
  [undefined, false],
])('isLoopbackAddress() says of %p: %p', (address, loopbackAddress) => {
  expect(isLoopbackAddress(address)).toBe(loopbackAddress)
})
