import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { listAudit } from '../../../agent/store/audit.ts'
import { facts, runs } from '../../../agent/store/schema.ts'
import { bodyOf, NOW, type TestApp, testHost } from './host.ts'

interface Item {
  id: number
  name: string
  state: string
  summary: string
  waived: unknown
}

interface Page {
  items: Item[]
  next: string | null
}

async function json<T = Page>(app: TestApp, path: string, token: string): Promise<T> {
  const response = await app.fetch(path, { token })
  expect(`${path} ${response.status}`).toBe(`${path} 200`)
  return bodyOf<T>(response)
}

test('/healthz and /readyz answer when all is well', async () => {
  using host = testHost()
  expect(await (await host.app().fetch('/healthz')).json()).toEqual({ status: 'pass' })
  expect(await (await host.app().fetch('/readyz')).json()).toEqual({ status: 'pass', ready: true })
})

test('/readyz is 503 with the reasons when the daemon does not do its work', async () => {
  using host = testHost()
  host.deps.readiness = () => ({ ready: false, reasons: ['the database does not answer', 'stopping'] })
  const response = await host.app().fetch('/readyz')
  expect(response.status).toBe(503)
  expect(response.headers.get('Content-Type')).toBe('application/problem+json')
  expect(await response.json()).toMatchObject({
    ready: false,
    reasons: ['the database does not answer', 'stopping'],
  })
  expect((await host.app().fetch('/healthz')).status).toBe(200)
})

test('/v1/status tells the most urgent state in words and counts', async () => {
  using host = testHost({ filled: true })
  expect(await (await host.app().fetch('/v1/status')).json()).toEqual({
    state: 'refused',
    headline: 'Not allowed to look',
    summary: 'A job is not allowed to run, so nothing is known of what it looks after.',
    ready: true,
    at: '2026-11-21T22:00:00.000Z',
    goodSince: null,
    jobs: {
      refused: 1,
      failed: 1,
      late: 1,
      blind: 1,
      critical: 1,
      warning: 0,
      pending: 1,
      ok: 2,
      disabled: 1,
    },
    openFindings: { info: 1, warning: 2, critical: 1 },
    alerts: { pending: 1, dead: 1 },
    sandbox: { confined: 5, unconfined: 1, unknown: 2 },
  })
})

test('/v1/status names no job, path, subject or host', async () => {
  using host = testHost({ filled: true })
  const text = await (await host.app().fetch('/v1/status')).text()
  for (const secret of ['permissions', 'backup', '/etc', '/srv', 'example.org', 'mode-differs']) {
    expect(text).not.toContain(secret)
  }
})

test('/v1/status of a host without jobs is not ok', async () => {
  using host = testHost()
  const status = await (await host.app().fetch('/v1/status')).json()
  expect(status).toMatchObject({ state: 'pending', headline: 'Nobody looks', goodSince: null })
})

test('/v1/jobs has the state of each job, why, and what it does now', async () => {
  using host = testHost({ filled: true })
  const progress = { done: 5, total: 10, label: 'files' }
  host.deps.running = () => [{ job: 'nightly-backup', runId: 7, startedAt: NOW - 1000, progress }]
  const { items } = await json(host.app(), '/v1/jobs', host.token('read'))
  const states = items.map((job) => `${job.name} ${job.state}`)
  expect(states).toEqual([
    'permissions critical',
    'app-logs ok',
    'nightly-backup ok',
    'credentials blind',
    'listeners failed',
    'smart late',
    'inventory pending',
    'vendor-check refused',
    'old-reports disabled',
  ])
  expect(items[2]).toMatchObject({
    running: { runId: 7, startedAt: '2026-11-21T21:59:59.000Z', progress },
    sandbox: 'landlock-7+seccomp',
    nextRunAt: '2026-11-22T01:30:00.000Z',
  })
  expect(items[4]).toMatchObject({
    sandbox: 'off',
    reason: expect.stringContaining('check_ports'),
    running: null,
  })
})

test('/v1/jobs/{name} has the last runs and the open findings, the gravest first', async () => {
  using host = testHost({ filled: true })
  const job = await json<{ runs: unknown[]; findings: Item[] }>(
    host.app(),
    '/v1/jobs/permissions',
    host.token('read'),
  )
  expect(job.runs).toMatchObject([{ job: 'permissions', outcome: 'findings', blindCount: 0 }])
  expect(job.findings.map((finding) => finding.summary)).toEqual([
    'The file is writable for everyone',
    'The file belongs to "www-data" instead of "deploy"',
    'The directory is writable for its group',
  ])
  expect(job.findings[2]?.waived).toEqual({
    owner: 'ops@example.org',
    reason: 'shared on purpose',
    expires: '2027-03-31',
  })
})

