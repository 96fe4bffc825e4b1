import {
  type Finding,
  formatBytes,
  formatDuration,
  globMatcher,
  isGlob,
  type JournalSettings,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { Policy } from './config.ts'
import type { RotationRule } from './logrotate.ts'

export const JOURNAL = '/var/log/journal'
const DAY_MS = 86_400_000
const DROP_IN = '/etc/systemd/journald.conf.d/retention.conf'

/** What of the journal is on the disk. */
export interface JournalUse {
  /** Its directory is there. */
  isPersistent: boolean
  hasFiles: boolean
  bytes: number
  /** When its oldest archive begins; undefined where no name tells. */
  oldestMs: number | undefined
  fileSystemBytes: number
}

export function policiesFor(policies: Policy[], path: string): Policy[] {
  return policies.filter(({ paths }) => globMatcher(paths)(path))
}

/** What is kept, with the policies about it. */
export interface Kept {
  /** A log, or a pattern of logrotate. */
  subject: string
  policies: Policy[]
  /** The block of logrotate that it is in. */
  rule: RotationRule | undefined
}

/**
 * What the policies are about: patterns of logrotate and logs in them that a policy names, there or not, and `logs`,
 * those that are there. A log of which a pattern of its block has told everything is not told again. Pure.
 */
export function matchPolicies(
  rules: RotationRule[],
  policies: Policy[],
  logs: ReadonlyMap<string, Policy[]>,
): Kept[] {
  const kept = new Map<string, Kept>()
  const add = (one: Kept) => {
    if (one.policies.length > 0 && !kept.has(one.subject)) kept.set(one.subject, one)
  }
  const blocks = rules.map((rule) => ({ rule, matches: globMatcher(rule.patterns) }))
  for (const { rule, matches } of blocks) {
    const named = policies.flatMap(({ paths }) => paths.filter((path) => !isGlob(path) && matches(path)))
    for (const subject of [...rule.patterns, ...named])
      add({ subject, policies: policiesFor(policies, subject), rule })
  }
  for (const [subject, own] of logs) {
    const rule = blocks.find(({ matches }) => matches(subject))?.rule
    const isTold = rule?.patterns.some((pattern) => {
      const told = kept.get(pattern)
      return (
        told?.rule === rule &&
        own.every((one) => told?.policies.includes(one)) &&
        globMatcher([pattern])(subject)
      )
    })
    if (!isTold) add({ subject, policies: own, rule })
  }
  return [...kept.values()]
}

const GENERATION = /(?<=[^/])(?:\.\d{1,4}|[.-]\d{4}-?\d{2}-?\d{2}[-\d]*)(?:\.(?:gz|bz2|xz|zst))?$/

/** The log that a rotated file comes from: "a.log" of "a.log.2.gz" and "a.log-20261122"; a log's own path is its own. */
export function logOf(path: string): string {
  return path.replace(GENERATION, '')
}

/** Policies that cannot both be met. Pure. */
export function judgeConflict({ subject, policies }: Kept): Finding[] {
  const [least, most] = extremes(policies)
  return conflict(subject, least, most)
}

/** Policies against what logrotate keeps. Pure. */
export function judgeRetention({ subject, policies, rule }: Kept): Finding[] {
  const [least, most] = extremes(policies)
  return rule ? judgeRule(subject, rule, least, most) : judgeUnrotated(subject, most)
}

/** What nothing rotates is kept for ever: long enough for every policy, and too long for one that sets an end. */
function judgeUnrotated(subject: string, most: Policy | undefined): Finding[] {
  if (most?.atMost === undefined) return []
  const days = daysOf(most.atMost)
  return [
    {
      rule: 'retention-too-long',
      subject,
      severity: 'warning',
      summary: `${subject} is kept without an end in time (nothing rotates it), wanted at most ${demandOf(most, 'atMost')}`,
      // As many as there are days, so that a policy that demands less than this one allows is met as well.
      remedy: blockFor(subject, ['daily', `rotate ${days}`, `maxage ${days}`]),
      evidence: { path: subject },
    },
  ]
}

/** The command that has logrotate rotate a log. */
export function blockFor(log: string, directives: string[]): string {
  const lines = [...directives, 'compress', 'missingok', 'notifempty'].map((line) => `  ${line}\\n`).join('')
  const name = log.slice(log.lastIndexOf('/') + 1).replace(/\W+/g, '-')
  return `printf '"%s" {\\n${lines}}\\n' ${shellWord(log)} > /etc/logrotate.d/${name}`
}

const daysOf = (timeMs: number) => Math.max(1, Math.floor(timeMs / DAY_MS))

function judgeRule(
  subject: string,
  { periodMs, keep, maxAgeMs, path, line }: RotationRule,
  least: Policy | undefined,
  most: Policy | undefined,
): Finding[] {
  const findings: Finding[] = []
  const evidence = { path, line, keep: Number.isFinite(keep) ? keep : null }
  const place = `${path}:${line}`
  const byCount = periodMs === undefined ? undefined : periodMs * keep
  const shortest = Math.min(...[byCount, maxAgeMs].flatMap((time) => time ?? []))
  if (least?.atLeast !== undefined && shortest < least.atLeast) {
    const wanted = periodMs ? Math.ceil(least.atLeast / periodMs) : keep
    const age =
      maxAgeMs !== undefined && maxAgeMs < least.atLeast
        ? ` and maxage ${Math.ceil(least.atLeast / DAY_MS)}`
        : ''
    findings.push({
      rule: 'retention-too-short',
      subject,
      severity: 'warning',
      summary: `${subject} is kept for ${formatDuration(shortest)} (${place}), wanted at least ${demandOf(least, 'atLeast')}`,
      remedy: `Write "rotate ${wanted}"${age} in the block at ${place}`,
      evidence: { ...evidence, keptSeconds: Math.round(shortest / 1000) },
    })
  }
  // One more is there between a rotation and the next.
  const longest = Math.min(
    ...[periodMs === undefined ? undefined : periodMs * (keep + 1), maxAgeMs].flatMap((time) => time ?? []),
  )
  if (most?.atMost !== undefined && longest > most.atMost) {
    findings.push({
      rule: 'retention-too-long',
      subject,
      severity: 'warning',
      summary: `${subject} is kept ${Number.isFinite(longest) ? `for up to ${formatDuration(longest)}` : 'without an end in time'} (${place}), wanted at most ${demandOf(most, 'atMost')}`,
      remedy: `Write "maxage ${daysOf(most.atMost)}" in the block at ${place}`,
      evidence,
    })
  }
  return findings
}

/** The policy that demands most, and the one that allows least. */
function extremes(policies: Policy[]): [Policy | undefined, Policy | undefined] {
  const least = policies
    .filter(({ atLeast }) => atLeast !== undefined)
    .toSorted((a, b) => (b.atLeast ?? 0) - (a.atLeast ?? 0))
  const most = policies
    .filter(({ atMost }) => atMost !== undefined)
    .toSorted((a, b) => (a.atMost ?? 0) - (b.atMost ?? 0))
  return [least[0], most[0]]
}

function conflict(subject: string, least: Policy | undefined, most: Policy | undefined): Finding[] {
  if (least?.atLeast === undefined || most?.atMost === undefined || least.atLeast <= most.atMost) return []
  return [
    {
      rule: 'retention-conflict',
      subject,
      severity: 'warning',
      summary: `${subject} is to be kept at least ${demandOf(least, 'atLeast')}, and at most ${demandOf(most, 'atMost')}`,
      remedy: 'Decide which of the two policies holds for it, and take it out of the other one',
    },
  ]
}

function demandOf(policy: Policy, key: 'atLeast' | 'atMost'): string {
  return `${formatDuration(policy[key] ?? 0)}${policy.source === undefined ? '' : ` (${policy.source})`}`
}

const GIBIBYTE = 1024 ** 3

/** An archive of the journal has the time of its first entry in its name: …-SEQUENCE-MICROSECONDS.journal. Pure. */
export function beginOf(path: string): number | undefined {
  const hex = /@[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{16})\.journal$/.exec(path)?.[1]
  return hex === undefined ? undefined : Number(BigInt(`0x${hex}`) / 1000n)
}

/**
 * The journal of systemd: what journald is told, and whether its size has already cut it short. Where policies clash it
 * breaks one of them whatever it is told, and both is said, as of files. Pure.
 */
export function judgeJournal(
  settings: JournalSettings,
  use: JournalUse,
  policies: Policy[],
  nowMs: number,
): Finding[] {
  const [least, most] = extremes(policiesFor(policies, JOURNAL))
  return [...conflict(JOURNAL, least, most), ...judgeJournald(settings, use, least, most, nowMs)]
}

function judgeJournald(
  settings: JournalSettings,
  use: JournalUse,
  least: Policy | undefined,
  most: Policy | undefined,
  nowMs: number,
): Finding[] {
  const set = (line: string) =>
    `mkdir -p ${DROP_IN.slice(0, DROP_IN.lastIndexOf('/'))} && printf '[Journal]\\n${line}\\n' > ${DROP_IN} && systemctl restart systemd-journald`
  const finding = (summary: string, line: string): Finding => ({
    rule: 'journal-retention',
    subject: JOURNAL,
    severity: 'warning',
    summary,
    remedy: set(line),
    evidence: { storage: settings.storage, maxRetentionSeconds: Math.round(settings.maxRetentionMs / 1000) },
  })
  const isPersistent = settings.storage === 'persistent' || (settings.storage === 'auto' && use.isPersistent)
  if (least?.atLeast !== undefined) {
    const wanted = `wanted at least ${demandOf(least, 'atLeast')}`
    if (!isPersistent) {
      return [
        finding(
          `The journal is lost with every start of the host (Storage=${settings.storage}), ${wanted}`,
          'Storage=persistent',
        ),
      ]
    }
    if (settings.maxRetentionMs > 0 && settings.maxRetentionMs < least.atLeast) {
      const summary = `The journal is kept for ${formatDuration(settings.maxRetentionMs)} (MaxRetentionSec), ${wanted}`
      return [finding(summary, `MaxRetentionSec=${Math.ceil(least.atLeast / DAY_MS)}day`)]
    }
    // systemd takes a tenth of the file system, at most 4 GiB, where nobody says it (journald.conf(5)).
    const limit = settings.maxUseBytes ?? Math.min(use.fileSystemBytes / 10, 4 * GIBIBYTE)
    const ageMs = use.oldestMs === undefined ? undefined : nowMs - use.oldestMs
    if (ageMs !== undefined && ageMs < least.atLeast && use.bytes > 0.9 * limit) {
      const needed = Math.ceil(((use.bytes / Math.max(ageMs, DAY_MS)) * least.atLeast) / GIBIBYTE)
      const summary = `The journal is full (${formatBytes(use.bytes)}) and goes back ${formatDuration(ageMs)} only, ${wanted}`
      return [finding(summary, `SystemMaxUse=${needed}G`)]
    }
  }
  if (
    isPersistent &&
    most?.atMost !== undefined &&
    (settings.maxRetentionMs === 0 || settings.maxRetentionMs > most.atMost)
  ) {
    const kept =
      settings.maxRetentionMs === 0
        ? 'without an end in time'
        : `for ${formatDuration(settings.maxRetentionMs)}`
    const summary = `The journal is kept ${kept}, wanted at most ${demandOf(most, 'atMost')}`
    return [finding(summary, `MaxRetentionSec=${Math.floor(most.atMost / DAY_MS)}day`)]
  }
  return []
}
