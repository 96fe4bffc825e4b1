import { expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import plugin from '../../../plugins/accounts/plugin.ts'
import { parseSudoers } from '../../../plugins/accounts/sudoers.ts'
import { testWith } from '../../kit/needs.ts'
import { PackageHost, whyNoPackageHost } from '../../kit/package-host/host.ts'
import { pluginUnderTest } from '../../kit/plugin.ts'

setDefaultTimeout(60_000)

const parse = (text: string, files: Record<string, string> = {}) =>
  parseSudoers('/etc/sudoers', text, (path, isDirectory) =>
    Object.entries(files)
      .filter(([name]) => (isDirectory ? name.startsWith(`${path}/`) : name === path))
      .map(([name, content]) => ({ path: name, text: content })),
  )
const shown = (text: string, files?: Record<string, string>) =>
  parse(text, files).rules.map(
    ({ users, command, isFree, line }) => `${line} ${users.join('+')} ${isFree ? 'free ' : ''}${command}`,
  )

const cases: [name: string, text: string, rules: string[]][] = [
  ['one for all', 'root\tALL=(ALL:ALL) ALL', ['1 root ALL']],
  ['one without a password', '%sudo ALL=(ALL) NOPASSWD: ALL', ['1 %sudo free ALL']],
  [
    'a tag that holds for what follows',
    'a ALL = NOPASSWD: /bin/a, /bin/b, PASSWD: /bin/c',
    ['1 a free /bin/a', '1 a free /bin/b', '1 a /bin/c'],
  ],
  ['several tags', 'a ALL=(root) SETENV:NOPASSWD: /usr/bin/docker ps', ['1 a free /usr/bin/docker ps']],
  [
    'aliases',
    'User_Alias OPS = anna, ben : DEV = carl\nCmnd_Alias DOCK = /usr/bin/docker, /usr/bin/podman\nOPS, DEV ALL=DOCK',
    ['3 anna+ben+carl /usr/bin/docker', '3 anna+ben+carl /usr/bin/podman'],
  ],
  ['an alias behind its use', 'a ALL=X\nCmnd_Alias X=/bin/x', ['1 a /bin/x']],
  ['an alias of itself', 'Cmnd_Alias X=X\na ALL=X', ['2 a X']],
  ['lines that go on', 'a ALL=\\\n /bin/a,\\\n /bin/b\nb ALL=ALL', ['1 a /bin/a', '1 a /bin/b', '4 b ALL']],
  ['comments', '# a ALL=ALL\na ALL=/bin/a # NOPASSWD: ALL\n#1000 ALL=ALL', ['2 a /bin/a', '3 #1000 ALL']],
  ['a colon within arguments', 'a ALL=/bin/mount a\\:b', ['1 a /bin/mount a\\:b']],
  ['two hosts', 'a web=/bin/a : db=NOPASSWD: /bin/b', ['1 a /bin/a', '1 a free /bin/b']],
  ['two hosts in a list', 'a web, db = ALL', ['1 a ALL']],
  ['a negated command', 'a ALL=ALL, !/bin/su', ['1 a ALL', '1 a !/bin/su']],
  ['settings', 'Defaults env_reset\nDefaults:anna !lecture', []],
]
for (const [name, text, rules] of cases) {
  test(`parseSudoers() reads ${name}`, () => {
    expect([shown(text), parse(text).malformed]).toEqual([rules, []])
  })
}

test('parseSudoers() reads what is included, with the places of its lines', () => {
  const files = { '/etc/sudoers.d/a': '\na ALL=ALL', '/etc/x': 'b ALL=ALL' }
  const { rules } = parse('@includedir /etc/sudoers.d\n#include /etc/x', files)
  expect(rules.map(({ path, line, users }) => `${path}:${line} ${users}`)).toEqual([
    '/etc/sudoers.d/a:2 a',
    '/etc/x:1 b',
  ])
})

test('parseSudoers() ends where a file includes itself', () => {
  const { malformed, rules } = parse('@include /etc/x', { '/etc/x': '@include /etc/x\na ALL=ALL' })
  expect([malformed, rules.length]).toEqual([[{ path: '/etc/x', line: 1 }], 16])
})

test('parseSudoers() tells for whom no password is asked at all, and what it does not understand', () => {
  const { free, malformed } = parse('Defaults !authenticate\nDefaults:ci env_reset, !authenticate\nrubbish\n')
  expect(free.map(({ users, line }) => `${line} ${users}`)).toEqual(['1 ', '2 ci'])
  expect(malformed).toEqual([{ path: '/etc/sudoers', line: 3 }])
})

const why = whyNoPackageHost()
testWith({ reason: why })(
  'parseSudoers() takes what sudo itself takes, and refuses what it refuses',
  async () => {
    await using debian = await PackageHost.start()
    debian.apt('install', '-t', 'bookworm', 'sudo')
    const texts = [...cases.map(([, text]) => text), 'rubbish', 'a ALL', 'a = ALL']
    const isTaken = (text: string, index: number) => {
      writeFileSync(`${debian.root}/tmp/${index}`, `${text}\n`, { mode: 0o440 })
      try {
        debian.run('visudo', '-c', '-f', `/tmp/${index}`)
        return true
      } catch {
        return false
      }
    }
    // An alias that names itself is the one thing that only sudo refuses.
    const judged = texts.filter((text) => !text.includes('Cmnd_Alias X=X'))
    expect(judged.map((text) => parse(text).malformed.length === 0)).toEqual(judged.map(isTaken))
    // And of the accounts of a Debian as it is installed there is nothing to say.
    const run = pluginUnderTest(plugin, {}, { root: debian.root, stateDir: '/tmp/state' })
    const { findings, blind } = await run.check()
    expect({ findings, blind }).toEqual({ findings: [], blind: [] })
  },
)
