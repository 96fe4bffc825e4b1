import {
  type Command,
  type CommandContext,
  type CommandResult,
  printablePath,
  UserError,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { compareReviewed, loadReviewed, type Reviewed, saveReviewed } from './drift.ts'
import { readsOf } from './permissions.ts'

/** `reeve service-config reviewed`: the configuration as it is now was looked over by a person. */
export const reviewed: Command<Config> = {
  summary: 'Say that the changed configuration of a service was looked over',
  usage: '[--job NAME] [FILE…]',
  options: { job: { type: 'string', means: 'The job that found the change' } },
  job: 'required',
  exclusive: true,
  paths: ['positionals'],
  permissions: (config) => (config ? readsOf(config) : {}),
  run,
}

async function run({
  config,
  args,
  host,
  state,
  stateDir,
  now,
  signal,
}: CommandContext<Config>): Promise<CommandResult> {
  if (!config)
    throw new UserError('Cannot say that a configuration was looked over: which job is meant is not known')
  const [{ judgeService }, { lookAround }] = await Promise.all([import('./check.ts'), import('./look.ts')])
  // The program itself need not be asked: it is the files that count.
  const asked = { ...config, ofelia: { ...config.ofelia, program: undefined } }
  const look = lookAround(host, asked)
  if (look) await judgeService(look, { config: asked, host, now, signal })
  const digests = look?.files.digests ?? new Map<string, string>()
  const known = readKnown(() => loadReviewed(state, stateDir))
  const wanted = new Set(args.positionals)
  const { next, changed } = compareReviewed(known, digests, new Set(), now.getTime())
  const accepted = changed.filter(({ path }) => wanted.size === 0 || wanted.has(path))
  const missing = [...wanted].filter((path) => !changed.some((file) => file.path === path))
  if (missing.length > 0) {
    throw new UserError(
      `Cannot say that "${missing[0]}" was looked over: it is no changed file of this configuration`,
    )
  }
  for (const { path } of accepted) {
    const sha256 = digests.get(path)
    if (sha256 === undefined) delete next[path]
    else next[path] = { sha256, reviewedAtMs: now.getTime() }
  }
  saveReviewed(state, stateDir, next)
  const files = accepted.map(({ path }) => path)
  const text =
    files.length === 0
      ? 'Nothing has changed since the last time'
      : `Looked over: ${files.map(printablePath).join(', ')}`
  return { exitCode: 0, text, json: { reviewed: files } }
}

/** What cannot be read is begun anew: that is what this command is for. */
function readKnown(load: () => Reviewed | undefined): Reviewed | undefined {
  try {
    return load()
  } catch {
    return undefined
  }
}
