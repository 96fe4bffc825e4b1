import { afterAll, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report, z } from '../../../agent/contract/mod.ts'
import type { configSchema } from '../../../plugins/credential-age/config.ts'
import plugin from '../../../plugins/credential-age/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { certificate, DAY, fakeProcesses, NOW, processorClock, run, sshKey } from './material.ts'

const keys = mkdtempSync(join(tmpdir(), 'reeve-keys-'))
afterAll(() => rmSync(keys, { recursive: true, force: true }))
sshKey(keys, 'ed25519', '-t', 'ed25519')
sshKey(keys, 'rsa', '-t', 'rsa', '-b', '2048')

const TOKEN = 'k7Q2vXw9Lr4TzB8mNc3Pf6HsJd5Ga1Ye'
const NEXT = 'Zp8Wq3RtYv6Mx1Kb7Nc4Lf9Hs2Jd5Ga0'
const days = (count: number) => new Date(NOW.getTime() + count * DAY)

/** A directory that stands for "/" with files in it, and the plugin looking at it. */
function hostWith(credentials: z.input<typeof configSchema>['credentials']) {
  const directory = temporaryDirectory()
  const path = (name: string) => join(directory.path, name)
  mkdirSync(path('etc'))
  fakeProcesses(directory.path, [])
  const check = (now: Date, memory?: Report['memory']) => {
    const run = { root: directory.path, stateDir: '/state', now, ...(memory === undefined ? {} : { memory }) }
    return pluginUnderTest(plugin, { credentials }, run).check()
  }
  const write = (name: string, text: string | Uint8Array, at: Date, mode = 0o600) => {
    writeFileSync(path(name), text)
    chmodSync(path(name), mode)
    utimesSync(path(name), at, at)
  }
  return { path, check, write, [Symbol.dispose]: () => directory[Symbol.dispose]() }
}

const rulesOf = (report: Report) => report.findings.map(({ rule, subject }) => `${rule} ${subject}`)
const factOf = (report: Report, subject: string) =>
  report.facts?.find((fact) => fact.subject === subject)?.data
const blindOf = (report: Report) => report.blind?.map(({ subject, reason }) => `${subject}: ${reason}`)

test('check() takes a value from reminder to overdue to rotated', async () => {
  using host = hostWith([{ kind: 'env-file', path: '/etc/env', keys: ['API_TOKEN'] }])
  host.write('etc/env', `API_TOKEN=${TOKEN}\n`, NOW)
  const first = await host.check(NOW)
  expect(rulesOf(first)).toEqual([])
  expect(first.blind).toEqual([])
  expect(first.coverage).toEqual({ examined: 1, skipped: 0 })
  expect(factOf(first, '/etc/env#API_TOKEN')).toMatchObject({
    kind: 'env-file',
    since: 'mtime',
    setAt: NOW.toISOString(),
    dueAt: days(90).toISOString(),
  })
  expect(first.metrics).toEqual([
    {
      name: 'credential_due_timestamp_seconds',
      value: days(90).getTime() / 1000,
      labels: { subject: '/etc/env#API_TOKEN' },
      help: expect.any(String),
    },
  ])
  // Another key of the file is written: the value stays, and so does its age.
  host.write('etc/env', `API_TOKEN=${TOKEN}\nLOG_LEVEL=debug\n`, days(70))
  const soon = await host.check(days(76), first.memory)
  expect(rulesOf(soon)).toEqual(['credential-due-soon /etc/env#API_TOKEN'])
  const overdue = await host.check(days(91), soon.memory)
  expect(rulesOf(overdue)).toEqual(['credential-overdue /etc/env#API_TOKEN'])
  host.write('etc/env', `API_TOKEN=${NEXT}\n`, days(91.5))
  const rotated = await host.check(days(92), overdue.memory)
  expect(rulesOf(rotated)).toEqual([])
  expect(factOf(rotated, '/etc/env#API_TOKEN')).toMatchObject({
    since: 'observed',
    setAt: days(91.5).toISOString(),
    lastChangedAt: days(92).toISOString(),
    dueAt: days(181.5).toISOString(),
  })
  // The old value is put back: it is as old as it was.
  host.write('etc/env', `API_TOKEN=${TOKEN}\n`, days(93))
  expect(rulesOf(await host.check(days(93), rotated.memory))).toEqual([
    'credential-overdue /etc/env#API_TOKEN',
  ])
})

