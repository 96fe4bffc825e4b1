import { expect, setDefaultTimeout, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Workspace } from '../kit/workspace.ts'

setDefaultTimeout(120_000)

/** Seeded, so that a failure can be looked at again: secrets of a random form that no other text has. */
function* secrets(seed: number): Generator<string> {
  for (let count = 0; ; count++) {
    const text = createHash('sha512').update(`${seed} ${count}`).digest('base64url')
    yield `x9${text.slice(0, 24 + (count % 30))}${'_-=+!*~.'.charAt(count % 8)}z`
  }
}

/** Every form in which a secret could slip out. */
function formsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret)
  const base64 = bytes.toString('base64').replace(/=+$/, '')
  const sha256 = createHash('sha256').update(secret).digest()
  return [
    secret,
    base64,
    base64.replaceAll('+', '-').replaceAll('/', '_'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    encodeURIComponent(secret),
    sha256.toString('hex').slice(0, 20),
    sha256.toString('base64').slice(0, 20),
  ].map((form) => Buffer.from(form))
}

/** Places for secrets: right ones, wrong ones, in pieces, in names. */
function plant(host: Workspace, next: () => string): Record<string, unknown>[] {
  const write = (name: string, text: string) => host.write(`srv/${name}`, text)
  const bearer = next()
  write('.bash_history', `curl -H "Authorization: Bearer ${bearer}" x\nexport DB_PASSWORD=${next()}\n`)
  return [
    {
      kind: 'env-file',
      path: write('a.env', `API_TOKEN=${bearer}\nDB_URL=postgres://u:${encodeURIComponent(next())}@db/x\n`),
    },
    { kind: 'env-file', path: write('broken.env', `API_TOKEN="${next()}\n${next()}`) },
    {
      kind: 'token-file',
      path: write('tokens', `# ci\n${next()}\n# ${next()}\n${next()}\n${next()} ${next()}\n`),
    },
    { kind: 'token-file', path: write('hashes', `# ci\n${next()}\n`), form: 'sha256' },
    {
      kind: 'settings-file',
      path: write('a.yaml', `auth:\n  session_secret: "${next()}"\n  ${'token'}: ["${next()}"]\n`),
    },
    { kind: 'settings-file', path: write('broken.yaml', `auth: {token: "${next()}\n`) },
    {
      kind: 'settings-file',
      path: write('a.json', `{"token": "${next()}", "${next()}": {"password": "${next()}"}}`),
    },
    { kind: 'settings-file', path: write('broken.toml', `token = "${next()}\n`) },
    {
      kind: 'unit-file',
      path: write('a.service', `[Service]\nEnvironment="API_TOKEN=${next()}"\nSetCredential=x:${next()}\n`),
    },
    {
      kind: 'login-file',
      path: write('config.json', JSON.stringify({ auths: { r: { auth: btoa(`u:${next()}`) } } })),
    },
    {
      kind: 'login-file',
      path: write('.git-credentials', `https://u:${encodeURIComponent(next())}@git\nrubbish ${next()}\n`),
    },
    { kind: 'password-file', path: write('htpasswd', `user:${next()}\n${next()}\n`) },
    { kind: 'account-passwords', path: write('shadow', `root:${next()}:20000:0:99999:7:::\n`) },
    {
      kind: 'private-key',
      path: write('key.pem', `-----BEGIN PRIVATE KEY-----\n${next()}\n-----END PRIVATE KEY-----\n`),
    },
    { kind: 'certificate', path: write('cert.pem', `-----BEGIN CERTIFICATE-----\n${next()}\n`) },
    { kind: 'ssh-key', path: write('id_rsa', `-----BEGIN OPENSSH PRIVATE KEY-----\n${next()}\n`) },
    { kind: 'openpgp-key', path: write('key.asc', `-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n${next()}\n`) },
  ]
}

function bytesBelow(directory: string): Buffer {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return Buffer.concat(
    files.flatMap((entry) => [
      Buffer.from(`${entry.name}\n`),
      readFileSync(join(entry.parentPath, entry.name)),
    ]),
  )
}

const SINK_KEY = `whsec_${Buffer.from('a signing key of thirty-two byte').toString('base64')}`

