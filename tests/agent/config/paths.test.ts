import { expect, test } from 'bun:test'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isLoopback, parseHostPort } from '../../../agent/config/address.ts'
import { scheduleError } from '../../../agent/config/cron.ts'
import { configPath, socketPath, stateDirectory, userConfigPath } from '../../../agent/config/paths.ts'
import { isRoot } from '../../kit/ordinary-user.ts'

test('configPath() takes the option, then REEVE_CONFIG', () => {
  expect(configPath('/o.yaml', { REEVE_CONFIG: '/e.yaml' })).toBe('/o.yaml')
  expect(configPath(undefined, { REEVE_CONFIG: '/e.yaml' })).toBe('/e.yaml')
  expect(configPath(undefined, { REEVE_CONFIG: '', STATE_DIRECTORY: '/var/lib/reeve' })).toBe(
    '/etc/reeve/reeve.yaml',
  )
})

test('userConfigPath() is below XDG_CONFIG_HOME, or below the home directory', () => {
  expect(userConfigPath({ XDG_CONFIG_HOME: '/x' })).toBe('/x/reeve/reeve.yaml')
  expect(userConfigPath({ XDG_CONFIG_HOME: '' })).toBe(join(homedir(), '.config/reeve/reeve.yaml'))
})

const states: [
  configured: string | undefined,
  env: Record<string, string>,
  config: string,
  expected: string,
][] = [
  ['/c', { REEVE_STATE_DIR: '/e' }, '/etc/reeve/reeve.yaml', '/e'],
  ['/c', {}, '/etc/reeve/reeve.yaml', '/c'],
  [undefined, {}, '/etc/reeve/reeve.yaml', '/var/lib/reeve'],
  [undefined, { STATE_DIRECTORY: '/var/lib/reeve' }, '/x.yaml', '/var/lib/reeve'],
  [undefined, { XDG_STATE_HOME: '/s' }, '/x.yaml', isRoot ? '/var/lib/reeve' : '/s/reeve'],
]
for (const [configured, env, config, expected] of states) {
  test(`stateDirectory() is ${expected} for ${configured} with ${JSON.stringify(env)} and ${config}`, () => {
    expect(stateDirectory(configured, env, config)).toBe(expected)
  })
}

const sockets: [
  configured: string | false | undefined,
  env: Record<string, string>,
  state: string,
  expected: string | null,
][] = [
  [false, {}, '/var/lib/reeve', null],
  ['/s.sock', { XDG_RUNTIME_DIR: '/run/user/1' }, '/var/lib/reeve', '/s.sock'],
  [undefined, { XDG_RUNTIME_DIR: '/run/user/1' }, '/var/lib/reeve', '/run/reeve/reeve.sock'],
  [undefined, { XDG_RUNTIME_DIR: '/run/user/1' }, '/home/x/state', '/run/user/1/reeve.sock'],
  [undefined, {}, '/home/x/state', '/home/x/state/api.sock'],
]
for (const [configured, env, state, expected] of sockets) {
  test(`socketPath() is ${expected} for ${configured} with ${JSON.stringify(env)} and ${state}`, () => {
    expect(socketPath(configured, env, state)).toBe(expected)
  })
}

const addresses: [text: string, expected: ReturnType<typeof parseHostPort>][] = [
  ['127.0.0.1:7338', { host: '127.0.0.1', port: 7338 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['[::1]:65535', { host: '::1', port: 65535 }],
  ['host-1.example.org:80', { host: 'host-1.example.org', port: 80 }],
  ['127.0.0.1', undefined],
  ['127.0.0.1:65536', undefined],
  ['127.0.0.1:-1', undefined],
  ['::1:80', undefined],
  [':80', undefined],
  ['host:80:90', undefined],
  ['http://host:80', undefined],
  ['', undefined],
]
for (const [text, expected] of addresses) {
  test(`parseHostPort() gives ${JSON.stringify(expected)} for "${text}"`, () => {
    expect(parseHostPort(text)).toEqual(expected)
  })
}

for (const [host, expected] of [
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['::1', true],
  ['localhost', true],
  ['127.0.0.1.example.org', false],
  ['128.0.0.1', false],
  ['0.0.0.0', false],
  ['::', false],
  ['localhost.example.org', false],
] as const) {
  test(`isLoopback() is ${expected} for ${host}`, () => {
    expect(isLoopback(host)).toBe(expected)
  })
}

for (const schedule of [
  'manual',
  '* * * * *',
  '*/5 8-18 * * mon-fri',
  '0 30 2 * * *',
  '@hourly',
  '@daily',
  '@weekly',
  '@monthly',
  '@yearly',
  '0 0 L * *',
]) {
  test(`scheduleError() takes "${schedule}"`, () =>
    expect(scheduleError(schedule, 'Europe/Vienna')).toBeUndefined())
}
for (const schedule of [
  '',
  '* * * *',
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '* * * 13 *',
  '@reboot',
  '@every 5m',
  'hourly',
  '0 0 30 2 *',
  '1 2 3 4 5 6 7 8',
]) {
  test(`scheduleError() says why "${schedule}" cannot be used`, () =>
    expect(scheduleError(schedule, 'UTC')).toBeString())
}
