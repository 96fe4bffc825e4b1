import { expect, test } from 'bun:test'
import { configSchema } from '../../../plugins/credential-age/config.ts'
import type { Credential } from '../../../plugins/credential-age/credential.ts'
import { judgeCredential, missingFinding } from '../../../plugins/credential-age/judge/credential.ts'
import { judgeModes, judgeReuse } from '../../../plugins/credential-age/judge/places.ts'
import type { Sighting } from '../../../plugins/credential-age/ledger.ts'
import { reminderReached, timingOf } from '../../../plugins/credential-age/timing.ts'
import { DAY, NOW } from './material.ts'

const now = NOW.getTime()
const ago = (days: number) => now - days * DAY

type DeclarationInput = Parameters<typeof configSchema.parse>[0]

function configOf(declaration: Record<string, unknown>, job: Record<string, unknown> = {}) {
  const input: DeclarationInput = { ...job, credentials: [{ path: '/etc/app/env', ...declaration }] }
  return configSchema.parse(input)
}

function credentialOf(config: ReturnType<typeof configOf>, fields: Partial<Credential> = {}): Credential {
  const [declaration] = config.credentials
  if (!declaration || !('path' in declaration)) throw new Error('no declaration of a file')
  return {
    subject: `${declaration.path}#TOKEN`,
    id: 'TOKEN',
    path: declaration.path,
    declaration,
    fingerprint: 'f'.repeat(32),
    placeholder: false,
    weaknesses: [],
    confidential: true,
    file: fileOf(0o600),
    ...fields,
  }
}

const fileOf = (mode: number, inode = '1:1') => ({
  mode,
  uid: 0,
  gid: 0,
  mtimeMs: ago(1),
  ctimeMs: ago(1),
  inode,
})

const seen = (setDays: number, more: Partial<Sighting> = {}): Sighting => ({
  firstSeenAtMs: ago(setDays),
  setAtMs: ago(setDays),
  since: 'mtime',
  changedAtMs: null,
  ...more,
})

function judge(
  declaration: Record<string, unknown>,
  fields: Partial<Credential> = {},
  sighting?: Sighting,
  job: Record<string, unknown> = {},
) {
  const config = configOf({ kind: 'env-file', ...declaration }, job)
  const credential = credentialOf(config, fields)
  const timing = timingOf(credential, sighting, config, now)
  return judgeCredential(credential, timing, config, now)
}

const rulesOf = (findings: { rule: string; severity: string }[]) =>
  findings.map(({ rule, severity }) => `${rule} ${severity}`)

test.each([
  [1, []],
  [59, []],
  [60, ['credential-due-soon info']],
  [74, ['credential-due-soon info']],
  [75, ['credential-due-soon warning']],
  [89.9, ['credential-due-soon warning']],
  [90, ['credential-overdue warning']],
  [400, ['credential-overdue warning']],
])('judgeCredential() of a value that is %p days old', (days, expected) => {
  expect(rulesOf(judge({}, {}, seen(days)))).toEqual(expected)
})

test('judgeCredential() says how old it is, since when, and how to rotate it here', () => {
  const [finding] = judge({ service: 'app.service', runbook: 'https://wiki/x', owner: 'ops' }, {}, seen(100))
  expect(finding?.summary).toBe(
    'The variable TOKEN in /etc/app/env is at least 100 days old and was due on 2027-02-19',
  )
  expect(finding?.remedy).toBe(
    'Make a new value with: openssl rand -hex 32; set TOKEN to it in /etc/app/env; ' +
      'load it with: systemctl restart app.service; the runbook is https://wiki/x',
  )
  expect(finding?.evidence).toMatchObject({
    since: 'mtime',
    setAt: '2026-11-21',
    owner: 'ops',
    kind: 'env-file',
  })
})

test('judgeCredential() honours maxAge and remindBefore of the declaration before those of the job', () => {
  expect(rulesOf(judge({ maxAge: '30d' }, {}, seen(40)))).toEqual(['credential-overdue warning'])
  expect(judge({ maxAge: 'never' }, {}, seen(4000))).toEqual([])
  expect(judge({}, {}, seen(4000), { maxAge: 'never' })).toEqual([])
  expect(judge({}, {}, seen(80), { remindBefore: '5d' })).toEqual([])
  expect(rulesOf(judge({ remindBefore: '11d' }, {}, seen(80), { remindBefore: '5d' }))).toEqual([
    'credential-due-soon warning',
  ])
  expect(judge({ remindBefore: ['7d', '40d'] }, {}, seen(55))[0]?.evidence?.reminder).toBe('40 days')
})

test('timingOf() believes a declared rotation that nothing disproves', () => {
  const declared = judge({ rotatedAt: '2027-02-20' }, {}, seen(5, { setAtMs: ago(300) }))
  expect(declared).toEqual([])
  const overdue = judge({ rotatedAt: '2026-11-01T08:00:00+01:00' }, {}, seen(5))
  expect(overdue[0]?.evidence?.since).toBe('declared')
})

