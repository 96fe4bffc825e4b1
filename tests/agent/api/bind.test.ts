import { expect, test } from 'bun:test'
import { judgeBind } from '../../../agent/api/bind.ts'

const tls = { certificate: '/etc/reeve/cert.pem', key: '/etc/reeve/key.pem' }

test.each([
  ['127.0.0.1:7338', undefined, false],
  ['127.0.0.53:7338', undefined, false],
  ['[::1]:7338', undefined, false],
  ['localhost:7338', undefined, false],
  ['0.0.0.0:7338', tls, true],
  ['[::]:7338', tls, true],
  ['status.example.org:443', tls, true],
])('judgeBind() allows %p with TLS %p and a token: %p', (listen, withTls, hasToken) => {
  expect(judgeBind({ listen, tls: withTls }, hasToken)).toBeUndefined()
})

test.each([
  ['0.0.0.0:7338', undefined, true, 'there is no `api.tls`.'],
  ['0.0.0.0:7338', tls, false, 'there is no token (make one with: reeve token new NAME --scope read).'],
  ['[::]:7338', undefined, false, 'there is no `api.tls` and there is no token'],
  ['192.168.1.5:7338', undefined, true, 'there is no `api.tls`'],
  ['127.0.0.1.example.org:7338', undefined, true, 'there is no `api.tls`'],
])('judgeBind() refuses %p with TLS %p and a token: %p', (listen, withTls, hasToken, reason) => {
  const refusal = judgeBind({ listen, tls: withTls }, hasToken)
  expect(refusal).toStartWith(`Cannot listen on "${listen}": others than this machine can reach it`)
  expect(refusal).toContain(reason)
  expect(refusal).toContain('127.0.0.1')
})
