import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import plugin from '../../../plugins/http-probe/plugin.ts'
import { Authority } from '../../kit/authority.ts'
import { freePort } from '../../kit/nginx.ts'
import { pluginUnderTest } from '../../kit/plugin.ts'

setDefaultTimeout(30_000)

type Settings = z.input<typeof plugin.config>['probes'][number]

const directory = mkdtempSync(join(tmpdir(), 'reeve-probe-'))
let authority: Authority
beforeAll(() => {
  authority = new Authority(directory)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const TOKEN = 'a-token-of-a-test'

/** A service with a guarded page, an open one, and health for who has the token. */
function service({
  page,
  ...options
}: {
  hostname?: string
  port?: number
  tls?: { cert: string; key: string }
  page?: () => Response
} = {}) {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    ...options,
    fetch: ({ url, headers }) => {
      const { pathname } = new URL(url)
      if (page && pathname === '/page') return page()
      if (pathname === '/open') return new Response('all of it')
      if (pathname === '/metrics') return new Response('jobs_failed_total{job="a"} 7\n')
      if (pathname === '/redirect') return Response.redirect('/open', 302)
      if (headers.get('authorization') !== `Bearer ${TOKEN}`) return new Response('no', { status: 401 })
      return Response.json({ status: 'ok' }, { headers: { 'X-Frame-Options': 'DENY' } })
    },
  })
  return { port: server.port ?? 0, [Symbol.asyncDispose]: () => server.stop(true) }
}

async function probe(...probes: (Omit<Settings, 'name'> & { name?: string })[]) {
  const run = pluginUnderTest(
    plugin,
    { probes: probes.map((one, index) => ({ name: `p${index}`, ...one })) },
    { stateDir: join(directory, 'state'), secrets: { 'env:TOKEN': TOKEN } },
  )
  const { findings, blind = [], inapplicable = [], metrics = [] } = await run.check()
  return {
    findings,
    found: findings.map(({ rule, subject }) => `${subject} ${rule}`),
    blind,
    idle: inapplicable.map(({ rule }) => rule),
    metrics,
  }
}

test('check finds what is open, and is content with what refuses', async () => {
  await using server = service()
  const base = `http://127.0.0.1:${server.port}`
  const { found, blind, findings, idle } = await probe(
    { url: `${base}/api`, expects: 'refused' },
    { url: `${base}/open?key=of-a-test`, expects: 'refused' },
    { url: `${base}/redirect`, expects: 'refused' },
    {
      url: `${base}/health`,
      secretHeaders: { Authorization: { secret: 'env:TOKEN', prefix: 'Bearer ' } },
      json: { status: 'ok' },
      responseHeaders: { 'X-Frame-Options': ['DENY'], 'X-Content-Type-Options': ['nosniff'] },
    },
    { url: `${base}/metrics`, metrics: [{ name: 'jobs_failed_total', atMost: 5 }] },
    { url: `${base}/open`, contains: 'all' },
  )
  expect({ found, blind }).toEqual({
    found: ['p1 unguarded', 'p2 unexpected-status', 'p3 missing-header', 'p4 metric-out-of-range'],
    blind: [],
  })
  expect(findings[0]).toMatchObject({ severity: 'critical', evidence: { status: 200, url: `${base}/open` } })
  expect(JSON.stringify(findings)).not.toMatch(/a-token-of-a-test|key=/)
  expect(idle).toEqual([
    'forbidden-header',
    'loose-cookie',
    'not-answering',
    'untrusted-certificate',
    'old-certificate-served',
  ])
})

