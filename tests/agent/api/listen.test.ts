import { expect, test } from 'bun:test'
import { chmodSync, existsSync, lstatSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApp } from '../../../agent/api/app.ts'
import { listen } from '../../../agent/api/listen.ts'
import { hasActiveToken } from '../../../agent/store/tokens.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'
import { type TestHost, testHost } from './host.ts'

function tcp(
  host: TestHost,
  address = '127.0.0.1:0',
  tls?: { certificate: string; key: string; clientAuthority?: string },
) {
  const app = createApp(host.deps, 'tcp')
  const hasToken = () => hasActiveToken(host.store, Date.now())
  return listen({ transport: 'tcp', api: { listen: address, tls }, app, hasToken })
}

function socket(host: TestHost, path: string, group = '0') {
  const app = createApp(host.deps, 'socket')
  return listen({ transport: 'socket', path, group, app, log: host.deps.log })
}

test('listen() serves the API on TCP, and knows the address of the client', async () => {
  using host = testHost({ filled: true })
  const listener = await tcp(host)
  try {
    expect(listener.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await fetch(`${listener.url}/v1/status`)).status).toBe(200)
    expect((await fetch(`${listener.url}/v1/jobs`)).status).toBe(401)
    const headers = { Authorization: `Bearer ${host.token('read')}` }
    expect((await fetch(`${listener.url}/v1/jobs`, { headers })).status).toBe(200)
  } finally {
    await listener.stop()
  }
  await expect(fetch(`${listener.url}/healthz`)).rejects.toThrow()
})

test('listen() refuses a port that is in use, and says how to see who holds it', async () => {
  using host = testHost()
  const first = await tcp(host)
  const { port } = new URL(first.url)
  try {
    await expect(tcp(host, `127.0.0.1:${port}`)).rejects.toThrow(
      `Cannot listen on "127.0.0.1:${port}": port ${port} is in use. See who holds it with: ss -ltnp 'sport = :${port}'`,
    )
  } finally {
    await first.stop()
  }
})

test('listen() refuses an address that is not of this host', async () => {
  using host = testHost()
  host.token('read')
  using directory = temporaryDirectory()
  const tls = makeCertificate(directory.path)
  await expect(tcp(host, '192.0.2.55:7338', tls)).rejects.toThrow('Cannot listen on "192.0.2.55:7338"')
})

test('listen() refuses to be reached from elsewhere without TLS or without a usable token', async () => {
  using host = testHost()
  await expect(tcp(host, '0.0.0.0:0')).rejects.toThrow('there is no `api.tls` and there is no token')
  host.token('read')
  await expect(tcp(host, '0.0.0.0:0')).rejects.toThrow('there is no `api.tls`.')
})

test('listen() serves https, and only with a private key that nobody else can read', async () => {
  using host = testHost()
  using directory = temporaryDirectory()
  const tls = makeCertificate(directory.path)
  const listener = await tcp(host, '127.0.0.1:0', tls)
  try {
    const ca = await Bun.file(tls.certificate).text()
    const response = await fetch(`${listener.url.replace('127.0.0.1', 'localhost')}/healthz`, { tls: { ca } })
    expect(response.status).toBe(200)
    expect(listener.url).toStartWith('https://')
  } finally {
    await listener.stop()
  }
  chmodSync(tls.key, 0o640)
  await expect(tcp(host, '127.0.0.1:0', tls)).rejects.toThrow(`chmod 0600 ${tls.key}`)
  const missing = { ...tls, certificate: join(directory.path, 'missing.pem') }
  await expect(tcp(host, '127.0.0.1:0', missing)).rejects.toThrow('Cannot read')
})

