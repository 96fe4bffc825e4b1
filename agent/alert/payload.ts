import { type Scalar, SEVERITIES, type Severity } from '../contract/report.ts'
import { findingFingerprint } from '../lib/fingerprint.ts'
import type { TransitionKind } from '../store/schema.ts'
import type { Transition } from '../store/transitions.ts'

/** The body has to stay below this many bytes (Standard Webhooks 1.0.0 recommends 20 kB). */
export const MAX_PAYLOAD_BYTES = 20_000

const MAX_LISTED = 10
const MAX_COUNTED = 10
const MAX_EVIDENCE = 20
const MAX_NAME = 200

/** The body of every message: `{type, timestamp, data}` of Standard Webhooks. Times are ISO 8601. */
export interface Payload {
  type: string
  timestamp: string
  data: Record<string, unknown>
}

interface FindingTexts {
  rule: string
  subject: string
  summary: string
  remedy: string | null
  evidence: Record<string, Scalar>
}

/**
 * The message about one finding. Texts that are too long for MAX_PAYLOAD_BYTES are cut in this order:
 * evidence, remedy, summary, subject, rule; `data.truncated` names what was cut. The fingerprint is always
 * that of the whole rule and subject.
 */
export function findingPayload(transition: Transition, host: string): string {
  const { rule, subject, summary, remedy, evidence } = transition
  let texts: FindingTexts = { rule, subject, summary, remedy, evidence }
  const truncated = new Set<string>()
  for (const cut of [undefined, ...CUTS]) {
    if (cut) {
      const shorter = { ...texts, ...cut(texts) }
      for (const field of FIELDS) if (shorter[field] !== texts[field]) truncated.add(field)
      texts = shorter
    }
    const json = render(transition, texts, [...truncated], host)
    if (Buffer.byteLength(json) < MAX_PAYLOAD_BYTES) return json
  }
  return render(transition, texts, [...truncated], host)
}

const FIELDS = ['evidence', 'remedy', 'summary', 'subject', 'rule'] as const

/** One after the other until it fits. The last ones are small enough even where each character takes six bytes. */
const CUTS: ((texts: FindingTexts) => Partial<FindingTexts>)[] = [
  ({ evidence }) => ({ evidence: shortenEvidence(evidence) }),
  ({ remedy }) => ({ remedy: remedy === null ? null : shorten(remedy, 2000) }),
  () => ({ evidence: {} }),
  ({ remedy }) => ({ remedy: remedy === null ? null : shorten(remedy, 500) }),
  ({ summary }) => ({ summary: shorten(summary, 500) }),
  ({ subject }) => ({ subject: shorten(subject, 1000) }),
  ({ rule }) => ({ rule: shorten(rule, 200) }),
]

function render(transition: Transition, texts: FindingTexts, truncated: string[], host: string): string {
  const { at, kind, job, plugin, runId, findingId, severity, openedAt } = transition
  return toJson(`finding.${kind}`, at, {
    host: shorten(host, MAX_NAME),
    job: shorten(job, MAX_NAME),
    plugin: shorten(plugin, MAX_NAME),
    runId,
    finding: {
      id: findingId,
      fingerprint: findingFingerprint(transition.rule, transition.subject),
      rule: texts.rule,
      subject: texts.subject,
      severity,
      summary: texts.summary,
      remedy: texts.remedy,
      evidence: texts.evidence,
      openedAt: new Date(openedAt).toISOString(),
      resolvedAt: kind === 'resolved' ? new Date(at).toISOString() : null,
    },
    ...(truncated.length > 0 && { truncated }),
  })
}

/** The message about many findings at once: counts, and the first few of them. `transitions` is not empty. */
export function summaryPayload(kind: TransitionKind, transitions: Transition[], host: string): string {
  const severities = Object.fromEntries(
    SEVERITIES.map((severity) => [severity, transitions.filter((t) => t.severity === severity).length]),
  )
  const jobs = tally(transitions.map((transition) => transition.job))
  return toJson(`findings.${kind}`, transitions[0]?.at ?? 0, {
    host: shorten(host, MAX_NAME),
    runId: transitions[0]?.runId ?? null,
    summary: `${transitions.length} more findings ${kind} at once: ${describeSeverities(severities)}`,
    total: transitions.length,
    severities,
    jobs,
    rules: tally(transitions.map((transition) => transition.rule)),
    first: transitions.slice(0, MAX_LISTED).map(({ findingId, job, rule, subject, severity }) => ({
      id: findingId,
      job,
      rule: shorten(rule, 100),
      subject: shorten(subject, 150),
      severity,
    })),
  })
}

/** The message of a test. */
export function testPayload(channel: string, host: string, now: number): string {
  return toJson('reeve.test', now, {
    host,
    channel,
    summary: `Test of the alert channel "${channel}": reeve can reach it`,
  })
}

function describeSeverities(counts: Record<string, number>): string {
  return [...SEVERITIES]
    .reverse()
    .filter((severity: Severity) => counts[severity])
    .map((severity) => `${counts[severity]} ${severity}`)
    .join(', ')
}

/** How often each occurs, the most frequent first; beyond the first MAX_COUNTED as "other". */
function tally(names: string[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) {
    const key = shorten(name, 100)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  const rest = sorted.slice(MAX_COUNTED).reduce((sum, [, total]) => sum + total, 0)
  return Object.fromEntries([
    ...sorted.slice(0, MAX_COUNTED),
    ...(rest > 0 ? [['other', rest] as const] : []),
  ])
}

function shortenEvidence(evidence: Record<string, Scalar>): Record<string, Scalar> {
  const entries = Object.entries(evidence)
    .slice(0, MAX_EVIDENCE)
    .map(([key, value]) => [shorten(key, 100), typeof value === 'string' ? shorten(value, 200) : value])
  return Object.fromEntries(entries)
}

/** At most `max` UTF-16 units of a text, and a word on how much is missing. */
export function shorten(text: string, max: number): string {
  if (text.length <= max) return text
  // Not in the middle of a character that takes two units.
  const end = /[\uD800-\uDBFF]/.test(text.charAt(max - 1)) ? max - 1 : max
  return `${text.slice(0, end)}… (${text.length - end} more)`
}

function toJson(type: string, at: number, data: Record<string, unknown>): string {
  const payload: Payload = { type, timestamp: new Date(at).toISOString(), data }
  return JSON.stringify(payload)
}
