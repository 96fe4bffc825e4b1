import {
  type ApplyContext,
  type Entry,
  type FileStat,
  type Finding,
  type HostWriter,
  type Report,
  shellWord,
} from '../../agent/contract/mod.ts'
import { checkTree } from './baseline/check-tree.ts'
import type { Config } from './config.ts'
import { FindingList, subjectOf } from './finding-list.ts'
import { type Repair, writeJournal } from './journal.ts'
import { parseMemory } from './memory.ts'
import { planRepair, repairByBaseline, repairByPolicy, sameAttributes } from './plan-repair.ts'
import { checkPolicy } from './policy/check-policy.ts'
import { baselineGoverns, withoutGoverned } from './policy/governance.ts'
import { resolveRules } from './policy/judge.ts'

/**
 * Puts modes and owners back. The findings only say which entries: what is to be done is judged anew from the
 * host as it is now, written to the journal, and then done through handles.
 */
export async function apply(context: ApplyContext<Config>): Promise<Report> {
  const { config, host, state, stateDir, now, signal } = context
  const repairs = await findRepairs(context)
  const list = new FindingList(config.maxFindings)
  if (repairs.length === 0) return { ...list.result(), coverage: { examined: 0, skipped: 0 } }
  const journal = writeJournal(state, stateDir, now, repairs)
  let repaired = 0
  for (const [index, repair] of repairs.entries()) {
    signal.throwIfAborted()
    context.progress(index, repairs.length, 'repairs')
    try {
      perform(host, repair)
      repaired++
    } catch (error) {
      list.add(
        'repairs',
        describeRefusal(repair.entry, error instanceof Error ? error.message : String(error)),
      )
    }
  }
  return {
    ...list.result(),
    artifacts: [journal],
    metrics: [
      { name: 'repaired_entries', value: repaired, help: 'Entries whose mode or owner was put back' },
    ],
    coverage: { examined: repairs.length, skipped: 0 },
  }
}

function perform(host: HostWriter, { entry, after }: Repair): void {
  let is: FileStat | undefined = host.stat(entry.path)
  if (!is || is.ino !== entry.ino || is.dev !== entry.dev || !sameAttributes(is, entry)) {
    throw new Error('it changed after it had been looked at')
  }
  for (const step of planRepair(entry, after)) {
    is =
      step.change === 'mode'
        ? host.setMode(entry.path, is, step.mode)
        : host.setOwner(entry.path, is, step.uid, step.gid)
  }
}

/** What is to be repaired of the entries that the findings name; where both speak, the policy goes before. */
async function findRepairs(context: ApplyContext<Config>): Promise<Repair[]> {
  const { config, host, findings, memory } = context
  const byPolicy = subjectsOf(findings, ['mode-differs', 'owner-differs', 'group-differs'])
  const byBaseline = subjectsOf(findings, ['changed'])
  const repairs = new Map<string, Repair>()
  const add = (entry: Entry, after: Repair['after']) => {
    if (!sameAttributes(entry, after)) repairs.set(entry.path, { entry, after })
  }
  if (byBaseline.size > 0) {
    const governs = baselineGoverns(resolveRules(config.rules, host))
    const remembered = parseMemory(memory)
    for (const tree of config.trees.filter(({ repair }) => repair)) {
      await checkTree(context, tree, remembered.get(tree.path), {
        onDrift: (drift) => {
          const own = withoutGoverned(drift, governs)
          if (own?.kind !== 'changed' || own.attributes.includes('type')) return
          if (!byBaseline.has(subjectOf(own.after.path))) return
          add(own.after, repairByBaseline(own.after, own.before, own.attributes))
        },
        onBlind: () => {}, // the check that follows tells it
        onLost: () => {},
      })
    }
  }
  if (byPolicy.size > 0) {
    await checkPolicy(context, {
      onDeviation: (entry, wanted, deviations) => {
        if (deviations.some(({ rule }) => rule === 'type-differs')) return
        if (!byPolicy.has(subjectOf(entry.path))) return
        const byTree = repairs.get(entry.path)?.after
        add(entry, repairByPolicy({ ...entry, ...byTree }, wanted))
      },
      onAbsence: () => {},
      onBlind: () => {},
    })
  }
  return [...repairs.values()]
}

function subjectsOf(findings: Finding[], rules: string[]): Set<string> {
  return new Set(findings.filter(({ rule }) => rules.includes(rule)).map(({ subject }) => subject))
}

function describeRefusal(entry: Entry, reason: string): Finding {
  return {
    rule: 'repair-refused',
    subject: subjectOf(entry.path),
    severity: 'warning',
    summary: `Was not repaired: ${reason}`.slice(0, 2000),
    remedy: `Look at it by hand: ls -ld -- ${shellWord(entry.path)}`,
  }
}
