import type { Store } from '../../../agent/store/open.ts'
import { artifacts, facts, findings, metrics, outbox, runs, silences } from '../../../agent/store/schema.ts'
import type { PlannedJob } from '../../../agent/store/status.ts'

export const NOW = Date.parse('2026-11-21T22:00:00Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR

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
    cutOff: false,
    ...more,
  }
}

type RunRow = typeof runs.$inferInsert

export function runRow(
  job: PlannedJob,
  more: Pick<RunRow, 'outcome' | 'startedAt'> & Partial<RunRow>,
): RunRow {
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

/** Jobs in every state, with their runs, findings, inventory and alerts. */
export function fill(store: Store): PlannedJob[] {
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
  store.orm.insert(silences).values(maintenance).run()
  return Object.values(jobs)
}

const maintenance = {
  kind: 'silenced' as const,
  job: 'app-logs',
  rule: '**',
  subject: '/srv/**',
  owner: 'ops',
  reason: 'maintenance',
  createdAt: NOW - HOUR,
  until: NOW + 30 * DAY,
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
