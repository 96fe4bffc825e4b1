import { scheduleError } from './config/cron.ts'
import { readConfigFiles } from './config/files.ts'
import { ConfigError, type LoadedConfig, loadConfig, unknownPlugin } from './config/load.ts'
import { type Problem, problemAt } from './config/problem.ts'
import type { Checklist } from './config/profile-schema.ts'
import type { Config, JobConfig } from './config/schema.ts'
import type { Permissions } from './contract/permissions.ts'
import type { PluginSource, WatchPlan } from './contract/plugin.ts'
import { ungranted } from './engine/grant.ts'
import type { Job } from './engine/job.ts'
import { sha256 } from './lib/digest.ts'
import { parseDuration } from './lib/duration.ts'
import { nearest } from './lib/nearest.ts'
import { fileDigest } from './setup-cache.ts'
import type { PluginDescription } from './worker/external.ts'

export interface Setup {
  config: Config
  jobs: Job[]
  /** Of the profiles in use. */
  checklists: Checklist[]
  /** Files of the configuration, in the order in which they are joined. */
  files: string[]
  /** SHA-256 over the configuration as written. */
  digest: string
  /** SHA-256 of each file of an external plugin, taken before it was asked what it is. */
  pluginDigests: Record<string, string>
}

/** Asks a jailed worker what an external plugin is and what its jobs want. Rejects when it is no plugin. */
export type Describe = (file: string, configs: Record<string, unknown>) => Promise<PluginDescription>

/** Configuration, plugins and grants put together. Throws ConfigError with every problem. */
export async function loadSetup(
  path: string,
  plugins: PluginSource,
  describe: Describe,
  files = readConfigFiles(path),
): Promise<Setup> {
  const loaded = await loadConfig(path, plugins, files)
  const { config, registry } = loaded
  const problems: Problem[] = []
  const pluginDigests = Object.fromEntries(config.plugins.paths.map((file) => [file, fileDigest(file)]))
  const external = await describeExternal(loaded, plugins, describe, problems)
  const unloaded = problems.length
  const jobs = Object.entries(config.jobs).flatMap(([name, job]): Job[] => {
    const built = registry.get(job.plugin)
    if (built) {
      const parsed = built.config.parse(job.config)
      const plugin = {
        name: built.name,
        summary: built.summary,
        file: null,
        canApply: built.apply !== undefined,
        ...(built.seesActions && { seesActions: true }),
      }
      if (job.watch && !built.watch)
        problems.push(problemAt(loaded.source, ['jobs', name, 'watch'], NOT_WATCHED))
      const watch = (job.watch && built.watch?.(parsed)) || null
      return [assemble(name, job, config, plugin, built.defaults, built.permissions(parsed), null, watch)]
    }
    const found = external.get(job.plugin)
    const asked = found?.description.jobs[name]
    if (!found || !asked) {
      // It may be in the file that could not be loaded: that is the problem then.
      if (unloaded === 0 || nearest(job.plugin, plugins.names)) {
        problems.push(problemAt(loaded.source, ['jobs', name, 'plugin'], unknownPlugin(job.plugin, plugins)))
      }
      return []
    }
    if ('error' in asked) {
      problems.push(problemAt(loaded.source, ['jobs', name, 'config'], asked.error))
      return []
    }
    const { description, file } = found
    const plugin = {
      name: description.name,
      summary: description.summary,
      file,
      canApply: description.canApply,
    }
    if (job.watch) problems.push(problemAt(loaded.source, ['jobs', name, 'watch'], NOT_WATCHED))
    return [assemble(name, job, config, plugin, description.defaults, asked, refusal(asked, job), null)]
  })
  if (problems.length > 0) throw new ConfigError(problems, path)
  const { checklists, files: read, digest } = loaded
  return { config, jobs, checklists, files: read, digest, pluginDigests }
}

const NOT_WATCHED = 'this plugin does not say which paths could be watched: leave `watch` out'

async function describeExternal(
  { config, source }: LoadedConfig,
  plugins: PluginSource,
  describe: Describe,
  problems: Problem[],
): Promise<Map<string, { description: PluginDescription; file: string }>> {
  const result = new Map<string, { description: PluginDescription; file: string }>()
  const configs = Object.fromEntries(
    Object.entries(config.jobs)
      .filter(([, job]) => !plugins.names.includes(job.plugin))
      .map(([name, job]) => [name, job.config]),
  )
  for (const [index, file] of config.plugins.paths.entries()) {
    try {
      const description = await describe(file, configs)
      const { name, defaults } = description
      const problem = scheduleError(defaults.schedule, 'UTC')
      if (problem) throw new Error(`its schedule "${defaults.schedule}" cannot be used: ${problem}`)
      if (parseDuration(defaults.timeout) === undefined)
        throw new Error(`its timeout "${defaults.timeout}" is no duration such as 90s or 15m`)
      if (plugins.names.includes(name) || result.has(name))
        throw new Error(`there is another plugin "${name}"`)
      result.set(name, { description, file })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      problems.push(problemAt(source, ['plugins', 'paths', index], message))
    }
  }
  return result
}

/** An external plugin asks; only what the configuration grants it may have. */
function refusal(asked: { check: Permissions; apply?: Permissions }, job: JobConfig): string | null {
  const granted = (job.grant ?? {}) as Permissions
  const phases = [asked.check, ...(job.mode === 'enforce' && asked.apply ? [asked.apply] : [])]
  const missing = [...new Set(phases.flatMap((phase) => ungranted(phase, granted)))]
  return missing.length > 0 ? `it asks for permissions that are not granted: ${missing.join(', ')}` : null
}

function assemble(
  name: string,
  job: JobConfig,
  config: Config,
  plugin: Job['plugin'],
  defaults: { schedule: string; timeout: string },
  permissions: Job['permissions'],
  refused: string | null,
  watch: WatchPlan | null,
): Job {
  const schedule = job.schedule ?? defaults.schedule
  const effective = {
    name,
    plugin,
    schedule: schedule === 'manual' ? null : schedule,
    timezone: job.timezone ?? config.defaults.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    mode: job.mode,
    timeoutMs: job.timeout ?? config.defaults.timeout ?? parseDuration(defaults.timeout) ?? 900_000,
    jitterMs: job.jitter ?? config.defaults.jitter ?? 0,
    runOnStart: job.runOnStart,
    catchUp: job.catchUp,
    enabled: job.enabled,
    sandbox: job.sandbox ?? config.defaults.sandbox,
    config: job.config,
    permissions,
    watch,
    refused,
  }
  const configDigest = sha256(JSON.stringify(effective))
  return { ...effective, configDigest }
}
