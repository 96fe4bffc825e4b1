import type { PluginSource } from '../contract/plugin.ts'

export interface Option {
  type: 'string' | 'boolean'
  short?: string
  multiple?: boolean
  means: string
  /** For the help: the name of the value. */
  value?: string
}

export type OptionValues = Record<string, string | boolean | (string | boolean)[] | undefined>

export interface Invocation {
  /** Every command by name. */
  catalog: Catalog
  plugins: PluginSource
  /** Value of --config, if given. */
  config: string | undefined
  json: boolean
  values: OptionValues
  positionals: string[]
}

/** One verb of the command line. `run` returns the exit code. */
export interface CliCommand {
  name: string
  summary: string
  /** After the name, for the help. */
  usage: string
  options?: Record<string, Option>
  /** Prints JSON with --json. */
  json?: boolean
  run(invocation: Invocation): Promise<number>
}

/** `load` gets the words after the command's own, for one whose verbs are a plugin's. */
export type Catalog = Record<
  string,
  { summary: string; load: (rest?: string[], plugins?: PluginSource) => Promise<CliCommand> }
>

/** Exit codes of every command. */
export const EXIT = {
  clean: 0,
  bug: 1,
  usage: 2,
  findings: 3,
  failed: 4,
  locked: 5,
  interrupted: 130,
} as const

export const GLOBAL_OPTIONS: Record<string, Option> = {
  config: { type: 'string', short: 'c', value: 'FILE', means: 'Configuration to use' },
  json: { type: 'boolean', means: 'Print JSON' },
  help: { type: 'boolean', short: 'h', means: 'Show help' },
}

/** Text of a string option, or undefined. */
export function textOption(values: OptionValues, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}
