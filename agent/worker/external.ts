import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { externalContract } from '../contract/external.ts'
import type { Permissions } from '../contract/permissions.ts'
import type { PluginSpec } from '../contract/plugin.ts'
import { SEVERITIES } from '../contract/report.ts'
import { describeError } from '../lib/errors.ts'

/**
 * Imports a plugin file. Its default export is a spec, or a function that gets the contract (with
 * `definePlugin` and `z`) and returns one: a file outside of this program cannot import it by path.
 */
export async function loadExternalPlugin(path: string): Promise<PluginSpec> {
  const module = (await importText(path)) as { default?: unknown }
  const made = typeof module.default === 'function' ? module.default(externalContract) : module.default
  return assertSpec(path, made)
}

/**
 * Imports one file by its text. An import by path would make the runtime look through the directories above,
 * which the jail does not show. Such a file can import the runtime's own modules, but no other files.
 */
function importText(path: string): Promise<unknown> {
  const loader = path.endsWith('.ts') ? 'ts' : 'js'
  const code = new Bun.Transpiler({ loader, target: 'bun' }).transformSync(readFileSync(path, 'utf8'))
  return import(`data:text/javascript;base64,${Buffer.from(code, 'utf8').toString('base64')}`)
}

function assertSpec(path: string, made: unknown): PluginSpec {
  const problem = specProblem(made)
  if (problem) throw new Error(`Cannot use the plugin "${path}": ${problem}`)
  return made as PluginSpec
}

/** What keeps a value from being a plugin. By hand: a schema takes longer to build than the rest of the import. */
function specProblem(made: unknown): string | undefined {
  if (!isRecord(made)) return 'its default export is no plugin'
  const { name, summary, defaults, rules, config, permissions, check } = made
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]{0,62}$/.test(name)) {
    return 'name: wanted lower-case letters, digits and "-"'
  }
  if (typeof summary !== 'string') return 'summary: wanted a text'
  if (!isRecord(defaults)) return 'defaults: wanted schedule and timeout'
  if (typeof defaults.schedule !== 'string') return 'defaults.schedule: wanted a cron expression or "manual"'
  if (typeof defaults.timeout !== 'string') return 'defaults.timeout: wanted a duration such as "1m"'
  if (!isRecord(rules)) return 'rules: wanted a map of rules'
  for (const [rule, value] of Object.entries(rules)) {
    if (!isRecord(value) || typeof value.means !== 'string') return `rules.${rule}.means: wanted a text`
    if (!SEVERITIES.some((severity) => severity === value.severity)) {
      return `rules.${rule}.severity: wanted one of ${SEVERITIES.join(', ')}`
    }
    const references = value.references ?? []
    if (!Array.isArray(references) || !references.every((reference) => typeof reference === 'string')) {
      return `rules.${rule}.references: wanted a list of texts`
    }
  }
  if (!isRecord(config) || typeof config.parse !== 'function') return 'config: wanted an object of zod'
  if (typeof permissions !== 'function') return 'permissions: wanted a function'
  return typeof check === 'function' ? undefined : 'check: wanted a function'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object'
}

/** What the daemon has to know of an external plugin, told by a worker: the daemon itself runs none of its code. */
export interface PluginDescription {
  name: string
  summary: string
  defaults: { schedule: string; timeout: string }
  rules: PluginSpec['rules']
  canApply: boolean
  /** For each job: the permissions that it asks for, or why its config is refused. */
  jobs: Record<string, { check: Permissions; apply?: Permissions } | { error: string }>
}

export function describePlugin(plugin: PluginSpec, configs: Record<string, unknown>): PluginDescription {
  const jobs: PluginDescription['jobs'] = {}
  for (const [job, config] of Object.entries(configs)) {
    try {
      jobs[job] = plugin.permissions(plugin.config.parse(config))
    } catch (error) {
      jobs[job] = { error: error instanceof z.ZodError ? z.prettifyError(error) : describeError(error) }
    }
  }
  return {
    name: plugin.name,
    summary: plugin.summary,
    defaults: plugin.defaults,
    rules: plugin.rules,
    canApply: plugin.apply !== undefined,
    jobs,
  }
}
