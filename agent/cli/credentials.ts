import type { PluginSource } from '../contract/plugin.ts'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { listFacts, type StoredFact } from '../store/read-inventory.ts'
import { type CliCommand, EXIT, textOption } from './command.ts'
import { readHost, readStore } from './host.ts'
import { paint, print, printJson, table } from './print.ts'

const PLUGIN = 'credential-age'
const MAX_SHOWN = 20_000
const DAY_MS = 86_400_000

/** The ledger, or a verb of the plugin that keeps it: `reeve credentials rotate NAME`. */
export async function credentials(rest: string[] = [], plugins?: PluginSource): Promise<CliCommand> {
  const verb = firstWord(rest)
  const plugin = verb === undefined ? undefined : (await plugins?.load([PLUGIN]))?.get(PLUGIN)
  if (!plugin || verb === undefined) return ledger
  const verbs = Object.keys(plugin.commands ?? {})
  if (!verbs.includes(verb)) {
    const near = nearest(verb, verbs)
    throw new UserError(
      `There is no "reeve credentials ${verb}"${near ? `, did you mean "${near}"?` : `; there are ${verbs.join(', ')}`}`,
    )
  }
  const own = rest.find((word) => word.startsWith('reeve#'))?.slice('reeve#'.length)
  if (verb === 'rotate' && own !== undefined) return rotateOwnToken(own)
  const { pluginVerb } = await import('./plugin-command.ts')
  return { ...pluginVerb(plugin, [verb]), name: `credentials ${verb}` }
}

/** A token of reeve itself is in reeve's own hands: the new one is shown once, the old one ends after the overlap. */
async function rotateOwnToken(name: string): Promise<CliCommand> {
  const { token } = await import('./token.ts')
  return {
    ...token,
    name: 'credentials rotate',
    run: (invocation) => token.run({ ...invocation, positionals: ['rotate', name] }),
  }
}

/** The first word that is neither an option nor the value of one that stands before it. */
function firstWord(words: string[]): string | undefined {
  return words.find(
    (word, index) => !word.startsWith('-') && !/^(-c|--config|--job)$/.test(words[index - 1] ?? ''),
  )
}

const ledger: CliCommand = {
  name: 'credentials',
  summary: 'Every credential of this host, what is due first; rotate, discover, compromised',
  usage: '[--job NAME] | rotate NAME | discover | compromised NAME',
  json: true,
  options: { job: { type: 'string', value: 'NAME', means: 'Only of this job' } },
  async run(invocation) {
    const store = readStore(await readHost(invocation))
    const job = textOption(invocation.values, 'job')
    const facts = store ? listFacts(store, { job, kind: 'credential', limit: MAX_SHOWN }) : []
    store?.close()
    const rows = sortByDue(facts)
    if (invocation.json) printJson(rows)
    else if (rows.length === 0)
      print('No credential is known: no job of the plugin credential-age has looked yet.')
    else
      print(
        table(['due', 'in', 'credential', 'kind', 'strength', 'owner', 'used by'], cellsOf(rows, Date.now())),
      )
    return EXIT.clean
  },
}

interface Row extends Pick<StoredFact, 'job' | 'subject' | 'data'> {
  /** When it has to be rotated or ends by itself, whichever comes first; UTC milliseconds. */
  nextAt: number | null
}

/** What is due first comes first; what is never due, last. Pure. */
export function sortByDue(facts: Pick<StoredFact, 'job' | 'subject' | 'data'>[]): Row[] {
  return facts
    .filter(({ data }) => data.superseded !== true)
    .map(({ job, subject, data }) => ({ job, subject, data, nextAt: nextOf(data) }))
    .toSorted(
      (a, b) =>
        (a.nextAt ?? Number.POSITIVE_INFINITY) - (b.nextAt ?? Number.POSITIVE_INFINITY) ||
        (a.subject < b.subject ? -1 : 1),
    )
}

function nextOf(data: StoredFact['data']): number | null {
  const times = [data.dueAt, data.expiresAt].flatMap((text) => {
    const atMs = typeof text === 'string' ? Date.parse(text) : Number.NaN
    return Number.isNaN(atMs) ? [] : [atMs]
  })
  return times.length === 0 ? null : Math.min(...times)
}

function cellsOf(rows: Row[], nowMs: number): string[][] {
  return rows.map(({ subject, data, nextAt }) => {
    const text = (value: unknown) => (value === undefined ? '-' : String(value))
    const places = typeof data.places === 'number' ? ` (in ${data.places} places)` : ''
    const name = typeof data.name === 'string' ? `${data.name}: ` : ''
    return [
      nextAt === null ? '-' : new Date(nextAt).toISOString().slice(0, 10),
      nextAt === null ? '-' : paintDays(Math.floor((nextAt - nowMs) / DAY_MS)),
      `${name}${subject}${places}`,
      text(data.kind),
      text(data.strength),
      text(data.owner),
      text(data.usedBy),
    ]
  })
}

function paintDays(days: number): string {
  const text = days < 0 ? `${-days} d ago` : `${days} d`
  if (days < 0) return paint('red', text)
  return days < 15 ? paint('yellow', text) : text
}
