import { join } from 'node:path'
import { createApp } from '../../../agent/api/app.ts'
import type { ApiDeps, RunNow, Transport } from '../../../agent/api/deps.ts'
import type { Config } from '../../../agent/config/schema.ts'
import { openStore, type Store } from '../../../agent/store/open.ts'
import { runs, type Scope } from '../../../agent/store/schema.ts'
import type { PlannedJob } from '../../../agent/store/status.ts'
import { createToken } from '../../../agent/store/tokens.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'
import { fill, NOW, runRow } from './filled.ts'

export { NOW }

/** A store in a directory of its own, the daemon's side of the API, and a clock that the test moves. */
export interface TestHost extends Disposable {
  store: Store
  deps: ApiDeps
  clock: { now: number }
  api: Config['api']
  /** What `runNow` was asked for. */
  asked: { job: string; actor: string }[]
  /** Milliseconds that answers were held back. */
  delays: number[]
  warnings: { message: string; fields: unknown }[]
  token(scope: Scope, name?: string): string
  /** An app as one listener has it. */
  app(transport?: Transport): TestApp
}

export interface TestApp {
  fetch(path: string, init?: TestRequest): Promise<Response>
  routes: { method: string; path: string }[]
}

export interface TestRequest {
  method?: string
  /** Bearer token. */
  token?: string | undefined
  headers?: Record<string, string>
  body?: string
  /** Address of the client. Default 127.0.0.1. */
  remote?: string
}

/** The JSON of an answer; its shape is checked against the description in openapi.test.ts. */
export async function bodyOf<T>(response: Response): Promise<T> {
  return (await response.json()) as T
}

/** Makes a host; with `filled`, one that has jobs in every state, runs, findings and inventory. */
export function testHost(options: { filled?: boolean; api?: Partial<Config['api']> } = {}): TestHost {
  const directory = temporaryDirectory('reeve-api')
  const store = openStore(join(directory.path, 'reeve.db'))
  const clock = { now: NOW }
  const asked: TestHost['asked'] = []
  const warnings: TestHost['warnings'] = []
  const delays: number[] = []
  const api: Config['api'] = {
    listen: '127.0.0.1:7338',
    socket: false,
    socketGroup: 'reeve',
    hosts: [],
    clients: [],
    ...options.api,
  }
  const jobs = options.filled ? fill(store) : []
  const deps: ApiDeps = {
    store,
    config: () => api,
    jobs: () => jobs,
    running: () => [],
    audits: () => [AUDIT],
    runNow: (job, actor) => {
      asked.push({ job, actor })
      return Promise.resolve(runFor(store, jobs, job, actor, clock.now))
    },
    reload: () => Promise.resolve(null),
    readiness: () => ({ ready: true, reasons: [] }),
    version: '0.1.0-test',
    startedAt: NOW - 86_400_000,
    hostname: 'web-1.example.org',
    now: () => clock.now,
    sleep: (delayMs) => {
      delays.push(delayMs)
      return Promise.resolve()
    },
    log: {
      info: () => {},
      warn: (message, fields) => {
        warnings.push({ message, fields })
      },
    },
  }
  return {
    store,
    deps,
    clock,
    api,
    asked,
    delays,
    warnings,
    token: (scope, name = `${scope}-token`) =>
      createToken(store, { name, scope, expiresAt: null }, clock.now).secret,
    app(transport = 'tcp') {
      const app = createApp(deps, transport)
      return {
        routes: app.routes,
        async fetch(path, request = {}) {
          const headers = new Headers({ Host: '127.0.0.1:7338', ...request.headers })
          if (request.token !== undefined) headers.set('Authorization', `Bearer ${request.token}`)
          const init = { method: request.method ?? 'GET', headers, body: request.body ?? null }
          const remote = transport === 'tcp' ? (request.remote ?? '127.0.0.1') : undefined
          return app.request(`http://127.0.0.1:7338${path}`, init, { remote })
        },
      }
    },
    [Symbol.dispose]() {
      store.close()
      directory[Symbol.dispose]()
    },
  }
}

function runFor(store: Store, jobs: PlannedJob[], name: string, actor: string, now: number): RunNow {
  const job = jobs.find((candidate) => candidate.name === name)
  if (!job) return { refused: 'unknown', reason: `there is no job "${name}"` }
  if (!job.enabled) return { refused: 'disabled', reason: `${name} is disabled` }
  if (job.refused) return { refused: 'refused', reason: job.refused }
  const row = runRow(job, { outcome: 'clean', startedAt: now, durationMs: 120 })
  const { id } = store.orm
    .insert(runs)
    .values({ ...row, trigger: 'api', actor })
    .returning({ id: runs.id })
    .get()
  return { runId: id, finished: Promise.resolve() }
}

/** A path with values for its parameters that the filled store knows, and the query that it cannot do without. */
export function callable(method: string, path: string): string {
  const filled = path
    .replace(/\{name\}|:name/, 'permissions')
    .replace(/\{id\}|:id/, path.includes('/runs/') ? '5' : '1')
  return method.toUpperCase() === 'POST' && /silences$|acknowledge$/.test(filled)
    ? `${filled}?for=2h&reason=maintenance`
    : filled
}

const AUDIT: ReturnType<ApiDeps['audits']>[number] = {
  name: 'web',
  profile: 'baseline',
  title: 'A web server',
  score: {
    passed: 1,
    total: 2,
    verdicts: { fail: 0, blind: 1, waived: 0, pass: 1, attested: 0, 'not-applicable': 0 },
  },
  items: [
    { id: 'a', title: 'A', references: [], verdict: 'pass', reasons: [], lookedAt: NOW, findings: [] },
    {
      id: 'b',
      title: 'B',
      references: ['CIS-1'],
      verdict: 'blind',
      reasons: ['no'],
      lookedAt: null,
      findings: [],
    },
  ],
}
