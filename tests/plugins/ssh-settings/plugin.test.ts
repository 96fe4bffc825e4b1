import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { judgeClient } from '../../../plugins/ssh-settings/judge-client.ts'
import plugin from '../../../plugins/ssh-settings/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

const cases: [name: string, text: string, verdicts: string[]][] = [
  ['nothing is said', 'Host *\n  ForwardAgent no', []],
  ['any host is believed', 'StrictHostKeyChecking no', ['critical /x:1']],
  [
    'any host is believed below Host *',
    'Host a\nPort 2\nHost *\n  StrictHostKeyChecking=off',
    ['critical /x:4'],
  ],
  [
    'some hosts are believed',
    'Host build-*\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null',
    ['warning /x:2', 'warning /x:3'],
  ],
  ['new hosts are taken once', 'StrictHostKeyChecking accept-new', []],
  ['keys are kept', 'UserKnownHostsFile ~/.ssh/known_hosts', []],
]
for (const [name, text, verdicts] of cases) {
  test(`judgeClient() says ${verdicts.join(', ') || 'nothing'} when ${name}`, () => {
    expect(judgeClient('/x', text).map(({ severity, subject }) => `${severity} ${subject}`)).toEqual(verdicts)
  })
}

function hostWith(files: Record<string, string>) {
  const root = temporaryDirectory()
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(root.path + path), { recursive: true })
    writeFileSync(root.path + path, text)
  }
  const run = pluginUnderTest(plugin, {}, { root: root.path, stateDir: '/state' })
  return { run, [Symbol.dispose]: () => root[Symbol.dispose]() }
}

test('check judges server and clients of a host, with the places of what is wrong', async () => {
  using host = hostWith({
    '/etc/ssh/sshd_config': 'Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\n',
    '/etc/ssh/sshd_config.d/50-cloud.conf': 'PasswordAuthentication yes\n',
    '/home/deploy/.ssh/config': 'Host *\n  StrictHostKeyChecking no\n',
  })
  const { findings, blind } = await host.run.check()
  expect(blind).toEqual([])
  expect(findings.map(({ rule, evidence, subject }) => [rule, evidence?.place ?? subject])).toEqual([
    ['password-login', '/etc/ssh/sshd_config.d/50-cloud.conf:1'],
    ['unverified-hosts', '/home/deploy/.ssh/config:2'],
  ])
})

test('check finds each kind of wrong setting of the server, and nothing once they are right', async () => {
  const settings = (value: { login: string; root: string; empty: string; rhosts: string; ciphers: string }) =>
    [
      `PasswordAuthentication ${value.login}`,
      'KbdInteractiveAuthentication no',
      `PermitRootLogin ${value.root}`,
      `PermitEmptyPasswords ${value.empty}`,
      `IgnoreRhosts ${value.rhosts}`,
      `Ciphers ${value.ciphers}`,
      '',
    ].join('\n')
  const wrong = { login: 'yes', root: 'yes', empty: 'yes', rhosts: 'no', ciphers: 'aes128-cbc' }
  const right = { login: 'no', root: 'no', empty: 'no', rhosts: 'yes', ciphers: 'aes256-gcm@openssh.com' }
  const judge = async (text: string) => {
    using host = hostWith({ '/etc/ssh/sshd_config': text })
    const { findings, blind } = await host.run.check()
    return { found: findings.map(({ rule, evidence }) => [rule, evidence?.place]), blind }
  }
  expect(await judge(settings(wrong))).toEqual({
    found: [
      ['password-login', '/etc/ssh/sshd_config:1'],
      ['root-login', '/etc/ssh/sshd_config:3'],
      ['empty-passwords', '/etc/ssh/sshd_config:4'],
      ['loose-setting', '/etc/ssh/sshd_config:5'],
      ['weak-algorithm', '/etc/ssh/sshd_config:6'],
    ],
    blind: [],
  })
  expect(await judge(settings(right))).toEqual({ found: [], blind: [] })
})

test('check says that its rules about the server do not apply where there is none', async () => {
  using host = hostWith({ '/etc/hostname': 'x' })
  const { findings, inapplicable } = await host.run.check()
  expect(findings).toEqual([])
  expect(inapplicable?.map(({ rule }) => rule)).toContain('password-login')
})

test('check is blind where the settings of the server cannot be read', async () => {
  using host = hostWith({ '/usr/sbin/sshd': '', '/etc/hostname': 'x' })
  const { findings, blind } = await host.run.check()
  expect(findings).toEqual([])
  expect(blind).toMatchObject([{ subject: '/etc/ssh/sshd_config' }])
})
