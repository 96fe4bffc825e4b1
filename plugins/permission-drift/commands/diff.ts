import { type Command, type CommandResult, type Json, printablePath } from '../../../agent/contract/mod.ts'
import { compareWith } from '../baseline/check-tree.ts'
import { BaselineError } from '../baseline/format.ts'
import { openBaseline } from '../baseline/open-baseline.ts'
import { attributeText, summaryOf } from '../baseline/summary.ts'
import type { Change } from '../change.ts'
import type { Config } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { parseMemory } from '../memory.ts'
import { chooseTrees, configOf, isChosen, lookPermissions, treeContext } from './choose.ts'

const MAX_CHANGES = 10_000

export const diff: Command<Config> = {
  summary: 'Compare the trees with their baselines now, entry by entry',
  usage: '[--job NAME] [PATH…]',
  options: {},
  job: 'required',
  permissions: lookPermissions,
  paths: ['positionals'],
  async run(context): Promise<CommandResult> {
    const config = configOf(context)
    const remembered = parseMemory(context.memory)
    const lines: string[] = []
    const changes: Json[] = []
    const blind: string[] = []
    let total = 0
    for (const choice of chooseTrees(config.trees, context.args.positionals)) {
      const { tree } = choice
      try {
        const baseline = openBaseline(context, tree.path, remembered.get(tree.path))
        if (!baseline) {
          blind.push(`${tree.path}: there is no baseline`)
          continue
        }
        await compareWith(treeContext(context), tree, baseline.reader, remembered.get(tree.path), {
          onBlind: (path, reason) => blind.push(`${subjectOf(path)}: ${reason}`),
          onChange: (change) => {
            const { path } = change.kind === 'removed' ? change.before : change.after
            if (!isChosen(choice, path) || ++total > MAX_CHANGES) return
            lines.push(lineOf(change))
            changes.push(summaryOf(change))
          },
        })
        baseline.reader.close()
      } catch (error) {
        if (!(error instanceof BaselineError)) throw error
        blind.push(`${tree.path}: its baseline cannot be trusted: ${error.message}`)
      }
    }
    if (total > MAX_CHANGES) lines.push(`and ${total - MAX_CHANGES} more`)
    if (total === 0)
      lines.push(blind.length === 0 ? 'No differences' : 'No differences in what could be looked at')
    lines.push(...blind.map((line) => `could not look at ${line}`))
    const exitCode = total > 0 ? 3 : blind.length > 0 ? 4 : 0
    return { exitCode, text: lines.join('\n'), json: { total, changes, blind } }
  },
}

function lineOf(change: Change): string {
  if (change.kind === 'new') return `+ ${printablePath(change.after.path)} (${change.after.type})`
  if (change.kind === 'removed') return `- ${printablePath(change.before.path)} (${change.before.type})`
  const { before, after, attributes } = change
  const parts = attributes.map(
    (attribute) =>
      `${attribute} ${attributeText(before, attribute) || 'none'} -> ${attributeText(after, attribute) || 'none'}`,
  )
  return `~ ${printablePath(after.path)} ${parts.join(', ')}`
}
