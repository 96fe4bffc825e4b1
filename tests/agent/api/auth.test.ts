import { expect, test } from 'bun:test'
import { listAudit } from '../../../agent/store/audit.ts'
import { createToken, listTokens, revokeToken } from '../../../agent/store/tokens.ts'
import { callable, NOW, type TestApp, testHost } from './host.ts'

/** Routes that answer without a token. Whatever else the app serves must ask for one: see the test below. */
const OPEN = ['GET /healthz', 'GET /readyz', 'GET /page/style.css', 'GET /page/icon.svg']
/** Open on this machine; elsewhere the first asks for a token and the second shows nothing but the form. */
const LOCAL = ['GET /v1/status', 'GET /']
/** Forms of the page: they know the session cookie only, and must come from the page itself. */
const FORMS = ['POST /sign-in', 'POST /sign-out', 'POST /run']

function protectedRoutes(app: TestApp): { method: string; path: string }[] {
  const routes = app.routes.filter(({ method }) => method !== 'ALL')
  const names = routes.map(({ method, path }) => `${method} ${path}`)
  for (const name of [...OPEN, ...LOCAL, ...FORMS]) expect(names).toContain(name)
  return routes
    .filter(({ method, path }) => ![...OPEN, ...LOCAL, ...FORMS].includes(`${method} ${path}`))
    .map(({ method, path }) => ({
      method,
      path:
        method === 'GET' ? path.replace(':name', 'permissions').replace(':id', '1') : callable(method, path),
    }))
}

/** Another address for each request, so that no limit gets in the way. */
function addresses(): () => string {
  let count = 0
  return () => `10.1.${count >> 8}.${count++ & 255}`
}

test('every route but the open ones refuses a caller without a good token', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const next = addresses()
  const expired = createToken(host.store, { name: 'expired', scope: 'admin', expiresAt: NOW + 1 }, NOW).secret
  const revoked = host.token('admin', 'revoked')
  revokeToken(host.store, 'revoked', NOW)
  host.clock.now = NOW + 10
  const routes = protectedRoutes(app)
  expect(routes.length).toBeGreaterThanOrEqual(10)
  for (const { method, path } of routes) {
    for (const token of [undefined, expired, revoked, 'reeve_'.padEnd(70, '0'), 'nonsense']) {
      const response = await app.fetch(path, { method, token, remote: next() })
      expect(`${method} ${path} ${response.status}`).toBe(`${method} ${path} 401`)
      expect(response.headers.get('WWW-Authenticate')).toStartWith('Bearer realm="reeve"')
      expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    }
  }
  expect(host.asked).toEqual([])
})

test('every route gives each scope what it includes, and refuses the rest', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const next = addresses()
  const tokens = { read: host.token('read'), operate: host.token('operate'), admin: host.token('admin') }
  const needed = (method: string, path: string) =>
    method === 'GET' ? 'read' : path === '/v1/reload' ? 'admin' : 'operate'
  const order = ['read', 'operate', 'admin'] as const
  for (const { method, path } of protectedRoutes(app)) {
    for (const scope of order) {
      const { status } = await app.fetch(path, { method, token: tokens[scope], remote: next() })
      const enough = order.indexOf(scope) >= order.indexOf(needed(method, path))
      expect(`${method} ${path} as ${scope}: ${status === 403 ? 'refused' : 'answered'}`).toBe(
        `${method} ${path} as ${scope}: ${enough ? 'answered' : 'refused'}`,
      )
      if (enough) expect(status).toBeLessThan(300)
    }
  }
})

test('the unix socket asks for no token and acts as "socket"', async () => {
  using host = testHost({ filled: true })
  const app = host.app('socket')
  for (const { method, path } of protectedRoutes(app)) {
    expect((await app.fetch(path, { method })).status).toBeLessThan(300)
  }
  expect(host.asked).toEqual([{ job: 'permissions', actor: 'socket' }])
})

test('the status is open on this machine only, and not to what a proxy forwards', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const status = async (remote: string, headers: Record<string, string> = {}, token?: string) =>
    (await app.fetch('/v1/status', { remote, headers, token })).status
  expect(await status('127.0.0.1')).toBe(200)
  expect(await status('::1')).toBe(200)
  expect(await status('192.0.2.9')).toBe(401)
  expect(await status('127.0.0.1', { 'X-Forwarded-For': '192.0.2.9' })).toBe(401)
  expect(await status('127.0.0.1', { Forwarded: 'for=192.0.2.9' })).toBe(401)
  expect(await status('192.0.2.9', {}, host.token('read'))).toBe(200)
})

