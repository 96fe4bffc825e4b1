import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer } from '../../../agent/alert/channel.ts'
import { ANSWER_TIMEOUT_MS, type EgressOptions, MAX_ANSWER_BYTES, post } from '../../../agent/alert/egress.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'
import { ManualClock, type Sink, startSink } from './kit.ts'

const NAME = 'hooks.example.test'
const directory = temporaryDirectory()
let certificate = ''
let key = ''

beforeAll(() => {
  const [keyPath, certificatePath] = [
    join(directory.path, 'key.pem'),
    join(directory.path, 'certificate.pem'),
  ]
  const made = Bun.spawnSync([
    'openssl',
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...[
      '-subj',
      `/CN=${NAME}`,
      '-addext',
      `subjectAltName=DNS:${NAME}`,
      '-keyout',
      keyPath,
      '-out',
      certificatePath,
    ],
  ])
  if (made.exitCode !== 0) throw new Error(`openssl failed: ${made.stderr}`)
  certificate = readFileSync(certificatePath, 'utf8')
  key = readFileSync(keyPath, 'utf8')
})
afterAll(() => directory[Symbol.dispose]())

const never = new AbortController().signal
const request = (url: string) => ({ url, headers: { 'content-type': 'application/json' }, body: '{"n":1}' })

function egress(changes: Partial<EgressOptions> = {}): EgressOptions & { clock: ManualClock } {
  const clock = new ManualClock()
  return { allowedHosts: [], ...changes, clock }
}

const failure = (work: Promise<Answer>) =>
  work.then(
    (answer) => `an answer: ${answer.status}`,
    (error) => String(error),
  )

/** A plain sink whose one answer is given. */
function answering(answer: Sink['answer']): Sink {
  const sink = startSink(new ManualClock(), { secret: null })
  sink.answer = answer
  return sink
}

test('post() sends the body and the headers, and reads no body of a success', async () => {
  using sink = answering(() => new Response('fine', { status: 202 }))
  expect(await post(request(sink.url), egress(), never)).toEqual({
    status: 202,
    retryAfter: undefined,
    body: '',
  })
  expect(sink.received).toHaveLength(1)
  expect(sink.received[0]?.body).toBe('{"n":1}')
  expect(sink.received[0]?.headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': '7',
    host: `127.0.0.1:${sink.port}`,
  })
})

test('post() resolves localhost by the system', async () => {
  using sink = answering(() => new Response(null, { status: 204 }))
  expect(await post(request(`http://localhost:${sink.port}/x`), egress(), never)).toMatchObject({
    status: 204,
  })
})

test('post() connects to the address that it judged and still checks the certificate against the name', async () => {
  using sink = startSink(new ManualClock(), { secret: null, tls: { key, cert: certificate } })
  const asked: string[] = []
  const options = egress({
    allowedHosts: [NAME, 'other.example.test'],
    authorities: certificate,
    resolveHost: async (host) => {
      asked.push(host)
      return ['127.0.0.1']
    },
  })
  expect(await post(request(`https://${NAME}:${sink.port}/x`), options, never)).toMatchObject({ status: 204 })
  expect(asked).toEqual([NAME])
  expect(sink.received[0]?.headers.host).toBe(`${NAME}:${sink.port}`)

  const wrongName = post(request(`https://other.example.test:${sink.port}/x`), options, never)
  expect(await failure(wrongName)).toContain(`does not match certificate's altnames`)
  const unknownAuthority = post(
    request(`https://${NAME}:${sink.port}/x`),
    { ...options, authorities: undefined },
    never,
  )
  expect(await failure(unknownAuthority)).toContain('self signed certificate')
  expect(sink.received).toHaveLength(1)
})

test('post() goes past the proxy of the environment', async () => {
  using sink = answering(() => new Response(null, { status: 204 }))
  const before = process.env.HTTP_PROXY
  process.env.HTTP_PROXY = 'http://127.0.0.1:1'
  try {
    expect(await post(request(sink.url), egress(), never)).toMatchObject({ status: 204 })
  } finally {
    if (before === undefined) delete process.env.HTTP_PROXY
    else process.env.HTTP_PROXY = before
  }
})

test.each([
  [['169.254.169.254'], 'link-local'],
  [['8.8.8.8', '169.254.169.254'], 'link-local'],
  [['::ffff:169.254.169.254'], 'link-local'],
  [['fd00:ec2::254'], 'metadata'],
  [['0.0.0.0'], 'unspecified'],
  [['127.0.0.1'], 'leads to the loopback address 127.0.0.1'],
  [['10.0.0.8'], 'leads to the private address 10.0.0.8'],
  [['::1'], 'leads to the loopback address ::1'],
  [[], 'has no address'],
])('post() does not connect when the name leads to %j', async (addresses, reason) => {
  using sink = answering(() => new Response(null, { status: 204 }))
  const options = egress({ resolveHost: async () => addresses })
  const message = await failure(post(request(`https://${NAME}:${sink.port}/secret-path`), options, never))
  expect(message).toContain(`Cannot send to "https://${NAME}:${sink.port}"`)
  expect(message).toContain(reason)
  expect(message).not.toContain('secret-path')
  expect(sink.received).toEqual([])
})

