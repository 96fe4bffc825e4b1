import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'
import type { Command, CommandArgs, CommandResult, PluginSpec } from '../contract/plugin.ts'
import type { Job } from '../engine/job.ts'
import { takeLock } from '../host/lock.ts'
import { describeError, UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { formatProgress, ProgressMeter } from '../lib/progress.ts'
import { Redactor } from '../lib/redact.ts'
import { fingerprintKey, grantedEnvironment, resolveAll } from '../phases.ts'
import { openStateDirectory } from '../state-directory.ts'
import { memoryOf } from '../store/record.ts'
import { runPhase } from '../worker/spawn.ts'
import { type CliCommand, EXIT, type Invocation, type Option, textOption } from './command.ts'
import { giveStateBack, type HostView, pickJobs, readHost, readStore } from './host.ts'
import { print, printError, printJson, progressLine } from './print.ts'

const COMMAND_TIMEOUT_MS = 24 * 3_600_000

/** A plugin's own verb as a command: it runs in a jailed worker, like every phase of a job. */
export function pluginVerb(
  plugin: PluginSpec,
  rest: string[],
  called: { word: string; verb?: string | undefined } = { word: plugin.name },
): CliCommand {
  const verbs = plugin.commands ?? {}
  const given = verbAmong(rest)
  // A short name without a verb may have an argument in its place.
  const verb = called.verb !== undefined && !(given && verbs[given]) ? called.verb : given
  const command = verb === undefined ? undefined : verbs[verb]
  if (!command || verb === undefined) {
    const lines = Object.entries(verbs).map(
      ([name, { summary, usage }]) => `  reeve ${called.word} ${name} ${usage}\n      ${summary}`,
    )
    const near = verb && nearest(verb, Object.keys(verbs))
    const what = verb
      ? `There is no "reeve ${called.word} ${verb}"${near ? `, did you mean "${near}"?` : ''}`
      : `Which command of ${called.word}?`
    throw new UserError(`${what}\n${lines.join('\n')}`)
  }
  const options: Record<string, Option> = { ...command.options }
  return {
    name: verb === called.verb ? called.word : `${called.word} ${verb}`,
    summary: command.summary,
    usage: command.usage,
    json: true,
    options: {
      ...options,
      job: {
        type: 'string',
        value: 'NAME',
        means: 'The job that it is about; needed where there are several',
      },
    },
    run: (invocation) =>
      runVerb(plugin, verb, command, {
        ...invocation,
        positionals: invocation.positionals.filter((word, index) => !(index === 0 && word === verb)),
      }),
  }
}

/** The first word that is neither an option nor the value of one that every verb takes. */
function verbAmong(rest: string[]): string | undefined {
  return rest.find(
    (word, index) => !word.startsWith('-') && !['--job', '--config', '-c'].includes(rest[index - 1] ?? ''),
  )
}

async function runVerb(
  plugin: PluginSpec,
  verb: string,
  command: Command<unknown>,
  invocation: Invocation,
): Promise<number> {
  const { host, job } = await findJob(plugin, command, invocation)
  const args = absolutePaths(command, invocation)
  makeDirectories(command, args)
  const config = job ? plugin.config.parse(job.config) : undefined
  const permissions = command.permissions(config, args)
  const redactor = new Redactor()
  const secrets = resolveAll(permissions, redactor)
  const place = stateFor(host, job)
  const lock = command.exclusive && job ? place.lock?.(job.name) : undefined
  if (command.exclusive && job && !lock) {
    place.close()
    printError(
      `reeve: Cannot run "${plugin.name} ${verb}": the job "${job.name}" is running; try again when it is through`,
    )
    return EXIT.locked
  }
  const meter = new ProgressMeter()
  const end = await runPhase({
    jail: {
      sandbox: job?.sandbox ?? 'auto',
      permissions,
      stateDir: place.stateDir,
      mayChange: true,
      root: '/',
      pluginFile: null,
    },
    work: {
      kind: 'command',
      plugin: plugin.name,
      pluginFile: null,
      job: job?.name ?? '',
      config: job?.config,
      permissions,
      jailed: job?.sandbox !== 'off',
      stateDir: place.stateDir,
      root: '/',
      now: Date.now(),
      memory: place.memory,
      secrets,
      fingerprintKey: fingerprintKey(place.hostKey, plugin.name),
      findings: [],
      verb,
      args,
    },
    env: grantedEnvironment(permissions),
    timeoutMs: COMMAND_TIMEOUT_MS,
    onProgress: (progress) => progressLine(formatProgress(meter.note(progress, performance.now()))),
    onLog: ({ level, message }) => level === 'warn' && printError(redactor.text(message)),
  })
  progressLine(null)
  lock?.release()
  place.close()
  if (end.status !== 'done') {
    printError(`reeve: Cannot run "${plugin.name} ${verb}": ${redactor.text(end.reason)}`)
    return EXIT.failed
  }
  const result = resultSchema.parse(end.answer)
  if (invocation.json) printJson(redactor.value(result.json))
  else print(redactor.text(result.text))
  return result.exitCode
}

const resultSchema: z.ZodType<CommandResult> = z.object({
  exitCode: z.number().int().min(0).max(255),
  text: z.string(),
  json: z.json(),
})

async function findJob(
  plugin: PluginSpec,
  command: Command<unknown>,
  invocation: Invocation,
): Promise<{ host?: HostView; job?: Job }> {
  const name = textOption(invocation.values, 'job')
  let host: HostView
  try {
    host = await readHost(invocation)
  } catch (error) {
    // A bare machine, on which a backup is to be restored, has no configuration.
    if (command.job === 'optional' && name === undefined && invocation.config === undefined) return {}
    throw error
  }
  const candidates = host.jobs.filter((job) => job.plugin.name === plugin.name && job.plugin.file === null)
  if (name !== undefined) {
    const [job] = pickJobs(candidates, [name])
    return job ? { host, job } : { host }
  }
  const [only, ...others] = candidates
  if (only && others.length === 0) return { host, job: only }
  const args = absolutePaths(command, invocation)
  const meant = candidates.filter((job) => command.concerns?.(plugin.config.parse(job.config), args))
  if (meant[0] && meant.length === 1) return { host, job: meant[0] }
  if (command.job === 'optional') return { host }
  if (!only) throw new UserError(`No job of the plugin "${plugin.name}" is configured`)
  throw new UserError(`Which job? Give --job with one of ${candidates.map((job) => job.name).join(', ')}`)
}

/** Paths on the command line are meant from here; the worker runs elsewhere. */
function absolutePaths(command: Command<unknown>, { values, positionals }: Invocation): CommandArgs {
  const paths = new Set(command.paths ?? [])
  // An option that takes a path or a URL keeps its URLs.
  const isUrl = (text: string) => /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  const absolute = (text: string) =>
    isUrl(text) ? text : isAbsolute(text) ? resolve(text) : resolve(process.cwd(), text)
  const known = Object.keys(command.options)
  return {
    values: Object.fromEntries(
      known.map((name) => {
        const value = values[name]
        if (!paths.has(name)) return [name, value]
        if (Array.isArray(value))
          return [name, value.map((item) => (typeof item === 'string' ? absolute(item) : item))]
        return [name, typeof value === 'string' ? absolute(value) : value]
      }),
    ),
    positionals: paths.has('positionals') ? positionals.map(absolute) : positionals,
  }
}

function makeDirectories(command: Command<unknown>, { values }: CommandArgs): void {
  for (const name of command.makes ?? []) {
    const path = values[name]
    if (typeof path !== 'string') continue
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw new UserError(`Cannot make the directory "${path}": ${describeError(error)}`)
    }
  }
}

/** The job's state directory, or a fresh one for a command without a job. */
function stateFor(host: HostView | undefined, job: Job | undefined) {
  if (host && job) {
    const store = readStore(host)
    const memory = store ? memoryOf(store, job.name) : undefined
    store?.close()
    const state = openStateDirectory(host.stateDir)
    const close = () => giveStateBack(host.stateDir)
    const lock = (name: string) => takeLock(state.lockFile(`job-${name}`))
    return { stateDir: state.forJob(job.name), memory, hostKey: state.hostKey, close, lock }
  }
  const stateDir = mkdtempSync(join(tmpdir(), 'reeve-'))
  const close = () => rmSync(stateDir, { recursive: true, force: true })
  return { stateDir, memory: undefined, hostKey: Buffer.alloc(32), close, lock: undefined }
}