test.each(['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer  ', 'bearer', '', `Bearer ${'x'.repeat(4000)}`])(
  'an Authorization header %p is refused',
  async (header) => {
    using host = testHost()
    const response = await host.app().fetch('/v1/jobs', { headers: { Authorization: header } })
    expect(response.status).toBe(401)
  },
)

test('the sixth wrong token of a minute is not listened to, nor is a good one from that address', async () => {
  using host = testHost()
  const app = host.app()
  const good = host.token('read')
  const ask = async (token: string, remote: string) => {
    const response = await app.fetch('/v1/jobs', { token, remote })
    return [response.status, response.headers.get('Retry-After')]
  }
  for (let attempt = 0; attempt < 5; attempt++) expect(await ask('wrong', '192.0.2.1')).toEqual([401, null])
  expect(await ask('wrong', '192.0.2.1')).toEqual([429, '60'])
  expect(await ask(good, '192.0.2.1')).toEqual([429, '60'])
  expect(await ask(good, '192.0.2.2')).toEqual([200, null])
  host.clock.now += 59_999
  expect(await ask(good, '192.0.2.1')).toEqual([429, '1'])
  host.clock.now += 1
  expect(await ask(good, '192.0.2.1')).toEqual([200, null])
})

test('an answer to a wrong token is held back for 100 ms, in a header and in the form; no other is', async () => {
  using host = testHost()
  const app = host.app()
  await app.fetch('/v1/jobs')
  await app.fetch('/v1/jobs', { token: host.token('read') })
  expect(host.delays).toEqual([])
  await app.fetch('/v1/jobs', { token: 'wrong' })
  const form = { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'http://127.0.0.1:7338' }
  await app.fetch('/sign-in', { method: 'POST', headers: form, body: 'token=wrong' })
  expect(host.delays).toEqual([100, 100])
})

test('requests without any token are not counted as wrong ones', async () => {
  using host = testHost()
  const app = host.app()
  for (let attempt = 0; attempt < 20; attempt++) await app.fetch('/v1/jobs')
  expect((await app.fetch('/v1/jobs', { token: host.token('read') })).status).toBe(200)
})

test('each wrong token is in the audit log, with its address and without the token', async () => {
  using host = testHost()
  await host.app().fetch('/v1/jobs?limit=1', { token: 'reeve_mistyped', remote: '192.0.2.1' })
  const [entry, ...rest] = listAudit(host.store, 10)
  expect(rest).toEqual([])
  expect(entry).toMatchObject({
    at: NOW,
    actor: 'anonymous',
    remote: '192.0.2.1',
    action: 'authenticate',
    object: 'listJobs',
    result: 'denied',
  })
  expect(JSON.stringify(entry)).not.toContain('mistyped')
})

test('a refused scope is in the audit log under the name of the token', async () => {
  using host = testHost({ filled: true })
  await host.app().fetch('/v1/jobs/permissions/run', { method: 'POST', token: host.token('read', 'viewer') })
  expect(listAudit(host.store, 10)).toMatchObject([
    {
      actor: 'viewer',
      action: 'authorize',
      object: 'runJob',
      result: 'denied',
      detail: { needed: 'operate', has: 'read' },
    },
  ])
  expect(host.asked).toEqual([])
})

test('a token is good from the request after it was made, and no longer after it was revoked', async () => {
  using host = testHost()
  const app = host.app()
  const token = host.token('read', 'short-lived')
  expect((await app.fetch('/v1/jobs', { token })).status).toBe(200)
  expect(listTokens(host.store, NOW)[0]?.lastUsedAt).toBe(NOW)
  revokeToken(host.store, 'short-lived', NOW)
  expect((await app.fetch('/v1/jobs', { token })).status).toBe(401)
})

test('a good token is answered while the store cannot be written', async () => {
  using host = testHost({ filled: true })
  const token = host.token('read')
  host.store.sqlite.run('PRAGMA query_only = ON')
  const app = host.app()
  expect((await app.fetch('/v1/jobs', { token })).status).toBe(200)
  expect((await app.fetch('/v1/jobs', { token: 'wrong' })).status).toBe(401)
  expect(host.warnings.map(({ message }) => message)).toEqual([
    'use of a token could not be stored',
    'audit entry could not be stored',
  ])
})