test('no byte of a planted secret shows in store, state, log, API, calendar, metrics, webhook or command line', async () => {
  await using host = new Workspace()
  const source = secrets(20270301)
  const planted: string[] = []
  const next = () => {
    const secret = source.next().value
    planted.push(secret)
    return secret
  }
  const bodies: string[] = []
  const hook = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      bodies.push(JSON.stringify([...request.headers]) + (await request.text()))
      return new Response(null, { status: 204 })
    },
  })
  // It fails, and tells what it was given: the rotation is taken back with its last words.
  const tattle = host.write(
    'srv/tattle',
    '#!/bin/sh\nread -r value; echo "refused: $value"; echo "refused: $value" >&2; exit 9\n',
  )
  chmodSync(tattle, 0o755)
  const rotated = host.write('srv/rotated.env', `API_TOKEN=${next()}\n`)
  const outputs: string[] = []
  const show = async (...args: string[]) => {
    const { stdout, stderr } = await host.reeve(args)
    outputs.push(stdout, stderr)
    return stdout
  }
  const configure = () => {
    const declared = [
      ...plant(host, next),
      { kind: 'env-file', path: rotated, name: 'rotated', rotation: { verify: [tattle] } },
    ]
    host.configure({
      alerts: {
        channels: [
          {
            name: 'ops',
            type: 'webhook',
            url: `http://127.0.0.1:${hook.port}/`,
            secret: 'env:SINK_KEY',
            minimumSeverity: 'info',
          },
        ],
      },
      jobs: {
        credentials: {
          plugin: 'credential-age',
          schedule: '@yearly',
          config: {
            maxAge: '1d',
            exposure: { histories: [join(host.path, 'srv/.bash_history')] },
            credentials: declared,
          },
        },
      },
    })
  }
  configure()
  const daemon = await host.daemon({ env: { SINK_KEY } })
  const runs = z.looseObject({ findings: z.number().optional() })
  for (const round of [1, 2]) {
    await daemon.ask('/v1/jobs/credentials/run?wait=true', runs, { method: 'POST' }).catch(() => undefined)
    await show('run', 'credentials')
    if (round === 1) configure() // other values in the same places: rotations
  }
  const rotation = await show('credentials', 'rotate', 'rotated')
  expect(rotation).toContain('refused: [redacted]')
  for (const path of [
    '/v1/facts?limit=500',
    '/v1/findings?limit=500',
    '/v1/runs',
    '/v1/status',
    '/metrics',
    '/v1/credentials.ics',
    '/openapi.json',
  ]) {
    outputs.push(await (await fetch(`http://localhost${path}`, { unix: host.socket })).text())
  }
  for (const args of [
    ['findings'],
    ['findings', '--json'],
    ['facts'],
    ['credentials'],
    ['credentials', '--json'],
    ['credentials', 'discover'],
    ['runs'],
    ['status'],
    ['config', 'show'],
  ]) {
    await show(...args)
  }
  await daemon.stop()
  hook.stop(true)
  const shown = Buffer.concat([
    Buffer.from([...outputs, ...bodies, daemon.log].join('\n')),
    bytesBelow(host.stateDir),
  ])
  // Nothing of this may hold because nothing was looked at.
  expect(planted.length).toBeGreaterThan(50)
  expect(shown.length).toBeGreaterThan(100_000)
  expect(outputs.join()).toContain('API_TOKEN')
  expect(bodies.length).toBeGreaterThan(5)
  const leaks = planted.flatMap((secret, index) =>
    formsOf(secret).flatMap((form, kind) =>
      shown.includes(form) ? [`secret ${index} in form ${kind}`] : [],
    ),
  )
  expect(leaks).toEqual([])
})

test('reeve credentials: discovered, declared, in the ledger, rotated, compromised, stated; in the jail', async () => {
  await using host = new Workspace()
  const old = 'k7Q2vXw9Lr4TzB8mNc3Pf6HsJd5Ga1Ye'
  const env = host.write('srv/app.env', `API_TOKEN=${old}\n`)
  const config = (more: Record<string, unknown> = {}) => ({
    jobs: {
      credentials: {
        plugin: 'credential-age',
        schedule: 'manual',
        mode: 'enforce',
        config: {
          exposure: { commandLines: false, histories: [] },
          use: { units: [], processes: false },
          credentials: [
            { kind: 'env-file', path: env, name: 'app', owner: 'ops', ...more },
            { kind: 'reeve' },
          ],
        },
      },
      people: {
        plugin: 'attestation',
        schedule: 'manual',
        config: { items: [{ name: 'drill', means: 'Go through it', every: '90d' }] },
      },
    },
  })
  host.configure(config({ rotation: { overlap: '0s' } }))
  await host.reeve(['token', 'new', 'laptop'])
  expect((await host.run('credentials')).outcome).toBe('clean')
  const ledger = JSON.parse((await host.reeve(['credentials', '--json'])).stdout)
  expect(ledger.map(({ subject }: { subject: string }) => subject).sort()).toEqual([
    `${env}#API_TOKEN`,
    'reeve#host.key',
    'reeve#laptop',
  ])
  expect((await host.reeve(['credentials'])).stdout).toMatch(
    /DUE .*\n.*app: .*API_TOKEN +env-file +good +ops/,
  )

  // Compromised: a finding until the value is another one and the rest is ticked.
  const compromised = (...args: string[]) => host.reeve(['credentials', 'compromised', 'app', ...args])
  expect((await compromised('--reason', 'in a log')).exitCode).toBe(3)
  expect((await host.run('credentials')).worst).toBe('critical')
  const dry = await host.reeve(['credentials', 'rotate', 'app', '--dry-run'])
  expect(dry.stdout).toContain('1. make a new value')
  expect(readFileSync(env, 'utf8')).toContain(old)
  const rotated = await host.reeve(['credentials', 'rotate', 'app'])
  expect([rotated.exitCode, rotated.stderr]).toEqual([0, ''])
  expect(readFileSync(env, 'utf8')).not.toContain(old)
  for (const step of ['restart', 'clients', 'logs'])
    await compromised('--tick', step, '--note', 'done by ops')
  expect((await host.run('credentials')).outcome).toBe('clean')
  expect((await compromised()).stdout).toContain('All steps are through.')
  writeFileSync(env, `API_TOKEN=${old}\n`)
  expect((await host.run('credentials')).worst).toBe('critical')

  const refused = await host.reeve(['credentials', 'rotate', 'ap'])
  expect(refused.stderr).toContain('known are "app"')
  expect((await host.run('people')).outcome).toBe('findings')
  const stated = await host.reeve(['attest', 'drill', '--note', 'went well', '--evidence', env])
  expect([stated.exitCode, stated.stderr]).toEqual([0, ''])
  expect((await host.run('people')).outcome).toBe('clean')
})
