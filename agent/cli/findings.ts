import { SEVERITIES } from '../contract/report.ts'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { listFindings, listUrgentFindings } from '../store/read-findings.ts'
import { type CliCommand, EXIT, textOption } from './command.ts'
import { readHost, readStore } from './host.ts'
import { paint, paintState, print, printJson, time, visible } from './print.ts'

const MAX_SHOWN = 1000

export const findings: CliCommand = {
  name: 'findings',
  summary: 'What is wrong, with what to do about it',
  usage: '[--job NAME] [--severity LEVEL] [--all]',
  json: true,
  options: {
    job: { type: 'string', value: 'NAME', means: 'Only of this job' },
    severity: { type: 'string', value: 'LEVEL', means: 'At least info, warning or critical' },
    all: { type: 'boolean', means: 'Resolved ones too, newest first' },
  },
  async run({ values, json, ...invocation }) {
    const host = await readHost({ values, json, ...invocation })
    const store = readStore(host)
    const job = textOption(values, 'job')
    const level = severityRank(textOption(values, 'severity') ?? 'info')
    const rows = !store
      ? []
      : values.all
        ? listFindings(store, { job, limit: MAX_SHOWN })
        : listUrgentFindings(store, { ...(job && { job }), limit: MAX_SHOWN })
    store?.close()
    const shown = rows.filter((row) => severityRank(row.severity) >= level)
    if (json) printJson(shown)
    else if (shown.length === 0) print(store ? 'No findings.' : 'Nothing has run yet, so nothing is known.')
    else for (const row of shown) printFinding(row)
    if (!store) return EXIT.failed
    return shown.some((row) => row.state === 'open' && !row.waived) ? EXIT.findings : EXIT.clean
  },
}

function severityRank(name: string): number {
  const rank = (SEVERITIES as readonly string[]).indexOf(name)
  if (rank >= 0) return rank
  const near = nearest(name, SEVERITIES)
  throw new UserError(
    `There is no severity "${name}"${near ? `, did you mean "${near}"?` : `; known are ${SEVERITIES.join(', ')}`}`,
  )
}

function printFinding(row: ReturnType<typeof listFindings>[number]): void {
  const state = row.waived ? 'waived' : row.state === 'resolved' ? 'resolved' : row.severity
  print(`${paintState(state)}  ${paint('bold', visible(row.summary))}`)
  print(
    `    ${paint('dim', `${row.id} · ${row.job} · ${row.rule} · ${visible(row.subject)} · since ${time(row.openedAt)}`)}`,
  )
  if (row.remedy && row.state === 'open') print(`    ${row.remedy.split('\n').map(visible).join('\n    ')}`)
  if (row.silenced && row.state === 'open')
    print(
      `    no alerts until ${time(row.silenced.until)} (${visible(row.silenced.owner)}: ${visible(row.silenced.reason)})`,
    )
  if (row.waived)
    print(
      `    accepted by ${visible(row.waived.owner)} until ${row.waived.expires}: ${visible(row.waived.reason)}`,
    )
}
