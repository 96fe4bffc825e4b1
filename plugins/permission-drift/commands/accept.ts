import {
  type Command,
  type CommandContext,
  type CommandResult,
  type Json,
  UserError,
} from '../../../agent/contract/mod.ts'
import { AcceptanceWriter } from '../baseline/accept.ts'
import { compareWith, makeBaseline } from '../baseline/check-tree.ts'
import { BaselineError, filesOf } from '../baseline/format.ts'
import { readHistory } from '../baseline/history.ts'
import { type OpenBaseline, openBaseline } from '../baseline/open-baseline.ts'
import { openRecords } from '../baseline/record-reader.ts'
import type { Config } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { INVENTORIES, writeAccepted } from '../inventory/accepted.ts'
import { takeInventories } from '../inventory/take.ts'
import { parseInventories, parseMemory, type Remembered } from '../memory.ts'
import {
  type Choice,
  chooseTrees,
  configOf,
  isChosen,
  lookPermissions,
  personOf,
  treeContext,
} from './choose.ts'

const MAX_SHOWN = 20

interface Accepted {
  tree: string
  generation: number
  entries: number
  new: number
  removed: number
  changed: number
}

export const accept: Command<Config> = {
  summary: 'Take changes of the trees, or of some paths in them, into their baseline',
  usage: '[--job NAME] [--reason TEXT] [--anew] [--inventories] [PATH…]',
  options: {
    reason: { type: 'string', means: 'Why, kept in the history' },
    inventories: { type: 'boolean', means: 'Accept the inventories as they are now, and no tree' },
    anew: {
      type: 'boolean',
      means:
        'Make whole new baselines, also where there is one that cannot be trusted or holds other attributes',
    },
  },
  job: 'required',
  permissions: lookPermissions,
  paths: ['positionals'],
  async run(context): Promise<CommandResult> {
    const config = configOf(context)
    if (context.args.values.inventories === true) return acceptInventories(context, config)
    const remembered = parseMemory(context.memory)
    const accepted: Accepted[] = []
    const lines: string[] = []
    const blind: string[] = []
    for (const choice of chooseTrees(config.trees, context.args.positionals)) {
      const onBlind = (path: string, why: string) => blind.push(`${subjectOf(path)}: ${why}`)
      const result = await acceptTree(context, choice, remembered.get(choice.tree.path), onBlind)
      if (result) accepted.push(result)
      lines.push(describe(choice.tree.path, result))
    }
    lines.push(...blind.slice(0, MAX_SHOWN).map((line) => `  could not look at ${line}`))
    if (blind.length > MAX_SHOWN) lines.push(`  and at ${blind.length - MAX_SHOWN} more`)
    const json: Json = { accepted: accepted.map((each): Json => ({ ...each })), blind: blind.slice(0, 1000) }
    return { exitCode: blind.length > 0 ? 4 : 0, text: lines.join('\n'), json }
  },
}

async function acceptInventories(context: CommandContext<Config>, config: Config): Promise<CommandResult> {
  if (!config.inventories) throw new UserError('Cannot accept inventories: the job has none')
  const blind: string[] = []
  const { items } = await takeInventories(context, config.inventories, (path, reason) =>
    blind.push(`${subjectOf(path)}: ${reason}`),
  )
  const generation = lastGeneration(context, INVENTORIES, undefined) + 1
  const reason = typeof context.args.values.reason === 'string' ? context.args.values.reason : undefined
  const last = Math.max(generation, (parseInventories(context.memory) ?? 0) + 1)
  writeAccepted(context, items, { generation: last, by: personOf(context), how: 'command', reason })
  const lines = [`inventories: generation ${last}, ${items.length} entries`, ...blind.slice(0, MAX_SHOWN)]
  const json: Json = {
    generation: last,
    items: items.map((item): Json => ({ ...item })),
    blind: blind.slice(0, 1000),
  }
  return { exitCode: blind.length > 0 ? 4 : 0, text: lines.join('\n'), json }
}

