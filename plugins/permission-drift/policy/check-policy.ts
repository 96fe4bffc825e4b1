import {
  type CheckContext,
  type Entry,
  type FileType,
  globBase,
  isWithin,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { combineRules, type Deviation, judge, type Rule, resolveRules, type Wanted } from './judge.ts'

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
  const rules = resolveRules(config.rules, host)
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
      const wanted = wantedOf(patterns, entry.type)
      const deviations = judge(entry, wanted)
      if (deviations.length > 0) sink.onDeviation(entry, wanted, deviations)
    }
    examined += batch.length
  }
  for (const rule of absentRules(rules, matched)) {
    const base = globBase(rule.path)
    const isUnseen = blindPaths.some((path) => isWithin(path, base) || isWithin(base, path))
    if (!isUnseen) sink.onAbsence(rule)
  }
  return { examined, skipped }
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
