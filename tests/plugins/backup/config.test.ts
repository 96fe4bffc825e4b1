import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { configSchema } from '../../../plugins/backup/config.ts'
import plugin from '../../../plugins/backup/plugin.ts'

const minimal = {
  sources: { paths: ['/etc'] },
  passphrase: 'env:BACKUP_PASSPHRASE',
  destinations: [{ name: 'disk', type: 'directory' as const, directory: '/srv/backup' }],
}

test('the sample is a valid job', () => {
  const sample = parse(readFileSync(new URL('../../../plugins/backup/sample.yaml', import.meta.url), 'utf8'))
  const [job] = Object.values<{ plugin: string; config: unknown }>(sample)
  expect(job?.plugin).toBe('backup')
  expect(configSchema.safeParse(job?.config).error).toBeUndefined()
})

test('configSchema fills in what is not said', () => {
  expect(configSchema.parse(minimal)).toEqual({
    ...minimal,
    sources: {
      paths: ['/etc'],
      include: [],
      exclude: [],
      excludeCaches: true,
      oneFileSystem: true,
      databases: [],
      dumps: [],
      before: [],
      after: [],
    },
    recipients: [],
    compressionLevel: 2,
    interval: 72_000_000,
    maxAge: 172_800_000,
    priority: 'idle',
    retention: { keepLast: 7, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
  })
})

test.each<[string, object, string]>([
  ['nobody who could decrypt', { passphrase: undefined }, 'never written unencrypted'],
  ['a passphrase in the clear', { passphrase: 'hunter2' }, 'wanted a reference'],
  ['no source', { sources: { paths: [] } }, 'at least one path, database or dump'],
  ['a relative source', { sources: { paths: ['etc'] } }, 'absolute path'],
  ['a dump by a name', { sources: { dumps: [{ name: 'a', command: ['pg_dump'] }] } }, 'whole path'],
  ['a dump with a path', { sources: { dumps: [{ name: '../a', command: ['/bin/true'] }] } }, 'file name'],
  [
    'two dumps of one name',
    { sources: { dumps: [1, 2].map(() => ({ name: 'a', command: ['/bin/true'] })) } },
    'name of its own',
  ],
  ['a short fingerprint', { recipients: [{ file: '/k', fingerprint: 'abcd' }] }, '40 hexadecimal'],
  ['a longest age below the interval', { interval: '2d', maxAge: '1d' }, 'longer time than the interval'],
  ['a retention that keeps nothing', { retention: { keepLast: 0 } }, '>=1'],
  ['an unknown key', { encrypt: false }, 'encrypt'],
  ['a level that does not exist', { compressionLevel: 23 }, '<=19'],
])('configSchema refuses %s', (_what, changes, message) => {
  const { error } = configSchema.safeParse({ ...minimal, ...changes })
  expect(error?.issues.map((issue) => issue.message).join()).toContain(message)
})

test('permissions() grants what a job needs and no more', () => {
  const config = configSchema.parse({ ...minimal, recipients: [{ file: '/etc/reeve/key.asc' }] })
  expect(plugin.permissions(config)).toEqual({
    check: {
      read: ['/srv/backup', '/etc/reeve/key.asc'],
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
    apply: {
      read: [
        '/etc/machine-id',
        '/proc/sys/kernel/random/boot_id',
        '/proc/*/stat',
        '/etc/reeve/key.asc',
        '/etc',
      ],
      write: ['/srv/backup'],
      secrets: ['env:BACKUP_PASSPHRASE'],
      capabilities: ['CAP_DAC_READ_SEARCH'],
    },
  })
})
