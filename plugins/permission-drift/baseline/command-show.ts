import {
  type Command,
  type CommandResult,
  isWithin,
  type Json,
  printablePath,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { octal } from '../describe.ts'
import { distrust, parseMemory } from '../memory.ts'
import { BaselineReader, baselineFile } from './baseline-file.ts'
import { BaselineError } from './baseline-format.ts'

const MAX_ENTRIES = 10_000

export const show: Command<Config> = {
  summary: 'Show the baselines of a job, or what they hold of a path',
  usage: '[--job NAME] [PATH…]',
  options: {},
  job: 'required',
  permissions: () => ({}),
  paths: ['positionals'],
  async run(context): Promise<CommandResult> {
    const { config, args, state, stateDir, fingerprint, host, memory } = context
    if (!config) throw new UserError('Cannot show anything: name a job of permission-drift with --job')
    const lines: string[] = []
    const shown: Json[] = []
    const remembered = parseMemory(memory)
    let isBad = false
    let entries = 0
    for (const tree of config.trees) {
      const wanted = args.positionals.filter((path) => isWithin(tree.path, path) || isWithin(path, tree.path))
      if (args.positionals.length > 0 && wanted.length === 0) continue
      const file = baselineFile(stateDir, tree.path)
      if (!state.stat(file)) {
        const lost = remembered.has(tree.path)
        isBad ||= lost
        lines.push(
          `${tree.path}: ${lost ? 'its baseline is missing' : 'no baseline yet: the next check makes it'}`,
        )
        shown.push({ tree: tree.path, state: lost ? 'missing' : 'none' })
        continue
      }
      const source = state.open(file)
      try {
        const baseline = new BaselineReader(source, fingerprint)
        const { header, trailer } = baseline
        const reason = distrust(tree.path, header, trailer, remembered.get(tree.path))
        if (reason) throw new BaselineError(reason)
        const why = header.reason ? ` (${header.reason})` : ''
        lines.push(
          `${tree.path}: ${trailer.entries} entries, generation ${header.generation}, of ${header.madeAt}${why}`,
        )
        const { generation, madeAt } = header
        shown.push({ tree: tree.path, state: 'good', generation, madeAt, entries: trailer.entries, file })
        for (; wanted.length > 0 && !baseline.atEnd; baseline.next()) {
          const entry = baseline.entry()
          if (!wanted.some((path) => isWithin(path, entry.path))) continue
          if (++entries > MAX_ENTRIES) continue
          const owner = `${host.userName(entry.uid)}:${host.groupName(entry.gid)}`
          const path = printablePath(entry.path)
          lines.push(`  ${octal(entry.mode)} ${owner} ${entry.type} ${entry.size} ${path}`)
          shown.push({ ...entry, path, mode: octal(entry.mode) })
        }
      } catch (error) {
        if (!(error instanceof BaselineError)) throw error
        isBad = true
        lines.push(`${tree.path}: its baseline cannot be trusted: ${error.message}`)
        shown.push({ tree: tree.path, state: 'tampered', reason: error.message, file })
      } finally {
        source.close()
      }
    }
    if (entries > MAX_ENTRIES) lines.push(`and ${entries - MAX_ENTRIES} more; name a path further down`)
    return { exitCode: isBad ? 3 : 0, text: lines.join('\n'), json: shown }
  },
}