test('check finds headers, cookies, text and numbers that are not right, until the service is mended', async () => {
  const text = (healthy: string, failed: number) => `# ${healthy}\njobs_failed_total{job="a"} ${failed}\n`
  let page = () =>
    new Response(text('sick', 7), {
      headers: { 'X-Powered-By': 'PHP/5', 'Set-Cookie': 'sid=somebodys-session; HttpOnly; SameSite=Lax' },
    })
  await using server = service({ page: () => page() })
  const asked: Omit<Settings, 'name'> = {
    url: `http://127.0.0.1:${server.port}/page`,
    responseHeaders: { 'X-Frame-Options': ['DENY'] },
    forbiddenHeaders: ['X-Powered-By'],
    cookies: 'strict',
    contains: 'healthy',
    metrics: [{ name: 'jobs_failed_total', atMost: 5 }],
  }
  const { findings, blind } = await probe(asked)
  expect(blind).toEqual([])
  expect(findings.map(({ rule, subject, summary }) => `${subject} ${rule}: ${summary}`)).toEqual([
    `p0 missing-header: GET ${asked.url} is answered with no X-Frame-Options`,
    `p0 forbidden-header: GET ${asked.url} is answered with X-Powered-By`,
    `p0 loose-cookie: GET ${asked.url} sets the cookie sid (not Secure)`,
    `p0 unexpected-body: GET ${asked.url} is answered without "healthy"`,
    `p0 metric-out-of-range: GET ${asked.url} is answered with jobs_failed_total 7, wanted at most 5`,
  ])
  expect(JSON.stringify(findings)).not.toContain('somebodys-session')
  page = () =>
    new Response(text('healthy', 5), {
      headers: { 'X-Frame-Options': 'deny', 'Set-Cookie': 'sid=x; HttpOnly; Secure; SameSite=Lax' },
    })
  const mended = await probe(asked)
  expect([mended.found, mended.blind]).toEqual([[], []])
  expect(findings.filter(({ rule }) => mended.idle.includes(rule))).toEqual([])
})

test('check finds that nothing listens, until the service is started', async () => {
  const port = freePort()
  const asked = { url: `http://127.0.0.1:${port}/open`, whenDown: 'finding' } as const
  const down = await probe(asked)
  expect(down.found).toEqual(['p0 not-answering'])
  expect(down.findings[0]).toMatchObject({
    severity: 'critical',
    summary: `${asked.url}: nothing listens on port ${port}`,
  })
  await using _server = service({ port })
  const { found, blind, idle } = await probe(asked)
  expect([found, blind, idle.includes('not-answering')]).toEqual([[], [], false])
})

test('check is never green about a service that does not listen', async () => {
  const url = `http://127.0.0.1:${freePort()}/`
  const blind = await probe({ url })
  expect([blind.found, blind.blind.map(({ rules }) => rules)]).toEqual([[], [['unexpected-status']]])
  const found = await probe({ url, whenDown: 'finding', contains: 'x' })
  expect([found.found, found.blind[0]?.rules]).toEqual([
    ['p0 not-answering'],
    ['unexpected-status', 'unexpected-body'],
  ])
  const idle = await probe({ url, whenDown: 'inapplicable', expects: 'refused' })
  expect([idle.found, idle.blind, idle.idle.includes('unguarded')]).toEqual([[], [], true])
  await using server = service()
  // Another probe has the same rule: it must not pass for both.
  const both = await probe({ url, whenDown: 'inapplicable' }, { url: `http://127.0.0.1:${server.port}/open` })
  expect([both.blind, both.idle.includes('unexpected-status')]).toMatchObject([[{ subject: 'p0' }], false])
})

test('check is content when nothing listens where nothing should be seen', async () => {
  const { found, blind } = await probe({ url: `http://127.0.0.1:${freePort()}/metrics`, expects: 'hidden' })
  expect({ found, blind }).toEqual({ found: [], blind: [] })
})

const others = Object.values(networkInterfaces()).flatMap((list) =>
  (list ?? []).filter(({ internal }) => !internal),
)

test.skipIf(others.length === 0)('check asks as others would, on the addresses of this host', async () => {
  await using inside = service()
  await using outside = service({ hostname: '0.0.0.0' })
  const asked = (port: number) =>
    ({ url: `http://127.0.0.1:${port}/metrics`, connectTo: 'this-host', expects: 'hidden' }) as const
  const { found, blind, findings } = await probe(asked(inside.port), asked(outside.port))
  expect({ found, blind }).toEqual({ found: ['p1 unguarded'], blind: [] })
  expect(findings[0]?.evidence?.url).not.toContain('127.0.0.1')
})

test('check asks no address of another host', async () => {
  const { found, blind } = await probe({ url: 'http://203.0.113.9/' })
  expect([found, blind]).toMatchObject([[], [{ reason: expect.stringContaining('permissions.net') }]])
})

