import { ANY_ARGUMENTS, PERMISSION_KEYS, type Permissions } from '../contract/permissions.ts'
import { nextTime } from '../engine/schedule.ts'
import { formatDuration } from '../lib/duration.ts'
import { type CliCommand, EXIT } from './command.ts'
import { pickJobs, readHost } from './host.ts'
import { paint, print, printJson, table, time, visible } from './print.ts'

export const jobs: CliCommand = {
  name: 'jobs',
  summary: 'Jobs with their schedule; one job with all that it may touch',
  usage: '[JOB]',
  json: true,
  async run(invocation) {
    const host = await readHost(invocation)
    const wanted = invocation.positionals.length > 0 ? pickJobs(host.jobs, invocation.positionals) : host.jobs
    const now = Date.now()
    const next = (job: (typeof wanted)[number]) =>
      job.schedule && job.enabled && !job.refused ? nextTime(job.schedule, job.timezone, now) : null
    if (invocation.json) {
      printJson(wanted.map((job) => ({ ...job, nextRunAt: next(job) })))
      return EXIT.clean
    }
    if (invocation.positionals.length === 0) {
      const rows = wanted.map((job) => [
        job.name,
        job.plugin.name,
        job.schedule ?? 'manual',
        job.enabled ? job.mode : 'disabled',
        time(next(job)),
        job.refused ?? job.plugin.summary,
      ])
      print(table(['job', 'plugin', 'schedule', 'mode', 'next run', 'about'], rows))
      return EXIT.clean
    }
    for (const job of wanted) {
      print(`${paint('bold', job.name)}: ${job.plugin.summary}`)
      const rows: [string, string][] = [
        ['plugin', job.plugin.file ? `${job.plugin.name} (${job.plugin.file})` : job.plugin.name],
        ['schedule', `${job.schedule ?? 'manual'} (${job.timezone})`],
        ['next run', time(next(job))],
        ['mode', job.enabled ? job.mode : 'disabled'],
        ['timeout', formatDuration(job.timeoutMs)],
        ['sandbox', job.sandbox],
        ...(job.refused ? ([['refused', job.refused]] as [string, string][]) : []),
        ...describe('check may', job.permissions.check),
        ...(job.permissions.apply ? describe('apply may', job.permissions.apply) : []),
      ]
      for (const [name, value] of rows) print(`  ${name.padEnd(22)} ${visible(value)}`)
    }
    return EXIT.clean
  },
}

function describe(phase: string, permissions: Permissions): [string, string][] {
  return PERMISSION_KEYS.flatMap((key) =>
    (permissions[key] ?? []).map((entry): [string, string] => [
      `${phase} ${key}`,
      Array.isArray(entry) ? entry.map((word) => (word === ANY_ARGUMENTS ? '…' : word)).join(' ') : entry,
    ]),
  )
}
