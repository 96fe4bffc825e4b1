import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from '../../../agent/contract/mod.ts'
import type { configSchema } from '../../../plugins/credential-age/config.ts'
import { Authority, openssl } from '../../kit/authority.ts'
import { testWith } from '../../kit/needs.ts'
import { blindOf, hostWith, rulesOf } from './host.ts'
import { DAY, gnuPg, NOW } from './material.ts'

const TOKEN = 'k7Q2vXw9Lr4TzB8mNc3Pf6HsJd5Ga1Ye'
const OTHER = 'Zp8Wq3RtYv6Mx1Kb7Nc4Lf9Hs2Jd5Ga0'
const BCRYPT = (cost: string) => `$2y$${cost}$${'abcdefghijklmnopqrstuv'}${'0123456789012345678901234567890'}`

const directory = mkdtempSync(join(tmpdir(), 'reeve-verdicts-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const root = new Authority(directory, 'root')
const middle = new Authority(directory, 'middle', root)
const stranger = new Authority(directory, 'stranger')
// Valid around NOW, which is in 2027.
const own = middle.issue('www', ['DNS:www.example.org', 'IP:127.0.0.1'], { days: 2000 })
const selfSigned = join(directory, 'self.pem')
openssl(
  'req',
  '-x509',
  '-nodes',
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-days',
  '2000',
  '-subj',
  '/CN=self.example.org',
  '-addext',
  'subjectAltName=DNS:self.example.org',
  '-keyout',
  `${selfSigned}.key`,
  '-out',
  selfSigned,
)
openssl(
  'pkcs12',
  '-export',
  '-in',
  own.certificate,
  '-inkey',
  own.key,
  '-passout',
  'pass:a-password-of-a-store',
  '-out',
  join(directory, 'store.p12'),
)
openssl(
  'pkey',
  '-in',
  own.key,
  '-aes256',
  '-passout',
  'pass:a-password-of-a-key',
  '-out',
  join(directory, 'locked.key'),
)
openssl(
  'genpkey',
  '-algorithm',
  'RSA',
  '-pkeyopt',
  'rsa_keygen_bits:2048',
  '-out',
  join(directory, 'rsa2048.key'),
)
const pem = (...paths: string[]) => paths.map((path) => readFileSync(path, 'utf8')).join('')

type Credentials = z.input<typeof configSchema>['credentials']
type Declared = Credentials[number]
type Files = Record<string, string | Uint8Array>

const certificate = (more: object = {}): Declared => ({
  kind: 'certificate',
  path: '/etc/tls.pem',
  maxMode: '0644',
  ...more,
})
const whole = pem(own.certificate, middle.certificate)
const authorities = { '/etc/ca.pem': pem(stranger.certificate, root.certificate) }

/** Each rule with a case in which it fires, and one in which it is silent. */
const cases: [title: string, declared: Declared, files: Files, expected: string[]][] = [
  [
    'a whole chain',
    certificate({ authority: '/etc/ca.pem', hostNames: ['www.example.org', '127.0.0.1'] }),
    { '/etc/tls.pem': whole, ...authorities },
    [],
  ],
  [
    'a chain without its middle',
    certificate({ authority: '/etc/ca.pem' }),
    { '/etc/tls.pem': pem(own.certificate), ...authorities },
    ['certificate-chain-broken /etc/tls.pem'],
  ],
  [
    'a chain in the wrong order',
    certificate(),
    { '/etc/tls.pem': pem(own.certificate, root.certificate, middle.certificate) },
    ['certificate-chain-broken /etc/tls.pem'],
  ],
  [
    'a chain of another authority',
    certificate({ authority: '/etc/ca.pem' }),
    { '/etc/tls.pem': whole, '/etc/ca.pem': pem(stranger.certificate) },
    ['certificate-chain-broken /etc/tls.pem'],
  ],
  [
    'a bundle of authorities',
    certificate(),
    { '/etc/tls.pem': pem(root.certificate, stranger.certificate) },
    [],
  ],
  [
    'a name that it is not for',
    certificate({ hostNames: ['www.example.org', 'mail.example.org'] }),
    { '/etc/tls.pem': whole },
    ['certificate-name-mismatch /etc/tls.pem'],
  ],
  [
    'an address that it is not for',
    certificate({ hostNames: ['127.0.0.2'] }),
    { '/etc/tls.pem': whole },
    ['certificate-name-mismatch /etc/tls.pem'],
  ],
  [
    'one that signed itself, where others connect',
    certificate({ hostNames: ['self.example.org'] }),
    { '/etc/tls.pem': pem(selfSigned) },
    ['certificate-self-signed /etc/tls.pem'],
  ],
  [
    'one that signed itself, and they know it',
    certificate({ hostNames: ['self.example.org'], selfSignedOk: true }),
    { '/etc/tls.pem': pem(selfSigned) },
    [],
  ],
  [
    'one that signed itself, among the authorities',
    certificate({ hostNames: ['self.example.org'], authority: '/etc/ca.pem' }),
    { '/etc/tls.pem': pem(selfSigned), '/etc/ca.pem': pem(selfSigned) },
    [],
  ],
  [
    'the key that belongs to it',
    certificate({ keyFile: 'tls.key' }),
    { '/etc/tls.pem': whole, '/etc/tls.key': pem(own.key) },
    [],
  ],
  [
    'the key of another',
    certificate({ keyFile: '/etc/tls.key' }),
    { '/etc/tls.pem': whole, '/etc/tls.key': pem(`${selfSigned}.key`) },
    ['certificate-key-mismatch /etc/tls.pem'],
  ],
  ['a private key', { kind: 'private-key', path: '/etc/k' }, { '/etc/k': pem(own.key) }, []],
  [
    'a short private key',
    { kind: 'private-key', path: '/etc/k' },
    { '/etc/k': pem(join(directory, 'rsa2048.key')) },
    ['credential-weak /etc/k'],
  ],
  [
    'hashes of tokens',
    { kind: 'token-file', path: '/etc/t', form: 'sha256' },
    { '/etc/t': `# ci\n${'0a1b2c3d'.repeat(8)}\n` },
    [],
  ],
  [
    'a token among hashes',
    { kind: 'token-file', path: '/etc/t', form: 'sha256' },
    { '/etc/t': `# ci\n${TOKEN}\n` },
    ['credential-in-plain /etc/t#ci'],
  ],
  [
    'a hash that never matches',
    { kind: 'token-file', path: '/etc/t', form: 'sha256' },
    { '/etc/t': `# ci\n${'0A1B2C3D'.repeat(8)}\n` },
    ['credential-in-plain /etc/t#ci'],
  ],
  [
    'the hash of "test", as in a manual',
    { kind: 'token-file', path: '/etc/t', form: 'sha256' },
    { '/etc/t': `# ci\n${new Bun.CryptoHasher('sha256').update('test').digest('hex')}\n` },
    ['credential-placeholder /etc/t#ci'],
  ],
  [
    'a secret in a unit',
    { kind: 'unit-file', path: '/etc/a.service' },
    { '/etc/a.service': `[Service]\nEnvironment=A=1 "API_TOKEN=${TOKEN}"\n` },
    ['credential-in-unit /etc/a.service#API_TOKEN'],
  ],
  [
    'a unit that leads to its secret',
    { kind: 'unit-file', path: '/etc/a.service' },
    { '/etc/a.service': '[Service]\nEnvironment=API_TOKEN_FILE=/run/t TOKEN=/run/t\n' },
    [],
  ],
  [
    'a value of a YAML file',
    { kind: 'settings-file', path: '/etc/a.yaml' },
    { '/etc/a.yaml': `auth: {session_secret: ${TOKEN}, ttl: 5}\n` },
    [],
  ],
  [
    'an example in a YAML file',
    { kind: 'settings-file', path: '/etc/a.yaml' },
    { '/etc/a.yaml': 'auth: {session_secret: changeme}\n' },
    ['credential-placeholder /etc/a.yaml#auth.session_secret'],
  ],
  [
    'a short value of a TOML file',
    { kind: 'settings-file', path: '/etc/a.toml' },
    { '/etc/a.toml': '[db]\npassword = "k7Q2vXw9Lr"\n' },
    ['credential-weak /etc/a.toml#db.password'],
  ],
  [
    'references in an INI file',
    { kind: 'settings-file', path: '/etc/a.ini' },
    { '/etc/a.ini': '[web]\nweb-secret-key = file:/run/key\nsmtp-password = env:SMTP\n' },
    [],
  ],
  [
    'a weak hash in an INI file',
    { kind: 'settings-file', path: '/etc/a.ini', keys: ['web.api-key'] },
    { '/etc/a.ini': '[web]\nother=1\n' },
    ['credential-missing /etc/a.ini#web.api-key'],
  ],
  ['bcrypt of cost 12', { kind: 'password-file', path: '/etc/h' }, { '/etc/h': `ops:${BCRYPT('12')}\n` }, []],
  [
    'bcrypt of cost 5',
    { kind: 'password-file', path: '/etc/h' },
    { '/etc/h': `ops:${BCRYPT('05')}\n` },
    ['credential-weak /etc/h#ops'],
  ],
  [
    'MD5',
    { kind: 'password-file', path: '/etc/h' },
    { '/etc/h': 'ops:$apr1$abcdefgh$0123456789012345678901\n' },
    ['credential-weak /etc/h#ops'],
  ],
  [
    'a password in plain',
    { kind: 'password-file', path: '/etc/h' },
    { '/etc/h': 'ops:correct-horse\n' },
    ['credential-weak /etc/h#ops'],
  ],
  [
    'accounts that are locked or well hashed',
    { kind: 'account-passwords', maxAge: '365d' },
    { '/etc/shadow': 'root:!:20000::::::\ndaemon:*:20000::::::\nops:$y$j9T$abc$def:20800:0:99999:7:::\n' },
    [],
  ],
  [
    'an account without a password',
    { kind: 'account-passwords' },
    { '/etc/shadow': 'guest::20800:0:99999:7:::\n' },
    ['credential-empty /etc/shadow#guest'],
  ],
  [
    'an old password',
    { kind: 'account-passwords' },
    { '/etc/shadow': 'ops:$y$j9T$abc$def:20000:0:99999:7:::\n' },
    ['credential-overdue /etc/shadow#ops'],
  ],
  [
    'a password past its own maximum age',
    { kind: 'account-passwords', maxAge: 'never' },
    { '/etc/shadow': 'ops:$6$salt$abc:20000:0:90:7:::\n' },
    ['credential-expired /etc/shadow#ops'],
  ],
  [
    'a login of docker',
    { kind: 'login-file', path: '/root/.docker/config.json' },
    {
      '/root/.docker/config.json': JSON.stringify({
        auths: { 'https://registry.example.org/v1/': { auth: btoa(`u:${TOKEN}`) } },
      }),
    },
    [],
  ],
  [
    'a login of docker with a known password',
    { kind: 'login-file', path: '/root/.docker/config.json' },
    {
      '/root/.docker/config.json': JSON.stringify({
        auths: { 'registry.example.org': { auth: btoa('u:password') } },
      }),
    },
    ['credential-placeholder /root/.docker/config.json#registry.example.org'],
  ],
  [
    'a store of git',
    { kind: 'login-file', path: '/root/.git-credentials' },
    { '/root/.git-credentials': 'https://u:secret@git.example.org\n' },
    ['credential-placeholder /root/.git-credentials#git.example.org'],
  ],
  [
    'netrc',
    { kind: 'login-file', path: '/root/.netrc' },
    { '/root/.netrc': 'machine ftp.example.org\n  login u password test123\n' },
    ['credential-placeholder /root/.netrc#ftp.example.org'],
  ],
  [
    'the passwords of PostgreSQL',
    { kind: 'login-file', path: '/root/.pgpass' },
    { '/root/.pgpass': 'db:5432:app:app:k7Q2v\n' },
    ['credential-weak /root/.pgpass#app@db:5432/app'],
  ],
]

test.each(cases)('check() of %s', async (_, declared, files, expected) => {
  using host = hostWith([declared])
  for (const [name, content] of Object.entries(files)) host.write(name, content)
  const report = await host.check()
  expect(report.blind).toEqual([])
  expect(rulesOf(report)).toEqual(expected)
})

const jwt = (payload: object, header: object = { alg: 'HS256' }) =>
  `${[header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.c2lnbmF0dXJl`
const seconds = (days: number) => Math.floor(NOW.getTime() / 1000) + days * 86_400

test.each([
  [jwt({ iat: seconds(-10), exp: seconds(300) }), []],
  [jwt({ iat: seconds(-100), exp: seconds(3) }), ['credential-expiring']],
  [jwt({ iat: seconds(-10), exp: seconds(-3) }), ['credential-expired']],
  [jwt({ exp: seconds(300) }, { alg: 'none' }), ['credential-weak']],
  [jwt({ nbf: seconds(2), exp: seconds(300) }), ['credential-not-yet-valid']],
  [`${jwt({ exp: 'soon' })}`, []],
])('check() reads the times of the JSON Web Token %s', async (token, expected) => {
  using host = hostWith([{ kind: 'env-file', path: '/etc/env' }])
  host.write('/etc/env', `API_TOKEN=${token}\n`)
  expect((await host.check()).findings.map(({ rule }) => rule)).toEqual(expected)
})

test('check() opens what has a password with the one given, and is blind without', async () => {
  const secrets = { 'env:STORE': 'a-password-of-a-store', 'env:KEY': 'a-password-of-a-key' }
  const declared = (password?: string): Credentials => [
    certificate({ path: '/etc/store.p12', ...(password ? { password: 'env:STORE' } : {}) }),
    { kind: 'private-key', path: '/etc/locked.key', ...(password ? { password: 'env:KEY' } : {}) },
  ]
  const write = (host: ReturnType<typeof hostWith>) => {
    host.write('/etc/store.p12', readFileSync(join(directory, 'store.p12')))
    host.write('/etc/locked.key', pem(join(directory, 'locked.key')))
  }
  using open = hostWith(declared('given'))
  write(open)
  const report = await open.check({ secrets })
  expect(blindOf(report)).toEqual([])
  expect(report.facts?.map(({ subject, data }) => [subject, data.algorithm])).toEqual([
    ['/etc/store.p12', 'ec'],
    ['/etc/locked.key', 'ec'],
  ])
  const wrong = await open.check({ secrets: { 'env:STORE': 'wrong-password', 'env:KEY': 'wrong-password' } })
  expect(blindOf(wrong)?.map((line) => line.slice(0, 60))).toEqual([
    '/etc/store.p12: openssl cannot open it: its password is not ',
    '/etc/locked.key: openssl cannot open it: its password is not',
  ])
  using closed = hostWith(declared())
  write(closed)
  expect(blindOf(await closed.check())).toEqual([
    '/etc/store.p12: it is protected by a password; give `password` to have it examined',
    '/etc/locked.key: it is protected by a password; give `password` to have it examined',
  ])
})

test('check() finds a value in command lines and histories, and what looks like one by its name', async () => {
  using host = hostWith([{ kind: 'env-file', path: '/etc/env' }])
  host.write('/etc/env', `API_TOKEN=${TOKEN}\n`)
  const started = new Date(NOW.getTime() - DAY)
  const at = (pid: number, name: string, words: string[]) => ({ pid, name, words, startedAt: started })
  host.processes([
    at(10, 'worker', ['/usr/bin/worker', `--token=${TOKEN}`]),
    at(11, 'mysql', ['mysql', '-uapp', `-p${TOKEN}`]),
    at(12, 'curl', ['curl', '-H', `Authorization: Bearer ${TOKEN}`]),
    at(13, 'backup', ['backup', '--db-password', 'k7Q2vXw9Lr']),
    at(14, 'fine', [
      'fine',
      '--token-file=/etc/env',
      '--password',
      '-',
      '--secret=$SECRET',
      '--max-tokens=4096',
      OTHER,
    ]),
  ])
  host.write(
    '/root/.bash_history',
    `ls\ncurl -H "X-Token: ${TOKEN}" http://localhost\nexport DB_PASS=abcd1234\n`,
  )
  const report = await host.check()
  expect(rulesOf(report)).toEqual([
    'credential-in-arguments worker /etc/env#API_TOKEN',
    'credential-in-arguments mysql /etc/env#API_TOKEN',
    'credential-in-arguments curl /etc/env#API_TOKEN',
    'credential-in-arguments backup --db-password',
    'credential-in-history /root/.bash_history /etc/env#API_TOKEN',
    'credential-in-history /root/.bash_history DB_PASS',
  ])
  expect(report.findings[4]?.evidence).toMatchObject({ line: 2, times: 1 })
  expect(JSON.stringify(report)).not.toContain(TOKEN)
})

test('check() says when a service is older than its credential: its own, by a unit, or by a declaration', async () => {
  using host = hostWith([
    { kind: 'env-file', path: '/etc/env' },
    { kind: 'token-file', path: '/etc/tokens', service: 'tokens' },
    { kind: 'env-file', path: '/etc/reloads', service: 'tokens.service', reloads: true },
  ])
  const unit = '[Service]\nEnvironmentFile=-/etc/env\nExecStart=/usr/bin/app\n'
  host.write('/etc/systemd/system/app.service', unit)
  host.write('/etc/systemd/system/worker@.service', unit)
  for (const name of ['env', 'tokens', 'reloads']) {
    host.write(`/etc/${name}`, name === 'tokens' ? `# ci\n${TOKEN}a\n` : `A_TOKEN=${TOKEN}${name}\n`)
  }
  const at = (pid: number, unit: string, minutes: number) => ({
    pid,
    unit,
    startedAt: new Date(NOW.getTime() + minutes * 60_000),
  })
  host.processes([
    at(10, 'app.service', -5),
    at(11, 'worker@one.service', -5),
    at(12, 'worker@one.service', 5),
    at(13, 'tokens.service', -9),
  ])
  const later = new Date(NOW.getTime() + DAY)
  const report = await host.check({ now: later })
  expect(rulesOf(report)).toEqual([
    'credential-not-loaded /etc/env#A_TOKEN app.service',
    'credential-not-loaded /etc/tokens#ci tokens.service',
  ])
  expect(report.facts?.[0]?.data.usedBy).toBe(
    'app.service since 2027-03-01T11:55:00.000Z; worker@.service since 2027-03-01T12:05:00.000Z',
  )
  // Restarted; and the file is written again with the same values in it.
  host.processes([at(20, 'app.service', 10), at(21, 'tokens.service', 10)])
  host.write('/etc/env', `# a comment\nA_TOKEN=${TOKEN}env\n`, new Date(NOW.getTime() + DAY / 2))
  const again = await host.check({
    now: later,
    ...(report.memory === undefined ? {} : { memory: report.memory }),
  })
  expect(rulesOf(again)).toEqual([])
})

test('check() reports what units read and nobody looks after, but not the options of packages', async () => {
  using host = hostWith([{ kind: 'env-file', path: '/etc/env', missingOk: true }])
  host.write(
    '/etc/systemd/system/app.service',
    '[Service]\nEnvironmentFile=/etc/env\nEnvironmentFile=/etc/app/other.env\nEnvironmentFile=-/etc/default/app\nLoadCredential=token:/etc/app/token\nExecStart=/usr/bin/app --config /etc/app.yaml\n',
  )
  expect(rulesOf(await host.check())).toEqual([
    'credential-undeclared /etc/app/other.env',
    'credential-undeclared /etc/app/token',
  ])
})

test('check() says that a rotation was never finished when a name has had two tokens for long', async () => {
  using host = hostWith([{ kind: 'token-file', path: '/etc/tokens' }])
  host.write('/etc/tokens', `# ci 2027-02-01\n${TOKEN}\n# ci 2027-02-02\n${OTHER}\n# other\n${TOKEN}x\n`)
  expect(rulesOf(await host.check())).toEqual(['credential-rotation-unfinished /etc/tokens "ci"'])
  host.write('/etc/tokens', `# ci 2027-02-01\n${TOKEN}\n# ci 2027-02-27\n${OTHER}\n`)
  expect(rulesOf(await host.check())).toEqual([])
})

test('check() says that the clock is wrong when it went back or files are of the future', async () => {
  using host = hostWith([{ kind: 'token-file', path: '/etc/tokens' }])
  host.write('/etc/tokens', `${TOKEN}\n`)
  const { memory } = await host.check({ now: new Date(NOW.getTime() + 10 * DAY) })
  expect(rulesOf(await host.check(memory === undefined ? {} : { memory }))).toEqual(['clock-wrong clock'])
  expect(rulesOf(await host.check())).toEqual([])
  host.write('/etc/tokens', `${TOKEN}\n`, new Date(NOW.getTime() + 2 * DAY))
  expect(rulesOf(await host.check())).toEqual(['clock-wrong clock'])
})

test('check() counts the age of reeve’s own tokens, and shows who can read what', async () => {
  using host = hostWith([{ kind: 'reeve' }, { kind: 'env-file', path: '/etc/env' }])
  host.write('/etc/env', `A_TOKEN=${TOKEN}\n`, NOW, 0o640)
  const token = (name: string, days: number, expires: number | null) => ({
    id: days,
    name,
    scope: 'read',
    createdAtMs: NOW.getTime() - days * DAY,
    expiresAtMs: expires === null ? null : NOW.getTime() + expires * DAY,
    lastUsedAtMs: null,
  })
  const report = await host.check({
    ownTokens: [token('laptop', 100, null), token('phone', 10, 300), token('old', 80, 3)],
  })
  expect(rulesOf(report)).toEqual(['credential-overdue reeve#laptop', 'credential-expiring reeve#old'])
  expect(report.facts?.find(({ subject }) => subject === '/etc/env#A_TOKEN')?.data).toMatchObject({
    mode: '0640',
    readableBy: 'root, group 0',
    maxAgeDays: 90,
    strength: 'good',
  })
})

test('check() is blind when it cannot see the processes of others', async () => {
  using host = hostWith([{ kind: 'env-file', path: '/etc/env' }])
  host.write('/etc/env', `A_TOKEN=${TOKEN}\n`)
  rmSync(host.path('proc/1'), { recursive: true })
  expect(blindOf(await host.check())).toEqual(['/proc: it hides the processes of other users (hidepid)'])
})

testWith({ programs: ['gpg'] })('check finds a key that was revoked and is still in place', async () => {
  using host = hostWith([{ kind: 'openpgp-key', path: '/etc/key.asc' }])
  using home = gnuPg(host.root)
  const user = 'leaver@example.org'
  const at = ['--faked-system-time', '20270201T000000!']
  home.gpg(...at, '--quick-gen-key', user, 'default', 'default', 'never')
  host.write('/etc/key.asc', home.gpg('--armor', '--export', user))
  expect(rulesOf(await host.check())).toEqual([])
  const [name = ''] = readdirSync(host.path('gnupg/openpgp-revocs.d'))
  const certificate = readFileSync(host.path(`gnupg/openpgp-revocs.d/${name}`), 'utf8')
  home.gpg(...at, '--import', host.write('/revocation.asc', certificate.replace(':-----BEGIN', '-----BEGIN')))
  host.write('/etc/key.asc', home.gpg('--armor', '--export', user))
  const { findings } = await host.check()
  expect(findings).toMatchObject([
    {
      rule: 'credential-revoked',
      subject: expect.stringMatching(/^\/etc\/key\.asc#[0-9A-F]{16}$/),
      severity: 'warning',
      summary: expect.stringMatching(/^The OpenPGP key .* is revoked, but still in place$/),
      remedy: expect.stringMatching(/^Make a new one: what is revoked stays so; export it to /),
    },
  ])
})

test('check finds a rotation that is declared while the value is the one from before it', async () => {
  using host = hostWith([{ kind: 'env-file', path: '/etc/env', rotatedAt: '2027-03-05' }])
  host.write('/etc/env', `API_TOKEN=${TOKEN}\n`)
  const early = await host.check()
  const summaries = ({ findings }: typeof early) =>
    findings.map(
      ({ rule, subject, summary }) => `${rule} ${subject}: ${summary.replace(/^.* was not/, 'not')}`,
    )
  const unrotated = 'credential-unrotated /etc/env#API_TOKEN: not rotated as declared'
  expect(summaries(early)).toEqual([`${unrotated}: that day is still to come`])
  const later = { now: new Date(NOW.getTime() + 9 * DAY), memory: early.memory }
  // Written again on the day, but with the value of before.
  host.write('/etc/env', `API_TOKEN=${TOKEN}\n`, new Date('2027-03-05T10:00:00Z'))
  expect(summaries(await host.check(later))).toEqual([
    `${unrotated}: its value is the one that was there on 2027-03-01`,
  ])
  host.write('/etc/env', `API_TOKEN=${OTHER}\n`, new Date('2027-03-05T10:00:00Z'))
  expect(rulesOf(await host.check(later))).toEqual([])
})
