import { listFacts } from '../store/read-inventory.ts'
import { type CliCommand, EXIT, textOption } from './command.ts'
import { readHost, readStore } from './host.ts'
import { print, printJson, table, time } from './print.ts'

const MAX_SHOWN = 10_000

export const facts: CliCommand = {
  name: 'facts',
  summary: 'Inventory of this host: credentials, backups, managed logs',
  usage: '[--job NAME] [--kind KIND]',
  json: true,
  options: {
    job: { type: 'string', value: 'NAME', means: 'Only of this job' },
    kind: { type: 'string', value: 'KIND', means: 'Only of this kind' },
  },
  async run(invocation) {
    const host = await readHost(invocation)
    const store = readStore(host)
    const job = textOption(invocation.values, 'job')
    const kind = textOption(invocation.values, 'kind')
    const rows = store ? listFacts(store, { job, kind, limit: MAX_SHOWN }) : []
    store?.close()
    if (invocation.json) printJson(rows)
    else {
      const cells = rows.map((row) => [
        row.job,
        row.kind,
        row.subject,
        time(row.changedAt),
        Object.entries(row.data)
          .map(([key, value]) => `${key}=${value}`)
          .join(' '),
      ])
      print(table(['job', 'kind', 'subject', 'changed', 'data'], cells))
    }
    return EXIT.clean
  },
}
