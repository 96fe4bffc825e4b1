import type { PluginSource } from '../contract/plugin.ts'
import { describeError, HostError, UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { type CliCommand, EXIT, GLOBAL_OPTIONS, type Option, type OptionValues } from './command.ts'
import { paint, print, printError } from './print.ts'
import { commands } from './table.ts'
import { verbName } from './verb-name.ts'

/** The whole command line: arguments in, exit code out. Only a bug of reeve itself rejects. */
export async function runCli(args: string[], plugins: PluginSource): Promise<number> {
  try {
    return await dispatch(args, plugins)
  } catch (error) {
    const isDatabase = error instanceof Error && error.name === 'SQLiteError'
    if (!(error instanceof UserError) && !isDatabase) throw error
    printError(`reeve: ${isDatabase ? 'The database does not answer: ' : ''}${error.message}`)
    return isDatabase || error instanceof HostError ? EXIT.failed : EXIT.usage
  }
}

async function dispatch(args: string[], plugins: PluginSource): Promise<number> {
  const program = plugins.programs?.[args[0] ?? '']
  if (program) return (await program.load())(args.slice(1))
  const { name, rest } = splitCommand(args)
  if (name === undefined || name === 'help') {
    const topic = rest.find((word) => !word.startsWith('-'))
    if (topic && commands[topic]) return showHelp(await commands[topic].load(rest.slice(1), plugins))
    await showOverview(plugins)
    return name === undefined && rest.length > 0 && !rest.some(isHelp) ? EXIT.usage : EXIT.clean
  }
  if (name === '--version') return (await import('./version.ts')).version.run({} as never)
  const known = commands[name]
  const command = known ? await known.load(rest, plugins) : await pluginCommand(name, rest, plugins)
  if (rest.some(isHelp)) return showHelp(command)
  const { values, positionals } = await parse(command, rest)
  return command.run({
    catalog: commands,
    plugins,
    config: typeof values.config === 'string' ? values.config : undefined,
    json: values.json === true,
    values,
    positionals,
  })
}

/** The first word that is no option; --config may stand before it. */
function splitCommand(args: string[]): { name: string | undefined; rest: string[] } {
  for (let index = 0; index < args.length; index++) {
    const word = args[index] as string
    if (word === '--config' || word === '-c') index++
    else if (word === '--version') return { name: word, rest: [] }
    else if (!word.startsWith('-'))
      return { name: word, rest: [...args.slice(0, index), ...args.slice(index + 1)] }
  }
  return { name: undefined, rest: args }
}

const isHelp = (word: string) => word === '--help' || word === '-h'

/** "reeve backup restore": verbs of a plugin. */
async function pluginCommand(name: string, rest: string[], plugins: PluginSource): Promise<CliCommand> {
  const short = plugins.shortNames?.[name]
  const wanted = short?.plugin ?? name
  const plugin = (await plugins.load([wanted])).get(wanted)
  if (!plugin?.commands) {
    const known = [...Object.keys(commands), ...plugins.names, ...Object.keys(plugins.shortNames ?? {})]
    const near = nearest(name, known)
    throw new UserError(
      `Cannot run "${name}": there is no such command${near ? `, did you mean "${near}"?` : ' (see "reeve help")'}`,
    )
  }
  const { pluginVerb } = await import('./plugin-command.ts')
  return pluginVerb(plugin, rest, { word: name, verb: short?.verb })
}

async function parse(
  command: CliCommand,
  rest: string[],
): Promise<{ values: OptionValues; positionals: string[] }> {
  // The service and the timers say no more than this, and the parser takes longer to load than they have.
  if (rest.length === 0) return { values: {}, positionals: [] }
  const [option, config = '-'] = rest
  if (option === '--config' && rest.length === 2 && !config.startsWith('-')) {
    return { values: { config }, positionals: [] }
  }
  const { parseArgs } = await import('node:util')
  const options: Record<string, Option> = { ...GLOBAL_OPTIONS, ...command.options }
  try {
    return parseArgs({
      args: rest,
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(options).map(([name, { type, short, multiple }]) => [
          name,
          { type, ...(short && { short }), ...(multiple && { multiple }) },
        ]),
      ),
    })
  } catch (error) {
    const unknown = /Unknown option '--?([^']+)'/.exec(describeError(error))?.[1]
    const near = unknown && nearest(unknown, Object.keys(options))
    const hint = near ? `did you mean "--${near}"?` : `see "reeve ${command.name} --help"`
    const what = unknown
      ? `there is no option "${unknown.length === 1 ? '-' : '--'}${unknown}"`
      : describeError(error)
    throw new UserError(`Cannot run "reeve ${command.name}": ${what}; ${hint}`)
  }
}

function showHelp(command: CliCommand): number {
  print(`${command.summary}.\n`)
  print(`  reeve ${command.name}${command.usage ? ` ${command.usage}` : ''}\n`)
  const options = { ...command.options, ...GLOBAL_OPTIONS }
  const names = Object.entries(options)
    .filter(([name]) => name !== 'json' || command.json)
    .map(([name, option]) => {
      const value = option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : ''
      return [`${option.short ? `-${option.short}, ` : '    '}--${name}${value}`, option.means]
    })
  const width = Math.max(...names.map(([name]) => name?.length ?? 0))
  for (const [name, means] of names) print(`  ${(name ?? '').padEnd(width)}  ${means}`)
  return EXIT.clean
}

async function showOverview(plugins: PluginSource): Promise<void> {
  const registry = await plugins.load(plugins.names)
  print(`${paint('bold', 'reeve')} keeps this host in order and proves it.\n`)
  print('  reeve COMMAND [OPTION…]\n')
  const verbs = [...registry.values()].flatMap((plugin) =>
    Object.entries(plugin.commands ?? {}).map(
      ([verb, command]) => [verbName(plugins, plugin.name, verb), command.summary] as const,
    ),
  )
  const programs = Object.entries(plugins.programs ?? {})
  const all = [
    ...[...Object.entries(commands), ...programs].map(([name, { summary }]) => [name, summary] as const),
    ...verbs,
  ]
  const width = Math.max(...all.map(([name]) => name.length))
  for (const [name, summary] of all) print(`  ${paint('cyan', name.padEnd(width))}  ${summary}`)
  print(
    '\n"reeve COMMAND --help" tells more. Exit codes: 0 clean, 1 a bug, 2 usage or configuration, 3 findings,',
  )
  print('4 failed or blind, 5 locked, 130 interrupted.')
}
