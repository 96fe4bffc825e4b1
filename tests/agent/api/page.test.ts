import { expect, test } from 'bun:test'
import { SESSION_MS } from '../../../agent/api/page/sessions.ts'
import { listAudit } from '../../../agent/store/audit.ts'
import { findings } from '../../../agent/store/schema.ts'
import { revokeToken } from '../../../agent/store/tokens.ts'
import { type TestApp, testHost } from './host.ts'

const SAME_ORIGIN = { 'Sec-Fetch-Site': 'same-origin', Origin: 'http://127.0.0.1:7338' }

async function post(
  app: TestApp,
  path: string,
  fields: Record<string, string>,
  headers = {},
  remote?: string,
) {
  return app.fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...SAME_ORIGIN, ...headers },
    body: new URLSearchParams(fields).toString(),
    ...(remote !== undefined && { remote }),
  })
}

/** Signs in and returns the cookie as a browser sends it back. */
async function signIn(app: TestApp, token: string, remote?: string): Promise<string> {
  const response = await post(app, '/sign-in', { token: ` ${token}\n` }, {}, remote)
  expect(response.status).toBe(303)
  expect(response.headers.get('Location')).toBe('/')
  return response.headers.get('Set-Cookie')?.split(';')[0] ?? ''
}

async function page(app: TestApp, cookie?: string, remote = '127.0.0.1', path = '/'): Promise<string> {
  const response = await app.fetch(path, { remote, headers: cookie ? { Cookie: cookie } : {} })
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
  return response.text()
}

test('the page shows anyone on this machine the state in words, and nothing but counts', async () => {
  using host = testHost({ filled: true })
  const html = await page(host.app())
  expect(html).toContain('Not allowed to look')
  expect(html).toContain('A job is not allowed to run, so nothing is known of what it looks after.')
  for (const words of [
    '1 failed',
    '1 overdue',
    '1 blind',
    '2 ok',
    '2 warnings',
    '1 given up',
    '1 not confined',
  ]) {
    expect(html).toContain(words)
  }
  expect(html).toContain('2026-11-21 22:00:00 UTC')
  for (const detail of ['nightly-backup', '/etc/ssh', 'mode-differs', 'ops@example.org']) {
    expect(html).not.toContain(detail)
  }
})

test('the page shows a stranger nothing but the form', async () => {
  using host = testHost({ filled: true })
  for (const headers of [{}, { 'X-Forwarded-For': '127.0.0.1' }]) {
    const remote = 'X-Forwarded-For' in headers ? '127.0.0.1' : '192.0.2.9'
    const html = await (await host.app().fetch('/', { remote, headers })).text()
    expect(html).toContain('Sign in to see how this host is')
    for (const detail of ['Not allowed', 'web-1', '0.1.0', 'overdue', 'findings'])
      expect(html).not.toContain(detail)
  }
})

test('signing in shows jobs, findings with their remedy, proofs, runs and alerts', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const html = await page(app, await signIn(app, host.token('read')))
  for (const detail of [
    'nightly-backup',
    'it asks for write &quot;/etc&quot;, which the configuration does not grant',
    'chmod 0600 /etc/ssh/sshd_config.d/50-cloud.conf',
    'Accepted until 2027-03-31 by ops@example.org: shared on purpose',
    'web-1-20261121T013000Z.tar.zst.gpg',
    'HTTP 503 from hooks.example.org',
    '1 alert lost',
    'not confined',
  ]) {
    expect(html).toContain(detail)
  }
  expect(html).not.toContain('Run now')
  expect(html).not.toContain('Who did what')
})

test('what plugins and files are called cannot become markup or reorder the page', async () => {
  using host = testHost({ filled: true })
  host.store.orm
    .update(findings)
    .set({
      summary: '<script>alert(1)</script>',
      subject: '/tmp/\u202egnp.exe\u0007',
      remedy: 'rm "\u202ex"\n<i>',
    })
    .run()
  const app = host.app()
  const html = await page(app, await signIn(app, host.token('read')))
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  expect(html).toContain('/tmp/\\u202egnp.exe\\x07')
  expect(html).toContain('rm &quot;\ufffdx&quot;\n&lt;i&gt;')
  for (const raw of ['<script', '<i>', '\u202e', '\u0007']) expect(html).not.toContain(raw)
})

