import {
  type Command,
  type CommandContext,
  type CommandResult,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { Config, TreeConfig } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { parseMemory } from '../memory.ts'
import { listedDirectories } from '../permissions.ts'
import { BaselineReader, baselineFile } from './baseline-file.ts'
import { BaselineError } from './baseline-format.ts'
import { makeBaseline } from './check-tree.ts'

export const accept: Command<Config> = {
  summary: 'Take the present state of the trees as their new baseline',
  usage: '[--job NAME] [--reason TEXT] [TREE…]',
  options: { reason: { type: 'string', means: 'Why, kept in the baseline' } },
  job: 'required',
  permissions: (config) => ({
    list: listedDirectories([], config?.trees ?? []),
    capabilities: ['CAP_DAC_READ_SEARCH'],
  }),
  paths: ['positionals'],
  async run(context): Promise<CommandResult> {
    const { config, args, memory } = context
    if (!config) throw new UserError('Cannot accept anything: name a job of permission-drift with --job')
    const reason = typeof args.values.reason === 'string' ? args.values.reason : undefined
    const remembered = parseMemory(memory)
    const accepted: { tree: string; entries: number; generation: number; blind: number }[] = []
    const lines: string[] = []
    for (const tree of chooseTrees(config.trees, args.positionals)) {
      const blind: string[] = []
      // One more than any that was ever seen: an older file can then never pass for it.
      const last = Math.max(remembered.get(tree.path)?.generation ?? 0, generationOnDisk(context, tree))
      const { examined } = await makeBaseline(context, tree, last + 1, reason, {
        onBlind: (path, why) => blind.push(`${subjectOf(path)}: ${why}`),
      })
      accepted.push({ tree: tree.path, entries: examined, generation: last + 1, blind: blind.length })
      lines.push(
        examined > 0
          ? `${tree.path}: ${examined} entries are the new baseline, generation ${last + 1}`
          : `${tree.path}: there is nothing to be seen; the baseline is as it was`,
        ...blind.slice(0, 20).map((line) => `  could not look at ${line}`),
        ...(blind.length > 20 ? [`  and at ${blind.length - 20} more`] : []),
      )
    }
    const isBlind = accepted.some(({ blind }) => blind > 0)
    if (isBlind)
      lines.push('What could not be looked at is not in the baseline: it will be new once it can be seen.')
    return { exitCode: isBlind ? 4 : 0, text: lines.join('\n'), json: { accepted } }
  },
}

/** The trees that are named, or all. */
export function chooseTrees(trees: TreeConfig[], named: string[]): TreeConfig[] {
  if (trees.length === 0) throw new UserError('Cannot do anything: the job has no `trees`')
  if (named.length === 0) return trees
  return named.map((path) => {
    const tree = trees.find((candidate) => candidate.path === path)
    if (tree) return tree
    const known = trees.map((candidate) => candidate.path).join(', ')
    throw new UserError(`Cannot use "${path}": it is no tree of the job, which has ${known}`)
  })
}

/** Generation of the baseline that is there; 0 when there is none that this host made. */
function generationOnDisk(
  { state, stateDir, fingerprint }: Pick<CommandContext<Config>, 'state' | 'stateDir' | 'fingerprint'>,
  tree: TreeConfig,
): number {
  const file = baselineFile(stateDir, tree.path)
  if (!state.stat(file)) return 0
  const source = state.open(file)
  try {
    return new BaselineReader(source, fingerprint).header.generation
  } catch (error) {
    if (error instanceof BaselineError) return 0
    throw error
  } finally {
    source.close()
  }
}