function describe(tree: string, result: Accepted | undefined): string {
  if (!result) return `${tree}: nothing to accept; the baseline is as it was`
  const { generation, entries } = result
  return `${tree}: generation ${generation}, ${entries} entries: ${result.new} new, ${result.removed} removed, ${result.changed} changed`
}

async function acceptTree(
  context: CommandContext<Config>,
  choice: Choice,
  remembered: Remembered | undefined,
  onBlind: (path: string, reason: string) => void,
): Promise<Accepted | undefined> {
  const { tree } = choice
  const reason = typeof context.args.values.reason === 'string' ? context.args.values.reason : undefined
  const by = personOf(context)
  const isAnew = context.args.values.anew === true
  if (isAnew && choice.paths.length > 0) {
    throw new UserError('Cannot make a baseline of a part of a tree: leave out either --anew or the path')
  }
  const baseline = isAnew ? undefined : openTrusted(context, choice, remembered)
  if (!baseline) {
    const last = lastGeneration(context, tree.path, remembered)
    const how = last === 0 ? 'first' : 'anew'
    const result = await makeBaseline(
      treeContext(context),
      tree,
      { generation: last + 1, by, how, reason },
      { onBlind },
    )
    if (!result.remembered) return undefined
    return { tree: tree.path, generation: last + 1, entries: result.examined, new: 0, removed: 0, changed: 0 }
  }
  const accepted = new AcceptanceWriter(context, tree, baseline.reader)
  try {
    const { scan } = await compareWith(treeContext(context), tree, baseline.reader, remembered, {
      onBlind,
      onChange: (change) => {
        const { path } = change.kind === 'removed' ? change.before : change.after
        if (isChosen(choice, path)) accepted.add(change)
      },
      onTouched: (after) => {
        if (isChosen(choice, after.path)) accepted.touch(after)
      },
    })
    if (scan.isMissing) {
      onBlind(tree.path, 'no such file or directory')
      return undefined
    }
    if (accepted.total === 0) return undefined
    const end = accepted.commit({ by, how: 'command', reason })
    const generation = baseline.reader.header.generation + 1
    return end && { tree: tree.path, generation, entries: end.trailer.entries, ...accepted.counts }
  } finally {
    accepted.close()
    baseline.reader.close()
  }
}

function openTrusted(
  context: CommandContext<Config>,
  { tree }: Choice,
  remembered: Remembered | undefined,
): OpenBaseline | undefined {
  try {
    const baseline = openBaseline(context, tree.path, remembered)
    if (baseline || !remembered) return baseline
    throw new BaselineError('it is gone')
  } catch (error) {
    if (!(error instanceof BaselineError)) throw error
    throw new UserError(
      `Cannot accept changes of "${tree.path}": its baseline cannot be trusted: ${error.message}. When the tree is ` +
        'known to be good, make a new one with --anew',
    )
  }
}

/** One more than any that was ever seen: an older file can then never pass for a new one. */
function lastGeneration(
  { state, stateDir, fingerprint, now }: CommandContext<Config>,
  tree: string,
  remembered: Remembered | undefined,
): number {
  const files = filesOf(stateDir, tree)
  const whenTrusted = (read: () => number): number => {
    try {
      return read()
    } catch (error) {
      if (error instanceof BaselineError) return 0
      throw error
    }
  }
  const onDisk = whenTrusted(() => {
    if (!state.stat(files.baseline)) return 0
    const reader = openRecords(state, files.baseline, fingerprint)
    reader.close()
    return reader.header.generation
  })
  let inHistory = 0
  try {
    inHistory = readHistory(state, files.history, fingerprint).at(-1)?.generation ?? 0
  } catch (error) {
    if (!(error instanceof BaselineError)) throw error
    // Kept to be looked at; the new one begins a history of its own.
    state.rename(files.history, `${files.history}.distrusted-${now.toISOString().replaceAll(':', '-')}`)
  }
  return Math.max(remembered?.generation ?? 0, onDisk, inHistory)
}