test('the page has no script and no inline style', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  for (const html of [await page(app), await page(app, await signIn(app, host.token('admin')))]) {
    expect(html).not.toMatch(/<script|<style|\sstyle=|\son\w+=|javascript:/i)
  }
})

test('only a caller who may operate gets buttons, and only an admin the audit log', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const operate = await page(app, await signIn(app, host.token('operate')))
  expect(operate.match(/aria-label="Run [\w-]+ now"/g)?.length).toBe(7)
  expect(operate).not.toContain('aria-label="Run vendor-check now"')
  expect(operate).not.toContain('Who did what')
  expect(await page(app, await signIn(app, host.token('admin')))).toContain('Who did what')
})

test('the unix socket shows everything without signing in', async () => {
  using host = testHost({ filled: true })
  const html = await (await host.app('socket').fetch('/')).text()
  expect(html).toContain('nightly-backup')
  expect(html).not.toContain('Sign out')
})

test('the session cookie is HttpOnly, SameSite=Strict and for 12 hours', async () => {
  using host = testHost()
  const response = await post(host.app(), '/sign-in', { token: host.token('read') })
  const cookie = response.headers.get('Set-Cookie') ?? ''
  expect(cookie).toMatch(/^reeve_session=[0-9a-f]{64}; /)
  for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/', 'Max-Age=43200'])
    expect(cookie).toContain(part)
  expect(cookie).not.toContain('Secure')
})

test('the session cookie is Secure and bound to the host where https is served', async () => {
  using host = testHost({ api: { tls: { certificate: '/c.pem', key: '/k.pem' } } })
  const app = host.app()
  const response = await post(app, '/sign-in', { token: host.token('read') })
  const cookie = response.headers.get('Set-Cookie') ?? ''
  expect(cookie).toStartWith('__Host-reeve_session=')
  expect(cookie).toContain('Secure')
  expect(await page(app, cookie.split(';')[0])).toContain('Sign out')
})

test('a session ends after 12 hours, with its token, and by signing out', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const token = host.token('read', 'browser')
  const isSignedIn = async (cookie: string) => (await page(app, cookie)).includes('nightly-backup')

  const aged = await signIn(app, token)
  host.clock.now += SESSION_MS - 1
  expect(await isSignedIn(aged)).toBe(true)
  host.clock.now += 1
  expect(await isSignedIn(aged)).toBe(false)

  const left = await signIn(app, token)
  const other = await signIn(app, token)
  const response = await post(app, '/sign-out', {}, { Cookie: left })
  expect(response.headers.get('Set-Cookie')).toMatch(
    /^reeve_session=; Max-Age=0; Path=\/; HttpOnly; SameSite=Strict/,
  )
  expect(await isSignedIn(left)).toBe(false)
  expect(await isSignedIn(other)).toBe(true)

  revokeToken(host.store, 'browser', host.clock.now)
  expect(await isSignedIn(other)).toBe(false)
})

test('a made-up session is nobody', async () => {
  using host = testHost({ filled: true })
  expect(await page(host.app(), `reeve_session=${'a'.repeat(64)}`)).not.toContain('nightly-backup')
})

test('the session cookie opens no route of the API', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const cookie = await signIn(app, host.token('admin'))
  expect((await app.fetch('/v1/jobs', { headers: { Cookie: cookie } })).status).toBe(401)
  const run = { method: 'POST', headers: { Cookie: cookie, ...SAME_ORIGIN } }
  expect((await app.fetch('/v1/jobs/permissions/run', run)).status).toBe(401)
  expect(host.asked).toEqual([])
})

test('a wrong token shows the page again with the reason, and counts like any other', async () => {
  using host = testHost()
  const app = host.app()
  for (let attempt = 0; attempt < 5; attempt++) {
    const response = await post(app, '/sign-in', { token: 'reeve_wrong' }, {}, '192.0.2.1')
    expect(response.status).toBe(401)
    const html = await response.text()
    expect(html).toContain('The token is unknown, expired or revoked.')
    expect(html).not.toContain('reeve_wrong')
  }
  const refused = await post(app, '/sign-in', { token: host.token('read') }, {}, '192.0.2.1')
  expect(refused.status).toBe(429)
  expect(refused.headers.get('Retry-After')).toBe('60')
  expect(listAudit(host.store, 10).map(({ object, result }) => `${object} ${result}`)).toEqual(
    Array(5).fill('sign-in denied'),
  )
})