const speaking = (say: (socket: net.Socket) => void) =>
  new Promise<{ port: number } & Disposable>((resolve) => {
    const open = new Set<net.Socket>()
    const server = net.createServer((socket) => {
      open.add(socket)
      socket.on('error', () => {})
      say(socket)
    })
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0
      resolve({
        port,
        [Symbol.dispose]: () => {
          for (const socket of open) socket.destroy()
          server.close()
        },
      })
    })
  })

test.each<[string, (socket: net.Socket) => void, string]>([
  ['says nothing', () => {}, 'within 300 ms'],
  [
    'sends a byte at a time',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('A'), 30)
      socket.on('close', () => clearInterval(timer))
    },
    'within 300 ms',
  ],
  ['sends rubbish', (socket) => socket.write('\0\x01\x02 rubbish\r\n\r\n'), 'does not speak HTTP'],
  [
    'has huge headers',
    (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(30_000)}\r\n`),
    'more than 65536',
  ],
  ['hangs up', (socket) => socket.destroy(), 'closed the connection'],
])('check is blind of a server that %s', async (_, say, reason) => {
  using server = await speaking(say)
  const { found, blind } = await probe({
    url: `http://127.0.0.1:${server.port}/`,
    expects: 'refused',
    timeout: '300ms',
  })
  expect([found, blind]).toMatchObject([
    [],
    [{ subject: 'p0', reason: expect.stringContaining(reason), rules: ['unguarded', 'unexpected-status'] }],
  ])
})

test('check looks whom it talks to, and whether the renewed certificate is served', async () => {
  const issued = authority.issue('a.example.org', ['DNS:a.example.org'])
  const renewed = authority.issue('a.example.org', ['DNS:a.example.org'])
  const read = (path: string) => readFileSync(path, 'utf8')
  await using server = service({ tls: { cert: read(issued.certificate), key: read(issued.key) } })
  const url = `https://a.example.org:${server.port}/open`
  const common = { url, connectTo: '127.0.0.1', authority: authority.certificate }
  const { found, blind, findings } = await probe(
    { ...common, certificate: issued.certificate },
    { ...common, certificate: renewed.certificate },
    { ...common, authority: undefined },
    { ...common, url: url.replace('a.example', 'b.example') },
  )
  expect(found).toEqual(['p1 old-certificate-served', 'p2 untrusted-certificate', 'p3 untrusted-certificate'])
  expect(findings[2]?.summary).toContain('its certificate is for other names')
  // What was not asked is dark.
  expect(blind.map(({ subject, rules }) => [subject, rules])).toEqual([
    ['p2', ['unexpected-status']],
    ['p3', ['unexpected-status']],
  ])
  const missing = await probe({ ...common, certificate: join(directory, 'none.pem') })
  expect(missing.blind).toMatchObject([{ subject: 'p0', rules: ['old-certificate-served'] }])
  writeFileSync(join(directory, 'rubbish.pem'), 'rubbish')
  expect((await probe({ ...common, certificate: join(directory, 'rubbish.pem') })).blind).toHaveLength(1)
})

test('check finds that a renewed certificate is not served, until the service has loaded it', async () => {
  const read = (path: string) => readFileSync(path, 'utf8')
  const issue = () => {
    const { certificate, key } = authority.issue('a.example.org', ['DNS:a.example.org'])
    return { cert: read(certificate), key: read(key) }
  }
  const [first, renewed] = [issue(), issue()]
  const certificate = join(directory, 'served.pem')
  const port = freePort()
  const url = `https://a.example.org:${port}/open`
  const check = () => probe({ url, connectTo: '127.0.0.1', authority: authority.certificate, certificate })
  writeFileSync(certificate, first.cert)
  {
    await using _server = service({ port, tls: first })
    const same = await check()
    expect([same.found, same.blind, same.idle.includes('old-certificate-served')]).toEqual([[], [], false])
    writeFileSync(certificate, renewed.cert)
    const { found, findings, blind } = await check()
    expect([found, blind]).toEqual([['p0 old-certificate-served'], []])
    const [served, file] = [first, renewed].map(({ cert }) => new X509Certificate(cert).serialNumber)
    expect(findings[0]).toMatchObject({
      summary: expect.stringContaining(`${url} serves the certificate ${served} until`),
      evidence: { path: certificate, served, file },
    })
  }
  await using _server = service({ port, tls: renewed })
  const loaded = await check()
  expect([loaded.found, loaded.blind]).toEqual([[], []])
})
