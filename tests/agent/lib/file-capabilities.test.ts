import { expect, test } from 'bun:test'
import { formatCapabilities, parseCapabilities } from '../../../agent/lib/file-capabilities.ts'

test.each([
  ['cap_net_raw=ep', '0100000200200000000000000000000000000000'],
  ['cap_net_bind_service,cap_net_admin=ep', '0100000200140000000000000000000000000000'],
  ['cap_checkpoint_restore=p', '0000000200000000000000000001000000000000'],
  ['cap_chown=i', '0000000200000000010000000000000000000000'],
  ['cap_chown=ep [rootid=100000]', '0100000301000000000000000000000000000000a0860100'],
  ['=', '0000000200000000000000000000000000000000'],
])('parseCapabilities() and formatCapabilities() of "%s"', (text, hex) => {
  expect(Buffer.from(parseCapabilities(text)).toString('hex')).toBe(hex)
  expect(formatCapabilities(Buffer.from(hex, 'hex'))).toBe(text)
})

test.each(['cap_fly=ep', 'cap_chown', 'cap_chown=x', ''])('parseCapabilities() refuses "%s"', (text) => {
  expect(() => parseCapabilities(text)).toThrow(`"${text}"`)
})

test.each(['', '00', '0100000200', '0100000400200000000000000000000000000000ff'])(
  'formatCapabilities() refuses the bytes "%s"',
  (hex) => {
    expect(() => formatCapabilities(Buffer.from(hex, 'hex'))).toThrow('damaged')
  },
)
