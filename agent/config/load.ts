import type { PluginSource, Registry } from '../contract/plugin.ts'
import { sha256 } from '../lib/digest.ts'
import { UserError } from '../lib/errors.ts'
import { suggestion } from '../lib/nearest.ts'
import { isLoopback, parseHostPort } from './address.ts'
import { scheduleError } from './cron.ts'
import { readConfigFiles } from './files.ts'
import { formatProblems, type Problem, problemAt, problemsOf } from './problem.ts'
import type { Checklist } from './profile-schema.ts'
import { applyProfiles } from './profiles.ts'
import { type Config, configSchema } from './schema.ts'
import { secretProblems } from './secret-problems.ts'
import { isRecord, readSource, type Source } from './source.ts'

export interface LoadedConfig {
  config: Config
  /** The built-in plugins that its jobs use. */
  registry: Registry
  checklists: Checklist[]
  files: string[]
  /** SHA-256 over the configuration as written. */
  digest: string
  source: Source
}

/** The configuration cannot be used; the message has every problem, a line each. */
export class ConfigError extends UserError {
  constructor(
    readonly problems: Problem[],
    path: string,
  ) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    super(`Cannot use the configuration "${path}": ${count}\n${formatProblems(problems)}`)
  }
}

/**
 * Reads and checks the configuration with its conf.d: all problems at once, each with its place. Jobs of
 * plugins that are not in the registry are left to whoever knows the external ones.
 */
export async function loadConfig(
  path: string,
  plugins: PluginSource,
  files = readConfigFiles(path),
): Promise<LoadedConfig> {
  const written = readSource(files)
  const { source, checklists, problems: profileProblems } = await applyProfiles(written, files, plugins)
  const registry = await plugins.load(pluginNames(source))
  const problems = [...source.problems, ...secretProblems(source), ...profileProblems]
  const parsed = configSchema.safeParse(source.value)
  if (!parsed.success) problems.push(...problemsOf(parsed.error, source, [], configSchema))
  problems.push(...jobProblems(source, registry, plugins), ...bindProblems(source))
  problems.push(...ruleProblems(source, checklists, registry))
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems, path)
  const digest = sha256(JSON.stringify(source.value))
  return { config: parsed.data, registry, checklists, files: source.files, digest, source }
}

/** Each job's own settings, checked by its plugin even when the rest has problems: all at once. */
function pluginNames(source: Source): string[] {
  const { jobs } = source.value
  const used = Object.values(isRecord(jobs) ? jobs : {}).map((job) =>
    isRecord(job) ? job.plugin : undefined,
  )
  return used.filter((name) => typeof name === 'string')
}

function jobProblems(source: Source, registry: Registry, plugins: PluginSource): Problem[] {
  const {
    jobs,
    plugins: external,
    defaults,
  } = source.value as Record<string, Record<string, unknown> | undefined>
  const hasExternal = Array.isArray(external?.paths) && external.paths.length > 0
  return Object.entries(isRecord(jobs) ? jobs : {}).flatMap(([name, job]) => {
    if (!isRecord(job)) return []
    const problems: Problem[] = []
    const plugin = typeof job.plugin === 'string' ? registry.get(job.plugin) : undefined
    if (plugin) {
      const parsed = plugin.config.safeParse(job.config ?? {})
      if (!parsed.success)
        problems.push(...problemsOf(parsed.error, source, ['jobs', name, 'config'], plugin.config))
      if (job.mode === 'enforce' && !plugin.apply) {
        problems.push(problemAt(source, ['jobs', name, 'mode'], `the plugin "${plugin.name}" only observes`))
      }
    } else if (typeof job.plugin === 'string' && !hasExternal) {
      problems.push(problemAt(source, ['jobs', name, 'plugin'], unknownPlugin(job.plugin, plugins)))
    }
    if (typeof job.schedule === 'string') {
      const zone = job.timezone ?? defaults?.timezone
      const problem = scheduleError(job.schedule, typeof zone === 'string' ? zone : 'UTC')
      if (problem) {
        const message = `found "${job.schedule}", wanted a cron expression of 5 or 6 fields, @daily or "manual": ${problem}`
        problems.push(problemAt(source, ['jobs', name, 'schedule'], message))
      }
    }
    return problems
  })
}

export function unknownPlugin(name: string, { names }: PluginSource): string {
  return `there is no plugin "${name}"${suggestion(name, names)}`
}

/** Checks of rules that their plugin does not have could never fail. */
function ruleProblems(source: Source, checklists: Checklist[], registry: Registry): Problem[] {
  const jobs = isRecord(source.value.jobs) ? source.value.jobs : {}
  return checklists.flatMap(({ name, items }) =>
    items.flatMap(({ id, checks }) =>
      checks.flatMap(({ job, rules }) => {
        const settings = jobs[job]
        const plugin = isRecord(settings) ? registry.get(String(settings.plugin)) : undefined
        if (!plugin) return []
        const known = Object.keys(plugin.rules)
        return (rules ?? [])
          .filter((rule) => !known.includes(rule))
          .map((rule) => {
            const message = `item ${id} of ${name}: the plugin "${plugin.name}" has no rule "${rule}"${suggestion(rule, known)}`
            return problemAt(source, ['jobs', job], message)
          })
      }),
    ),
  )
}

function bindProblems(source: Source): Problem[] {
  const api = source.value.api
  if (!isRecord(api) || typeof api.listen !== 'string' || api.tls !== undefined) return []
  const address = parseHostPort(api.listen)
  if (!address || isLoopback(address.host)) return []
  return [
    problemAt(
      source,
      ['api', 'listen'],
      `found "${api.listen}", which others can reach: that needs \`api.tls\` (and a token)`,
    ),
  ]
}
