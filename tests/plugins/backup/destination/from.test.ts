import { expect, test } from 'bun:test'
import { parseFrom } from '../../../../plugins/backup/destination/from.ts'

const NAME = 'etc-20261123T031500Z-full.tar.zst.gpg'
const parse = (from: string, values: Record<string, string> = {}) =>
  parseFrom({ values: { from, ...values }, positionals: [] })
const login = { identity: '/id', 'known-hosts': '/known' }

test.each(['/srv/backup', '/srv/backup/sftp:/x'])('parseFrom() leaves the path %s alone', (from) => {
  expect(parse(from)).toBeUndefined()
})

test.each<[string, object, string | undefined]>([
  ['sftp://web@host/srv/b', { host: 'host', port: 22, user: 'web', directory: '/srv/b' }, undefined],
  ['sftp://web@host:2222/~/b', { port: 2222, directory: 'b' }, undefined],
  ['sftp://web@[::1]/srv/b%20c', { host: '::1', directory: '/srv/b c' }, undefined],
  [`sftp://web@host/srv/b/${NAME}`, { directory: '/srv/b' }, NAME],
])('parseFrom() of %s', (from, place, only) => {
  const found = parse(from, login)
  expect(found?.place).toMatchObject({ type: 'sftp', identityFile: '/id', knownHosts: '/known', ...place })
  expect(found?.only).toBe(only)
})

test.each<[string, object, string | undefined]>([
  ['s3://bucket', { bucket: 'bucket', prefix: '' }, undefined],
  ['s3://bucket/web1/', { prefix: 'web1/' }, undefined],
  ['s3://bucket/a/b', { prefix: 'a/b/' }, undefined],
  [`s3://bucket/web1/${NAME}`, { prefix: 'web1/' }, NAME],
  [`s3://bucket/${NAME}`, { prefix: '' }, NAME],
])('parseFrom() of %s', (from, place, only) => {
  const found = parse(from, { endpoint: 'https://s3.example.org', 'access-key-id': 'file:/id' })
  expect(found?.place).toMatchObject({
    type: 's3',
    accessKeyId: 'file:/id',
    secretAccessKey: 'env:AWS_SECRET_ACCESS_KEY',
    ...place,
  })
  expect(found?.only).toBe(only)
})

test.each<[string, Record<string, string>, string]>([
  ['ftp://host/x', {}, 'wanted a path'],
  ['sftp://web:secret@host/x', login, 'password'],
  ['sftp://web@host/x', {}, '--identity'],
  ['sftp://web@host/x', { identity: '/id' }, '--known-hosts'],
  ['sftp://host/x', login, 'name of a user'],
  ['sftp://web@-oProxyCommand=x/x', login, 'Cannot use --from'],
  ['s3://bucket/x', {}, '--endpoint'],
  ['s3://bucket/x', { endpoint: 'http://s3.example.org' }, 'https'],
  ['s3://bucket/x', { endpoint: 'https://s3.example.org', 'access-key-id': 'AKIA' }, 'reference'],
])('parseFrom() refuses %s with %j', (from, values, message) => {
  expect(() => parse(from, values)).toThrow(message)
})
