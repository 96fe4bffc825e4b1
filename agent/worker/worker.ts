import { readSync } from 'node:fs'
import { z } from 'zod'
import type { ProcessSurvey } from '../contract/host.ts'
import type { PluginSource } from '../contract/plugin.ts'
import { type Json, MAX_FINDINGS, MAX_MEMORY_BYTES, type Report } from '../contract/report.ts'
import { toGrants } from '../host/grants.ts'
import { LocalHostReader } from '../host/reader.ts'
import { LocalHostWriter } from '../host/writer.ts'
import type { Writers } from '../host/writers.ts'
import { hmacSha256 } from '../lib/digest.ts'
import { describeError, NotPermittedError } from '../lib/errors.ts'
import type { ProgressDetail } from '../lib/progress.ts'
import { Redactor } from '../lib/redact.ts'
import { expandPattern, forbidExecution } from './jail.ts'
import { send } from './message.ts'
import { runIdle } from './priority.ts'
import { readFrame, type WorkerMessage, type WorkRequest } from './protocol.ts'
import { PROCESSES_VARIABLE, WRITERS_VARIABLE } from './self.ts'

const STDIN = 0

/** Does one phase of one job in this (already jailed) process and says how it went on standard output. */
export async function work(plugins: PluginSource): Promise<void> {
  const request = readFrame<WorkRequest>(STDIN)
  const redactor = new Redactor()
  for (const value of Object.values(request.secrets)) redactor.add(value)
  const say = (message: WorkerMessage) => send(redactor.value(message))
  if (request.jailed && !request.permissions.run?.length) forbidExecution()
  // What a plugin prints must not be taken for the protocol.
  console.log = console.info = console.debug = console.error
  try {
    const abort = new AbortController()
    process.on('SIGTERM', () => abort.abort(new Error('the run was ended')))
    say(await perform(request, plugins, abort.signal, say))
  } catch (error) {
    say({ type: 'failed', message: describeError(error), notPermitted: isRefusal(error) })
  }
  waitForTheEnd()
}

/**
 * The daemon ends the whole process group when it has the last message: while its leader lives, the group's
 * number cannot belong to anybody else. Returns only when the daemon is gone.
 */
function waitForTheEnd(): void {
  const buffer = new Uint8Array(1)
  while (readSync(STDIN, buffer, 0, 1, null) > 0);
}

async function perform(
  request: WorkRequest,
  plugins: PluginSource,
  signal: AbortSignal,
  say: (message: WorkerMessage) => void,
): Promise<WorkerMessage> {
  const plugin = await loadPlugin(request, plugins)
  if (request.kind === 'describe') {
    const { describePlugin } = await import('./external.ts')
    return {
      type: 'description',
      description: describePlugin(plugin, request.config as Record<string, unknown>),
    }
  }
  const config = request.config === undefined ? undefined : plugin.config.parse(request.config)
  const grants = toGrants(request.permissions, request.stateDir, (pattern) =>
    expandPattern(request.root, pattern),
  )
  const common = {
    config,
    job: request.job,
    now: new Date(request.now),
    signal,
    stateDir: request.stateDir,
    memory: request.memory,
    actions: request.actions ?? [],
    state: new LocalHostWriter(
      request.root,
      toGrants({}, request.stateDir, () => []),
    ),
    log: {
      info: (message: string, fields?: Record<string, Json>) =>
        say({ type: 'log', level: 'info', message, ...(fields && { fields }) }),
      warn: (message: string, fields?: Record<string, Json>) =>
        say({ type: 'log', level: 'warn', message, ...(fields && { fields }) }),
    },
    secret: (reference: string) => secretOf(request, reference),
    fingerprint: (value: string | Uint8Array) =>
      hmacSha256(Buffer.from(request.fingerprintKey, 'hex'), value).slice(0, 32),
    ownTokens: request.ownTokens ?? [],
    lowerPriority: runIdle,
    progress: throttle((done, total, label, detail) =>
      say({ type: 'progress', done, total, label, ...detail }),
    ),
  }
  switch (request.kind) {
    case 'check': {
      const host = new LocalHostReader(request.root, grants, undefined, takeSurvey())
      return { type: 'report', report: bounded(await plugin.check({ ...common, host })) }
    }
    case 'apply': {
      if (!plugin.apply)
        throw new Error(`Cannot enforce "${request.job}": the plugin "${plugin.name}" only checks`)
      const host = new LocalHostWriter(request.root, grants, takeWriters())
      return {
        type: 'report',
        report: bounded(await plugin.apply({ ...common, host, findings: request.findings })),
      }
    }
    case 'command': {
      const command = plugin.commands?.[request.verb ?? '']
      if (!command) throw new Error(`Cannot run "${plugin.name} ${request.verb}": there is no such command`)
      const host = new LocalHostWriter(request.root, grants)
      const args = request.args ?? { values: {}, positionals: [] }
      return { type: 'result', result: await command.run({ ...common, host, args }) }
    }
  }
}