test('a run is started by its button, and recorded with who did it', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const cookie = await signIn(app, host.token('operate', 'florence'))
  const response = await post(app, '/run', { job: 'permissions' }, { Cookie: cookie })
  expect(response.status).toBe(303)
  expect(host.asked).toEqual([{ job: 'permissions', actor: 'florence' }])
  expect(listAudit(host.store, 10).map(({ actor, action }) => `${actor} ${action}`)).toEqual([
    'florence run',
    'florence sign-in',
  ])
})

test('a run that is refused says why on the page', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const cookie = await signIn(app, host.token('operate'))
  const response = await post(app, '/run', { job: 'old-reports' }, { Cookie: cookie })
  expect(response.status).toBe(409)
  expect(await response.text()).toContain('old-reports is disabled')
})

test('the run form is refused without a session, and to a reader', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const anonymous = await post(app, '/run', { job: 'permissions' })
  expect(anonymous.status).toBe(401)
  expect(await anonymous.text()).toContain('Sign in first')
  const reader = await post(
    app,
    '/run',
    { job: 'permissions' },
    { Cookie: await signIn(app, host.token('read')) },
  )
  expect(reader.status).toBe(403)
  expect(host.asked).toEqual([])
})

test.each([
  { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example.com' },
  { 'Sec-Fetch-Site': 'same-site', Origin: 'http://127.0.0.1:9999' },
  { 'Sec-Fetch-Site': '', Origin: 'http://127.0.0.1:9999' },
  { 'Sec-Fetch-Site': '', Origin: 'null' },
  { 'Sec-Fetch-Site': '', Origin: '' },
  { 'Sec-Fetch-Site': 'cross-site', Origin: '', 'Content-Type': 'text/plain' },
])('a form of another site is refused, with the cookie as without: %j', async (headers) => {
  using host = testHost({ filled: true })
  const app = host.app()
  const cookie = await signIn(app, host.token('admin'))
  const before = listAudit(host.store, 10)
  for (const path of ['/run', '/sign-in', '/sign-out']) {
    const response = await post(app, path, { job: 'permissions', token: 'x' }, { Cookie: cookie, ...headers })
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ type: 'urn:reeve:problem:cross-site' })
  }
  expect(host.asked).toEqual([])
  expect(listAudit(host.store, 10)).toEqual(before)
  expect(await page(app, cookie)).toContain('Sign out')
})

test('the page reloads itself only when asked', async () => {
  using host = testHost()
  const app = host.app()
  expect(await page(app)).not.toContain('http-equiv="refresh"')
  expect(await page(app, undefined, '127.0.0.1', '/?reload=60')).toContain('content="60; url=/?reload=60"')
  expect(await page(app, undefined, '127.0.0.1', '/?reload=1')).not.toContain('http-equiv="refresh"')
})

test('what a browser may keep is asked for under another name when it changes', async () => {
  using host = testHost()
  const app = host.app()
  const assets = [...(await page(app)).matchAll(/(?:href|src)="(\/page\/[^"]+)"/g)].map(
    (match) => match[1] ?? '',
  )
  expect(assets.length).toBe(3)
  for (const asset of assets) {
    expect(asset).toMatch(/\?v=\w{8,}$/)
    const response = await app.fetch(asset, { remote: '192.0.2.9' })
    expect(response.status).toBe(200)
    expect(response.headers.get('Cache-Control')).toContain('immutable')
  }
})

test('a host without jobs is shown as one that nobody looks after', async () => {
  using host = testHost()
  const html = await page(host.app())
  expect(html).toContain('Nobody looks')
  expect(html).not.toContain('tone-good')
})

test('a daemon that is not ready says so above everything else', async () => {
  using host = testHost({ filled: true })
  host.deps.readiness = () => ({ ready: false, reasons: ['the database does not answer'] })
  const good = host.deps.jobs().filter((job) => job.name === 'app-logs')
  host.deps.jobs = () => good
  const html = await page(host.app())
  expect(html).toContain('reeve itself is not ready: the database does not answer')
  expect(html).not.toContain('verdict tone-good')
})
