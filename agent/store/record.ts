import { and, eq, inArray, isNull, notInArray } from 'drizzle-orm'
import type {
  Artifact,
  Blind,
  Fact,
  Finding,
  Inapplicable,
  Json,
  Metric,
  Scalar,
  Severity,
} from '../contract/report.ts'
import type { Store } from './open.ts'
import type { StoredFinding } from './read-findings.ts'
import { findingEvents, findings, memories, type Outcome, runs, type Trigger } from './schema.ts'
import type { Transition } from './transitions.ts'

export interface NewRun {
  job: string
  plugin: string
  trigger: Trigger
  mode: 'observe' | 'enforce'
  startedAt: number
  configDigest: string
  actor: string | null
  version: string
}

/** Writes the row of a run that begins: as interrupted, which is the truth if reeve dies in it. Returns its id. */
export function beginRun(store: Store, run: NewRun): number {
  return store.transaction(
    () =>
      store.orm
        .insert(runs)
        .values({ ...run, outcome: 'interrupted' })
        .returning({ id: runs.id })
        .get().id,
  )
}

/** A run that never started, with the reason. */
export function recordUnstarted(
  store: Store,
  run: NewRun,
  outcome: 'missed' | 'skipped',
  reason: string,
): number {
  return store.transaction(
    () =>
      store.orm
        .insert(runs)
        .values({ ...run, outcome, reason, finishedAt: run.startedAt, durationMs: 0 })
        .returning({ id: runs.id })
        .get().id,
  )
}

/** Closes runs whose process died: called when nothing runs, at start. Returns the jobs that they belong to. */
export function closeInterrupted(store: Store, job: string, at: number): number[] {
  return store.transaction(() =>
    store.orm
      .update(runs)
      .set({ finishedAt: at, outcome: 'interrupted', reason: 'reeve ended in the middle of it' })
      .where(and(isNull(runs.finishedAt), eq(runs.job, job)))
      .returning({ id: runs.id })
      .all()
      .map((row) => row.id),
  )
}

/** What is known of a finding of a job, open or resolved. */
export interface KnownFinding {
  id: number
  fingerprint: string
  rule: string
  subject: string
  severity: Severity
  state: 'open' | 'resolved'
  /** Accepted by a waiver, or silenced: it raised no alert. */
  muted: boolean
  /** Its evidence `reminder`: when that changes, an open finding is told of again. */
  reminder: Scalar
}

export function knownFindings(store: Store, job: string): KnownFinding[] {
  return store.orm
    .select({
      id: findings.id,
      fingerprint: findings.fingerprint,
      rule: findings.rule,
      subject: findings.subject,
      severity: findings.severity,
      state: findings.state,
      waived: findings.waived,
      silenced: findings.silenced,
      evidence: findings.evidence,
    })
    .from(findings)
    .where(eq(findings.job, job))
    .all()
    .map(({ waived, silenced, evidence, ...row }) => ({
      ...row,
      muted: waived !== null || silenced !== null,
      reminder: evidence.reminder ?? null,
    }))
}

export interface SeenRow {
  finding: Finding
  fingerprint: string
  known: KnownFinding | null
  transition: 'opened' | 'regressed' | 'reminded' | null
  waiver: StoredFinding['waived']
  silence: StoredFinding['silenced']
}

/**
 * Writes findings and their transitions; to be called inside of a transaction. Returns the transitions, for
 * the outbox of the same transaction.
 */
export function recordFindings(
  store: Store,
  source: { job: string; plugin: string; runId: number | null; at: number },
  seen: SeenRow[],
  resolved: KnownFinding[],
): Transition[] {
  const { at, runId } = source
  const transitions: Transition[] = []
  const note = (kind: Transition['kind'], row: typeof findings.$inferSelect) => {
    store.orm.insert(findingEvents).values({ findingId: row.id, runId, kind, at }).run()
    transitions.push({
      kind,
      at,
      runId,
      findingId: row.id,
      job: row.job,
      plugin: row.plugin,
      rule: row.rule,
      subject: row.subject,
      severity: row.severity,
      summary: row.summary,
      remedy: row.remedy,
      evidence: row.evidence,
      openedAt: row.openedAt,
      muted: row.waived !== null || row.silenced !== null,
    })
  }
  for (const { finding, fingerprint, known, transition, waiver, silence } of seen) {
    const present = {
      plugin: source.plugin,
      severity: finding.severity,
      summary: finding.summary,
      remedy: finding.remedy ?? null,
      evidence: finding.evidence ?? {},
      references: finding.references ?? [],
      fixable: finding.fixable ?? false,
      state: 'open' as const,
      lastSeenAt: at,
      resolvedAt: null,
      lastRunId: runId,
      waived: waiver,
      silenced: silence,
    }
    const row = known
      ? store.orm
          .update(findings)
          .set({ ...present, ...(transition === 'regressed' && { openedAt: at }) })
          .where(eq(findings.id, known.id))
          .returning()
          .get()
      : store.orm
          .insert(findings)
          .values({
            ...present,
            job: source.job,
            rule: finding.rule,
            subject: finding.subject,
            fingerprint,
            openedAt: at,
          })
          .returning()
          .get()
    if (transition === 'regressed') {
      store.orm
        .update(findings)
        .set({ regressions: row.regressions + 1 })
        .where(eq(findings.id, row.id))
        .run()
    }
    if (transition) note(transition, row)
  }
  for (const known of resolved) {
    const row = store.orm
      .update(findings)
      .set({ state: 'resolved', resolvedAt: at, lastRunId: runId })
      .where(eq(findings.id, known.id))
      .returning()
      .get()
    note('resolved', row)
  }
  return transitions
}