/** As the jail left it; programs that the run starts need not know. */
function takeWriters(): Writers | undefined {
  const text = process.env[WRITERS_VARIABLE]
  delete process.env[WRITERS_VARIABLE]
  return text === undefined ? undefined : writersSchema.parse(JSON.parse(text))
}

function takeSurvey(): ProcessSurvey | undefined {
  const text = process.env[PROCESSES_VARIABLE]
  delete process.env[PROCESSES_VARIABLE]
  return text === undefined ? undefined : surveySchema.parse(JSON.parse(text))
}

const processIds = z.record(z.string(), z.array(z.number()))
const surveySchema = z.object({
  programs: processIds,
  replaced: processIds,
  removed: processIds,
  listeners: processIds,
  hidden: z.array(z.number()),
  isCut: z.boolean(),
})

const writersSchema = z.record(z.string(), z.array(z.string()))

async function loadPlugin(request: WorkRequest, plugins: PluginSource) {
  // A worker parses one configuration and ends: to compile its schema would take longer than it saves.
  z.config({ jitless: true })
  if (request.pluginFile) return (await import('./external.ts')).loadExternalPlugin(request.pluginFile)
  const plugin = (await plugins.load([request.plugin])).get(request.plugin)
  if (!plugin) throw new Error(`Cannot run "${request.job}": there is no plugin "${request.plugin}"`)
  return plugin
}

function secretOf(request: WorkRequest, reference: string): string {
  const value = request.secrets[reference]
  if (value !== undefined) return value
  throw new NotPermittedError(
    `Cannot use the secret "${reference}": the job does not declare it (permissions.secrets)`,
  )
}

/** Keeps a report within what the daemon accepts; what is cut off is told as blind, never dropped in silence. */
function bounded(report: Report): Report {
  // External plugins are not held to the type.
  if (!Array.isArray(report?.findings)) throw new Error('Cannot use the report: it has no list of findings')
  if (report.memory !== undefined && JSON.stringify(report.memory).length > MAX_MEMORY_BYTES) {
    throw new Error(`Cannot keep the memory of this run: it is larger than ${MAX_MEMORY_BYTES} bytes`)
  }
  const surplus = report.findings.length - MAX_FINDINGS
  const blind = [...(report.blind ?? [])]
  if (surplus > 0) blind.unshift({ subject: 'findings', reason: `${surplus} more findings than can be kept` })
  const blindSurplus = blind.length - MAX_FINDINGS
  if (blindSurplus > 0) {
    blind.splice(MAX_FINDINGS - 1)
    blind.push({ subject: 'blind', reason: `${blindSurplus + 1} more subjects could not be examined` })
  }
  return { ...report, findings: report.findings.slice(0, MAX_FINDINGS), blind }
}

/** What the kernel or the host layer refused for want of a permission. */
function isRefusal(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof NotPermittedError) return true
    if ('code' in current && (current.code === 'EACCES' || current.code === 'EPERM')) return true
  }
  return false
}

const PROGRESS_INTERVAL_MS = 200

function throttle(send: Say): Say {
  let last = 0
  return (...progress) => {
    const now = performance.now()
    if (now - last < PROGRESS_INTERVAL_MS) return
    last = now
    send(...progress)
  }
}

type Say = (done: number, total: number, label: string, detail?: ProgressDetail) => void
