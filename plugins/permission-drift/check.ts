import { type CheckContext, type Fact, isWithin, type Metric, type Report } from '../../agent/contract/mod.ts'
import { checkTree } from './baseline/check-tree.ts'
import { describeDrift, describeLostBaseline } from './baseline/describe.ts'
import { Fold } from './baseline/fold.ts'
import { Causes } from './cause/causes.ts'
import { type Config, policyOf } from './config.ts'
import { FindingList } from './finding-list.ts'
import { INVENTORIES } from './inventory/accepted.ts'
import { checkInventories } from './inventory/check.ts'
import { parseInventories, parseMemory, type Remembered, toMemory } from './memory.ts'
import { Pacer } from './pace.ts'
import { checkPolicy, POLICY } from './policy/check-policy.ts'
import { describeAbsence, describeDeviation } from './policy/describe.ts'
import { baselineGoverns, withoutGoverned } from './policy/governance.ts'
import { resolveRules } from './policy/judge.ts'
import { RepairHistory } from './repair/history.ts'
import { findInterrupted } from './repair/interrupted.ts'

/** Judges the host by the policy, then each tree by its baseline. */
export async function check(context: CheckContext<Config>): Promise<Report> {
  const { config, host, job, state, stateDir, now } = context
  const list = new FindingList(config.maxFindings)
  const metrics: Metric[] = []
  const facts: Fact[] = []
  const history = RepairHistory.read(state, stateDir, now)
  for (const finding of findInterrupted(host, state, stateDir, now)) list.add('repairs', finding)
  const pacer = new Pacer(context, config.pace)
  const started = performance.now()
  const coverage = await checkPolicy(context, {
    onDeviation: (entry, wanted, deviations) => {
      for (const deviation of deviations) {
        const finding = describeDeviation(entry, wanted, deviation, host)
        for (const judged of history.judge(finding, entry)) list.add(POLICY, judged)
      }
    },
    onAbsence: (rule) => list.add(POLICY, describeAbsence(rule)),
    onBlind: (path, reason) => list.addBlind(POLICY, path, reason),
  })
  if (policyOf(config).length > 0) {
    const seconds = (performance.now() - started) / 1000
    metrics.push(
      { name: 'policy_entries', value: coverage.examined, help: 'Entries that rules of the policy match' },
      { name: 'policy_seconds', value: seconds, help: 'Time that checking the policy took' },
    )
  }
  const causes = await Causes.open(context, (subject, reason) => list.addBlind('causes', subject, reason))
  const governs = baselineGoverns(resolveRules(policyOf(config), host))
  const before = parseMemory(context.memory)
  const after = new Map<string, Remembered>()
  for (const tree of config.trees) {
    const fold = new Fold((drift) => {
      const finding = describeDrift(drift, { tree, job, names: host })
      const judged = drift.kind === 'changed' ? history.judge(finding, drift.after) : [finding]
      for (const item of judged) list.add(tree.path, item)
    })
    const result = await checkTree({ ...context, pause: pacer.pause }, tree, before.get(tree.path), {
      explain: causes.explain,
      onChange: (change) => {
        const own = withoutGoverned(change, governs)
        if (own) fold.add(own)
      },
      onBlind: (path, reason) => list.addBlind(tree.path, path, reason),
      onLost: (rule, reason) => list.add(tree.path, describeLostBaseline(rule, tree.path, job, reason)),
    })
    fold.finish()
    if (result.remembered) after.set(tree.path, result.remembered)
    coverage.examined += result.examined
    coverage.skipped += result.skipped
    metrics.push(...result.metrics)
    facts.push(...result.facts)
  }
  causes.remember()
  let inventories = parseInventories(context.memory)
  if (config.inventories) {
    const result = await checkInventories(
      { ...context, pause: pacer.pause },
      config.inventories,
      inventories,
      {
        onFinding: (finding) => list.add(INVENTORIES, finding),
        onBlind: (path, reason) => list.addBlind(INVENTORIES, path, reason),
      },
    )
    inventories = result.generation
    coverage.examined += result.examined
    coverage.skipped += result.skipped
    metrics.push(...result.metrics)
    facts.push(...result.facts)
  }
  const isBlind = list.result().blind.map(({ subject }) => subject)
  history.save(state, stateDir, (subject) => !isBlind.some((path) => isWithin(path, subject)))
  metrics.push(...pacer.metrics())
  return {
    ...list.result(),
    metrics,
    facts,
    coverage,
    memory: { ...toMemory(after), ...(inventories !== undefined && { inventories }) },
  }
}
