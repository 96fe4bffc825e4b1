import { afterAll, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import type { z } from '../../../agent/contract/mod.ts'
import type { configSchema } from '../../../plugins/credential-age/config.ts'
import plugin from '../../../plugins/credential-age/plugin.ts'
import { Authority } from '../../kit/authority.ts'
import { testWith } from '../../kit/needs.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { waitUntil } from '../../kit/wait.ts'
import { run, sshKey } from './material.ts'

// Servers as they are packaged: what they really serve, before and after they are told to load what was renewed.

const directory = mkdtempSync(join(tmpdir(), 'reeve-services-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const authority = new Authority(directory)
const names = ['DNS:localhost', 'IP:127.0.0.1']
const [old, renewed] = [
  authority.issue('old', names, { days: 60 }),
  authority.issue('renewed', names, { days: 90 }),
]

async function check(credentials: z.input<typeof configSchema>['credentials'], stateDir: string) {
  const elsewhere = { exposure: { commandLines: false, histories: [] }, use: { units: [], processes: false } }
  const report = await pluginUnderTest(plugin, { ...elsewhere, credentials }, { stateDir }).check()
  expect(report.blind).toEqual([])
  return report.findings.map(({ rule }) => rule)
}

function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })

function started(argv: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn(argv, {
    stdout: 'ignore',
    stderr: 'ignore',
    env: { PATH: process.env.PATH ?? '', ...env },
  })
  return {
    pid: child.pid,
    signal: (name: NodeJS.Signals) => child.kill(name),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await child.exited
    },
  }
}

/** The certificate in a directory of its own, which `renew` replaces as an ACME client does. */
function certificateIn(work: string) {
  const [certificate, key] = [join(work, 'tls.pem'), join(work, 'tls.key')]
  const put = (from: { certificate: string; key: string }) => {
    writeFileSync(
      certificate,
      readFileSync(from.certificate, 'utf8') + readFileSync(authority.certificate, 'utf8'),
    )
    copyFileSync(from.key, key)
    chmodSync(key, 0o600)
  }
  put(old)
  return { certificate, key, renew: () => put(renewed) }
}

/** Renewed on disk and not loaded → found; loaded → resolved. */
async function assertRenewal(
  endpoint: { port: number; startTls?: 'smtp' | 'imap' | 'postgres' },
  files: ReturnType<typeof certificateIn>,
  load: () => void,
  stateDir: string,
) {
  const { certificate } = files
  const declared = {
    kind: 'tls-endpoint' as const,
    host: '127.0.0.1',
    serverName: 'localhost',
    authority: authority.certificate,
    certificate,
    ...endpoint,
  }
  expect(await check([declared], stateDir)).toEqual([])
  files.renew()
  expect(await check([declared], stateDir)).toEqual(['certificate-not-served'])
  load()
  let last: string[] = []
  await waitUntil('the service serves the new one', 10_000, async () => {
    last = await check([declared], stateDir)
    return last.length === 0
  })
  // Processes that have the old one may answer for a moment longer.
  let underOtherName: string[] = []
  await waitUntil('the service serves only the new one', 10_000, async () => {
    underOtherName = await check([{ ...declared, serverName: 'mail.example.org' }], stateDir)
    return !underOtherName.includes('certificate-not-served')
  })
  expect(underOtherName).toEqual(['certificate-name-mismatch'])
}

test('a TLS server: renewed on disk but not loaded is found, loaded is resolved', async () => {
  using work = temporaryDirectory()
  const files = certificateIn(work.path)
  const load = () => ({ cert: readFileSync(files.certificate), key: readFileSync(files.key) })
  const server = tls.createServer(load())
  server.on('tlsClientError', () => {})
  const port = freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  try {
    await assertRenewal({ port }, files, () => server.setSecureContext(load()), join(work.path, 'state'))
  } finally {
    server.close()
  }
})

const isRoot = userInfo().uid === 0

