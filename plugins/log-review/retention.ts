import {
  type Finding,
  formatBytes,
  formatDuration,
  globMatcher,
  isGlob,
  type JournalSettings,
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

/** What every log that a rule is about has to be kept: the rule's patterns, and paths of policies that they match. */
export function judgeRotation(rules: RotationRule[], policies: Policy[]): Finding[] {
  const seen = new Set<string>()
  return rules.flatMap((rule) => {
    const isOfRule = globMatcher(rule.patterns)
    const named = policies.flatMap(({ paths }) => paths.filter((path) => !isGlob(path) && isOfRule(path)))
    return [...new Set([...rule.patterns, ...named])].flatMap((subject) => {
      const own = policiesFor(policies, subject)
      if (own.length === 0 || seen.has(subject)) return []
      seen.add(subject)
      return judgeRule(subject, rule, own)
    })
  })
}

function judgeRule(subject: string, rule: RotationRule, policies: Policy[]): Finding[] {
  const { periodMs, keep, maxAgeMs, path, line } = rule
  const [least, most] = extremes(policies)
  const findings = conflict(subject, least, most)
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
      remedy: `Write "maxage ${Math.max(1, Math.floor(most.atMost / DAY_MS))}" in the block at ${place}`,
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

/** The journal of systemd: what journald is told, and whether its size has already cut it short. Pure. */
export function judgeJournal(
  settings: JournalSettings,
  use: JournalUse,
  policies: Policy[],
  nowMs: number,
): Finding[] {
  const [least, most] = extremes(policiesFor(policies, JOURNAL))
  const clash = conflict(JOURNAL, least, most)
  if (clash.length > 0) return clash
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
