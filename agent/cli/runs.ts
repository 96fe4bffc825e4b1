import { formatDuration, parseDuration } from '../lib/duration.ts'
import { UserError } from '../lib/errors.ts'
import { findRun, listRuns, listTransitions } from '../store/read-runs.ts'
import { type CliCommand, EXIT, textOption } from './command.ts'
import { readHost, readStore } from './host.ts'
import { paintState, print, printJson, table, time, visible } from './print.ts'

export const runs: CliCommand = {
  name: 'runs',
  summary: 'Runs of the past',
  usage: '[ID] [--job NAME] [--since 7d] [--limit N]',
  json: true,
  options: {
    job: { type: 'string', value: 'NAME', means: 'Only of this job' },
    since: { type: 'string', value: 'DURATION', means: 'Only of this time, such as 7d' },
    limit: { type: 'string', short: 'n', value: 'N', means: 'At most so many; default 30' },
  },
  async run({ values, json, positionals, ...invocation }) {
    const host = await readHost({ values, json, positionals, ...invocation })
    const store = readStore(host)
    if (!store) throw new UserError('Nothing has run yet: "reeve run --all" runs every job')
    try {
      const [id] = positionals
      if (id !== undefined) {
        const run = /^\d+$/.test(id) ? findRun(store, Number(id)) : undefined
        if (!run) throw new UserError(`There is no run "${id}"`)
        const changes = listTransitions(store, run.id, 1000)
        if (json) printJson({ ...run, changes })
        else printRun(run, changes)
        return EXIT.clean
      }
      const rows = listRuns(store, {
        job: textOption(values, 'job'),
        since: sinceOf(values),
        limit: limitOf(values),
      })
      if (json) printJson(rows)
      else {
        const cells = rows.map((run) => [
          String(run.id),
          time(run.startedAt),
          run.job,
          run.outcome,
          run.durationMs === null ? '-' : formatDuration(run.durationMs),
          run.trigger,
          String(run.findingCount),
          run.reason ?? '',
        ])
        const head = ['run', 'started', 'job', 'outcome', 'took', 'by', 'findings', 'why']
        print(table(head, cells, (cell, column) => (column === 3 ? paintState(cell) : cell)))
      }
      return EXIT.clean
    } finally {
      store.close()
    }
  },
}

function printRun(
  run: NonNullable<ReturnType<typeof findRun>>,
  changes: ReturnType<typeof listTransitions>,
): void {
  const rows: [string, string][] = [
    ['run', String(run.id)],
    ['job', `${run.job} (${run.plugin}, ${run.mode})`],
    ['outcome', paintState(run.outcome)],
    ['why', visible(run.reason ?? '-')],
    ['started', `${time(run.startedAt)} by ${run.trigger}${run.actor ? ` (${visible(run.actor)})` : ''}`],
    ['finished', time(run.finishedAt)],
    ['jail', run.sandbox ?? '-'],
    ['examined', `${run.examined}, left out on purpose ${run.skipped}, blind ${run.blind.length}`],
    ['findings', String(run.findingCount)],
  ]
  for (const [name, value] of rows) print(`${name.padEnd(10)} ${value}`)
  for (const { subject, reason } of run.blind) print(`blind      ${visible(subject)}: ${visible(reason)}`)
  for (const { kind, rule, subject } of changes) print(`${kind.padEnd(10)} ${rule} ${visible(subject)}`)
}

function sinceOf(values: Record<string, unknown>): number | undefined {
  const { since } = values
  if (typeof since !== 'string') return undefined
  const duration = parseDuration(since)
  if (duration === undefined)
    throw new UserError(`Cannot read "--since ${since}": wanted a duration such as 7d or 12h`)
  return Date.now() - duration
}

function limitOf(values: Record<string, unknown>): number {
  const { limit } = values
  if (limit === undefined) return 30
  const number = Number(limit)
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new UserError(`Cannot read "--limit ${String(limit)}": wanted a number from 1 to 10000`)
  }
  return number
}
