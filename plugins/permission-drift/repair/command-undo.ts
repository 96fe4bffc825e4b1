import { type Command, type CommandResult, describeError, UserError } from '../../../agent/contract/mod.ts'
import { octal } from '../baseline/summary.ts'
import type { Config } from '../config.ts'
import { subjectOf } from '../finding-list.ts'
import { permissions } from '../permissions.ts'
import { RepairHistory } from './history.ts'
import {
  closeJournal,
  journalsOf,
  listJournals,
  progressOf,
  type Repair,
  readJournal,
  writeJournal,
} from './journal.ts'
import { perform } from './perform.ts'

/** One entry of a journal, and what became of its undo. */
interface Undone {
  path: string
  result: 'undone' | 'not-repaired' | 'changed-since' | 'refused'
  detail: string
}

export const undo: Command<Config> = {
  summary: 'Put back what a run has repaired; "reeve repair --undo RUN" calls it',
  usage: '[--job NAME] --at TIME [--dry-run]',
  options: {
    at: { type: 'string', means: 'When the run began, as in the name of its journal' },
    'dry-run': { type: 'boolean', means: 'Only say what would be done' },
  },
  job: 'required',
  permissions: (config) => (config ? permissions(config).apply : {}),
  async run(context): Promise<CommandResult> {
    const { config, args, host, state, stateDir, now, signal } = context
    if (!config) throw new UserError('Cannot undo anything: name a job of permission-drift with --job')
    const names = chooseJournals(context, args.values.at)
    const isDry = args.values['dry-run'] === true
    const results: Undone[] = []
    const backwards: Repair[] = []
    // The last repair first: an entry may have been repaired twice.
    for (const name of names.toReversed()) {
      for (const repair of readJournal(state, stateDir, name).repairs.toReversed()) {
        const { path } = repair.entry
        const step = progressOf(host, repair)
        const now = host.stat(path)
        if (now && (step === 'done' || step === 'half-way')) {
          const { mode, uid, gid } = repair.entry
          const attributes = repair.attributes
            ?.toReversed()
            .map(({ name, before, after }) => ({ name, before: after, after: before }))
          backwards.push({ entry: { ...now, path }, after: { mode, uid, gid }, attributes })
        } else if (step === 'not-begun') {
          results.push({ path, result: 'not-repaired', detail: 'it is as it was before the repair' })
        } else {
          results.push({
            path,
            result: 'changed-since',
            detail: 'it is neither as before nor as after the repair',
          })
        }
      }
    }
    if (isDry || backwards.length === 0) {
      for (const { entry, after } of backwards)
        results.push({ path: entry.path, result: 'undone', detail: describe(entry, after) })
      return present(results, isDry)
    }
    const journal = writeJournal(state, stateDir, now, backwards, 'undo')
    const history = RepairHistory.read(state, stateDir, now)
    let done = 0
    for (const repair of backwards) {
      signal.throwIfAborted()
      const { entry, after } = repair
      try {
        perform(host, repair)
        history.note(subjectOf(entry.path), 'undone', after)
        results.push({ path: entry.path, result: 'undone', detail: describe(entry, after) })
        done++
      } catch (error) {
        results.push({ path: entry.path, result: 'refused', detail: describeError(error) })
      }
    }
    history.write(state, stateDir)
    closeJournal(state, journal.path, { finished: true, done, refused: backwards.length - done }, now)
    return present(results, false)
  },
}

function chooseJournals(
  { state, stateDir }: Pick<Parameters<Command<Config>['run']>[0], 'state' | 'stateDir'>,
  at: unknown,
): string[] {
  const all = listJournals(state, stateDir).filter((name) => name.startsWith('repair-'))
  const time = typeof at === 'string' ? new Date(at.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:')) : undefined
  if (!time || Number.isNaN(time.getTime())) {
    const known = all.slice(-5).map((name) => name.slice('repair-'.length, -'.jsonl'.length))
    throw new UserError(
      `Cannot undo: which run? Give --at with the time of one${known.length > 0 ? `, such as ${known.join(', ')}` : '; there is no journal of repairs'}`,
    )
  }
  const names = journalsOf(state, stateDir, time)
  if (names.length > 0) return names
  throw new UserError(
    `Cannot undo the run of ${time.toISOString()}: there is no journal of it. It has repaired nothing, or 200 runs that did have followed`,
  )
}

function describe(before: { mode: number; uid: number; gid: number }, after: typeof before): string {
  const mode = before.mode === after.mode ? [] : [`mode ${octal(before.mode)} to ${octal(after.mode)}`]
  const isSameOwner = before.uid === after.uid && before.gid === after.gid
  const owner = isSameOwner ? [] : [`owner ${before.uid}:${before.gid} to ${after.uid}:${after.gid}`]
  return [...mode, ...owner].join(', ')
}

function present(results: Undone[], isDry: boolean): CommandResult {
  const failed = results.filter(({ result }) => result === 'refused' || result === 'changed-since')
  const words = {
    undone: isDry ? 'would be undone' : 'undone',
    'not-repaired': 'nothing to undo',
    'changed-since': 'left alone',
    refused: 'refused',
  }
  const lines = results.map(({ path, result, detail }) => `${subjectOf(path)}: ${words[result]}: ${detail}`)
  if (results.length === 0) lines.push('The journal is empty: nothing was repaired')
  return {
    exitCode: failed.length > 0 ? 3 : 0,
    text: lines.join('\n'),
    json: { dryRun: isDry, entries: results.map((entry) => ({ ...entry, path: subjectOf(entry.path) })) },
  }
}
