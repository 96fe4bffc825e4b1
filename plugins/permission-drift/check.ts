import type { CheckContext, Fact, Metric, Report } from '../../agent/contract/mod.ts'
import { checkTree } from './baseline/check-tree.ts'
import type { Config } from './config.ts'
import { describeAbsence, describeDeviation, describeDrift, describeLostBaseline } from './describe.ts'
import { FindingList } from './finding-list.ts'
import { parseMemory, type Remembered, toMemory } from './memory.ts'
import { checkPolicy, POLICY } from './policy/check-policy.ts'
import { baselineGoverns, withoutGoverned } from './policy/governance.ts'
import { resolveRules } from './policy/judge.ts'

/** Judges the host by the policy, then each tree by its baseline. */
export async function check(context: CheckContext<Config>): Promise<Report> {
  const { config, host, job } = context
  const list = new FindingList(config.maxFindings)
  const metrics: Metric[] = []
  const facts: Fact[] = []
  const started = performance.now()
  const coverage = await checkPolicy(context, {
    onDeviation: (entry, wanted, deviations) => {
      for (const deviation of deviations) list.add(POLICY, describeDeviation(entry, wanted, deviation, host))
    },
    onAbsence: (rule) => list.add(POLICY, describeAbsence(rule)),
    onBlind: (path, reason) => list.addBlind(POLICY, path, reason),
  })
  if (config.rules.length > 0) {
    const seconds = (performance.now() - started) / 1000
    metrics.push(
      { name: 'policy_entries', value: coverage.examined, help: 'Entries that rules of the policy match' },
      { name: 'policy_seconds', value: seconds, help: 'Time that checking the policy took' },
    )
  }
  const governs = baselineGoverns(resolveRules(config.rules, host))
  const before = parseMemory(context.memory)
  const after = new Map<string, Remembered>()
  for (const tree of config.trees) {
    const result = await checkTree(context, tree, before.get(tree.path), {
      onDrift: (drift) => {
        const own = withoutGoverned(drift, governs)
        if (own) list.add(tree.path, describeDrift(own, { tree, job, names: host }))
      },
      onBlind: (path, reason) => list.addBlind(tree.path, path, reason),
      onLost: (rule, reason) => list.add(tree.path, describeLostBaseline(rule, tree.path, job, reason)),
    })
    if (result.remembered) after.set(tree.path, result.remembered)
    coverage.examined += result.examined
    coverage.skipped += result.skipped
    metrics.push(...result.metrics)
    facts.push(...result.facts)
  }
  return { ...list.result(), metrics, facts, coverage, memory: toMemory(after) }
}
