import { GLOBAL_OPTIONS, type Option } from '../../agent/cli/command.ts'
import { commands } from '../../agent/cli/table.ts'
import { verbName } from '../../agent/cli/verb-name.ts'
import type { Registry } from '../../agent/contract/plugin.ts'
import { builtInPlugins } from '../../plugins/index.ts'
import { markdownTable } from './settings.ts'

/** Every command with its options, and those of the plugins. */
export async function commandsReference(registry: Registry): Promise<string> {
  const { json: _json, ...everywhere } = GLOBAL_OPTIONS
  const own = await Promise.all(Object.values(commands).map(({ load }) => load()))
  const sections = own.map((command) => {
    const usage = `    reeve ${command.name}${command.usage ? ` ${command.usage}` : ''}`
    const summary = `${command.summary}.${command.json ? ' With `--json` as JSON.' : ''}`
    return [`### reeve ${command.name}`, summary, usage, ...optionTable(command.options ?? {})].join('\n\n')
  })
  const ofPlugins = [...registry.values()].flatMap(({ name, commands: verbs = {} }) =>
    Object.entries(verbs).map(([verb, { summary }]) => {
      const words = verbName(builtInPlugins, name, verb)
      return [
        `[\`reeve ${words}\`](../plugins/${name}/README.md#reeve-${words.replaceAll(' ', '-')})`,
        summary,
      ]
    }),
  )
  return [
    'Every command takes these:',
    ...optionTable(everywhere),
    ...sections,
    '### Commands of plugins',
    markdownTable(['Command', 'Summary'], ofPlugins),
  ].join('\n\n')
}

function optionTable(options: Record<string, Option>): string[] {
  const rows = Object.entries(options).map(([name, { short, type, value, means }]) => {
    const long = `--${name}${type === 'string' ? ` ${value ?? 'VALUE'}` : ''}`
    return [`\`${short ? `-${short}, ` : ''}${long}\``, means]
  })
  return rows.length > 0 ? [markdownTable(['Option', 'Meaning'], rows)] : []
}
