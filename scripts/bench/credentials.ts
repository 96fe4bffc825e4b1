// The ledger of a host with 2000 credentials and 50 probed ports by the compiled binary, a jailed `reeve run`, with
// `openssl` once for each port as the yardstick:
//
//     bun scripts/bench/credentials.ts [--credentials 2000] [--ports 50]
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { parseArgs } from 'node:util'
import { fastest, formatMeasurement, type Measurement, measure } from './yardstick.ts'

const { values } = parseArgs({
  options: {
    credentials: { type: 'string', default: '2000' },
    ports: { type: 'string', default: '50' },
  },
})
const [credentials, ports] = [Number(values.credentials), Number(values.ports)]
/** Wanted: at most so many seconds and bytes. */
const WANTED = { seconds: 5, bytes: 150_000_000 }
/** How many of a hundred credentials are certificates, keys of SSH, values; the rest are tokens. */
const SHARES = { certificate: 10, ssh: 20, variable: 40 }

const base = mkdtempSync(join(tmpdir(), 'reeve-bench-credentials-'))
const servers: tls.Server[] = []
try {
  const reeve = join(base, 'reeve')
  await mustEnd([process.execPath, join(import.meta.dir, '../build.ts'), '--outfile', reeve])
  const certificate = await makeCertificate()
  makeHost(readFileSync(certificate, 'utf8'))
  const listening = await Promise.all(Array.from({ length: ports }, () => serve(certificate)))
  const config = configure(listening)
  const run = () => measure([reeve, '--config', config, 'run', 'credentials'])
  const first = await run()
  const ours = await fastest(3, run)
  console.log(`${credentials} credentials and ${ports} ports, fastest of several, warm cache`)
  console.log(formatMeasurement('reeve run, the first', first))
  console.log(formatMeasurement('reeve run', ours))
  await assertSeen(reeve, config)
  const byHand = await fastest(2, () => mustEnd(['/bin/sh', '-c', handWork(listening)]))
  const ratio = (byHand.seconds / ours.seconds).toFixed(1)
  console.log(
    formatMeasurement(`openssl s_client and x509 for the ${ports} ports`, byHand),
    ` reeve is ${ratio} times as fast`,
  )
  const peak = Math.max(first.rssBytes, ours.rssBytes)
  const isGood = first.seconds <= WANTED.seconds && ours.seconds <= WANTED.seconds && peak <= WANTED.bytes
  console.log(
    `wanted at most ${WANTED.seconds} s and ${WANTED.bytes / 1e6} MB: ${isGood ? 'reached' : 'NOT reached'} ` +
      `(${(first.seconds / WANTED.seconds).toFixed(2)} and ${(peak / WANTED.bytes).toFixed(2)} of it)`,
  )
} finally {
  for (const server of servers) server.close()
  rmSync(base, { recursive: true })
}

async function makeCertificate(): Promise<string> {
  const path = join(base, 'served.pem')
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', `${path}.key`]
  await mustEnd([
    'openssl',
    'req',
    '-x509',
    '-nodes',
    ...key,
    '-subj',
    '/CN=localhost',
    '-days',
    '300',
    '-out',
    path,
  ])
  return path
}

/** Files with so many credentials of all kinds, ten values in each file of values. */
function makeHost(certificate: string): void {
  for (const name of ['env', 'tokens', 'ssh', 'tls']) mkdirSync(join(base, name))
  const count = (share: number) => Math.round((credentials * share) / 100)
  const random = () => crypto.getRandomValues(new Uint8Array(32)).toHex()
  for (let file = 0; file < count(SHARES.variable) / 10; file++) {
    const lines = Array.from({ length: 10 }, (_, line) => `KEY${line}_TOKEN=${random()}\n`)
    writeFileSync(join(base, 'env', `${file}.env`), lines.join(''), { mode: 0o600 })
  }
  for (let file = 0; file < count(SHARES.ssh) / 10; file++) {
    const lines = Array.from({ length: 10 }, (_, line) => `ssh-ed25519 ${ed25519()} user${line}@host\n`)
    writeFileSync(join(base, 'ssh', `authorized_keys_${file}`), lines.join(''), { mode: 0o600 })
  }
  for (let file = 0; file < count(SHARES.certificate); file++) {
    writeFileSync(join(base, 'tls', `${file}.pem`), certificate)
  }
  const tokens = credentials - count(SHARES.variable) - count(SHARES.ssh) - count(SHARES.certificate)
  for (let file = 0; file < tokens / 10; file++) {
    const lines = Array.from({ length: 10 }, () => `${random()}\n`)
    writeFileSync(join(base, 'tokens', `${file}.tokens`), lines.join(''), { mode: 0o600 })
  }
}

function ed25519(): string {
  const field = (bytes: Uint8Array) => Buffer.concat([Uint8Array.of(0, 0, 0, bytes.length), bytes])
  return Buffer.concat([
    field(Buffer.from('ssh-ed25519')),
    field(crypto.getRandomValues(new Uint8Array(32))),
  ]).toString('base64')
}

async function serve(certificate: string): Promise<number> {
  const server = tls.createServer({
    cert: readFileSync(certificate),
    key: readFileSync(`${certificate}.key`),
  })
  server.on('tlsClientError', () => {})
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function configure(listening: number[]): string {
  const state = join(base, 'state')
  mkdirSync(state, { mode: 0o700 })
  const config = join(base, 'reeve.yaml')
  const declared = [
    { kind: 'env-file', path: join(base, 'env/*.env') },
    { kind: 'token-file', path: join(base, 'tokens/*.tokens') },
    { kind: 'ssh-key', path: join(base, 'ssh/authorized_keys_*') },
    { kind: 'certificate', path: join(base, 'tls/*.pem'), maxMode: '0644' },
    ...listening.map((port) => ({ kind: 'tls-endpoint', host: '127.0.0.1', port, selfSignedOk: true })),
  ]
  const job = { plugin: 'credential-age', schedule: '@yearly', config: { credentials: declared } }
  writeFileSync(config, JSON.stringify({ stateDir: state, jobs: { credentials: job } }), { mode: 0o600 })
  return config
}

/** All of them have to be in the ledger, or the figures mean nothing. */
async function assertSeen(reeve: string, config: string): Promise<void> {
  const child = Bun.spawn([reeve, '--config', config, 'credentials', '--json'], { stdout: 'pipe' })
  const seen: unknown = JSON.parse(await child.stdout.text())
  const count = Array.isArray(seen) ? seen.length : 0
  if (count !== credentials + ports)
    throw new Error(`${count} credentials were seen, not ${credentials + ports}`)
}

function handWork(listening: number[]): string {
  return listening
    .map(
      (port) =>
        `openssl s_client -connect 127.0.0.1:${port} </dev/null 2>/dev/null | openssl x509 -noout -enddate >/dev/null`,
    )
    .join('\n')
}

async function mustEnd(argv: string[]): Promise<Measurement> {
  const measurement = await measure(argv)
  if (measurement.exitCode !== 0) throw new Error(`"${argv.join(' ')}" ended with ${measurement.exitCode}`)
  return measurement
}
