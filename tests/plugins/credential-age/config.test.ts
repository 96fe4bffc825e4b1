import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { jobSchema } from '../../../agent/config/schema.ts'
import { configSchema } from '../../../plugins/credential-age/config.ts'
import plugin from '../../../plugins/credential-age/plugin.ts'
import { DAY } from './material.ts'

test('the sample is a complete and valid job', () => {
  const text = readFileSync(join(import.meta.dir, '../../../plugins/credential-age/sample.yaml'), 'utf8')
  const jobs = z.record(z.string(), jobSchema).parse(parse(text))
  expect(Object.values(jobs).map((job) => job.plugin)).toEqual(['credential-age'])
  for (const job of Object.values(jobs)) configSchema.parse(job.config)
})

test('configSchema fills in what is not said', () => {
  const { maxAge, credentials } = configSchema.parse({
    credentials: [
      { kind: 'env-file', path: '/a' },
      { kind: 'ssh-key', path: '/b', remindBefore: ['1d', '3d'], rotatedAt: '2027-03-31' },
    ],
  })
  expect(maxAge).toBe(90 * DAY)
  expect(credentials[0]).toMatchObject({ maxMode: 0o640, minLength: 32, missingOk: false })
  expect(credentials[1]).toMatchObject({
    maxMode: 0o600,
    minRsaBits: 3072,
    remindBefore: [3 * DAY, DAY],
    rotatedAt: { atMs: Date.UTC(2027, 2, 31) },
  })
})

test.each([
  [{}],
  [{ credentials: [] }],
  [{ credentials: [{ kind: 'password', path: '/a' }] }],
  [{ credentials: [{ kind: 'env-file', path: 'relative' }] }],
  [{ credentials: [{ kind: 'env-file', path: '/a', keys: ['A B'] }] }],
  [{ credentials: [{ kind: 'env-file', path: '/a', minRsaBits: 2048 }] }],
  [{ credentials: [{ kind: 'ssh-key', path: '/a', minRsaBits: 1024 }] }],
  [{ credentials: [{ kind: 'ssh-key', path: '/a', maxAge: '90' }] }],
  [{ credentials: [{ kind: 'ssh-key', path: '/a', rotatedAt: 'yesterday' }] }],
  [{ credentials: [{ kind: 'ssh-key', path: '/a', maxMode: 600 }] }],
  [{ credentials: [{ kind: 'ssh-key', path: '/a', value: 'x' }] }],
])('configSchema refuses %j', (config) => {
  expect(configSchema.safeParse(config).success).toBe(false)
})

test('permissions() asks for the declared files and for the names where patterns begin, no more', () => {
  const config = configSchema.parse({
    credentials: [
      { kind: 'env-file', path: '/etc/app/env' },
      { kind: 'env-file', path: '/etc/app/env', keys: ['A'] },
      { kind: 'ssh-key', path: '/home/*/.ssh/authorized_keys' },
    ],
  })
  expect(plugin.permissions(config)).toEqual({
    check: {
      read: [
        '/etc/app/env',
        '/home/*/.ssh/authorized_keys',
        '/root/.*_history',
        '/home/*/.*_history',
        '/etc/systemd/system/**/*.{service,conf}',
        '/usr/lib/systemd/system/*.service',
        '/usr/local/lib/systemd/system/*.service',
        '/proc',
      ],
      list: [
        '/home',
        '/root',
        '/etc/systemd/system',
        '/usr/lib/systemd/system',
        '/usr/local/lib/systemd/system',
      ],
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  })
})

test('permissions() asks for ports, programs and passwords only where a declaration needs them', () => {
  const config = configSchema.parse({
    exposure: { commandLines: false, histories: [] },
    use: { units: [], processes: false },
    credentials: [
      { kind: 'tls-endpoint', host: 'mail.example.org', port: 465, authority: '/etc/ca.pem' },
      { kind: 'tls-endpoint', host: '::1', port: 443, certificate: '/etc/tls/own.pem' },
      {
        kind: 'certificate',
        path: '/etc/tls/*/cert.pem',
        keyFile: 'key.pem',
        password: 'env:KEY_PASSWORD',
      },
    ],
  })
  expect(plugin.permissions(config).check).toEqual({
    read: ['/etc/tls/*/cert.pem', '/etc/tls/*/key.pem', '/etc/ca.pem', '/etc/tls/own.pem'],
    list: ['/etc/tls'],
    net: ['mail.example.org:465', '[::1]:443'],
    run: [
      ['/usr/bin/openssl', 'pkcs12', '…'],
      ['/usr/bin/openssl', 'pkey', '…'],
    ],
    secrets: ['env:KEY_PASSWORD'],
    capabilities: ['CAP_DAC_READ_SEARCH'],
  })
})

test('every field of the configuration is described', () => {
  const undescribed: string[] = []
  const visit = (schema: z.ZodType, path: string): void => {
    if (schema instanceof z.ZodObject) {
      for (const [name, field] of Object.entries<z.ZodType>(schema.shape)) {
        if (!z.toJSONSchema(field, { unrepresentable: 'any', io: 'input' }).description)
          undescribed.push(`${path}.${name}`)
      }
    }
  }
  visit(configSchema, '')
  for (const kind of configSchema.shape.credentials.unwrap().options) visit(kind, '.credentials')
  expect(undescribed).toEqual([])
})
