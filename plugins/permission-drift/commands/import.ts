import {
  type Command,
  type CommandContext,
  type CommandResult,
  errnoOf,
  type Json,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { formatRules, type Imported } from '../policy/imported-rule.ts'
import { parseMtree } from '../policy/mtree.ts'
import { parseTmpfiles, TMPFILES_DIRECTORIES } from '../policy/tmpfiles.ts'

const MAX_BYTES = 16_777_216

export const importRules: Command<Config> = {
  summary: 'Make rules for a configuration from tmpfiles.d or a specification of mtree',
  usage: '--tmpfiles [FILE…] | --mtree FILE [--root DIR]',
  options: {
    tmpfiles: { type: 'boolean', means: 'From the files of tmpfiles.d(5) named, or all that this host has' },
    mtree: { type: 'string', means: 'From a specification of mtree(5)' },
    root: { type: 'string', means: 'Where the paths of the specification begin; default /' },
  },
  job: 'optional',
  permissions: (_config, { values, positionals }) => ({
    read: [
      ...(values.tmpfiles === true && positionals.length === 0 ? TMPFILES_DIRECTORIES : positionals),
      ...(typeof values.mtree === 'string' ? [values.mtree] : []),
    ],
  }),
  paths: ['mtree', 'root', 'positionals'],
  async run(context): Promise<CommandResult> {
    const { rules, skipped } = imported(context)
    const notes = skipped.map(({ line, reason }) => `# left out: ${line.slice(0, 200)}: ${reason}`)
    const json: Json = {
      rules: JSON.parse(JSON.stringify(rules)),
      skipped: skipped.map((each): Json => ({ ...each })),
    }
    return { exitCode: 0, text: [formatRules(rules), ...notes].join('\n'), json }
  },
}

function imported({ args: { values, positionals }, host }: CommandContext<Config>): Imported {
  if (typeof values.mtree === 'string' && values.tmpfiles !== true && positionals.length === 0) {
    const root = typeof values.root === 'string' ? values.root : '/'
    return parseMtree(host.readText(values.mtree, { maxBytes: MAX_BYTES, follow: true }), root)
  }
  if (values.tmpfiles !== true || typeof values.mtree === 'string') {
    throw new UserError('Cannot import: wanted either --tmpfiles or --mtree FILE')
  }
  const files = positionals.length > 0 ? positionals : tmpfilesOf(host)
  return parseTmpfiles(files.map((file) => host.readText(file, { maxBytes: MAX_BYTES, follow: true })))
}

/** All files of tmpfiles.d, in the order in which systemd reads them. */
function tmpfilesOf(host: CommandContext<Config>['host']): string[] {
  const files = new Map<string, string>()
  for (const directory of TMPFILES_DIRECTORIES) {
    for (const name of namesIn(host, directory)) {
      if (name.endsWith('.conf') && !files.has(name)) files.set(name, `${directory}/${name}`)
    }
  }
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path)
}

function namesIn(host: CommandContext<Config>['host'], directory: string): string[] {
  try {
    return host.list(directory)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