test('check() gives the same report for the same host', async () => {
  using host = hostWith([
    { kind: 'token-file', path: '/etc/tokens' },
    { kind: 'ssh-key', path: '/etc/*_key' },
  ])
  host.write('etc/tokens', `${TOKEN}\n${NEXT}\nshort\n`, NOW, 0o644)
  host.write('etc/rsa_key', readFileSync(join(keys, 'rsa')), NOW)
  const first = await host.check(NOW)
  expect(first.findings.length).toBeGreaterThan(2)
  expect(await host.check(NOW)).toEqual(first)
  expect(await host.check(NOW, first.memory)).toEqual(first)
})

test('check() tells tokens of a file apart by name, and by keyed fingerprint where they have none', async () => {
  using host = hostWith([{ kind: 'token-file', path: '/etc/tokens' }])
  host.write('etc/tokens', `# billing 2026-10-01\n${TOKEN}\n\n${NEXT}\n`, NOW)
  const report = await host.check(NOW)
  const unnamed =
    report.facts?.map(({ subject }) => subject).find((subject) => /#[0-9a-f]{12}$/.test(subject)) ?? ''
  expect(report.facts?.map(({ subject }) => subject)).toEqual(['/etc/tokens#billing', unnamed])
  expect(rulesOf(report)).toEqual(['credential-overdue /etc/tokens#billing'])
  // The first line goes: the other is still the same credential.
  host.write('etc/tokens', `${NEXT}\n`, days(5))
  const later = await host.check(days(5), report.memory)
  expect(later.facts?.map(({ subject, data }) => [subject, data.setAt, data.lastChangedAt])).toEqual([
    [unnamed, NOW.toISOString(), undefined],
  ])
})

test('check() does not show a token that was commented out, not even one that looks like a name', async () => {
  using host = hostWith([{ kind: 'token-file', path: '/etc/tokens' }])
  host.write('etc/tokens', 'summerholiday\n', NOW)
  const before = await host.check(NOW)
  host.write('etc/tokens', `# summerholiday\n${NEXT}\n`, days(1))
  const after = await host.check(days(1), before.memory)
  expect(JSON.stringify([before, after])).not.toContain('summerholiday')
  expect(after.facts).toHaveLength(1)
})

test('check() reports placeholders, weak, empty, missing, reused and readable ones, each with a remedy', async () => {
  using host = hostWith([
    {
      kind: 'env-file',
      path: '/etc/env',
      keys: ['A_TOKEN', 'B_TOKEN', 'C_TOKEN', 'D_TOKEN'],
      service: 'app.service',
    },
    { kind: 'token-file', path: '/etc/tokens' },
    { kind: 'token-file', path: '/etc/none' },
    { kind: 'token-file', path: '/etc/optional', missingOk: true },
    { kind: 'certificate', path: '/etc/*.pem' },
    { kind: 'ssh-key', path: '/etc/rsa' },
    { kind: 'ssh-key', path: '/etc/empty' },
  ])
  host.write('etc/env', `A_TOKEN=changeme\nB_TOKEN=\nC_TOKEN=${TOKEN}\n`, NOW, 0o644)
  const hash = new Bun.CryptoHasher('sha256').update('test').digest('hex')
  host.write('etc/tokens', `# sample\n${hash}\n# same\n${TOKEN}\n# short\nq8Zr4\n`, NOW)
  host.write('etc/rsa', readFileSync(join(keys, 'rsa')), NOW)
  host.write('etc/empty', '', NOW)
  const report = await host.check(NOW)
  expect(rulesOf(report).toSorted()).toEqual([
    'credential-empty /etc/empty',
    'credential-empty /etc/env#B_TOKEN',
    'credential-missing /etc/*.pem',
    'credential-missing /etc/env#D_TOKEN',
    'credential-missing /etc/none',
    'credential-placeholder /etc/env#A_TOKEN',
    'credential-placeholder /etc/tokens#sample',
    'credential-readable-by-others /etc/env',
    'credential-reused /etc/env#C_TOKEN',
    'credential-weak /etc/rsa',
    'credential-weak /etc/tokens#short',
  ])
  expect(report.findings.every(({ remedy }) => remedy)).toBe(true)
  expect(report.blind).toEqual([])
  expect(report.coverage?.skipped).toBe(1)
})

test('check() puts a key right in every state: weak replaced, mode tightened, found silent', async () => {
  using host = hostWith([{ kind: 'ssh-key', path: '/etc/key' }])
  host.write('etc/key', readFileSync(join(keys, 'rsa')), NOW, 0o644)
  const before = await host.check(NOW)
  expect(rulesOf(before)).toEqual(['credential-weak /etc/key', 'credential-readable-by-others /etc/key'])
  const remedy = before.findings[1]?.remedy?.split(';')[0] ?? ''
  host.write('etc/key', readFileSync(join(keys, 'ed25519')), days(1), 0o644)
  run(['sh', '-c', remedy.replace('/etc/key', host.path('etc/key'))])
  const after = await host.check(days(1), before.memory)
  expect(rulesOf(after)).toEqual([])
  expect(factOf(after, '/etc/key')).toMatchObject({
    algorithm: 'ed25519',
    since: 'observed',
    encrypted: false,
  })
})

test('check() reports the public half of a private key once, with the private key', async () => {
  using host = hostWith([{ kind: 'ssh-key', path: '/etc/id_*' }])
  host.write('etc/id_ed25519', readFileSync(join(keys, 'ed25519')), NOW)
  host.write('etc/id_ed25519.pub', readFileSync(join(keys, 'ed25519.pub')), NOW, 0o644)
  host.write('etc/id_rsa.pub', readFileSync(join(keys, 'rsa.pub')), NOW, 0o644)
  const report = await host.check(NOW)
  expect(report.facts?.map(({ subject }) => subject)).toEqual(['/etc/id_ed25519', '/etc/id_rsa.pub'])
  expect(report.coverage).toEqual({ examined: 2, skipped: 1 })
})

test('check() follows the expiry of a certificate and of its renewal', async () => {
  using host = hostWith([{ kind: 'certificate', path: '/etc/live/*.pem' }])
  mkdirSync(host.path('etc/live'))
  const issue = (name: string, validDays: string) => {
    certificate(host.path('etc'), name, '-days', validDays)
    // Links as ACME clients make them.
    rmSync(host.path('etc/live/cert.pem'), { force: true })
    symlinkSync(`../${name}`, host.path('etc/live/cert.pem'))
  }
  issue('1.pem', '100')
  const now = new Date()
  const later = (count: number) => new Date(now.getTime() + count * DAY)
  const fresh = await host.check(now)
  expect(rulesOf(fresh)).toEqual([])
  const expiresAt = factOf(fresh, '/etc/live/cert.pem')?.expiresAt
  expect(fresh.metrics).toMatchObject([
    { name: 'credential_expires_timestamp_seconds', value: Date.parse(String(expiresAt)) / 1000 },
  ])
  const soon = await host.check(later(80), fresh.memory)
  expect(rulesOf(soon)).toEqual(['credential-expiring /etc/live/cert.pem'])
  const expired = await host.check(later(101), soon.memory)
  expect(expired.findings).toMatchObject([{ rule: 'credential-expired', severity: 'critical' }])
  issue('2.pem', '300')
  const renewed = await host.check(later(102), expired.memory)
  expect(rulesOf(renewed)).toEqual([])
  expect(factOf(renewed, '/etc/live/cert.pem')?.lastChangedAt).toBe(later(102).toISOString())
})

test('check() counts one file once that is reached by two paths', async () => {
  using host = hostWith([
    { kind: 'token-file', path: '/etc/tokens' },
    { kind: 'token-file', path: '/etc/hard' },
    { kind: 'token-file', path: '/etc/t*' },
  ])
  host.write('etc/tokens', `# one\n${TOKEN}\n`, NOW)
  linkSync(host.path('etc/tokens'), host.path('etc/hard'))
  const report = await host.check(NOW)
  expect(rulesOf(report)).toEqual([])
  expect(report.coverage).toEqual({ examined: 2, skipped: 1 })
})

test('check() is blind, not green, about everything that it cannot read', async () => {
  using host = hostWith([
    { kind: 'token-file', path: '/etc/huge' },
    { kind: 'token-file', path: '/etc/fifo' },
    { kind: 'token-file', path: '/etc/directory' },
    { kind: 'token-file', path: '/etc/loop' },
    { kind: 'token-file', path: '/etc/binary' },
    { kind: 'env-file', path: '/etc/rubbish' },
    { kind: 'certificate', path: '/etc/truncated.pem' },
    { kind: 'certificate', path: '/etc/bomb.pem' },
    { kind: 'openpgp-key', path: '/etc/key.asc' },
    { kind: 'ssh-key', path: '/etc/encrypted' },
    { kind: 'token-file', path: '/etc/tokens/below' },
    { kind: 'token-file', path: '/etc/good' },
  ])
  host.write('etc/huge', '', NOW)
  truncateSync(host.path('etc/huge'), 5 * 1024 ** 3)
  run(['mkfifo', host.path('etc/fifo')])
  mkdirSync(host.path('etc/directory'))
  symlinkSync('loop', host.path('etc/loop'))
  host.write('etc/binary', new Uint8Array([1, 2, 0, 3]), NOW)
  host.write('etc/rubbish', 'this is no env file\n', NOW)
  host.write('etc/truncated.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n', NOW)
  host.write(
    'etc/bomb.pem',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'.repeat(15_000),
    NOW,
  )
  host.write('etc/key.asc', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxxxx', NOW)
  sshKey(host.path('etc'), 'encrypted', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'a passphrase')
  host.write('etc/tokens', `${TOKEN}\n`, NOW)
  host.write('etc/good', `${NEXT}\n`, NOW)
  const spentMs = processorClock()
  const report = await host.check(NOW)
  expect(spentMs()).toBeLessThan(3000)
  expect(rulesOf(report)).toEqual(['credential-missing /etc/tokens/below'])
  expect(blindOf(report)).toEqual([
    '/etc/huge: it has 5368709120 bytes; at most 1048576 bytes are read',
    '/etc/fifo: Cannot read "/etc/fifo": it is a fifo, not a file',
    '/etc/directory: Cannot read "/etc/directory": it is a directory, not a file',
    '/etc/loop: its links lead in a circle',
    '/etc/binary: it holds NUL bytes; wanted text',
    '/etc/rubbish: line 1: wanted KEY=value',
    '/etc/truncated.pem: line 1: a block that begins here is not ended (truncated?)',
    '/etc/bomb.pem: it has more than 1000 PEM blocks',
    '/etc/key.asc: a key is truncated',
    expect.stringContaining('/etc/encrypted: line 1: the key is encrypted'),
  ])
  expect(report.facts).toHaveLength(1)
})

test.skipIf(process.getuid?.() !== 0)('check() follows no link of a user to what is not his', async () => {
  using host = hostWith([{ kind: 'token-file', path: '/etc/*' }])
  host.write('etc/tokens', `${TOKEN}\n`, NOW)
  renameSync(host.path('etc/tokens'), host.path('outside'))
  symlinkSync('../outside', host.path('etc/link'))
  run(['chown', '-h', '1234', host.path('etc/link')])
  lutimesSync(host.path('etc/link'), NOW, NOW)
  expect(blindOf(await host.check(NOW))).toEqual([
    '/etc/link: it is a link that belongs neither to root nor to the owner of what it leads to',
  ])
  run(['chown', '1234', host.path('outside')])
  expect(blindOf(await host.check(NOW))).toEqual([])
})

test('check() is blind when the clock runs backwards or its memory is none of its own', async () => {
  using host = hostWith([{ kind: 'token-file', path: '/etc/tokens' }])
  host.write('etc/tokens', `${TOKEN}\n`, NOW)
  const { memory } = await host.check(days(10))
  expect(blindOf(await host.check(NOW, memory))?.[0]).toStartWith('clock: it is earlier than at the last run')
  expect(blindOf(await host.check(days(11), memory))).toEqual([])
  expect(blindOf(await host.check(NOW, { something: 'else' }))?.[0]).toStartWith('ledger: it cannot be read')
})

test('check() ends promptly when it is aborted', async () => {
  using directory = temporaryDirectory()
  for (let index = 0; index < 200; index++)
    writeFileSync(join(directory.path, `t${index}`), `${TOKEN}${index}\n`)
  const abort = new AbortController()
  const config = { credentials: [{ kind: 'token-file' as const, path: `${directory.path}/t*` }] }
  const running = pluginUnderTest(plugin, config, {
    stateDir: join(directory.path, 'state'),
    signal: abort.signal,
  }).check()
  setImmediate(() => abort.abort(new Error('time is up')))
  await expect(running).rejects.toThrow('time is up')
})

test('check() looks at no more than 2500 credentials and says so', async () => {
  using host = hostWith([{ kind: 'token-file', path: '/etc/t*' }])
  for (let index = 0; index < 26; index++) {
    const tokens = Array.from({ length: 100 }, (_, line) => `${TOKEN}-${index}-${line}`)
    host.write(`etc/t${index}`, `${tokens.join('\n')}\n`, NOW)
  }
  const spentMs = processorClock()
  const report = await host.check(NOW)
  expect(spentMs()).toBeLessThan(5000)
  expect(report.coverage?.examined).toBe(2500)
  expect(report.blind?.at(-1)?.reason).toContain('more than 2500 credentials')
  expect(Buffer.byteLength(JSON.stringify(report.memory))).toBeLessThan(1_000_000)
})

test('check() reads real keys of this kind of file where the copy has another time', async () => {
  using host = hostWith([{ kind: 'ssh-key', path: '/etc/copy', maxAge: '10d' }])
  copyFileSync(join(keys, 'ed25519'), host.path('etc/copy'))
  chmodSync(host.path('etc/copy'), 0o600)
  utimesSync(host.path('etc/copy'), days(-11), days(-11))
  expect(rulesOf(await host.check(NOW))).toEqual(['credential-overdue /etc/copy'])
})
