import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { Report } from '../../../agent/contract/mod.ts'
import plugin from '../../../plugins/credential-age/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { certificate, gnuPg, NOW, sshKey } from './material.ts'

const keys = mkdtempSync(join(tmpdir(), 'reeve-canary-'))
/** File name → its text; every line of these is a secret. */
const privateKeys: Record<string, string> = {}

beforeAll(() => {
  sshKey(keys, 'ed25519', '-t', 'ed25519')
  sshKey(keys, 'rsa', '-t', 'rsa', '-b', '2048', '-m', 'PEM')
  certificate(keys, 'tls.pem')
  using home = gnuPg(keys)
  home.gpg('--quick-gen-key', 'canary@example.org', 'ed25519', 'cert,sign', '1y')
  writeFileSync(join(keys, 'secret.asc'), home.gpg('--armor', '--export-secret-keys'))
  for (const name of ['ed25519', 'rsa', 'tls.pem.key', 'secret.asc']) {
    privateKeys[name] = readFileSync(join(keys, name), 'utf8')
  }
})
afterAll(() => rmSync(keys, { recursive: true, force: true }))

/** Every form in which a secret could slip out. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  // Base64 depends on where the secret begins: its three alignments without their uncertain ends.
  const shifted = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    return text.slice(shift === 0 ? 0 : 4, -4)
  })
  const sha256 = createHash('sha256').update(secret).digest()
  return [
    secret,
    ...shifted,
    ...shifted.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    sha256.toString('hex').slice(0, 16),
    sha256.toString('base64').slice(0, 16),
  ]
}

function filesBelow(directory: string): string {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.name}\n${readFileSync(join(entry.parentPath, entry.name), 'latin1')}`)
    .join('\n')
}

const KINDS = [
  'env-file',
  'token-file',
  'settings-file',
  'unit-file',
  'login-file',
  'password-file',
  'account-passwords',
  'ssh-key',
  'certificate',
  'private-key',
  'openpgp-key',
] as const
/** 10000 in the long form. */
const RUNS = Number(process.env.REEVE_CANARY_RUNS ?? 200)
/** What else a check looks at is the same for all of these. */
const elsewhere = { exposure: { commandLines: false, histories: [] }, use: { units: [], processes: false } }
const letters = 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const secretText = fc
  .string({ unit: fc.constantFrom(...letters, ...'-_.+/=!*^'), minLength: 16, maxLength: 60 })
  .map((text) => `x9${text}`)

/** Ways in which a secret lies in a file: right, wrong, in pieces. */
const SHAPES: ((secret: string, other: string) => string)[] = [
  (secret) => `API_TOKEN=${secret}\n`,
  (secret) => `export DB_PASS='${secret}'\nX=1\n`,
  (secret) => `DATABASE_URL="postgres://app:${encodeURIComponent(secret)}@db/app"\n`,
  (secret, other) => `API_TOKEN="${secret}\n${other}`,
  (secret) => `${secret}\n`,
  (secret, other) => `# ${other}\n${secret}\n`,
  (secret, other) => `${other} ${secret}\n`,
  (secret, other) => `# billing\n${secret}\n${other} # reporting\n`,
  (secret) => `${secret}=\n`,
  (secret) => `-----BEGIN CERTIFICATE-----\n${secret}\n`,
  (secret) => `-----BEGIN RSA PRIVATE KEY-----\n${secret}\n-----END RSA PRIVATE KEY-----\n`,
  (secret) =>
    `-----BEGIN PGP PRIVATE KEY BLOCK-----\n${secret}: ${secret}\n\n${secret}\n-----END PGP PRIVATE KEY BLOCK-----\n`,
  (secret) => `-----BEGIN ${secret}-----\n`,
  (secret) => `ssh-rsa ${secret} x\n`,
  (secret) => `expiry-time="${secret}" ssh-ed25519 AAAA\n`,
  (secret) => `${secret} ssh-ed25519 AAAA\n`,
  (secret) => `auth:\n  session_secret: "${secret}"\n`,
  (secret) => `auth: {session_secret: [${secret}\n`,
  (secret, other) => `{"token": "${secret}", "${other}": {"password": "${other}"}}`,
  (secret) => `[web]\nsmtp-password = ${secret}\n`,
  (secret) => `[Service]\nEnvironment="API_TOKEN=${secret}"\nSetCredential=x:${secret}\n`,
  (secret) =>
    `{"auths":{"registry.example.org":{"auth":"${Buffer.from(`u:${secret}`).toString('base64')}"}}}`,
  (secret) => `https://user:${encodeURIComponent(secret)}@git.example.org\n`,
  (secret) => `machine example.org login u password ${secret}\n`,
  (secret, other) => `user:${secret}\n${other}\n`,
  (secret) => `root:${secret}:20000:0:99999:7:::\n`,
]

