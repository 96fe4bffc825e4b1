import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Unreadable } from '../../../../plugins/credential-age/credential.ts'
import { parseCertificates } from '../../../../plugins/credential-age/parse/parse-certificate.ts'
import { readJwt } from '../../../../plugins/credential-age/parse/parse-jwt.ts'
import { loginFormat, parseLogins } from '../../../../plugins/credential-age/parse/parse-logins.ts'
import {
  judgeHash,
  parsePasswordFile,
  parseShadow,
} from '../../../../plugins/credential-age/parse/parse-password-hashes.ts'
import { parsePrivateKeys } from '../../../../plugins/credential-age/parse/parse-private-key.ts'
import { parseSettings, settingsFormat } from '../../../../plugins/credential-age/parse/parse-settings.ts'
import { parseUnit, readUnit } from '../../../../plugins/credential-age/parse/parse-unit.ts'
import { candidatesOf, historyWords, namedSecrets } from '../../../../plugins/credential-age/use/exposure.ts'
import { unitOf } from '../../../../plugins/credential-age/use/processes.ts'
import { processorClock } from '../material.ts'

const PARSERS: [name: string, parse: (bytes: Uint8Array) => unknown][] = [
  ['yaml', (bytes) => parseSettings(bytes, 'yaml')],
  ['json', (bytes) => parseSettings(bytes, 'json')],
  ['toml', (bytes) => parseSettings(bytes, 'toml')],
  ['ini', (bytes) => parseSettings(bytes, 'ini')],
  ['unit', parseUnit],
  ['docker', (bytes) => parseLogins(bytes, 'docker')],
  ['git', (bytes) => parseLogins(bytes, 'git')],
  ['netrc', (bytes) => parseLogins(bytes, 'netrc')],
  ['pgpass', (bytes) => parseLogins(bytes, 'pgpass')],
  ['htpasswd', (bytes) => parsePasswordFile(bytes, 12)],
  ['shadow', (bytes) => parseShadow(bytes, 12)],
  ['private key', parsePrivateKeys],
  ['certificate', parseCertificates],
  [
    'history',
    (bytes) =>
      Buffer.from(bytes)
        .toString()
        .split('\n')
        .map(
          (line) => [...candidatesOf(historyWords(line))].length + namedSecrets(historyWords(line)).length,
        ),
  ],
]

const SIZE = 1_000_000
const bomb = `a: &a ["x","x","x","x","x","x","x","x","x"]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`).join('\n')}\n`
const HOSTILE: [name: string, content: string | Uint8Array][] = [
  ['brackets', '['.repeat(SIZE)],
  ['dashes', '- '.repeat(SIZE / 2)],
  ['braces', '{"a":'.repeat(SIZE / 5)],
  ['a bomb of aliases', bomb],
  ['quotes', `"${'\\"'.repeat(SIZE / 2)}`],
  ['blanks', ' '.repeat(SIZE)],
  ['colons', ':'.repeat(SIZE)],
  ['equal signs', `A=${'='.repeat(SIZE)}`],
  ['backslashes', `[S]\nEnvironment=${'\\\n'.repeat(SIZE / 2)}`],
  ['lines', 'a\n'.repeat(SIZE / 2)],
  ['URLs', 'x://u:p@'.repeat(SIZE / 8)],
  ['machines', 'machine '.repeat(SIZE / 8)],
  ['zeros', new Uint8Array(SIZE)],
  ['a DER length', Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 3)],
  ['a PEM without end', `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(SIZE)}`],
]

for (const [name, parse] of PARSERS) {
  test.each(HOSTILE)(`${name}: %s are read in bounded time, or refused with a reason`, async (_, content) => {
    const spentMs = processorClock()
    try {
      await parse(Buffer.from(content))
    } catch (error) {
      expect(error).toBeInstanceOf(Unreadable)
    }
    expect(spentMs()).toBeLessThan(5000)
  })

  test(`${name}: no bytes whatever make it fail without a reason`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        try {
          await parse(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(Unreadable)
        }
      }),
      { seed: 11, numRuns: 150 },
    )
  })
}

test.each([
  ['/etc/a.YML', 'yaml'],
  ['/etc/a.json', 'json'],
  ['/etc/a.toml', 'toml'],
  ['/etc/config', 'ini'],
] as const)('settingsFormat() of %s is %s', (path, format) => {
  expect(settingsFormat(path)).toBe(format)
})

test.each([
  ['/root/.docker/config.json', 'docker'],
  ['/root/.netrc', 'netrc'],
  ['/root/.pgpass', 'pgpass'],
  ['/root/.git-credentials', 'git'],
] as const)('loginFormat() of %s is %s', (path, format) => {
  expect(loginFormat(path)).toBe(format)
})

test.each([
  ['$argon2id$v=19$m=65536,t=3,p=4$abc$def', 'argon2', undefined],
  ['$6$rounds=1000$salt$hash', 'sha512crypt', 'sha512crypt of 1000 rounds, wanted 5000'],
  ['{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'sha1', 'it is hashed with SHA-1 and without salt'],
  ['rl0uE0cJg1kPQ', 'descrypt', 'it is hashed with DES, of which eight characters count'],
  ['$2y$12$short', 'bcrypt', 'its bcrypt hash is not whole'],
])('judgeHash() of %s', (hash, scheme, fault) => {
  expect(judgeHash(hash, 12)).toEqual(fault === undefined ? { scheme } : { scheme, fault })
})

test('readUnit() reads directives as systemd does', () => {
  const unit = `[Service]
# Environment=A=1
Environment="A=one two" B=2 \\
  'C=it is'
EnvironmentFile=-/etc/app/env
LoadCredential=token:/etc/app/token
LoadCredentialEncrypted=key:/etc/app/key
SetCredential=x:y:z
ExecStart=/usr/bin/app --config=/etc/app.yaml /etc/other
`
  expect(readUnit(unit)).toEqual({
    inline: [
      { name: 'A', value: 'one two', line: 3 },
      { name: 'B', value: '2', line: 3 },
      { name: 'C', value: 'it is', line: 3 },
      { name: 'x', value: 'y:z', line: 8 },
    ],
    files: [
      { path: '/etc/app/env', directive: 'EnvironmentFile' },
      { path: '/etc/app/token', directive: 'LoadCredential', id: 'token' },
      { path: '/etc/app/key', directive: 'LoadCredentialEncrypted', id: 'key' },
    ],
    mentions: ['/usr/bin/app', '/etc/app.yaml', '/etc/other'],
  })
})

test.each([
  ['0::/system.slice/nginx.service\n', 'nginx.service'],
  ['12:cpu:/\n1:name=systemd:/system.slice/a.service/sub\n', 'a.service'],
  ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/b.service\n', 'b.service'],
  ['0::/init.scope\n', undefined],
])('unitOf() of %j is %p', (cgroup, unit) => {
  expect(unitOf(cgroup)).toBe(unit as never)
})

test('readJwt() takes nothing else for a token', () => {
  expect(readJwt('eyJhbGciOiJIUzI1NiJ9')).toBeUndefined()
  expect(readJwt(`eyJ${'A'.repeat(20_000)}.eyJ.x`)).toBeUndefined()
  expect(readJwt('eyJub3QganNvbg.eyJub3QganNvbg.x')).toBeUndefined()
})
