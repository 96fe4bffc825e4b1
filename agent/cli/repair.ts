import type { PluginSpec } from '../contract/plugin.ts'
import type { Job } from '../engine/job.ts'
import { takeLock } from '../host/lock.ts'
import { UserError } from '../lib/errors.ts'
import { openStateDirectory } from '../state-directory.ts'
import { recordAudit } from '../store/audit.ts'
import { openStore } from '../store/open.ts'
import { findRun } from '../store/read-runs.ts'
import { type CliCommand, EXIT, type Invocation, textOption } from './command.ts'
import { giveStateBack, pickJobs, readHost, readStore } from './host.ts'
import { pluginVerb } from './plugin-command.ts'
import { printError } from './print.ts'
import { runJobs } from './run.ts'

export const repair: CliCommand = {
  name: 'repair',
  summary: 'Put right now what a job finds, whatever its mode; or take a repair back',
  usage: 'JOB [--dry-run] | --undo RUN [--dry-run]',
  options: {
    'dry-run': { type: 'boolean', means: 'Only say what would be done' },
    undo: {
      type: 'string',
      value: 'RUN',
      means: 'Put back what this run has repaired (its number, see "reeve runs")',
    },
    threshold: {
      type: 'string',
      value: 'LEVEL',
      means: 'Exit with 3 from this severity on; default warning',
    },
    verbose: { type: 'boolean', short: 'v', means: 'Log to standard error' },
  },
  json: true,
  async run(invocation) {
    const { values, positionals } = invocation
    const run = textOption(values, 'undo')
    if (run !== undefined) {
      if (positionals.length > 0) throw new UserError('Give a job to repair or --undo RUN, not both')
      return undo(invocation, run)
    }
    if (positionals.length !== 1) throw new UserError('Which job? Give one: reeve repair JOB')
    if (values['dry-run'] === true) return plan(invocation)
    return runJobs(invocation, (job) => {
      if (job.plugin.canApply) return { ...job, mode: 'enforce' }
      throw new UserError(`Cannot repair with "${job.name}": the plugin "${job.plugin.name}" only checks`)
    })
  },
}

async function plan(invocation: Invocation): Promise<number> {
  const host = await readHost(invocation)
  const [job] = pickJobs(host.jobs, invocation.positionals)
  return callPlugin(invocation, job, 'plan', {})
}

/** The job's plugin knows how; nothing else of the job runs meanwhile. */
async function undo(invocation: Invocation, runText: string): Promise<number> {
  const host = await readHost(invocation)
  const store = readStore(host)
  const run = /^\d+$/.test(runText) ? store && findRun(store, Number(runText)) : undefined
  store?.close()
  if (!run) throw new UserError(`There is no run "${runText}"; "reeve runs" lists them`)
  const [job] = pickJobs(host.jobs, [run.job])
  const lock = takeLock(openStateDirectory(host.stateDir).lockFile(`job-${run.job}`))
  if (!lock) {
    printError(
      `reeve: Cannot undo run ${run.id}: the job "${run.job}" is running; try again when it has ended`,
    )
    return EXIT.locked
  }
  try {
    const code = await callPlugin(invocation, job, 'undo', {
      at: new Date(run.startedAt).toISOString(),
      'dry-run': invocation.values['dry-run'],
    })
    if (invocation.values['dry-run'] !== true) leaveTrail(host.database, run, code)
    return code
  } finally {
    lock.release()
    giveStateBack(host.stateDir)
  }
}

function leaveTrail(database: string, run: { id: number; job: string }, code: number): void {
  const store = openStore(database)
  recordAudit(store, {
    at: Date.now(),
    actor: `cli:${process.getuid?.() ?? 0}`,
    remote: null,
    action: 'repair.undo',
    object: run.job,
    result: code === EXIT.clean || code === EXIT.findings ? 'ok' : 'failed',
    detail: { run: run.id },
  })
  store.close()
}

async function callPlugin(
  invocation: Invocation,
  job: Job | undefined,
  verb: 'plan' | 'undo',
  values: Invocation['values'],
): Promise<number> {
  const name = job?.plugin.name ?? ''
  const plugin: PluginSpec | undefined = job?.plugin.file
    ? undefined
    : (await invocation.plugins.load([name])).get(name)
  if (!plugin?.commands?.[verb]) {
    const what = verb === 'undo' ? 'take its repairs back' : 'say beforehand what it would do'
    throw new UserError(`Cannot do this with "${job?.name}": the plugin "${name}" cannot ${what}`)
  }
  return pluginVerb(plugin, [verb]).run({
    ...invocation,
    values: { ...values, job: job?.name },
    positionals: [],
  })
}
