import { readFileSync } from 'node:fs'
import { z } from 'zod'
import * as contract from '../contract/mod.ts'
import type { Permissions } from '../contract/permissions.ts'
import type { PluginSpec } from '../contract/plugin.ts'
import { describeError } from '../lib/errors.ts'

/**
 * Imports a plugin file. Its default export is a spec, or a function that gets the contract (with
 * `definePlugin` and `z`) and returns one: a file outside of this program cannot import it by path.
 */
export async function loadExternalPlugin(path: string): Promise<PluginSpec> {
  const module = (await importText(path)) as { default?: unknown }
  const made = typeof module.default === 'function' ? module.default(contract) : module.default
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

const specShape = z.looseObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
  summary: z.string(),
  defaults: z.strictObject({ schedule: z.string(), timeout: z.string() }),
  rules: z.record(
    z.string(),
    z.strictObject({
      means: z.string(),
      severity: z.enum(['info', 'warning', 'critical']),
      references: z.array(z.string()).optional(),
    }),
  ),
  permissions: z.custom<() => unknown>((value) => typeof value === 'function'),
  check: z.custom<() => unknown>((value) => typeof value === 'function'),
})

function assertSpec(path: string, made: unknown): PluginSpec {
  const result = specShape.safeParse(made)
  if (!result.success) {
    const issue = result.error.issues[0]
    throw new Error(
      `Cannot use the plugin "${path}": ${issue?.path.join('.') || 'its default export'}: ${issue?.message ?? 'is no plugin'}`,
    )
  }
  const spec = made as PluginSpec
  if (typeof spec.config?.parse !== 'function') {
    throw new Error(`Cannot use the plugin "${path}": config is no zod object`)
  }
  return spec
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
