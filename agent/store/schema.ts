import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { Blind, Inapplicable, Scalar, Severity } from '../contract/report.ts'

// All times are UTC milliseconds. Enumerations are text, so that a newer reeve can add a word.

export const TRIGGERS = ['schedule', 'start', 'catch-up', 'manual', 'api', 'timer', 'watch'] as const
export type Trigger = (typeof TRIGGERS)[number]

/** `interrupted` is also what a run that still goes on has in its row: after a crash the table tells the truth. */
export const OUTCOMES = [
  'clean',
  'findings',
  'blind',
  'failed',
  'timeout',
  'interrupted',
  'missed',
  'skipped',
] as const
export type Outcome = (typeof OUTCOMES)[number]

export const runs = sqliteTable(
  'runs',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    job: text('job').notNull(),
    plugin: text('plugin').notNull(),
    trigger: text('trigger').$type<Trigger>().notNull(),
    mode: text('mode').$type<'observe' | 'enforce'>().notNull(),
    outcome: text('outcome').$type<Outcome>().notNull(),
    /** Why it was missed, skipped, failed or blind; for people. */
    reason: text('reason'),
    startedAt: integer('started_at').notNull(),
    /** Null while it goes on, and for ever when reeve died in it. */
    finishedAt: integer('finished_at'),
    /** By the monotonic clock. */
    durationMs: integer('duration_ms'),
    examined: integer('examined').notNull().default(0),
    skipped: integer('skipped').notNull().default(0),
    findingCount: integer('finding_count').notNull().default(0),
    blind: text('blind', { mode: 'json' }).$type<Blind[]>().notNull().default([]),
    /** Rules that have nothing to judge on this host. */
    inapplicable: text('inapplicable', { mode: 'json' }).$type<Inapplicable[]>().notNull().default([]),
    /** What kept the run to its permissions: "landlock-7+seccomp", or "off". */
    sandbox: text('sandbox'),
    /** SHA-256 of the job's effective configuration. */
    configDigest: text('config_digest').notNull(),
    /** Who asked for it: a token's name, "socket:UID", or null for the scheduler. */
    actor: text('actor'),
    version: text('version').notNull(),
  },
  (table) => [
    index('runs_job_started').on(table.job, table.startedAt),
    index('runs_started').on(table.startedAt),
  ],
)

export const findings = sqliteTable(
  'findings',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    job: text('job').notNull(),
    plugin: text('plugin').notNull(),
    fingerprint: text('fingerprint').notNull(),
    rule: text('rule').notNull(),
    subject: text('subject').notNull(),
    severity: text('severity').$type<Severity>().notNull(),
    summary: text('summary').notNull(),
    remedy: text('remedy'),
    evidence: text('evidence', { mode: 'json' }).$type<Record<string, Scalar>>().notNull().default({}),
    references: text('references', { mode: 'json' }).$type<string[]>().notNull().default([]),
    fixable: integer('fixable', { mode: 'boolean' }).notNull().default(false),
    state: text('state').$type<'open' | 'resolved'>().notNull(),
    openedAt: integer('opened_at').notNull(),
    lastSeenAt: integer('last_seen_at').notNull(),
    resolvedAt: integer('resolved_at'),
    /** How often it came back after it was resolved. */
    regressions: integer('regressions').notNull().default(0),
    /** Null where reeve itself found it (a late job). */
    lastRunId: integer('last_run_id'),
    /** An active waiver: its reason and owner; such a finding raises no alert. */
    waived: text('waived', { mode: 'json' }).$type<{ owner: string; reason: string; expires: string }>(),
    /** An active silence: such a finding counts, but raises no alert until then. */
    silenced: text('silenced', { mode: 'json' }).$type<{ owner: string; reason: string; until: number }>(),
  },
  (table) => [
    uniqueIndex('findings_identity').on(table.job, table.fingerprint),
    index('findings_state').on(table.state, table.severity),
  ],
)

/** `reminded`: it is still open, and its evidence `reminder` says that it is time to tell of it again. */
export const TRANSITIONS = ['opened', 'regressed', 'reminded', 'resolved'] as const
export type TransitionKind = (typeof TRANSITIONS)[number]

export const findingEvents = sqliteTable(
  'finding_events',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    findingId: integer('finding_id')
      .notNull()
      .references(() => findings.id, { onDelete: 'cascade' }),
    runId: integer('run_id'),
    kind: text('kind').$type<TransitionKind>().notNull(),
    at: integer('at').notNull(),
  },
  (table) => [index('finding_events_finding').on(table.findingId)],
)

