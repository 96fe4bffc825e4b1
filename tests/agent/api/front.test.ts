import { expect, test } from 'bun:test'
import { createApp } from '../../../agent/api/app.ts'
import { createFront } from '../../../agent/api/front.ts'
import { testHost } from './host.ts'

/** A front before an app of its own; `loads` counts how often the app was asked for. */
function frontOf(host: ReturnType<typeof testHost>) {
  const app = createApp(host.deps, 'tcp')
  const counted = { loads: 0 }
  const front = createFront(host.deps, () => {
    counted.loads++
    return Promise.resolve(app)
  })
  const ask = (path: string, init: RequestInit = {}) =>
    front.fetch(
      new Request(`http://127.0.0.1:7338${path}`, {
        ...init,
        headers: { host: '127.0.0.1:7338', ...init.headers },
      }),
      { remote: '127.0.0.1' },
    )
  return { app, ask, counted }
}

test.each(['/healthz', '/readyz', '/readyz?verbose'])(
  'createFront() answers %s as the app does, without it',
  async (path) => {
    using host = testHost()
    const { app, ask, counted } = frontOf(host)
    const answer = await ask(path)
    const { headers } = answer
    expect(counted.loads).toBe(0)
    const wanted = await app.fetch(
      new Request(`http://127.0.0.1:7338${path}`, { headers: { host: '127.0.0.1' } }),
      { remote: '127.0.0.1' },
    )
    expect(answer.status).toBe(wanted.status)
    expect(await answer.json()).toEqual(await wanted.json())
    for (const name of ['cache-control', 'x-content-type-options']) {
      expect(headers.get(name)).toBe(wanted.headers.get(name))
    }
    expect(headers.get('content-type')).toStartWith('application/json')
  },
)

test('createFront() answers nobody outside of the networks that the API is for', async () => {
  using host = testHost({ api: { clients: ['10.0.0.0/8'] } })
  const front = createFront(host.deps, () => Promise.resolve(createApp(host.deps, 'tcp')))
  const ask = async (remote: string) =>
    (
      await front.fetch(new Request('http://127.0.0.1:7338/healthz', { headers: { host: '127.0.0.1' } }), {
        remote,
      })
    ).status
  expect([await ask('10.1.2.3'), await ask('192.0.2.1'), await ask('127.0.0.1')]).toEqual([200, 403, 200])
})

test('createFront() leaves it to the app to say why the daemon is not ready', async () => {
  using host = testHost()
  host.deps.readiness = () => ({ ready: false, reasons: ['the database does not answer: disk I/O error'] })
  const { ask, counted } = frontOf(host)
  const answer = await ask('/readyz')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ ready: false, reasons: [expect.stringContaining('disk I/O')] })
  expect(counted.loads).toBe(1)
  expect((await ask('/healthz')).status).toBe(200)
})

test.each<[string, RequestInit, number]>([
  ['/readyz', { headers: { host: 'attacker.example' } }, 421],
  ['/healthz', { headers: { host: '' } }, 421],
  ['/readyz', { method: 'POST' }, 405],
  ['/readyz/', {}, 404],
  ['/nothing/readyz', {}, 404],
  ['/v1/status', {}, 200],
])('createFront() hands %s with %p to the app', async (path, init, status) => {
  using host = testHost({ filled: true })
  const { ask, counted } = frontOf(host)
  expect((await ask(path, init)).status).toBe(status)
  expect(counted.loads).toBe(1)
})

test('createFront() loads the app once', async () => {
  using host = testHost({ filled: true })
  const { ask, counted } = frontOf(host)
  const answers = await Promise.all(['/v1/status', '/v1/status', '/'].map((path) => ask(path)))
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200])
  expect(counted.loads).toBe(1)
})