test('timingOf() does not believe a rotation after which the value is the old one', () => {
  const findings = judge({ rotatedAt: '2027-02-20' }, {}, seen(100))
  expect(rulesOf(findings)).toEqual(['credential-unrotated warning', 'credential-overdue warning'])
  expect(findings[0]?.summary).toContain('its value is the one that was there on 2026-11-21')
})

test('timingOf() does not believe a rotation in the future', () => {
  expect(rulesOf(judge({ rotatedAt: '2027-12-01' }, {}, seen(1)))).toEqual(['credential-unrotated warning'])
})

test('timingOf() prefers a rotation that was seen to an older one that was declared', () => {
  const observed = seen(3, { since: 'observed', changedAtMs: ago(3) })
  expect(judge({ rotatedAt: '2026-06-01' }, {}, observed)).toEqual([])
})

test('timingOf() takes the day that a token file gives for one token', () => {
  const findings = judge({ kind: 'token-file' }, { rotatedAtMs: ago(100) }, seen(2))
  expect(findings[0]?.evidence).toMatchObject({ since: 'declared' })
})

const expiring = (days: number, more: Partial<Credential> = {}): Partial<Credential> => ({
  id: undefined,
  issuedAtMs: ago(365 - days),
  validFromMs: ago(365 - days),
  expiresAtMs: now + days * DAY,
  ...more,
})

test.each([
  [200, []],
  [30.5, []],
  [29, ['credential-expiring warning']],
  [8, ['credential-expiring warning']],
  [6, ['credential-expiring critical']],
  [-0.1, ['credential-expired critical']],
  [-500, ['credential-expired critical']],
])('judgeCredential() of a certificate that expires in %p days', (days, expected) => {
  expect(rulesOf(judge({ kind: 'certificate' }, expiring(days)))).toEqual(expected)
})

test('judgeCredential() is silent about a certificate that is renewed at two thirds of its life', () => {
  const life = (days: number, left: number) => ({
    issuedAtMs: ago(days - left),
    validFromMs: ago(days - left),
    expiresAtMs: now + left * DAY,
  })
  expect(judge({ kind: 'certificate' }, life(89, 29.8))).toEqual([])
  expect(rulesOf(judge({ kind: 'certificate' }, life(89, 14)))).toEqual(['credential-expiring warning'])
  expect(judge({ kind: 'certificate' }, life(6, 2.1))).toEqual([])
  expect(rulesOf(judge({ kind: 'certificate' }, life(6, 0.9)))).toEqual(['credential-expiring critical'])
})

test('judgeCredential() holds a certificate to maxAge only where the declaration has one', () => {
  const old = expiring(300, { issuedAtMs: ago(200), validFromMs: ago(200) })
  expect(judge({ kind: 'certificate' }, old)).toEqual([])
  expect(rulesOf(judge({ kind: 'certificate', maxAge: '180d' }, old))).toEqual(['credential-overdue warning'])
})

test('judgeCredential() holds a key without expiry to the maxAge of the job', () => {
  const key = { issuedAtMs: ago(100), expiresAtMs: undefined }
  expect(rulesOf(judge({ kind: 'openpgp-key' }, key))).toEqual(['credential-overdue warning'])
})

test('judgeCredential() reports what is not valid yet', () => {
  const future = expiring(300, { validFromMs: now + DAY })
  const [finding] = judge({ kind: 'certificate' }, future)
  expect(finding?.rule).toBe('credential-not-yet-valid')
  expect(finding?.remedy).toContain('timedatectl')
})

test('judgeCredential() reports a revoked key once, and a superseded one not at all', () => {
  expect(rulesOf(judge({ kind: 'openpgp-key' }, expiring(-1, { revoked: true })))).toEqual([
    'credential-revoked warning',
  ])
  expect(
    judge({ kind: 'openpgp-key' }, expiring(-1, { superseded: true, algorithm: 'dsa', bits: 1024 })),
  ).toEqual([])
})

test.each([
  ['ssh-key', { algorithm: 'rsa', bits: 2048 }, true],
  ['ssh-key', { algorithm: 'rsa', bits: 3072 }, false],
  ['ssh-key', { algorithm: 'rsa', bits: 4096 }, false],
  ['ssh-key', { algorithm: 'dsa', bits: 1024 }, true],
  ['ssh-key', { algorithm: 'ed25519', bits: 256 }, false],
  ['ssh-key', { algorithm: 'ecdsa', bits: 256 }, false],
  ['certificate', { algorithm: 'rsa', bits: 2048 }, false],
  ['certificate', { algorithm: 'rsa', bits: 1024 }, true],
  ['certificate', { algorithm: 'ec', bits: 224 }, true],
  ['certificate', { algorithm: 'ec', bits: 256 }, false],
  ['certificate', { algorithm: 'rsa', bits: 4096, brokenSignature: 'sha1WithRSAEncryption' }, true],
  ['openpgp-key', { algorithm: 'rsa', bits: 2048 }, true],
  ['openpgp-key', { algorithm: 'elgamal', bits: 2048 }, true],
  ['openpgp-key', { algorithm: 'eddsalegacy ed25519legacy' }, false],
  ['env-file', { weaknesses: ['it is shorter than 32 characters'] }, true],
])('judgeCredential() of a %s with %p: weak is %p', (kind, fields, weak) => {
  const rules = judge({ kind }, fields, seen(1)).map(({ rule }) => rule)
  expect(rules).toEqual(weak ? ['credential-weak'] : [])
})

