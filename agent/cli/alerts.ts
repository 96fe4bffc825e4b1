import { testChannel } from '../alert/channels/open.ts'
import { alertContext, openConfigured } from '../alerting.ts'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { Redactor } from '../lib/redact.ts'
import { openStateDirectory } from '../state-directory.ts'
import { openStore } from '../store/open.ts'
import { listOutbox, outboxCounts, replay } from '../store/outbox.ts'
import { type CliCommand, EXIT, type Invocation } from './command.ts'
import { actAsStateOwner, type HostView, readHost, readStore } from './host.ts'
import { print, printJson, table, time } from './print.ts'

export const alerts: CliCommand = {
  name: 'alerts',
  summary: 'Alerts on their way; send a test, send dead ones again',
  usage: '[list] | test [CHANNEL] | replay ID… | replay --dead',
  json: true,
  options: { dead: { type: 'boolean', means: 'With replay: all that were given up' } },
  async run(invocation) {
    const [verb = 'list', ...rest] = invocation.positionals
    const host = await readHost(invocation)
    if (verb === 'list') return list(host, invocation.json)
    if (verb === 'test') return test(host, rest)
    if (verb === 'replay') return replayDead(host, invocation, rest)
    const near = nearest(verb, ['list', 'test', 'replay'])
    throw new UserError(`There is no "reeve alerts ${verb}"${near ? `, did you mean "${near}"?` : ''}`)
  },
}

function list(host: HostView, json: boolean): number {
  const store = readStore(host)
  const counts = store ? outboxCounts(store) : []
  const rows = store ? listOutbox(store, {}) : []
  store?.close()
  if (json) printJson({ channels: counts, messages: rows })
  else {
    const cells = rows.map((row) => [
      String(row.id),
      time(row.createdAt),
      row.channel,
      row.type,
      row.state,
      String(row.attempts),
      row.lastError ?? '',
    ])
    print(table(['id', 'created', 'channel', 'type', 'state', 'tries', 'last error'], cells))
  }
  return counts.some((channel) => channel.dead > 0) ? EXIT.findings : EXIT.clean
}

async function test(host: HostView, names: string[]): Promise<number> {
  const { channels } = host.config.alerts
  const wanted = names.length > 0 ? channels.filter((channel) => names.includes(channel.name)) : channels
  const missing = names.find((name) => !channels.some((channel) => channel.name === name))
  if (missing)
    throw new UserError(
      `There is no channel "${missing}"; known are ${channels.map(({ name }) => name).join(', ') || 'none'}`,
    )
  if (wanted.length === 0) throw new UserError('No channel is configured under alerts.channels')
  actAsStateOwner(host.stateDir)
  const context = alertContext(openStateDirectory(host.stateDir))
  const redactor = new Redactor()
  let code: number = EXIT.clean
  for (const config of wanted) {
    const channel = openConfigured(host.config, config, redactor)
    const verdict = await testChannel(channel, context, Date.now(), AbortSignal.timeout(20_000))
    if (verdict.kind !== 'delivered') code = EXIT.failed
    print(`${config.name}: ${verdict.kind === 'delivered' ? 'delivered' : verdict.reason}`)
  }
  return code
}

function replayDead(host: HostView, { values }: Invocation, ids: string[]): number {
  const bad = ids.find((id) => !/^\d+$/.test(id))
  if (bad !== undefined) throw new UserError(`There is no alert "${bad}": "reeve alerts" shows their numbers`)
  if (!values.dead && ids.length === 0)
    throw new UserError('Give numbers of alerts, or --dead for all that were given up')
  actAsStateOwner(host.stateDir)
  const store = openStore(openStateDirectory(host.stateDir).database)
  const count = replay(store, values.dead ? 'dead' : ids.map(Number), Date.now())
  store.close()
  print(`${count} alerts will be sent again`)
  return EXIT.clean
}