test('listen() with an authority for clients lets in nobody without a certificate of it', async () => {
  using host = testHost()
  using directory = temporaryDirectory()
  const server = makeCertificate(directory.path)
  const client = { certificate: join(directory.path, 'client.pem'), key: join(directory.path, 'client.key') }
  const request = [
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
  ]
  const made = Bun.spawnSync([
    ...request,
    '-keyout',
    client.key,
    '-out',
    client.certificate,
    '-subj',
    '/CN=agent',
  ])
  expect(made.exitCode).toBe(0)
  const ca = await Bun.file(server.certificate).text()
  const pair = { cert: await Bun.file(client.certificate).text(), key: await Bun.file(client.key).text() }
  const listener = await tcp(host, '127.0.0.1:0', { ...server, clientAuthority: client.certificate })
  const url = `${listener.url.replace('127.0.0.1', 'localhost')}/healthz`
  try {
    await expect(fetch(url, { tls: { ca } })).rejects.toThrow()
    expect((await fetch(url, { tls: { ca, ...pair } })).status).toBe(200)
  } finally {
    await listener.stop()
  }
})

function makeCertificate(directory: string) {
  const tls = { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  const argv = ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '1']
  const made = Bun.spawnSync([...argv, '-keyout', tls.key, '-out', tls.certificate, ...subject])
  expect(`${made.exitCode} ${made.exitCode === 0 ? '' : made.stderr}`).toBe('0 ')
  chmodSync(tls.key, 0o600)
  return tls
}

test('listen() serves a unix socket of mode 0660, without a token', async () => {
  using host = testHost({ filled: true })
  using directory = temporaryDirectory()
  const path = join(directory.path, 'run', 'reeve.sock')
  const listener = await socket(host, path)
  try {
    expect(listener.url).toBe(`unix:${path}`)
    expect(lstatSync(path).mode & 0o777).toBe(0o660)
    expect((await fetch('http://localhost/v1/jobs', { unix: path })).status).toBe(200)
    expect(host.warnings).toEqual([])
  } finally {
    await listener.stop()
  }
  expect(existsSync(path)).toBe(false)
})

test('listen() keeps the unix socket to itself when its group does not exist', async () => {
  using host = testHost()
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.sock')
  const listener = await socket(host, path, 'no-such-group')
  try {
    expect(lstatSync(path).mode & 0o777).toBe(0o600)
    expect(host.warnings).toMatchObject([{ message: 'socket not shared: no such group' }])
  } finally {
    await listener.stop()
  }
})

test('listen() takes the place of a socket that nobody answers on', async () => {
  using host = testHost()
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.sock')
  const code = `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response() }); process.kill(process.pid, 'SIGKILL')`
  await Bun.spawn([process.execPath, '-e', code]).exited
  expect(lstatSync(path).isSocket()).toBe(true)
  const listener = await socket(host, path)
  try {
    expect((await fetch('http://localhost/healthz', { unix: path })).status).toBe(200)
  } finally {
    await listener.stop()
  }
})

test('listen() refuses a socket on which another process answers', async () => {
  using host = testHost()
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.sock')
  const first = await socket(host, path)
  try {
    await expect(socket(host, path)).rejects.toThrow('another process answers there')
    expect((await fetch('http://localhost/healthz', { unix: path })).status).toBe(200)
  } finally {
    await first.stop()
  }
})

test('listen() never removes a file that is no socket', async () => {
  using host = testHost()
  using directory = temporaryDirectory()
  const path = join(directory.path, 'reeve.sock')
  writeFileSync(path, 'precious')
  await expect(socket(host, path)).rejects.toThrow('is no socket')
  expect(await Bun.file(path).text()).toBe('precious')
})

test('stop() lets a request that is under way end', async () => {
  using host = testHost({ filled: true })
  const end = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const { runNow } = host.deps
  host.deps.runNow = async (job, actor) => {
    const result = await runNow(job, actor)
    began.resolve()
    return 'runId' in result ? { ...result, finished: end.promise } : result
  }
  const listener = await tcp(host)
  const headers = { Authorization: `Bearer ${host.token('operate')}` }
  const request = fetch(`${listener.url}/v1/jobs/permissions/run?wait=true`, { method: 'POST', headers })
  await began.promise
  const stopped = listener.stop()
  end.resolve()
  expect((await request).status).toBe(200)
  await stopped
})