test.each([
  'https://169.254.169.254/latest',
  'https://[fe80::1]/x',
  'https://[::ffff:a9fe:a9fe]/x',
  'https://0/x',
])('post() refuses %s even when it is listed', async (url) => {
  const options = egress({ allowedHosts: [new URL(url).hostname] })
  expect(await failure(post(request(url), options, never))).toContain('link-local')
})

test('post() follows no redirect', async () => {
  using target = answering(() => new Response(null, { status: 204 }))
  using sink = answering(() => Response.redirect(target.url, 307))
  expect(await post(request(sink.url), egress(), never)).toMatchObject({ status: 307 })
  expect(target.received).toEqual([])
})

test('post() ends when no answer comes in time', async () => {
  using sink = answering(() => new Promise<Response>(() => {}))
  const options = egress()
  const answer = failure(post(request(sink.url), options, never))
  await sink.arrived(1)
  options.clock.advance(ANSWER_TIMEOUT_MS)
  expect(await answer).toBe(
    `Error: Cannot send to "http://127.0.0.1:${sink.port}": no answer within 15 seconds`,
  )
})

test('post() ends when the name is not resolved in time', async () => {
  const options = egress({ resolveHost: () => new Promise(() => {}) })
  const answer = failure(post(request(`https://${NAME}/x`), options, never))
  options.clock.advance(ANSWER_TIMEOUT_MS)
  expect(await answer).toContain('no answer within 15 seconds')
})

test('post() ends when it is aborted, before and while it waits', async () => {
  using sink = answering(() => new Promise<Response>(() => {}))
  const options = egress()
  const abort = new AbortController()
  const answer = failure(post(request(sink.url), options, abort.signal))
  await sink.arrived(1)
  abort.abort(new Error('reeve is stopping'))
  expect(await answer).toContain('reeve is stopping')
  expect(await failure(post(request(sink.url), options, abort.signal))).toContain('reeve is stopping')
  expect(sink.received).toHaveLength(1)
  expect(options.clock.nextDelayMs).toBeUndefined()
})

test('post() reads no more of an endless answer than it shows', async () => {
  let sent = 0
  const endless = () =>
    new ReadableStream({
      pull(controller) {
        sent += 65_536
        // An end all the same, so that a reader without a bound would fail and not hang.
        if (sent > 1_000_000_000) controller.close()
        else controller.enqueue(new Uint8Array(65_536).fill(120))
      },
    })
  using sink = answering(() => new Response(endless(), { status: 500 }))
  const answer = await post(request(sink.url), egress(), never)
  expect(answer).toEqual({ status: 500, retryAfter: undefined, body: 'x'.repeat(MAX_ANSWER_BYTES) })
  expect(sent).toBeLessThan(50_000_000)
})

test('post() keeps the status when the body breaks off', async () => {
  using server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket) {
        socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 100\r\nRetry-After: 7\r\n\r\noops')
      },
    },
  })
  const answer = await post(request(`http://127.0.0.1:${server.port}/x`), egress(), never)
  expect(answer).toEqual({ status: 503, retryAfter: '7', body: 'oops' })
})

test.each(['', 'nonsense\r\n\r\n', 'HTTP/1.1 200'])('post() fails when the answer is %j', async (bytes) => {
  using server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data: (socket) => void socket.end(bytes) },
  })
  const message = await failure(post(request(`http://127.0.0.1:${server.port}/x`), egress(), never))
  expect(message).toStartWith(`Error: Cannot send to "http://127.0.0.1:${server.port}": `)
})

test('post() hides the path of its URL where an answer or an error repeats it', async () => {
  using sink = answering((_, { path }) => new Response(`no route for ${path} or B0SECRET42`, { status: 404 }))
  const url = `http://127.0.0.1:${sink.port}/services/T0SECRET42/B0SECRET42/x`
  const { body } = await post(request(url), egress(), never)
  expect(body).toBe('no route for [redacted] or [redacted]')
  expect(await failure(post(request('http://127.0.0.1:1/services/T0SECRET42'), egress(), never))).toBe(
    'Error: Cannot send to "http://127.0.0.1:1": connect ECONNREFUSED 127.0.0.1:1',
  )
})
