import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { audits, jobsOf } from '../engine/audit.ts'
import { planJobs } from '../engine/scheduler.ts'
import { isLocked } from '../host/lock.ts'
import { parseDuration } from '../lib/duration.ts'
import { describeError, HostError, UserError } from '../lib/errors.ts'
import { suggestion } from '../lib/nearest.ts'
import type { Format, ReportModel } from '../report/model.ts'
import { listResolvedSince, listUrgentFindings } from '../store/read-findings.ts'
import { hostStatus, jobStatuses, ownFindings } from '../store/status.ts'
import { version } from '../version.ts'
import { type CliCommand, EXIT, type Invocation, textOption } from './command.ts'
import { type HostView, pickJobs, readHost, readStore } from './host.ts'

const MAX_FINDINGS = 100_000

const FORMATS: Record<string, () => Promise<Format>> = {
  text: async () => (await import('../report/text.ts')).text,
  html: async () => (await import('../report/html.tsx')).html,
  markdown: async () => (await import('../report/markdown.ts')).markdown,
  json: async () => (await import('../report/json.ts')).json,
  sarif: async () => (await import('../report/sarif.ts')).sarif,
  junit: async () => (await import('../report/junit.ts')).junit,
  ocsf: async () => (await import('../report/ocsf.ts')).ocsf,
}

export const report: CliCommand = {
  name: 'report',
  summary: 'A report of all jobs, or of some, from what is stored',
  usage: '[JOB…] [--format FORMAT] [--since TIME] [--output FILE]',
  options: {
    format: { type: 'string', short: 'f', value: 'FORMAT', means: Object.keys(FORMATS).join(', ') },
    since: {
      type: 'string',
      value: 'TIME',
      means: 'What opened or was resolved since then is new. Default 24h',
    },
    output: {
      type: 'string',
      short: 'o',
      value: 'FILE',
      means: 'Write it there (0600) instead of printing it',
    },
  },
  async run(invocation) {
    const name = textOption(invocation.values, 'format') ?? 'text'
    const load = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
    if (!load) {
      throw new UserError(`There is no format "${name}"${suggestion(name, Object.keys(FORMATS))}`)
    }
    const host = await readHost(invocation)
    const model = await modelOf(host, invocation)
    const text = (await load()).render(model)
    const output = textOption(invocation.values, 'output')
    if (output) writeWhole(output, text)
    else process.stdout.write(text)
    return exitCode(model)
  },
}

async function modelOf(host: HostView, { values, positionals, plugins }: Invocation): Promise<ReportModel> {
  const at = Date.now()
  const text = textOption(values, 'since') ?? '24h'
  const ago = parseDuration(text)
  const since = ago === undefined ? Date.parse(text) : at - ago
  if (Number.isNaN(since)) throw new UserError(`Cannot read "--since ${text}": wanted 24h, 7d or a day`)
  const store = readStore(host)
  if (!store) throw new HostError('Nothing has run yet, so there is nothing to report')
  const jobs = positionals.length > 0 ? pickJobs(host.jobs, positionals) : host.jobs
  const names = new Set(jobs.map(({ name }) => name))
  const isRunning = (job: string) => isLocked(`${host.stateDir}/locks/job-${job}.lock`)
  const planned = planJobs(store, jobs, { now: at, isRunning })
  const statuses = jobStatuses(store, planned)
  const isWanted = ({ job }: { job: string }) =>
    names.has(job) || (job === 'reeve' && positionals.length === 0)
  const findings = [
    ...listUrgentFindings(store, { limit: MAX_FINDINGS }),
    ...listResolvedSince(store, since, MAX_FINDINGS),
  ].filter(isWanted)
  const checklists = host.checklists.filter((checklist) => jobsOf([checklist]).isSubsetOf(names))
  const registry = await plugins.load(jobs.map(({ plugin }) => plugin.name))
  const rules = new Map(
    [...registry.values()].flatMap((plugin) =>
      Object.entries(plugin.rules).map(([rule, about]) => [`${plugin.name}/${rule}`, about] as const),
    ),
  )
  const model = {
    host: hostname(),
    version,
    at,
    since,
    state: hostStatus(statuses, ownFindings(store)).state,
    jobs: statuses,
    findings,
    audits: audits(store, checklists, planned),
    rules,
  }
  store.close()
  return model
}

function exitCode({ state }: ReportModel): number {
  if (state === 'ok') return EXIT.clean
  return state === 'warning' || state === 'critical' ? EXIT.findings : EXIT.failed
}

/** Under its name only when it is whole: a dashboard must not read half of it. */
function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`
  try {
    const descriptor = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    try {
      writeSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw new HostError(`Cannot write "${path}": ${describeError(error)}`, { cause: error })
  }
}
