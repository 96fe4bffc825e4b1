import type { PluginSource } from '../contract/plugin.ts'
import { UserError } from '../lib/errors.ts'
import type { CliCommand } from './command.ts'

const PLUGIN = 'attestation'

/** `reeve attest NAME …`: the verb of the plugin that keeps statements. */
export async function attest(plugins?: PluginSource): Promise<CliCommand> {
  const plugin = (await plugins?.load([PLUGIN]))?.get(PLUGIN)
  if (!plugin) return described
  const { pluginVerb } = await import('./plugin-command.ts')
  return { ...pluginVerb(plugin, ['attest']), name: 'attest' }
}

/** As the reference pages show it, which load no plugin. */
const described: CliCommand = {
  name: 'attest',
  summary: 'State that something was done: signed with a key of this host, dated, with its evidence',
  usage: '[--job NAME] NAME --note TEXT [--evidence FILE]',
  json: true,
  options: {
    note: { type: 'string', value: 'TEXT', means: 'What was done, and what was found' },
    evidence: { type: 'string', value: 'FILE', means: 'A file that shows it; a copy is kept' },
    job: { type: 'string', value: 'NAME', means: 'The job that it is about; needed where there are several' },
  },
  run: async () => {
    throw new UserError(`Cannot attest anything: there is no plugin "${PLUGIN}"`)
  },
}