testWith({ programs: ['postgres', 'initdb', ...(isRoot ? ['runuser'] : [])] })(
  'PostgreSQL: renewed on disk but not loaded is found, loaded is resolved',
  async () => {
    using work = temporaryDirectory()
    const files = certificateIn(work.path)
    const data = join(work.path, 'data')
    const port = freePort()
    // It refuses to run as root.
    const user = isRoot ? ['runuser', '-u', 'nobody', '--'] : []
    mkdirSync(data)
    chmodSync(work.path, 0o755)
    if (isRoot) run(['chown', 'nobody', data, files.certificate, files.key])
    run([...user, 'initdb', '-D', data, '-A', 'trust', '--no-sync'])
    const settings = {
      ssl: 'on',
      ssl_cert_file: files.certificate,
      ssl_key_file: files.key,
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    await using server = started([...user, 'postgres', '-D', data, ...options])
    await waitUntil('PostgreSQL listens', 20_000, () => answers(port))
    const load = () => {
      if (isRoot) run(['chown', 'nobody', files.certificate, files.key])
      run([...user, 'pg_ctl', 'reload', '-D', data])
    }
    expect(server.pid).toBeGreaterThan(0)
    await assertRenewal({ port, startTls: 'postgres' }, files, load, join(work.path, 'state'))
  },
)

testWith({ programs: ['nginx'] })(
  'nginx: renewed on disk but not loaded is found, loaded is resolved',
  async () => {
    using work = temporaryDirectory()
    const files = certificateIn(work.path)
    const port = freePort()
    const config = join(work.path, 'nginx.conf')
    writeFileSync(
      config,
      `daemon off; pid ${work.path}/pid; error_log ${work.path}/error.log; events {}
http { access_log off; server { listen 127.0.0.1:${port} ssl; ssl_certificate ${files.certificate}; ssl_certificate_key ${files.key}; } }`,
    )
    await using server = started(['nginx', '-p', work.path, '-c', config])
    await waitUntil('nginx listens', 20_000, () => answers(port))
    await assertRenewal({ port }, files, () => server.signal('SIGHUP'), join(work.path, 'state'))
  },
)

testWith({ programs: ['exim4'], root: true })('Exim: its certificate is seen through STARTTLS', async () => {
  using work = temporaryDirectory()
  const files = certificateIn(work.path)
  const port = freePort()
  const config = join(work.path, 'exim.conf')
  writeFileSync(
    config,
    `primary_hostname = localhost\nspool_directory = ${work.path}/spool\nlog_file_path = ${work.path}/%slog
tls_advertise_hosts = *\ntls_certificate = ${files.certificate}\ntls_privatekey = ${files.key}
daemon_smtp_ports = ${port}\nlocal_interfaces = 127.0.0.1\n`,
  )
  await using _server = started(['exim4', '-bdf', '-C', config])
  await waitUntil('Exim listens', 20_000, () => answers(port))
  // It reads the files for every connection, so there is nothing to reload.
  await check(
    [
      {
        kind: 'tls-endpoint',
        host: '127.0.0.1',
        port,
        startTls: 'smtp',
        serverName: 'localhost',
        certificate: files.certificate,
      },
    ],
    join(work.path, 'state'),
  )
})

testWith({ programs: ['/usr/sbin/sshd', 'ssh-keyscan'] })(
  'sshd: the host key that it shows is told from another one',
  async () => {
    using work = temporaryDirectory()
    const state = join(work.path, 'state')
    mkdirSync(join(work.path, 'other'))
    sshKey(work.path, 'ssh_host_ed25519_key', '-t', 'ed25519')
    sshKey(join(work.path, 'other'), 'ssh_host_ed25519_key', '-t', 'ed25519')
    const port = freePort()
    const config = join(work.path, 'sshd_config')
    writeFileSync(
      config,
      `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${work.path}/ssh_host_ed25519_key\nPidFile ${work.path}/pid\nUsePAM no\n`,
    )
    if (isRoot) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
    await using _server = started(['/usr/sbin/sshd', '-D', '-f', config])
    await waitUntil('sshd listens', 20_000, () => answers(port))
    const keys = (hostKeys: string) => [{ kind: 'ssh-endpoint' as const, host: '127.0.0.1', port, hostKeys }]
    expect(await check(keys(`${work.path}/ssh_host_*_key`), state)).toEqual([])
    expect(await check(keys(`${work.path}/other/ssh_host_*_key`), state)).toEqual(['certificate-not-served'])
  },
)
