import {
  type CheckContext,
  describeError,
  type Entry,
  type FileType,
  globBase,
  globMatcher,
  type HostReader,
  isWithin,
} from '../../../agent/contract/mod.ts'
import { type Config, policyOf } from '../config.ts'
import {
  combineRules,
  type Deviation,
  detailsWanted,
  type Judged,
  judge,
  type Rule,
  resolveRules,
  type Wanted,
} from './judge.ts'

export const POLICY = 'policy'

export interface PolicySink {
  onDeviation(entry: Entry, wanted: Wanted, deviations: Deviation[]): void
  onAbsence(rule: Rule): void
  onBlind(path: string, reason: string): void
}

/** Judges everything that the rules speak of, in one pass over the host. Returns how much was looked at. */
export async function checkPolicy(
  { config, host, signal }: Pick<CheckContext<Config>, 'config' | 'host' | 'signal'>,
  sink: PolicySink,
): Promise<{ examined: number; skipped: number }> {
  const blindPaths: string[] = []
  const onBlind = (path: string, reason: string) => {
    blindPaths.push(path)
    sink.onBlind(path, reason)
  }
  const rules = resolveRules(policyOf(config), host).map((rule) => ({
    ...rule,
    isException: globMatcher(rule.except),
  }))
  const wantedOf = combinations(rules)
  const matched = new Set<number>()
  let examined = 0
  let skipped = 0
  const batches = host.globAll(
    rules.map((rule) => rule.path),
    { onBlind, onSkip: () => skipped++, signal },
  )
  for await (const batch of batches) {
    for (const { entry, patterns } of batch) {
      for (const index of patterns) {
        if (matched.has(index)) continue
        matched.add(index)
        const rule = rules[index]
        for (const reason of rule?.unknown ?? []) sink.onBlind(rule?.path ?? '', reason)
      }
      const matching = patterns.filter((index) => !rules[index]?.isException(entry.path))
      if (matching.length === 0) continue
      const wanted = wantedOf(matching, entry.type)
      const full = await withDetails(host, entry, wanted, onBlind)
      const deviations = full ? judge(full, wanted) : []
      if (deviations.length > 0) sink.onDeviation(entry, wanted, deviations)
      examined++
    }
  }
  for (const rule of absentRules(rules, matched)) {
    const base = globBase(rule.path)
    const isUnseen = blindPaths.some((path) => isWithin(path, base) || isWithin(base, path))
    if (!isUnseen) sink.onAbsence(rule)
  }
  return { examined, skipped }
}

/** The entry with what the rules ask for beside a stat; undefined when it is gone or cannot be looked at. */
async function withDetails(
  host: HostReader,
  entry: Entry,
  wanted: Wanted,
  onBlind: (path: string, reason: string) => void,
): Promise<Judged | undefined> {
  const { details, needsLook } = detailsWanted(wanted, entry.type)
  if (!needsLook) return entry
  try {
    const state = await host.examine(entry.path, details)
    return state?.type === entry.type ? state : undefined
  } catch (error) {
    onBlind(entry.path, describeError(error))
    return entry
  }
}

/** combineRules for the numbers of rules, each combination once. */
function combinations(rules: Rule[]): (matching: number[], type: FileType) => Wanted {
  const known = new Map<string, Wanted>()
  return (matching, type) => {
    const key = `${type} ${matching.join(' ')}`
    const wanted =
      known.get(key) ??
      combineRules(
        matching.flatMap((index) => rules[index] ?? []),
        type,
      )
    known.set(key, wanted)
    return wanted
  }
}

/** Of the rules that matched nothing, one for each path, unless the last that speaks of it says that this is fine. */
function absentRules(rules: Rule[], matched: ReadonlySet<number>): Rule[] {
  const byPath = new Map<string, Rule>()
  for (const [index, rule] of rules.entries()) {
    if (matched.has(index)) continue
    const before = byPath.get(rule.path)
    byPath.set(rule.path, {
      ...rule,
      absent: rule.absent ?? before?.absent,
      severity: rule.severity ?? before?.severity,
    })
  }
  return [...byPath.values()].filter(
    (rule) => (rule.absent ?? (rule.isPattern ? 'ok' : 'finding')) === 'finding',
  )
}
