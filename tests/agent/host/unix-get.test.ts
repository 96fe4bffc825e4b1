import { expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { ALL_GRANTS, type Grants } from '../../../agent/host/grants.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { DockerServer } from '../../kit/docker-server.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

const host = (grants: Partial<Grants> = {}) => new LocalHostReader('/', { ...ALL_GRANTS, ...grants })

/** A server on a socket that does this with each connection once it was asked something. */
async function behaving(
  socket: string,
  behave: (connection: net.Socket) => void,
): Promise<AsyncDisposable & { said: string[] }> {
  const said: string[] = []
  const open = new Set<net.Socket>()
  const server = net.createServer((connection) => {
    open.add(connection)
    connection.on('error', () => {})
    connection.on('data', (data) => said.push(data.toString('latin1')))
    connection.once('data', () => behave(connection))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    said,
    [Symbol.asyncDispose]: async () => {
      for (const connection of open) connection.destroy()
      server.close()
    },
  }
}

/** Sends without end, as quickly as the other side takes it. */
function flood(connection: net.Socket, head: string, block: Buffer): void {
  connection.write(head)
  const more = () => {
    while (!connection.destroyed && connection.write(block));
  }
  connection.on('drain', more)
  more()
}

test('ask() gives the status, the type and the whole text of an answer', async () => {
  using work = temporaryDirectory()
  using server = new DockerServer(join(work.path, 'a.sock'), { '/containers/json': [{ Id: 'ä' }] })
  const answer = await host().ask({ socket: server.socket, path: '/containers/json?all=1' })
  expect(answer).toEqual({ status: 200, body: '[{"Id":"ä"}]' })
  expect((await host().ask({ socket: server.socket, path: '/other' })).status).toBe(404)
  expect(server.asked).toEqual(['GET /containers/json?all=1', 'GET /other'])
})

test('ask() sends a GET without a body, and nothing that could be another request', async () => {
  using work = temporaryDirectory()
  const socket = join(work.path, 'a.sock')
  await using server = await behaving(socket, (connection) =>
    connection.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}'),
  )
  // What a caller without types could hand in changes nothing: the method stands in one place.
  const question = { socket, path: '/info', method: 'POST', body: 'x' }
  expect((await host().ask(question)).body).toBe('{}')
  const [request = ''] = server.said
  expect(request).toStartWith('GET /info HTTP/1.1\r\n')
  expect(request).toEndWith('\r\n\r\n')
  expect(request.toLowerCase()).not.toContain('content-length')
  for (const path of ['info', '/a b', '/a\r\nPOST /containers/x/stop HTTP/1.1', '/a\n', '/ä', '']) {
    await expect(host().ask({ socket, path })).rejects.toThrow('the path is not one of HTTP')
  }
  expect(server.said).toHaveLength(1)
})

test.each([
  [['unix-get:/run/docker.sock'], '/run/docker.sock', true],
  [['unix-get:/run/user/*/docker.sock'], '/run/user/1000/docker.sock', true],
  [['unix-get:/run/user/*/docker.sock'], '/run/user/1000/podman/docker.sock', false],
  [['unix-get:/run/docker.sock'], '/run/other.sock', false],
  [['localhost:2375', 'netlink'], '/run/docker.sock', false],
  [['unix:/run/docker.sock'], '/run/docker.sock', false],
  [[], '/run/docker.sock', false],
])('ask() of a job with the permissions %p asks %s: %p', async (permitted, socket, isPermitted) => {
  using root = temporaryDirectory()
  const reader = new LocalHostReader(root.path, { ...ALL_GRANTS, net: permitted })
  const asked = reader.ask({ socket, path: '/info' })
  // What is permitted fails, too, for no such socket is there; but for another reason.
  await expect(asked).rejects.toThrow(isPermitted ? 'there is no such socket' : 'the job does not declare it')
})

test('ask() looks for the socket below the root directory', async () => {
  using root = temporaryDirectory()
  mkdirSync(join(root.path, 'run'))
  using server = new DockerServer(join(root.path, 'run/docker.sock'), { '/info': {} })
  const reader = new LocalHostReader(root.path, ALL_GRANTS)
  expect((await reader.ask({ socket: '/run/docker.sock', path: '/info' })).status).toBe(200)
  expect(server.asked).toEqual(['GET /info'])
})

const OK = 'HTTP/1.1 200 OK\r\n'
test.each([
  ['hangs', () => {}, 'there is no answer within 300 ms'],
  ['hangs in the middle', (c: net.Socket) => c.write(`${OK}Content-Length: 10\r\n\r\n{`), 'within 300 ms'],
  ['closes', (c: net.Socket) => c.end(), 'the server closed the connection'],
  ['says rubbish', (c: net.Socket) => c.end('\x00\x01\x02rubbish\r\n\r\n'), 'it does not speak HTTP'],
  [
    'sends a byte at a time',
    (c: net.Socket) => {
      c.write(`${OK}Content-Length: 1000\r\n\r\n`)
      const timer = setInterval(() => c.write('a'), 20)
      c.on('close', () => clearInterval(timer))
    },
    'within 300 ms',
  ],
  [
    'sends more than 100 MB',
    (c: net.Socket) => flood(c, `${OK}Content-Length: 104857600\r\n\r\n`, Buffer.alloc(65_536, 97)),
    'its answer has more than 100000 bytes',
  ],
  [
    'sends without end',
    (c: net.Socket) =>
      flood(c, `${OK}Transfer-Encoding: chunked\r\n\r\n`, Buffer.from(`10000\r\n${'a'.repeat(65_536)}\r\n`)),
    'its answer has more than 100000 bytes',
  ],
  [
    'has a head without end',
    (c: net.Socket) => flood(c, `${OK}X-A: `, Buffer.alloc(65_536, 97)),
    'the head of its answer has more than',
  ],
] as const)('ask() of a service that %s is an error in time', async (_, behave, reason) => {
  using work = temporaryDirectory()
  const socket = join(work.path, 'a.sock')
  await using _server = await behaving(socket, behave)
  const before = process.memoryUsage().rss
  const asked = host().ask({ socket, path: '/info', timeoutMs: 300, maxBytes: 100_000 })
  await expect(asked).rejects.toThrow(reason)
  expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
})

test('ask() follows no redirect, and unpacks nothing', async () => {
  using work = temporaryDirectory()
  using server = new DockerServer(join(work.path, 'a.sock'), {
    '/moved': () => new Response(null, { status: 307, headers: { location: 'http://127.0.0.1:9/' } }),
    '/packed': () =>
      new Response(Bun.gzipSync(Buffer.alloc(10_000_000)), {
        headers: { 'content-encoding': 'gzip' },
      }),
  })
  expect((await host().ask({ socket: server.socket, path: '/moved' })).status).toBe(307)
  expect(
    (await host().ask({ socket: server.socket, path: '/packed', maxBytes: 50_000 })).body.length,
  ).toBeLessThan(50_000)
})

test('ask() ends when the run does', async () => {
  using work = temporaryDirectory()
  const socket = join(work.path, 'a.sock')
  await using _server = await behaving(socket, () => {})
  const asked = host().ask({ socket, path: '/info', signal: AbortSignal.timeout(50) })
  await expect(asked).rejects.toThrow()
})

test('request() does not reach a socket that may only be asked', async () => {
  using work = temporaryDirectory()
  using server = new DockerServer(join(work.path, 'a.sock'), { '/containers/x/stop': {} })
  const reader = host({ net: [`unix-get:${server.socket}`] })
  const request = { url: 'http://localhost/containers/x/stop', socketPath: server.socket, method: 'POST' }
  await expect(reader.request(request)).rejects.toThrow('the job does not declare it')
  expect(server.asked).toEqual([])
})
