import { expect, test } from 'bun:test'
import { listAudit } from '../../../agent/store/audit.ts'
import { bodyOf, type TestHost, testHost } from './host.ts'

const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

interface Problem {
  title: string
  detail: string
  errors?: { parameter: string; reason: string }[]
}

async function expectProblem(response: Response, status: number, code: string) {
  expect(response.status).toBe(status)
  expect(response.headers.get('Content-Type')).toBe('application/problem+json')
  const problem = await bodyOf<Problem>(response)
  expect(problem).toMatchObject({ type: `urn:reeve:problem:${code}`, status })
  expect(problem.title).toBeString()
  expect(problem.detail).toBeString()
  return problem
}

test('a request under a foreign host name is refused, whatever it carries', async () => {
  using host = testHost({ filled: true })
  const token = host.token('admin')
  for (const path of ['/', '/healthz', '/v1/status', '/v1/jobs', '/nothing']) {
    const response = await host.app().fetch(path, { token, headers: { Host: 'rebound.example.com:7338' } })
    await expectProblem(response, 421, 'unknown-host')
  }
  const missing = await host.app().fetch('/v1/status', { headers: { Host: '' } })
  await expectProblem(missing, 421, 'unknown-host')
})

test('a host name of the configuration is allowed as soon as it is there', async () => {
  using host = testHost()
  const app = host.app()
  const ask = async () => (await app.fetch('/healthz', { headers: { Host: 'status.example.org' } })).status
  expect(await ask()).toBe(421)
  host.api.hosts.push('status.example.org')
  expect(await ask()).toBe(200)
})

test('only clients of the networks in `api.clients` are answered, whatever they present', async () => {
  using host = testHost({ api: { clients: ['192.0.2.0/24', '2001:db8:1::/48', '198.51.100.7'] } })
  const app = host.app()
  const token = host.token('admin')
  const status = async (remote: string) => (await app.fetch('/v1/jobs', { token, remote })).status
  for (const near of [
    '192.0.2.200',
    '::ffff:192.0.2.9',
    '2001:db8:1:2::3',
    '198.51.100.7',
    '127.0.0.1',
    '::1',
  ])
    expect([near, await status(near)]).toEqual([near, 200])
  for (const far of ['192.0.3.1', '::ffff:192.0.3.1', '2001:db8:2::1', '198.51.100.8'])
    await expectProblem(await app.fetch('/v1/jobs', { token, remote: far }), 403, 'unknown-client')
  expect(listAudit(host.store, 9)).toMatchObject(
    ['198.51.100.8', '2001:db8:2::1', '::ffff:192.0.3.1', '192.0.3.1'].map((remote) => ({
      action: 'connect',
      result: 'denied',
      remote,
    })),
  )
})

test('the unix socket answers under any host name', async () => {
  using host = testHost()
  const response = await host.app('socket').fetch('/v1/jobs', { headers: { Host: 'reeve' } })
  expect(response.status).toBe(200)
})

test('the 101st request of a minute from one address is refused with the time to wait', async () => {
  using host = testHost()
  const app = host.app()
  const ask = (remote: string) => app.fetch('/healthz', { remote })
  for (let count = 0; count < 100; count++) expect((await ask('192.0.2.1')).status).toBe(200)
  const refused = await ask('192.0.2.1')
  expect(refused.headers.get('Retry-After')).toBe('60')
  await expectProblem(refused, 429, 'rate-limited')
  expect((await ask('192.0.2.2')).status).toBe(200)
  host.clock.now += 60_000
  expect((await ask('192.0.2.1')).status).toBe(200)
})

test('the unix socket has no limit', async () => {
  using host = testHost()
  const app = host.app('socket')
  for (let count = 0; count < 120; count++) expect((await app.fetch('/healthz')).status).toBe(200)
})

test('a body of more than 64 KiB is refused, with and without its length told', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const token = host.token('operate')
  const send = (size: number, headers: Record<string, string>) =>
    app.fetch('/v1/jobs/permissions/run', { method: 'POST', token, headers, body: 'x'.repeat(size) })
  await expectProblem(await send(65_537, { 'Content-Length': '65537' }), 413, 'body-too-large')
  await expectProblem(await send(65_537, {}), 413, 'body-too-large')
  expect(host.asked).toEqual([])
  expect((await send(65_536, {})).status).toBe(202)
})

