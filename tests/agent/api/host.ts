import { join } from 'node:path'
import { createApp } from '../../../agent/api/app.ts'
import type { ApiDeps, RunNow, Transport } from '../../../agent/api/deps.ts'
import type { Config } from '../../../agent/config/schema.ts'
import { openStore, type Store } from '../../../agent/store/open.ts'
import { artifacts, facts, findings, metrics, outbox, runs, type Scope } from '../../../agent/store/schema.ts'
import type { PlannedJob } from '../../../agent/store/status.ts'
import { createToken } from '../../../agent/store/tokens.ts'
import { temporaryDirectory } from '../../kit/plugin.ts'

export const NOW = Date.parse('2026-11-21T22:00:00Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A store in a directory of its own, the daemon's side of the API, and a clock that the test moves. */
export interface TestHost extends Disposable {
  store: Store
  deps: ApiDeps
  clock: { now: number }
  api: Config['api']
  /** What `runNow` was asked for. */
  asked: { job: string; actor: string }[]
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
  const api: Config['api'] = {
    listen: '127.0.0.1:7338',
    socket: false,
    socketGroup: 'reeve',
    hosts: [],
    ...options.api,
  }
  const jobs = options.filled ? fill(store) : []
  const deps: ApiDeps = {
    store,
    config: () => api,
    jobs: () => jobs,
    running: () => [],
    runNow: (job, actor) => {
      asked.push({ job, actor })
      return Promise.resolve(runFor(store, jobs, job, actor, clock.now))
    },
    reload: () => Promise.resolve(null),
    readiness: () => ({ ready: true, reasons: [] }),
    version: '0.1.0-test',
    startedAt: NOW - DAY,
    hostname: 'web-1.example.org',
    now: () => clock.now,
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

function planned(name: string, plugin: string, summary: string, more: Partial<PlannedJob> = {}): PlannedJob {
  return {
    name,
    plugin,
    summary,
    mode: 'observe',
    schedule: '*/15 * * * *',
    timezone: 'Europe/Vienna',
    enabled: true,
    refused: null,
    nextRunAt: NOW + 7 * 60_000,
    expectedAfter: NOW - DAY,
    ...more,
  }
}

type RunRow = typeof runs.$inferInsert

function runRow(job: PlannedJob, more: Pick<RunRow, 'outcome' | 'startedAt'> & Partial<RunRow>): RunRow {
  const durationMs = more.durationMs ?? 850
  return {
    job: job.name,
    plugin: job.plugin,
    trigger: 'schedule',
    mode: job.mode,
    durationMs,
    finishedAt: more.startedAt + durationMs,
    examined: 120,
    sandbox: 'landlock-7+seccomp',
    configDigest: 'a'.repeat(64),
    version: '0.1.0-test',
    ...more,
  }
}

/** A host with a job in every state. */
function fill(store: Store): PlannedJob[] {
  const jobs = {
    permissions: planned(
      'permissions',
      'permission-drift',
      'Modes and owners of /etc and /srv against the policy',
    ),
    logs: planned('app-logs', 'log-rotation', 'Rotates logs without losing a byte', {
      mode: 'enforce',
      schedule: '@hourly',
    }),
    backup: planned('nightly-backup', 'backup', 'Encrypted, proven backups', {
      mode: 'enforce',
      schedule: '30 2 * * *',
      nextRunAt: NOW + 3.5 * HOUR,
    }),
    credentials: planned('credentials', 'credential-age', 'Age and expiry of tokens, keys and certificates', {
      schedule: '@daily',
    }),
    listeners: planned('listeners', 'command', 'Ports that should not be open'),
    disk: planned('smart', 'command', 'Health of the disks', { expectedAfter: NOW - HOUR }),
    inventory: planned('inventory', 'command', 'Lists installed packages', { expectedAfter: null }),
    external: planned('vendor-check', 'vendor-check', 'A plugin from outside', {
      refused: 'it asks for write "/etc", which the configuration does not grant',
      nextRunAt: null,
    }),
    old: planned('old-reports', 'command', 'No longer needed', { enabled: false, nextRunAt: null }),
  }
  const insertRun = (job: PlannedJob, more: Parameters<typeof runRow>[1]) =>
    store.orm.insert(runs).values(runRow(job, more)).returning({ id: runs.id }).get().id
  insertRun(jobs.disk, { outcome: 'clean', startedAt: NOW - 5 * HOUR })
  const backupRun = insertRun(jobs.backup, {
    outcome: 'clean',
    startedAt: NOW - 19.5 * HOUR,
    durationMs: 64_000,
  })
  const credentialRun = insertRun(jobs.credentials, {
    outcome: 'blind',
    startedAt: NOW - 14 * HOUR,
    findingCount: 2,
    blind: [{ subject: '/root/.ssh/id_ed25519', reason: 'permission denied' }],
  })
  insertRun(jobs.listeners, {
    outcome: 'failed',
    reason: 'Cannot run "/usr/lib/nagios/check_ports": ENOENT: no such file or directory',
    startedAt: NOW - 20 * 60_000,
    sandbox: 'off',
  })
  insertRun(jobs.logs, {
    outcome: 'clean',
    startedAt: NOW - 40 * 60_000,
    trigger: 'manual',
    actor: 'cli:root',
  })
  const driftRun = insertRun(jobs.permissions, {
    outcome: 'findings',
    startedAt: NOW - 8 * 60_000,
    examined: 18_204,
    findingCount: 3,
  })
  fillFindings(store, driftRun, credentialRun)
  fillInventory(store, backupRun)
  return Object.values(jobs)
}

type FindingRow = typeof findings.$inferInsert

function fillFindings(store: Store, driftRun: number, credentialRun: number): void {
  const finding = (
    more: Partial<FindingRow> & Pick<FindingRow, 'rule' | 'subject' | 'severity' | 'summary'>,
  ) => ({
    job: 'permissions',
    plugin: 'permission-drift',
    fingerprint: Bun.hash(`${more.rule}${more.subject}`).toString(16).padStart(32, '0'),
    state: 'open' as const,
    openedAt: NOW - 3 * HOUR,
    lastSeenAt: NOW - 8 * 60_000,
    lastRunId: driftRun,
    ...more,
  })
  store.orm
    .insert(findings)
    .values([
      finding({
        rule: 'mode-differs',
        subject: '/etc/ssh/sshd_config.d/<b>50-cloud</b>.conf',
        severity: 'critical',
        summary: 'The file is writable for everyone',
        remedy: 'chmod 0600 /etc/ssh/sshd_config.d/50-cloud.conf\nsystemctl reload ssh',
        evidence: { modeFound: '0666', modeWanted: '0600', changedAt: NOW - 4 * HOUR, sizeBytes: 4711 },
        references: ['guide 0.12'],
        fixable: true,
        regressions: 2,
      }),
      finding({
        rule: 'owner-differs',
        subject:
          '/srv/www/uploads/a-very-long-directory-name-that-has-to-be-broken-somewhere/and-another-one/index.html',
        severity: 'warning',
        summary: 'The file belongs to "www-data" instead of "deploy"',
        remedy: 'chown deploy:deploy /srv/www/uploads/index.html',
      }),
      finding({
        rule: 'mode-differs',
        subject: '/srv/share/public',
        severity: 'warning',
        summary: 'The directory is writable for its group',
        waived: { owner: 'ops@example.org', reason: 'shared on purpose', expires: '2027-03-31' },
      }),
      finding({
        job: 'credentials',
        plugin: 'credential-age',
        rule: 'expires-soon',
        subject: 'certificate /etc/ssl/site.pem',
        severity: 'warning',
        summary: 'The certificate expires in 12 days',
        remedy: 'certbot renew --cert-name site',
        lastRunId: credentialRun,
      }),
      finding({
        job: 'credentials',
        plugin: 'credential-age',
        rule: 'too-old',
        subject: 'token DEPLOY_TOKEN in /etc/app/env',
        severity: 'info',
        summary: 'The token is 84 days old',
        lastRunId: credentialRun,
      }),
      finding({
        rule: 'file-missing',
        subject: '/etc/app/limits.conf',
        severity: 'warning',
        summary: 'The file is missing',
        state: 'resolved',
        resolvedAt: NOW - HOUR,
      }),
    ])
    .run()
}

function fillInventory(store: Store, backupRun: number): void {
  const seen = { firstSeenAt: NOW - 30 * DAY, changedAt: NOW - 19.5 * HOUR, seenAt: NOW - 19.5 * HOUR }
  store.orm
    .insert(facts)
    .values([
      {
        job: 'nightly-backup',
        kind: 'backup',
        subject: '/var/backups/reeve/web-1-20261121T013000Z.tar.zst.gpg',
        data: {
          madeAt: NOW - 19.5 * HOUR,
          provenAt: NOW - 19.4 * HOUR,
          sizeBytes: 734_003_200,
          entries: 18_221,
        },
        ...seen,
      },
      {
        job: 'nightly-backup',
        kind: 'backup',
        subject: '/var/backups/reeve/web-1-20261120T013000Z.tar.zst.gpg',
        data: { madeAt: NOW - 43.5 * HOUR, provenAt: null, sizeBytes: 733_003_100, entries: 18_190 },
        ...seen,
      },
      {
        job: 'credentials',
        kind: 'credential',
        subject: 'certificate /etc/ssl/site.pem',
        data: { expiresAt: NOW + 12 * DAY, issuer: 'R11', selfSigned: false },
        ...seen,
      },
      {
        job: 'credentials',
        kind: 'credential',
        subject: 'token DEPLOY_TOKEN in /etc/app/env',
        data: { expiresAt: null, ageMs: 84 * DAY, rotatedAt: NOW - 84 * DAY },
        ...seen,
      },
    ])
    .run()
  store.orm
    .insert(artifacts)
    .values({
      runId: backupRun,
      job: 'nightly-backup',
      kind: 'backup',
      path: '/var/backups/reeve/web-1-20261121T013000Z.tar.zst.gpg',
      bytes: 734_003_200,
      sha256: 'c0ffee'.padEnd(64, '0'),
      createdAt: NOW - 19.5 * HOUR,
    })
    .run()
  const metric = { runId: backupRun, at: NOW - 19.5 * HOUR }
  store.orm
    .insert(metrics)
    .values([
      {
        job: 'nightly-backup',
        name: 'size_bytes',
        labels: '{}',
        value: 734_003_200,
        help: 'Size of the newest backup',
        ...metric,
      },
      {
        job: 'listeners',
        name: 'open',
        labels: '{"job":"x","port":"\\"80\\"\\n\\\\"}',
        value: 3,
        help: 'Open\nports \\',
        ...metric,
      },
    ])
    .run()
  const message = { type: 'finding.opened', payload: '{}', createdAt: NOW - HOUR, nextAttemptAt: NOW }
  store.orm
    .insert(outbox)
    .values([
      { ...message, messageId: 'msg_1', channel: 'ops', state: 'delivered', deliveredAt: NOW - HOUR },
      {
        ...message,
        messageId: 'msg_2',
        channel: 'ops',
        state: 'pending',
        lastError: 'HTTP 503 from hooks.example.org',
      },
      { ...message, messageId: 'msg_1', channel: 'chat', state: 'delivered', deliveredAt: NOW - HOUR },
      { ...message, messageId: 'msg_3', channel: 'pager', state: 'dead', lastError: 'HTTP 410: gone' },
    ])
    .run()
}
