import type { Blind, CheckContext, Finding } from '../../../agent/contract/mod.ts'
import type { AdoptedLog } from '../adopted/check.ts'
import type { Config } from '../config.ts'
import { growthPerDay, type Memory } from '../growth.ts'
import type { Settings } from '../logrotate/settings.ts'
import type { Survey, SurveyedLog } from '../survey.ts'
import { checkJournal } from './journal.ts'
import { judgeRetention, type Kept, PERIODS_MS, periodOfRule } from './retention.ts'
import { unmanagedFindings } from './unmanaged.ts'

/** What there is besides what is to be rotated now. */
export interface Overseen {
  found: Survey
  adopted: AdoptedLog[]
  unmanaged: { path: string; size: number }[]
  memory: Memory
}

/** Logs that nobody rotates, rules that match nothing, and what is kept against what is to be kept. */
export async function oversee(
  { config, host, now, signal }: CheckContext<Config>,
  { found, adopted, unmanaged, memory }: Overseen,
): Promise<{ findings: Finding[]; blind: Blind[] }> {
  const nowMs = now.getTime()
  const growth = (path: string) => growthPerDay(memory, path, nowMs)
  const kept = [
    ...found.logs.map((log) => keptBySet(log, growth(log.path), nowMs)),
    ...adopted.map((log) => keptByBlock(log, growth(log.path), nowMs)),
  ]
  const journal = await checkJournal(host, config.retention, nowMs, signal)
  return {
    findings: [
      ...(config.unmanaged ? unmanagedFindings(unmanaged, config.unmanaged, growth) : []),
      ...(config.unmanaged ? idleSets(config, found) : []),
      ...kept.flatMap((one) => judgeRetention(one, config.retention)),
      ...journal.findings,
    ],
    blind: journal.blind,
  }
}

function idleSets({ sets }: Config, { logs }: Survey): Finding[] {
  return sets
    .filter((set) => set.missingOk && !logs.some((log) => log.set === set))
    .map(({ name, paths }) => ({
      rule: 'rule-matches-nothing',
      subject: name,
      severity: 'info',
      summary: `No log matches ${paths.join(', ')} of the set ${name}`.slice(0, 2000),
      remedy: 'Remove the set if what wrote these logs is gone, or correct its paths',
      evidence: { set: name },
    }))
}

function keptBySet(log: SurveyedLog, bytesPerDay: number | undefined, nowMs: number): Kept {
  const { interval, size, keep, maxAge, name } = log.set
  const intervalMs = typeof interval === 'string' ? PERIODS_MS[interval] : interval
  return {
    path: log.path,
    rule: `set ${name}: keep ${keep}${intervalMs === undefined ? '' : `, ${interval}`}`,
    periodMs: periodOfRule(intervalMs, size, bytesPerDay),
    keep,
    maxAgeMs: maxAge,
    fullAgeMs: fullAge(
      log.generations.map(({ stat }) => stat.mtimeMs),
      keep,
      nowMs,
    ),
  }
}

function keptByBlock(
  { path, set, generations }: AdoptedLog,
  bytesPerDay: number | undefined,
  nowMs: number,
): Kept {
  const { criterion, maxSizeBytes, rotate, maxAgeDays } = set.settings
  const keep = rotate === -1 ? Number.POSITIVE_INFINITY : rotate
  const size = criterion.kind === 'size' ? criterion.bytes : maxSizeBytes > 0 ? maxSizeBytes : undefined
  return {
    path,
    rule: `logrotate: rotate ${rotate}, ${criterion.kind}`,
    periodMs: periodOfRule(intervalOf(criterion), size, bytesPerDay),
    keep,
    maxAgeMs: maxAgeDays > 0 ? maxAgeDays * 86_400_000 : undefined,
    fullAgeMs: fullAge(
      generations.map(({ mtimeMs }) => mtimeMs),
      keep,
      nowMs,
    ),
  }
}

function intervalOf(criterion: Settings['criterion']): number | undefined {
  if (criterion.kind === 'size') return undefined
  return criterion.kind === 'minutes' ? criterion.count * 60_000 : PERIODS_MS[criterion.kind]
}

function fullAge(times: number[], keep: number, nowMs: number): number | undefined {
  return times.length > 0 && times.length >= keep ? nowMs - Math.min(...times) : undefined
}
