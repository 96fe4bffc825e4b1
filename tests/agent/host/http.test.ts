import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import type { HttpRequest } from '../../../agent/contract/host.ts'
import { ALL_GRANTS, type Grants } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { Authority } from '../../kit/authority.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-http-'))
let authority: Authority
beforeAll(() => {
  authority = new Authority(directory)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const host = (grants: Partial<Grants> = {}) => new LocalHostReader('/', { ...ALL_GRANTS, ...grants })

type Say = (socket: net.Socket, asked: string) => void

/** A server on loopback that answers each request with what `say` does. */
async function serving(say: Say, secure?: tls.TlsOptions): Promise<{ port: number } & AsyncDisposable> {
  const open = new Set<net.Socket>()
  const onSocket = (socket: net.Socket) => {
    open.add(socket)
    socket.on('error', () => {})
    let asked = ''
    socket.on('data', (chunk: Buffer) => {
      asked += chunk.toString()
      if (asked.includes('\r\n\r\n')) say(socket, asked)
    })
  }
  const server = secure ? tls.createServer(secure, onSocket) : net.createServer(onSocket)
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}

async function ask(answer: string | string[], more: Partial<HttpRequest> = {}) {
  let asked = ''
  await using server = await serving((socket, request) => {
    asked = request
    for (const part of [answer].flat()) socket.write(part, 'latin1')
    socket.end()
  })
  const url = `http://127.0.0.1:${server.port}/a?b=c`
  const { status, headers, body, truncated } = await host().request({ url, ...more })
  return { status, headers, body: Buffer.from(body).toString(), truncated, asked }
}

test.each([
  ['with a length', ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel', 'lo'], 'hello'],
  ['that ends with the connection', ['HTTP/1.0 200 OK\r\n\r\nhello'], 'hello'],
  [
    'in chunks',
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r', '\nlo\r\n0\r\nT: 1\r\n\r\n'],
    'hello',
  ],
  ['without one', ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'], ''],
  ['after an informational one', ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello'], 'hello'],
  ['with lines that end in a line feed', ['HTTP/1.1 200 OK\nA: b\n\nhello'], 'hello'],
])('request() reads a body %s', async (_, parts, body) => {
  expect(await ask(parts)).toMatchObject({ status: 200, body, truncated: false })
})

test('request() sends exactly one request, with what it is given', async () => {
  const { asked, headers } = await ask('HTTP/1.1 401 No\r\nX-One: 1\r\nX-One:  2 \r\n\r\n', {
    method: 'POST',
    headers: { Authorization: 'Bearer of-a-test' },
    body: 'hé',
  })
  expect(asked).toMatch(/^POST \/a\?b=c HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/)
  expect(asked).toContain(
    '\r\nauthorization: Bearer of-a-test\r\nconnection: close\r\ncontent-length: 3\r\n\r\nhé',
  )
  expect(headers).toEqual([
    ['x-one', '1'],
    ['x-one', '2'],
  ])
})

test('request() follows no redirect', async () => {
  const { status, headers } = await ask('HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\n\r\n')
  expect([status, headers]).toEqual([302, [['location', 'http://127.0.0.1:1/']]])
})

test('request() cuts a body that is larger than wanted', async () => {
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n${'x'.repeat(200_000)}`
  const { body, truncated } = await ask(answer, { maxBodyBytes: 1000 })
  expect([body.length, truncated]).toEqual([1000, true])
})

test.each([
  ['speaks another protocol', '220 mail.example.org ESMTP\r\n', 'it does not speak HTTP'],
  ['says nothing', '', 'the server closed the connection'],
  ['breaks off in the head', 'HTTP/1.1 200 OK\r\nA', 'the server closed the connection'],
  ['breaks off in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', 'its answer breaks off'],
  ['breaks off in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello', 'breaks off'],
  ['has a head without end', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(20_000)}`, 'more than 65536 bytes'],
  ['has a malformed header', 'HTTP/1.1 200 OK\r\nA b\r\n\r\n', 'malformed'],
  ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 'how long'],
  ['has rubbish for a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'malformed'],
  [
    'has no end of chunk line',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1'.repeat(9000)}`,
    'malformed',
  ],
  ['codes what nobody asked for', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx', 'not asked for'],
  ['only ever informs', 'HTTP/1.1 102 P\r\n\r\n'.repeat(20), 'no end of informational'],
])('request() is an error when the server %s', async (_, answer, reason) => {
  await expect(ask(answer)).rejects.toThrow(reason)
})

test('request() gives up in time when the server sends a byte now and then', async () => {
  await using server = await serving((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const timer = setInterval(() => socket.write('A'), 20)
    socket.on('close', () => clearInterval(timer))
  })
  const started = performance.now()
  const error = await host()
    .request({ url: `http://127.0.0.1:${server.port}/`, timeoutMs: 200 })
    .catch((thrown: unknown) => thrown)
  expect([errnoOf(error), String(error)]).toEqual(['ETIMEDOUT', expect.stringContaining('within 200 ms')])
  expect(performance.now() - started).toBeLessThan(2000)
})

test('request() ends with its run', async () => {
  await using server = await serving(() => {})
  const controller = new AbortController()
  const asking = host().request({ url: `http://127.0.0.1:${server.port}/`, signal: controller.signal })
  controller.abort(new Error('the run is over'))
  await expect(asking).rejects.toThrow('the run is over')
})

test('request() tells that nothing listens by its code', async () => {
  const server = await serving(() => {})
  await server[Symbol.asyncDispose]()
  const error = await host()
    .request({ url: `http://127.0.0.1:${server.port}/` })
    .catch((thrown: unknown) => thrown)
  expect([errnoOf(error), String(error)]).toEqual([
    'ECONNREFUSED',
    expect.stringContaining('nothing listens there'),
  ])
})

test('request() says nothing to a server whose certificate is not to be trusted', async () => {
  const { certificate, key } = authority.issue('own.example.org', ['DNS:own.example.org'])
  const said: string[] = []
  await using server = await serving(
    (socket, asked) => {
      said.push(asked)
      socket.end('HTTP/1.1 204 No Content\r\n\r\n')
    },
    { cert: readFileSync(certificate), key: readFileSync(key) },
  )
  const authorities = readFileSync(authority.certificate, 'utf8')
  const to = (name: string, more: Partial<HttpRequest> = {}) =>
    host()
      .request({ url: `https://${name}:${server.port}/`, connectTo: '127.0.0.1', authorities, ...more })
      .catch((thrown: unknown) => thrown)
  for (const [name, more, reason] of [
    ['own.example.org', { authorities: undefined }, 'who issued its certificate is not trusted'],
    ['other.example.org', {}, 'its certificate is for other names'],
    ['127.0.0.1', {}, 'its certificate is for other names'],
  ] as const) {
    const error = await to(name, more)
    expect([errnoOf(error), String(error)]).toEqual(['EUNTRUSTED', expect.stringContaining(reason)])
  }
  expect(said).toEqual([])
  expect(await to('own.example.org')).toMatchObject({ status: 204, tls: { protocol: 'TLSv1.3' } })
  expect(said).toEqual([expect.stringMatching(/^GET \/ HTTP\/1\.1\r\nhost: own\.example\.org:\d+\r\n/)])
})

test('request() goes where the job declared it, and nowhere else', async () => {
  await using server = await serving((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'))
  const url = `http://127.0.0.1:${server.port}/`
  const granted = (...net: string[]) => host({ net }).request({ url })
  await expect(granted()).rejects.toThrow('permissions.net')
  await expect(granted(`example.org:${server.port}`, '127.0.0.1:1', 'this-host:1')).rejects.toThrow(
    'permissions.net',
  )
  expect((await granted(`127.0.0.1:${server.port}`)).status).toBe(204)
  expect((await granted(`this-host:${server.port}`)).status).toBe(204)
  // An address of documentation (RFC 5737): no interface of a test machine has it for loopback traffic.
  const elsewhere = { url, connectTo: '203.0.113.7' }
  await expect(host({ net: [`this-host:${server.port}`] }).request(elsewhere)).rejects.toThrow(
    'permissions.net',
  )
  await expect(host({ net: [] }).request({ url, socketPath: '/run/x.sock' })).rejects.toThrow(
    'permissions.net',
  )
})

test('request() speaks through a unix socket', async () => {
  const path = join(directory, 'api.sock')
  const server = Bun.serve({ unix: path, fetch: () => Response.json({ is: 'here' }) })
  const answer = await host({ net: [`unix:${path}`] }).request({
    url: 'http://localhost/x',
    socketPath: path,
  })
  expect([answer.status, Buffer.from(answer.body).toString()]).toEqual([200, '{"is":"here"}'])
  await server.stop(true)
})

test('request() refuses a header that would smuggle another one', async () => {
  const url = 'http://127.0.0.1:1/'
  await expect(ask('', { headers: { a: 'b\r\nc: d' } })).rejects.toThrow('more than one line')
  await expect(host().request({ url: url.replace('http', 'ftp') })).rejects.toThrow('wanted http or https')
})
