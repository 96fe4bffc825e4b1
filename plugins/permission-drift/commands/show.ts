import { type Command, type CommandResult, type Json, printablePath } from '../../../agent/contract/mod.ts'
import { BaselineError, filesOf } from '../baseline/format.ts'
import { openBaseline } from '../baseline/open-baseline.ts'
import { stateOf } from '../baseline/summary.ts'
import type { Config } from '../config.ts'
import { parseMemory } from '../memory.ts'
import { chooseTrees, configOf, isChosen } from './choose.ts'

const MAX_ENTRIES = 10_000

export const show: Command<Config> = {
  summary: 'Show the baselines of a job, or what they hold of a path',
  usage: '[--job NAME] [PATH…]',
  options: {},
  job: 'required',
  permissions: () => ({}),
  paths: ['positionals'],
  async run(context): Promise<CommandResult> {
    const { args, host, stateDir } = context
    const config = configOf(context)
    const lines: string[] = []
    const shown: Json[] = []
    const remembered = parseMemory(context.memory)
    let isBad = false
    let entries = 0
    for (const choice of chooseTrees(config.trees, args.positionals)) {
      const { tree } = choice
      const file = filesOf(stateDir, tree.path).baseline
      try {
        const baseline = openBaseline(context, tree.path, remembered.get(tree.path))
        if (!baseline) {
          if (remembered.has(tree.path)) throw new BaselineError('it is missing')
          lines.push(`${tree.path}: no baseline yet: the next check makes it`)
          shown.push({ tree: tree.path, state: 'none' })
          continue
        }
        const { reader } = baseline
        const { generation, madeAt, by, reason, attributes } = reader.header
        const why = reason ? ` (${reason})` : ''
        lines.push(
          `${tree.path}: ${reader.trailer.entries} entries, generation ${generation}, of ${madeAt} by ${by}${why}; ` +
            `holds ${attributes.join(', ')}`,
        )
        shown.push({
          tree: tree.path,
          state: 'good',
          generation,
          madeAt,
          by,
          ...(reason !== undefined && { reason }),
          attributes,
          entries: reader.trailer.entries,
          file,
        })
        for (; choice.paths.length > 0 && !reader.atEnd; reader.next()) {
          const entry = reader.entry()
          if (!isChosen(choice, entry.path) || ++entries > MAX_ENTRIES) continue
          const path = printablePath(entry.path)
          const { type, mode, uid: _, gid: __, ...rest } = stateOf(entry)
          const owner = `${host.userName(entry.uid)}:${host.groupName(entry.gid)}`
          const details = Object.entries(rest).map(
            ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
          )
          lines.push(
            `  ${mode} ${owner} ${type} ${path}${details.length > 0 ? `  ${details.join(' ')}` : ''}`,
          )
          shown.push({ path, ...stateOf(entry) })
        }
        reader.close()
      } catch (error) {
        if (!(error instanceof BaselineError)) throw error
        isBad = true
        lines.push(`${tree.path}: its baseline cannot be trusted: ${error.message}`)
        shown.push({ tree: tree.path, state: 'tampered', reason: error.message, file })
      }
    }
    if (entries > MAX_ENTRIES)
      lines.push(`and ${entries - MAX_ENTRIES} more; name a path further down, or export`)
    return { exitCode: isBad ? 3 : 0, text: lines.join('\n'), json: shown }
  },
}
