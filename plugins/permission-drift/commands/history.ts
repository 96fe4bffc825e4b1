import { type Command, type CommandResult, type Json, printablePath } from '../../../agent/contract/mod.ts'
import { BaselineError } from '../baseline/format.ts'
import type { HistoryRecord } from '../baseline/history.ts'
import { openBaseline } from '../baseline/open-baseline.ts'
import type { Config } from '../config.ts'
import { parseMemory } from '../memory.ts'
import { chooseTrees, configOf } from './choose.ts'

export const history: Command<Config> = {
  summary: 'Show who accepted what into the baselines, when and why',
  usage: '[--job NAME] [TREE…]',
  options: {},
  job: 'required',
  permissions: () => ({}),
  paths: ['positionals'],
  async run(context): Promise<CommandResult> {
    const config = configOf(context)
    const remembered = parseMemory(context.memory)
    const lines: string[] = []
    const trees: Json[] = []
    let isBad = false
    for (const { tree } of chooseTrees(config.trees, context.args.positionals)) {
      try {
        const baseline = openBaseline(context, tree.path, remembered.get(tree.path))
        baseline?.reader.close()
        const records = baseline?.history ?? []
        lines.push(`${tree.path}:${records.length === 0 ? ' no baseline yet' : ''}`, ...records.map(lineOf))
        trees.push({
          tree: tree.path,
          state: 'good',
          records: records.map((each): Json => JSON.parse(JSON.stringify(each))),
        })
      } catch (error) {
        if (!(error instanceof BaselineError)) throw error
        isBad = true
        lines.push(`${tree.path}: cannot be trusted: ${error.message}`)
        trees.push({ tree: tree.path, state: 'tampered', reason: error.message })
      }
    }
    lines.push(`What each changed, entry by entry: ${context.stateDir}/accepted-*.jsonl`)
    return { exitCode: isBad ? 3 : 0, text: lines.join('\n'), json: trees }
  },
}

const HOW: Record<HistoryRecord['how'], string> = {
  first: 'made it',
  anew: 'made it anew',
  command: 'accepted',
  cause: 'accepted what has a cause',
  completed: 'accepted; reeve was ended before it could write down more',
}

function lineOf(record: HistoryRecord): string {
  const counts = `${record.new} new, ${record.removed} removed, ${record.changed} changed`
  const what = record.how === 'first' || record.how === 'anew' ? `${record.entries} entries` : counts
  const why = record.reason ? `: ${printablePath(record.reason)}` : ''
  const causes = Object.entries(record.causes ?? {}).map(([cause, count]) => `\n      ${count} by ${cause}`)
  return `  ${record.generation}  ${record.at}  ${record.by} ${HOW[record.how]} (${what})${why}${causes.join('')}`
}
