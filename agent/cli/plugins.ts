import { z } from 'zod'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { type CliCommand, EXIT } from './command.ts'
import { paint, print, printJson, table } from './print.ts'

export const plugins: CliCommand = {
  name: 'plugins',
  summary: 'Built-in plugins; one plugin with its rules and settings',
  usage: '[PLUGIN]',
  json: true,
  async run({ plugins, positionals, json }) {
    const registry = await plugins.load(plugins.names)
    const [name] = positionals
    if (name === undefined) {
      const rows = [...registry.values()].map((plugin) => [
        plugin.name,
        plugin.apply ? 'observe, enforce' : 'observe',
        plugin.defaults.schedule,
        plugin.summary,
      ])
      if (json)
        printJson(
          [...registry.values()].map(({ name, summary, defaults, rules }) => ({
            name,
            summary,
            defaults,
            rules,
          })),
        )
      else print(table(['plugin', 'modes', 'schedule', 'about'], rows))
      return EXIT.clean
    }
    const plugin = registry.get(name)
    if (!plugin) {
      const near = nearest(name, plugins.names)
      throw new UserError(`There is no plugin "${name}"${near ? `, did you mean "${near}"?` : ''}`)
    }
    const schema = z.toJSONSchema(plugin.config, { io: 'input', unrepresentable: 'any' })
    if (json) {
      printJson({
        name,
        summary: plugin.summary,
        defaults: plugin.defaults,
        rules: plugin.rules,
        config: schema,
      })
      return EXIT.clean
    }
    print(`${paint('bold', name)}: ${plugin.summary}\n`)
    print('Settings (under `config`):')
    const required = new Set(schema.required ?? [])
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      const description = typeof value === 'object' ? (value.description ?? '') : ''
      print(`  ${paint('cyan', key)}${required.has(key) ? ' (required)' : ''}  ${description}`)
    }
    print('\nRules:')
    for (const [rule, { severity, means }] of Object.entries(plugin.rules))
      print(`  ${paint('cyan', rule)}  ${severity}: ${means}`)
    return EXIT.clean
  },
}