test('POST run answers 202 with where to look, and leaves an audit entry', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const token = host.token('operate', 'deploy-bot')
  const response = await app.fetch('/v1/jobs/permissions/run', { method: 'POST', token })
  expect(response.status).toBe(202)
  const { runId } = await bodyOf<{ runId: number }>(response)
  expect(response.headers.get('Location')).toBe(`/v1/runs/${runId}`)
  expect(await json(app, `/v1/runs/${runId}`, token)).toMatchObject({
    job: 'permissions',
    actor: 'deploy-bot',
  })
  expect(listAudit(host.store, 5)).toMatchObject([
    { actor: 'deploy-bot', action: 'run', object: 'permissions', result: 'ok', detail: { run: runId } },
  ])
})

test('POST run with wait answers when the run has ended, with its outcome', async () => {
  using host = testHost({ filled: true })
  const end = Promise.withResolvers<void>()
  const { runNow } = host.deps
  host.deps.runNow = async (job, actor) => {
    const result = await runNow(job, actor)
    return 'runId' in result ? { ...result, finished: end.promise } : result
  }
  let answered = false
  const request = host
    .app()
    .fetch('/v1/jobs/permissions/run?wait=true', { method: 'POST', token: host.token('operate') })
    .finally(() => {
      answered = true
    })
  await Bun.sleep(0)
  expect(answered).toBe(false)
  end.resolve()
  const response = await request
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ job: 'permissions', outcome: 'clean', durationMs: 120 })
})

test('POST run of a running job is 409 with the reason, and in the audit log', async () => {
  using host = testHost({ filled: true })
  host.deps.runNow = () => Promise.resolve({ refused: 'running', reason: 'run 12 is going on' })
  const token = host.token('operate')
  const response = await host.app().fetch('/v1/jobs/permissions/run', { method: 'POST', token })
  expect(response.status).toBe(409)
  expect(await response.json()).toMatchObject({
    type: 'urn:reeve:problem:job-running',
    detail: 'run 12 is going on',
  })
  expect(listAudit(host.store, 5)).toMatchObject([{ action: 'run', result: 'refused' }])
})

test('POST reload says what is wrong with the configuration that it refuses, and records both ends', async () => {
  using host = testHost()
  const app = host.app()
  const token = host.token('admin', 'deployer')
  const reload = () => app.fetch('/v1/reload', { method: 'POST', token })
  expect((await reload()).status).toBe(204)
  host.deps.reload = () => Promise.resolve('reeve.yaml:3:1: jobs: unknown key')
  const refused = await reload()
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ detail: 'reeve.yaml:3:1: jobs: unknown key' })
  expect(listAudit(host.store, 5).map(({ actor, action, result }) => `${actor} ${action} ${result}`)).toEqual(
    ['deployer reload refused', 'deployer reload ok'],
  )
})

test('/v1/runs filters by job, outcome and time', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const token = host.token('read')
  const ids = async (query: string) =>
    (await json(app, `/v1/runs?${query}`, token)).items.map((run) => run.id)
  expect(await ids('')).toEqual([6, 4, 5, 1, 3, 2])
  expect(await ids('job=credentials')).toEqual([3])
  expect(await ids('job=nobody')).toEqual([])
  expect(await ids('outcome=clean')).toEqual([5, 1, 2])
  expect(await ids('since=1h')).toEqual([6, 4, 5])
  expect(await ids('since=2026-11-21T21:45:00Z')).toEqual([6])
  expect(await ids('since=2026-11-21T22:45:00%2B01:00')).toEqual([6])
  expect(await ids('since=2026-11-21&job=smart')).toEqual([1])
})

test('/v1/runs/{id} has what could not be examined', async () => {
  using host = testHost({ filled: true })
  const run = await json(host.app(), '/v1/runs/3', host.token('read'))
  expect(run).toMatchObject({
    outcome: 'blind',
    blindCount: 1,
    blind: [{ subject: '/root/.ssh/id_ed25519', reason: 'permission denied' }],
  })
})