export interface FinishedRun {
  id: number
  job: string
  at: number
  outcome: Outcome
  reason: string | null
  durationMs: number
  sandbox: string | null
  findingCount: number
  blind: Blind[]
  inapplicable: Inapplicable[]
  coverage: { examined: number; skipped: number }
  metrics: Metric[]
  facts: Fact[]
  artifacts: Artifact[]
  memory: Json | undefined
  /** The run looked at everything: facts and metrics that it did not report are gone. */
  complete: boolean
}

/** Writes all of a finished run but its findings; to be called inside of a transaction. */
export function recordFinished(store: Store, run: FinishedRun): void {
  store.orm
    .update(runs)
    .set({
      outcome: run.outcome,
      reason: run.reason,
      finishedAt: run.at,
      durationMs: run.durationMs,
      sandbox: run.sandbox,
      findingCount: run.findingCount,
      blind: run.blind,
      inapplicable: run.inapplicable,
      examined: run.coverage.examined,
      skipped: run.coverage.skipped,
    })
    .where(eq(runs.id, run.id))
    .run()
  recordMetrics(store, run)
  recordFacts(store, run)
  recordArtifacts(store, run)
  if (run.memory !== undefined) {
    const value = JSON.stringify(run.memory)
    store.orm
      .insert(memories)
      .values({ job: run.job, value, runId: run.id })
      .onConflictDoUpdate({ target: memories.job, set: { value, runId: run.id } })
      .run()
  }
}

// Prepared statements: a ledger or a scan can have thousands of rows.

function recordMetrics(store: Store, run: FinishedRun): void {
  if (run.complete) store.sqlite.prepare('DELETE FROM metrics WHERE job = ?').run(run.job)
  const insert = store.sqlite.prepare(
    'INSERT OR REPLACE INTO metrics (job, name, labels, value, help, run_id, at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  for (const metric of run.metrics) {
    const labels = Object.fromEntries(
      Object.entries(metric.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    )
    insert.run(
      run.job,
      metric.name,
      JSON.stringify(labels),
      metric.value,
      metric.help ?? null,
      run.id,
      run.at,
    )
  }
}

function recordArtifacts(store: Store, run: FinishedRun): void {
  const insert = store.sqlite.prepare(
    `INSERT INTO artifacts (run_id, job, kind, path, bytes, sha256, data, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  for (const { kind, path, bytes, sha256, data } of run.artifacts) {
    insert.run(run.id, run.job, kind, path, bytes, sha256 ?? null, JSON.stringify(data ?? {}), run.at)
  }
}

function recordFacts(store: Store, run: FinishedRun): void {
  const upsert = store.sqlite.prepare(
    `INSERT INTO facts (job, kind, subject, data, first_seen_at, changed_at, seen_at)
     VALUES ($job, $kind, $subject, $data, $at, $at, $at)
     ON CONFLICT (job, kind, subject) DO UPDATE SET
       changed_at = CASE WHEN data = excluded.data THEN changed_at ELSE excluded.changed_at END,
       data = excluded.data, seen_at = excluded.seen_at`,
  )
  for (const fact of run.facts) {
    upsert.run({
      job: run.job,
      kind: fact.kind,
      subject: fact.subject,
      data: JSON.stringify(fact.data),
      at: run.at,
    })
  }
  if (run.complete)
    store.sqlite.prepare('DELETE FROM facts WHERE job = ? AND seen_at < ?').run(run.job, run.at)
}

/** The memory that the last run of a job left, if any. */
export function memoryOf(store: Store, job: string): Json | undefined {
  const row = store.orm.select({ value: memories.value }).from(memories).where(eq(memories.job, job)).get()
  return row ? (JSON.parse(row.value) as Json) : undefined
}

/** Jobs that are no longer configured: their open findings are closed without a word, their inventory goes. */
export function forgetJobs(store: Store, configured: string[], at: number): void {
  const gone = configured.length > 0 ? notInArray(findings.job, configured) : undefined
  store.transaction(() => {
    const open = store.orm
      .select({ id: findings.id })
      .from(findings)
      .where(and(eq(findings.state, 'open'), gone))
      .all()
    if (open.length > 0) {
      const ids = open.map((row) => row.id)
      store.orm
        .update(findings)
        .set({ state: 'resolved', resolvedAt: at })
        .where(inArray(findings.id, ids))
        .run()
      store.orm
        .insert(findingEvents)
        .values(ids.map((findingId) => ({ findingId, runId: null, kind: 'resolved' as const, at })))
        .run()
    }
    const marks = configured.map(() => '?').join(', ')
    for (const table of ['facts', 'metrics']) {
      store.sqlite.prepare(`DELETE FROM ${table} WHERE job NOT IN (${marks})`).run(...configured)
    }
  })
}