test.each([
  ['GET', '/nothing', 404, 'not-found'],
  ['GET', '/v1', 404, 'not-found'],
  ['GET', '/v1/jobs/', 404, 'not-found'],
  ['GET', '/v1/jobs/unknown', 404, 'not-found'],
  ['GET', '/v1/jobs/..%2f..%2fetc', 404, 'not-found'],
  ['GET', '/v1/runs/999999', 404, 'not-found'],
  ['GET', '/v1/runs/0x1', 404, 'not-found'],
  ['GET', '/v1/runs/99999999999999999999', 404, 'not-found'],
  ['GET', '/v1/runs?limit=0', 400, 'invalid-parameter'],
  ['GET', '/v1/runs?limit=1001', 400, 'invalid-parameter'],
  ['GET', '/v1/runs?limit=1&limit=2', 400, 'invalid-parameter'],
  ['GET', '/v1/runs?outcome=green', 400, 'invalid-parameter'],
  ['GET', '/v1/runs?since=yesterday', 400, 'invalid-parameter'],
  ['GET', '/v1/findings?serverity=critical', 400, 'invalid-parameter'],
  ['GET', '/v1/facts?cursor=bm90IGpzb24', 400, 'invalid-parameter'],
  ['GET', '/v1/jobs?state=ok', 400, 'invalid-parameter'],
  ['POST', '/v1/jobs/unknown/run', 404, 'not-found'],
  ['POST', '/v1/jobs/old-reports/run', 409, 'job-disabled'],
  ['POST', '/v1/jobs/vendor-check/run', 409, 'job-refused'],
  ['POST', '/v1/jobs/permissions/run?wait=perhaps', 400, 'invalid-parameter'],
  ['PUT', '/v1/jobs', 405, 'method-not-allowed'],
  ['DELETE', '/v1/runs/1', 405, 'method-not-allowed'],
  ['GET', '/v1/jobs/permissions/run', 405, 'method-not-allowed'],
  ['OPTIONS', '/v1/jobs', 405, 'method-not-allowed'],
  ['GET', '/sign-in', 405, 'method-not-allowed'],
])('%s %s is answered with the problem %p "%s"', async (method, path, status, code) => {
  using host = testHost({ filled: true })
  const response = await host.app().fetch(path, { method, token: host.token('admin') })
  await expectProblem(response, status, code)
})

test('a problem with parameters names each of them', async () => {
  using host = testHost()
  const response = await host.app().fetch('/v1/runs?limit=x&bogus=1', { token: host.token('read') })
  const { errors } = await expectProblem(response, 400, 'invalid-parameter')
  expect(errors).toEqual([
    { parameter: 'limit', reason: 'wanted a number' },
    { parameter: 'bogus', reason: 'there is no such parameter' },
  ])
})

test('405 says what is allowed', async () => {
  using host = testHost()
  const allowed = async (path: string) =>
    (await host.app().fetch(path, { method: 'PATCH' })).headers.get('Allow')
  expect(await allowed('/v1/jobs')).toBe('GET, HEAD')
  expect(await allowed('/v1/jobs/permissions/run')).toBe('POST')
})

test('HEAD answers as GET does, without a body', async () => {
  using host = testHost({ filled: true })
  const response = await host.app().fetch('/v1/jobs', { method: 'HEAD', token: host.token('read') })
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('application/json')
  expect(await response.text()).toBe('')
})

test('an error inside says nothing of its cause, and the log does', async () => {
  using host = testHost()
  const token = host.token('read')
  host.store.sqlite.run('DROP TABLE facts')
  const response = await host.app().fetch('/v1/facts', { token })
  const problem = await expectProblem(response, 500, 'internal')
  expect(JSON.stringify(problem)).not.toContain('facts')
  expect(JSON.stringify(host.warnings)).toContain('no such table: facts')
})

test.each(['/healthz', '/v1/status', '/v1/jobs', '/', '/nothing', '/v1/jobs?x=1'])(
  '%s has the security headers',
  async (path) => {
    using host = testHost()
    const { headers } = await host.app().fetch(path)
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) expect(headers.get(name)).toBe(value)
    const policy = headers.get('Content-Security-Policy')
    expect(policy).toStartWith("default-src 'none';")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(headers.has('Strict-Transport-Security')).toBe(false)
    expect(headers.has('Access-Control-Allow-Origin')).toBe(false)
  },
)

test('https is to be kept to where it is served', async () => {
  using host = testHost({ api: { tls: { certificate: '/etc/reeve/cert.pem', key: '/etc/reeve/key.pem' } } })
  const { headers } = await host.app().fetch('/healthz')
  expect(headers.get('Strict-Transport-Security')).toBe('max-age=31536000')
})

test('no GET changes anything in the store', async () => {
  using host = testHost({ filled: true })
  const token = host.token('admin')
  const app = host.app()
  await app.fetch('/v1/jobs', { token }) // notes the use of the token, once a minute
  const before = contents(host)
  for (const { method, path } of app.routes) {
    if (method !== 'GET') continue
    await app.fetch(path.replace(':name', 'permissions').replace(':id', '1'), { token })
  }
  expect(contents(host)).toEqual(before)
  expect(host.asked).toEqual([])
})

function contents({ store }: TestHost): Record<string, unknown[]> {
  const tables = store.sqlite.query<{ name: string }, []>(
    "SELECT name FROM sqlite_master WHERE type = 'table'",
  )
  return Object.fromEntries(
    tables.all().map(({ name }) => [name, store.sqlite.query(`SELECT * FROM "${name}"`).all()]),
  )
}