test('check() shows no byte of a secret: not in report, memory or state, in no usual form', async () => {
  let examined = 0
  let blind = 0
  const place = fc.record({
    kind: fc.constantFrom(...KINDS),
    shape: fc.nat({ max: SHAPES.length - 1 }),
    secret: secretText,
    other: secretText,
  })
  await fc.assert(
    fc.asyncProperty(fc.array(place, { minLength: 1, maxLength: 6 }), async (places) => {
      using directory = temporaryDirectory('reeve-canary')
      const path = (name: string) => join(directory.path, name)
      const state = path('state')
      mkdirSync(state)
      const credentials = places.map(({ kind }, index) => ({ kind, path: path(`f${index}`) }))
      let memory: Report['memory']
      const outputs: string[] = []
      // Two runs with the secrets of each place exchanged, so that rotations are seen too.
      for (const round of [0, 1]) {
        for (const [index, { shape, secret, other }] of places.entries()) {
          const text = SHAPES[shape]?.(round === 0 ? secret : other, round === 0 ? other : secret) ?? ''
          writeFileSync(path(`f${index}`), text, { mode: 0o644 })
        }
        const run = { stateDir: state, now: NOW, ...(memory === undefined ? {} : { memory }) }
        const report = await pluginUnderTest(plugin, { ...elsewhere, credentials }, run).check()
        memory = report.memory
        examined += report.coverage?.examined ?? 0
        blind += report.blind?.length ?? 0
        outputs.push(JSON.stringify(report))
      }
      const shown = outputs.join('\n') + filesBelow(state)
      for (const { secret, other } of places) {
        for (const form of [...formsOf(secret), ...formsOf(other)]) expect(shown).not.toContain(form)
      }
    }),
    { seed: 2027, numRuns: RUNS },
  )
  // The property must not hold because nothing was read.
  expect(examined).toBeGreaterThan(RUNS / 2)
  expect(blind).toBeGreaterThan(RUNS / 2)
})

test.each(KINDS)('check() shows no line of a private key that is declared as %s', async (kind) => {
  using directory = temporaryDirectory('reeve-canary')
  for (const [name, text] of Object.entries(privateKeys)) {
    for (const [variant, content] of [
      text,
      text.slice(0, text.length / 2),
      text.replace('K', '!'),
    ].entries()) {
      writeFileSync(join(directory.path, `${name}-${variant}`), content)
    }
  }
  const config = { ...elsewhere, credentials: [{ kind, path: `${directory.path}/*-*` }] }
  const report = await pluginUnderTest(plugin, config, {
    stateDir: join(directory.path, 'state'),
    now: NOW,
  }).check()
  const shown = JSON.stringify(report) + filesBelow(join(directory.path, 'state'))
  for (const text of Object.values(privateKeys)) {
    for (const line of text.split('\n').filter((one) => one.length > 20 && !one.startsWith('-----'))) {
      for (let at = 0; at + 16 <= line.length; at += 8) expect(shown).not.toContain(line.slice(at, at + 16))
    }
  }
  expect((report.coverage?.examined ?? 0) + (report.blind?.length ?? 0)).toBeGreaterThan(0)
})
