import type { CheckContext, Entry, FileStat } from '../../../agent/contract/mod.ts'
import { checkTree } from '../baseline/check-tree.ts'
import { type Config, policyOf } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { parseMemory } from '../memory.ts'
import { checkPolicy } from '../policy/check-policy.ts'
import { baselineGoverns, withoutGoverned } from '../policy/governance.ts'
import { resolveRules } from '../policy/judge.ts'
import type { Repair } from './journal.ts'
import { type AttributeChange, planAcl, planXattr } from './plan-attributes.ts'
import { repairByBaseline, repairByPolicy, sameAttributes } from './plan-repair.ts'

type Context = Parameters<typeof checkTree>[0] & Pick<CheckContext<Config>, 'config' | 'memory'>

/** Of which entries the repairs are wanted: those of the policy and those of the baseline. */
export interface Selection {
  byPolicy: (subject: string) => boolean
  byBaseline: (subject: string) => boolean
}

/**
 * What is to be repaired of the selected entries, judged from the host as it is now; where both speak, the
 * policy goes before.
 */
export async function findRepairs(context: Context, selection: Selection): Promise<Repair[]> {
  const { config, host, memory } = context
  const repairs = new Map<string, Repair>()
  const add = (entry: Entry & FileStat, after: Repair['after'], attributes: AttributeChange[] = []) => {
    if (sameAttributes(entry, after) && attributes.length === 0) return
    repairs.set(entry.path, { entry, after, ...(attributes.length > 0 && { attributes }) })
  }
  const governs = baselineGoverns(resolveRules(policyOf(config), host))
  const remembered = parseMemory(memory)
  for (const tree of config.trees.filter(({ repair }) => repair)) {
    await checkTree(context, tree, remembered.get(tree.path), {
      onChange: (change) => {
        const own = withoutGoverned(change, governs)
        if (own?.kind !== 'changed' || own.attributes.includes('type')) return
        if (!selection.byBaseline(subjectOf(own.after.path))) return
        add(own.after, repairByBaseline(own.after, own.before, own.attributes))
      },
      onBlind: () => {}, // the check that follows tells it
      onLost: () => {},
    })
  }
  await checkPolicy(context, {
    onDeviation: (entry, wanted, deviations) => {
      if (deviations.some(({ rule }) => rule === 'type-differs')) return
      if (!selection.byPolicy(subjectOf(entry.path))) return
      const byTree = repairs.get(entry.path)?.after
      const after = repairByPolicy({ ...entry, ...byTree }, wanted)
      const attributes = deviations.flatMap((deviation) => {
        if (!('is' in deviation)) return []
        const acl = deviation.rule === 'acl-differs' && planAcl(deviation.is, deviation.wanted, after.mode)
        if (acl) after.mode = acl.mode
        return (acl ? acl.change : planXattr(deviation)) ?? []
      })
      add(entry, after, attributes)
    },
    onAbsence: () => {},
    onBlind: () => {},
  })
  return [...repairs.values()]
}