/** The latest value of each metric of each job. */
export const metrics = sqliteTable(
  'metrics',
  {
    job: text('job').notNull(),
    name: text('name').notNull(),
    /** JSON object with sorted keys. */
    labels: text('labels').notNull(),
    value: real('value').notNull(),
    help: text('help'),
    runId: integer('run_id').notNull(),
    at: integer('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.job, table.name, table.labels] })],
)

/** Inventory: what the last full look of each job found. */
export const facts = sqliteTable(
  'facts',
  {
    job: text('job').notNull(),
    kind: text('kind').notNull(),
    subject: text('subject').notNull(),
    data: text('data', { mode: 'json' }).$type<Record<string, Scalar>>().notNull(),
    firstSeenAt: integer('first_seen_at').notNull(),
    changedAt: integer('changed_at').notNull(),
    seenAt: integer('seen_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.job, table.kind, table.subject] })],
)

export const artifacts = sqliteTable(
  'artifacts',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    runId: integer('run_id').notNull(),
    job: text('job').notNull(),
    kind: text('kind').notNull(),
    path: text('path').notNull(),
    bytes: integer('bytes').notNull(),
    sha256: text('sha256'),
    data: text('data', { mode: 'json' }).$type<Record<string, Scalar>>().notNull().default({}),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [index('artifacts_job').on(table.job, table.createdAt)],
)

/** A plugin's small state, written with the run it came from. */
export const memories = sqliteTable('memories', {
  job: text('job').primaryKey(),
  value: text('value').notNull(),
  runId: integer('run_id').notNull(),
})

export type DeliveryState = 'pending' | 'delivered' | 'dead'

/** Alerts on their way: one row for each message and channel, written in the transaction of its cause. */
export const outbox = sqliteTable(
  'outbox',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    /** Constant over retries: the receiver's idempotency key. */
    messageId: text('message_id').notNull(),
    channel: text('channel').notNull(),
    /** Event type, such as "finding.opened". */
    type: text('type').notNull(),
    /** The message as JSON, the same for each kind of channel; rendered when sent. */
    payload: text('payload').notNull(),
    state: text('state').$type<DeliveryState>().notNull().default('pending'),
    attempts: integer('attempts').notNull().default(0),
    createdAt: integer('created_at').notNull(),
    nextAttemptAt: integer('next_attempt_at').notNull(),
    deliveredAt: integer('delivered_at'),
    lastError: text('last_error'),
  },
  (table) => [
    uniqueIndex('outbox_message').on(table.messageId, table.channel),
    index('outbox_due').on(table.state, table.nextAttemptAt),
  ],
)

/**
 * What somebody said at run time about findings: `acknowledged` (one finding: "I am on it") or `silenced` (all
 * that match, such as during maintenance). They count as before, but raise no alert until then.
 */
export const silences = sqliteTable('silences', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  kind: text('kind').$type<'acknowledged' | 'silenced'>().notNull(),
  /** Patterns as in a waiver; null: any job. */
  job: text('job'),
  rule: text('rule').notNull(),
  subject: text('subject').notNull(),
  owner: text('owner').notNull(),
  reason: text('reason').notNull(),
  until: integer('until').notNull(),
  createdAt: integer('created_at').notNull(),
  endedAt: integer('ended_at'),
})

/** Who did what by CLI and API: append-only. */
export const audit = sqliteTable(
  'audit',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    at: integer('at').notNull(),
    actor: text('actor').notNull(),
    remote: text('remote'),
    action: text('action').notNull(),
    object: text('object').notNull(),
    result: text('result').notNull(),
    detail: text('detail', { mode: 'json' }).$type<Record<string, Scalar>>().notNull().default({}),
  },
  (table) => [index('audit_at').on(table.at)],
)

/** Each scope includes the ones before it. `feed` sees the calendar and nothing else: it may stand in a URL. */
export const SCOPES = ['feed', 'read', 'operate', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** API tokens. Only the SHA-256 of a token is stored: it has 256 bits of entropy, so no salt is needed. */
export const tokens = sqliteTable('tokens', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  name: text('name').notNull().unique(),
  sha256: text('sha256').notNull().unique(),
  scope: text('scope').$type<Scope>().notNull(),
  createdAt: integer('created_at').notNull(),
  expiresAt: integer('expires_at'),
  lastUsedAt: integer('last_used_at'),
  revokedAt: integer('revoked_at'),
})