test('judgeCredential() reports samples and empty places', () => {
  expect(rulesOf(judge({}, { placeholder: true }, seen(1)))).toEqual(['credential-placeholder critical'])
  expect(rulesOf(judge({}, { fingerprint: undefined }))).toEqual(['credential-empty warning'])
})

test.each([
  [{}, 0o600, []],
  [{}, 0o640, []],
  [{}, 0o644, ['credential-readable-by-others critical']],
  [{}, 0o602, ['credential-readable-by-others critical']],
  [{}, 0o660, ['credential-readable-by-others warning']],
  [{ maxMode: '0600' }, 0o640, ['credential-readable-by-others warning']],
  [{ kind: 'ssh-key' }, 0o640, ['credential-readable-by-others warning']],
  [{ maxMode: '0644' }, 0o644, []],
])('judgeModes() of %p with mode %o is %p', (declaration, mode, expected) => {
  const config = configOf({ kind: 'env-file', ...declaration })
  const findings = judgeModes([
    credentialOf(config, { file: fileOf(mode) }),
    credentialOf(config, { file: fileOf(mode), id: 'OTHER' }),
  ])
  expect(rulesOf(findings)).toEqual(expected)
})

test('judgeModes() gives the exact command, quoted for a shell', () => {
  const config = configOf({ kind: 'env-file', path: "/etc/my app's/env" })
  const [finding] = judgeModes([credentialOf(config, { file: fileOf(0o666) })])
  expect(finding?.subject).toBe("/etc/my app's/env")
  expect(finding?.remedy).toStartWith("chmod 0640 '/etc/my app'\\''s/env'")
})

test('judgeModes() is silent about public files', () => {
  const config = configOf({ kind: 'certificate' })
  expect(judgeModes([credentialOf(config, { file: fileOf(0o644), confidential: false })])).toEqual([])
})

test('judgeReuse() reports one secret in several files once', () => {
  const config = configOf({ kind: 'env-file' })
  const place = (subject: string, file: string, more: Partial<Credential> = {}) =>
    credentialOf(config, { subject, file: fileOf(0o600, file), ...more })
  const findings = judgeReuse([
    place('/b#X', '1:2'),
    place('/a#X', '1:1'),
    place('/c#Y', '1:3'),
    place('/d', '1:4', { fingerprint: 'e' }),
  ])
  expect(findings).toHaveLength(1)
  expect(findings[0]).toMatchObject({ subject: '/a#X', evidence: { places: 3, others: '/b#X /c#Y' } })
  expect(judgeReuse([place('/a#X', '1:1'), place('/a#Y', '1:1')])).toEqual([])
  expect(
    judgeReuse([place('/a', '1:1', { placeholder: true }), place('/b', '1:2', { placeholder: true })]),
  ).toEqual([])
  expect(judgeReuse([place('/a', '1:1', { confidential: false }), place('/b', '1:2')])).toEqual([])
  expect(
    judgeReuse([
      place('/a', '1:1', { fingerprint: undefined }),
      place('/b', '1:2', { fingerprint: undefined }),
    ]),
  ).toEqual([])
})

test('missingFinding() names what is not there', () => {
  const config = configOf({ kind: 'token-file', path: '/etc/tokens', owner: 'ops' })
  const [declaration] = config.credentials
  if (!declaration) throw new Error('no declaration')
  expect(missingFinding(declaration, '/etc/tokens')).toMatchObject({
    rule: 'credential-missing',
    evidence: { kind: 'token-file', owner: 'ops' },
  })
})

test.each([
  [31, undefined],
  [30, 30],
  [16, 30],
  [15, 15],
  [7, 7],
  [1, 1],
  [-3, 1],
])('reminderReached() %p days before the deadline is that of %p days', (days, step) => {
  expect(reminderReached(now + days * DAY, ago(365), undefined, now)).toBe(
    step === undefined ? undefined : step * DAY,
  )
})

test('judgeCredential() survives times that no calendar has', () => {
  const [finding] = judge({ kind: 'ssh-key' }, { expiresAtMs: -1e300 }, seen(1))
  expect(finding?.rule).toBe('credential-expired')
  expect(judge({ maxAge: '14500000w' }, {}, seen(1), { remindBefore: '14500000w' })[0]?.rule).toBe(
    'credential-due-soon',
  )
})
