import { z } from 'zod'
import { SEVERITIES } from '../contract/report.ts'
import { OUTCOMES, TRANSITIONS, TRIGGERS } from '../store/schema.ts'
import { JOB_STATES } from '../store/status.ts'

// What the API says, told once: answers are made with these schemas, and /openapi.json is generated from them.
// They take what the store has (times in milliseconds) and give what is sent (times as text).

function build() {
  /** UTC milliseconds → "2026-11-21T22:33:44.000Z". */
  const instant = z.codec(z.number(), z.iso.datetime(), {
    decode: (milliseconds) => new Date(milliseconds).toISOString(),
    encode: (text) => Date.parse(text),
  })
  const count = z.number().nonnegative()
  const scalars = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
  const severityCounts = z.object({ info: count, warning: count, critical: count })
  const state = z.enum(JOB_STATES)
  const mode = z.enum(['observe', 'enforce'])
  const id = z.int().positive()
  const verdict = z.enum(['fail', 'blind', 'waived', 'pass', 'attested', 'not-applicable'])
  const next = z
    .string()
    .nullable()
    .describe('Give it as `cursor` to get the next page; null when this is the last')
  const blind = z.array(
    z.object({
      subject: z.string(),
      reason: z.string(),
      rules: z.array(z.string()).optional().describe('What could not be judged; missing: anything'),
    }),
  )
  const inapplicable = z.array(z.object({ rule: z.string(), reason: z.string() }))

  const progress = z.object({
    done: z.number(),
    total: z.number().describe('0 when unknown'),
    label: z.string(),
    unit: z.literal('bytes').optional().describe('What is counted; missing: what the label says'),
    files: z.number().optional().describe('How many files, or other entries, these bytes are of'),
    isEstimate: z.boolean().optional().describe('The total is a guess, such as what it was the last time'),
    ratePerSecond: z.number().optional().describe('Units a second of late; missing until it can be told'),
    remainingMs: z.number().optional().describe('Missing where the total or the rate is unknown'),
  })

  const Status = z.object({
    state: state.describe('The most urgent state of all jobs'),
    headline: z.string().describe('The same in two or three words'),
    summary: z.string().describe('The same in a sentence'),
    ready: z.boolean(),
    at: instant.describe('When this was looked up'),
    goodSince: instant
      .nullable()
      .describe('Start of the oldest "last good look" of all enabled jobs; null when one never had any'),
    jobs: z.record(state, count).describe('Jobs by state'),
    openFindings: severityCounts.describe('Open findings that are not waived'),
    alerts: z
      .object({ pending: count, dead: count })
      .describe('Messages that did not reach anybody yet, or never will'),
    sandbox: z
      .object({ confined: count, unconfined: count, unknown: count })
      .describe('Enabled jobs by whether the kernel kept their last run to its permissions'),
  })
  const Job = z.object({
    name: z.string(),
    plugin: z.string(),
    summary: z.string(),
    mode,
    schedule: z.string().describe('As configured, or "manual"'),
    timezone: z.string(),
    enabled: z.boolean(),
    state,
    reason: z.string().nullable().describe('Why, in words, where it is not ok'),
    nextRunAt: instant.nullable(),
    watch: z
      .object({
        state: z.enum(['watching', 'partial', 'off']),
        directories: count,
        reason: z.string().nullable(),
      })
      .nullish()
      .describe('How well its paths are watched for changes between scheduled runs; null where they are not'),
    lastRun: z
      .object({
        id,
        outcome: z.enum(OUTCOMES),
        startedAt: instant,
        durationMs: count.nullable(),
      })
      .nullable(),
    lastGoodAt: instant.nullable().describe('Start of the last run that could look at everything'),
    openFindings: severityCounts,
    sandbox: z
      .string()
      .nullable()
      .describe('What kept its last run to its permissions; "off" when nothing did'),
    running: z
      .object({
        runId: id,
        startedAt: instant,
        progress: progress.nullable(),
      })
      .nullable(),
  })
  const Run = z.object({
    id,
    job: z.string(),
    plugin: z.string(),
    trigger: z.enum(TRIGGERS),
    mode,
    outcome: z.enum(OUTCOMES).describe('While a run goes on, "interrupted" with `finishedAt` null'),
    reason: z.string().nullable(),
    startedAt: instant,
    finishedAt: instant.nullable(),
    durationMs: count.nullable(),
    examined: count,
    skipped: count,
    findingCount: count,
    blindCount: count,
    sandbox: z.string().nullable(),
    configDigest: z.string(),
    actor: z.string().nullable().describe('Who asked for it; null for the schedule'),
    version: z.string(),
  })
  const Finding = z.object({
    id,
    job: z.string(),
    plugin: z.string(),
    fingerprint: z.string(),
    rule: z.string(),
    subject: z.string(),
    severity: z.enum(SEVERITIES),
    summary: z.string(),
    remedy: z.string().nullable(),
    evidence: scalars,
    references: z.array(z.string()),
    fixable: z.boolean(),
    state: z.enum(['open', 'resolved']),
    openedAt: instant,
    lastSeenAt: instant,
    resolvedAt: instant.nullable(),
    regressions: count.describe('How often it came back after it was resolved'),
    lastRunId: id.nullable(),
    waived: z.object({ owner: z.string(), reason: z.string(), expires: z.string() }).nullable(),
    silenced: z
      .object({ owner: z.string(), reason: z.string(), until: instant })
      .nullable()
      .describe('It counts, but raises no alert until then'),
  })
  const Audit = z.object({
    name: z.string(),
    profile: z.string(),
    title: z.string(),
    score: z
      .object({
        passed: count.describe('Items that are right, or attested by a person'),
        total: count.describe('Items that apply to this host'),
        verdicts: z.record(verdict, count),
      })
      .describe('What nobody looked at, and what is accepted as it is, is not among the passed'),
    items: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        references: z.array(z.string()),
        verdict,
        reasons: z.array(z.string()).describe('Why it is blind or not applicable'),
        lookedAt: instant.nullable().describe('Start of the oldest look that the verdict rests on'),
        findings: z.array(Finding).describe('Open findings that speak against it'),
      }),
    ),
  })
  const Silence = z.object({
    id,
    kind: z.enum(['acknowledged', 'silenced']),
    job: z.string().nullable().describe('null: any'),
    rule: z.string(),
    subject: z.string(),
    owner: z.string(),
    reason: z.string(),
    createdAt: instant,
    until: instant,
  })
  const Artifact = z.object({
    id,
    runId: id,
    job: z.string(),
    kind: z.string(),
    path: z.string(),
    bytes: count,
    sha256: z.string().nullable(),
    data: scalars,
    createdAt: instant,
  })
  const Fact = z.object({
    job: z.string(),
    kind: z.string(),
    subject: z.string(),
    data: scalars,
    firstSeenAt: instant,
    changedAt: instant,
    seenAt: instant,
  })
  return {
    Health: z.object({ status: z.literal('pass') }),
    Readiness: z.object({ status: z.literal('pass'), ready: z.literal(true) }),
    Status,
    Job,
    JobDetail: z.object({
      ...Job.shape,
      runs: z.array(Run).describe('The newest first'),
      findings: z.array(Finding).describe('Open ones, the gravest first'),
    }),
    JobList: z.object({ items: z.array(Job) }),
    Run,
    RunDetail: z.object({
      ...Run.shape,
      progress: progress.nullable().describe('While it goes on'),
      blind: blind.describe('What could not be examined'),
      inapplicable: inapplicable.describe('Rules that have nothing to judge on this host'),
      transitions: z.array(
        z.object({
          kind: z.enum(TRANSITIONS),
          rule: z.string(),
          subject: z.string(),
          severity: z.enum(SEVERITIES),
        }),
      ),
      artifacts: z.array(Artifact),
    }),
    RunStarted: z.object({ runId: id, job: z.string() }),
    RunList: z.object({ items: z.array(Run), next }),
    Finding,
    FindingList: z.object({ items: z.array(Finding), next }),
    Audit,
    AuditList: z.object({ items: z.array(Audit) }),
    Silence,
    SilenceList: z.object({ items: z.array(Silence) }),
    SilenceMade: z.object({ id, findings: count.describe('Open findings that it is about') }),
    Artifact,
    ArtifactList: z.object({ items: z.array(Artifact), next }),
    Fact,
    FactList: z.object({ items: z.array(Fact), next }),
    Problem: z
      .object({ type: z.string(), title: z.string(), status: z.int(), detail: z.string() })
      .describe('RFC 9457; some have further members'),
  }
}

type Schemas = ReturnType<typeof build>
export type SchemaName = keyof Schemas

/** What an answer is made of, as the store has it. */
export type Unpresented<N extends SchemaName> = z.input<Schemas[N]>

let built: Schemas | undefined

/** Built when first asked for: a daemon that nobody asks does not pay for them. */
export function schemas(): Schemas {
  built ??= build()
  return built
}

/** A value of the store as it is sent. Members that the schema does not name are left out. */
export function present<N extends SchemaName>(name: N, value: z.input<Schemas[N]>): z.output<Schemas[N]> {
  return schemas()[name].decode(value as never) as z.output<Schemas[N]>
}