test('/v1/findings filters by state, severity, job and rule', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const token = host.token('read')
  const ids = async (query: string) =>
    (await json(app, `/v1/findings?${query}`, token)).items.map((finding) => finding.id)
  expect(await ids('')).toEqual([6, 5, 4, 3, 2, 1])
  expect(await ids('state=open')).toEqual([5, 4, 3, 2, 1])
  expect(await ids('state=resolved')).toEqual([6])
  expect(await ids('severity=critical')).toEqual([1])
  expect(await ids('job=credentials&severity=warning')).toEqual([4])
  expect(await ids('rule=mode-differs')).toEqual([3, 1])
})

test('/v1/artifacts and /v1/facts filter by job and kind', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const token = host.token('read')
  const total = async (path: string) => (await json(app, path, token)).items.length
  expect(await total('/v1/artifacts?kind=backup')).toBe(1)
  expect(await total('/v1/artifacts?kind=log')).toBe(0)
  expect(await total('/v1/facts')).toBe(4)
  expect(await total('/v1/facts?kind=credential')).toBe(2)
  expect(await total('/v1/facts?job=nightly-backup&kind=credential')).toBe(0)
})

async function allPages(app: TestApp, path: string, token: string): Promise<unknown[]> {
  const items: unknown[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: Page = await json(app, `${path}${query}`, token)
    items.push(...page.items)
    cursor = page.next
  }
  return items
}

test('pages of a list have each item exactly once, whatever their size', async () => {
  using host = testHost({ filled: true })
  host.store.orm
    .insert(facts)
    .values(
      ['a', 'b"\\', 'ü'.repeat(4096), 'a', 'z\n'].map((subject, index) => ({
        job: index < 3 ? 'credentials' : 'x',
        kind: 'key',
        subject,
        data: {},
        firstSeenAt: NOW,
        changedAt: NOW,
        seenAt: NOW,
      })),
    )
    .run()
  const app = host.app('socket')
  for (const path of ['/v1/runs', '/v1/findings', '/v1/artifacts', '/v1/facts']) {
    const whole = await allPages(app, `${path}?limit=1000`, '')
    expect(whole.length).toBeGreaterThan(0)
    for (const limit of [1, 2, 3, whole.length]) {
      expect(await allPages(app, `${path}?limit=${limit}`, '')).toEqual(whole)
    }
  }
})

test('a page stays where it was while new runs come in', async () => {
  using host = testHost({ filled: true })
  const app = host.app()
  const token = host.token('operate')
  const first = await json(app, '/v1/runs?limit=3', token)
  await app.fetch('/v1/jobs/permissions/run', { method: 'POST', token })
  const second = await json(app, `/v1/runs?limit=3&cursor=${first.next}`, token)
  expect(second.items.map((run) => run.id)).toEqual([1, 3, 2])
  expect(second.next).toBeNull()
})

test('the limit of a list is 50 unless told', async () => {
  using host = testHost({ filled: true })
  const row = host.store.orm.select().from(runs).get()
  if (!row) throw new Error('no run to copy')
  const { id: _id, ...values } = row
  host.store.orm.insert(runs).values(Array<typeof values>(60).fill(values)).run()
  const { items, next } = await json(host.app(), '/v1/runs', host.token('read'))
  expect(items.length).toBe(50)
  expect(next).toBe(String(items[49]?.id))
})

test('no query of any kind makes the API fail', async () => {
  using host = testHost({ filled: true })
  const app = host.app('socket')
  const name = fc.constantFrom(
    'job',
    'outcome',
    'since',
    'limit',
    'cursor',
    'state',
    'severity',
    'rule',
    'kind',
    '__proto__',
    '',
  )
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(
      '1',
      '-1',
      '1e9',
      '0',
      'null',
      "' or 1=1 --",
      '%00',
      '%ff',
      '24h',
      '9'.repeat(400),
      'permissions',
    ),
  )
  const path = fc.constantFrom('/v1/runs', '/v1/findings', '/v1/artifacts', '/v1/facts', '/v1/jobs')
  await fc.assert(
    fc.asyncProperty(path, fc.array(fc.tuple(name, value), { maxLength: 4 }), async (where, pairs) => {
      const raw = pairs
        .map(([key, text]) => `${key}=${text.includes('%') ? text : escapeQuery(text)}`)
        .join('&')
      const response = await app.fetch(`${where}?${raw}`)
      expect([200, 400]).toContain(response.status)
      await response.json()
    }),
    { seed: 11, numRuns: 150 },
  )
  expect(host.warnings).toEqual([])
})

function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
