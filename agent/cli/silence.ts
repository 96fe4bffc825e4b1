import { userInfo } from 'node:os'
import { parseDuration } from '../lib/duration.ts'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { concerns } from '../lib/target.ts'
import { openStateDirectory } from '../state-directory.ts'
import { recordAudit } from '../store/audit.ts'
import { openStore, type Store } from '../store/open.ts'
import { findFinding } from '../store/read-findings.ts'
import { activeSilences, addSilence, endSilence, MAX_SILENCE_MS, type NewSilence } from '../store/silences.ts'
import {
  type CliCommand,
  EXIT,
  type Invocation,
  type Option,
  type OptionValues,
  textOption,
} from './command.ts'
import { actAsStateOwner, pickJobs, readHost, readStore } from './host.ts'
import { print, printJson, table, time, visible } from './print.ts'

const ABOUT: Record<string, Option> = {
  for: { type: 'string', value: 'TIME', means: 'How long it holds: 2h, 3d, at most 90d' },
  reason: { type: 'string', value: 'TEXT', means: 'Why; for whoever asks later' },
  owner: { type: 'string', value: 'WHO', means: 'Who answers for it. Default: your user name' },
}

export const silence: CliCommand = {
  name: 'silence',
  summary: 'Keep findings from raising alerts for a time; they count as before',
  usage: '[list] | add --for TIME --reason TEXT [--job NAME] [--rule PATTERN] [--subject PATTERN] | end ID',
  json: true,
  options: {
    ...ABOUT,
    job: { type: 'string', value: 'NAME', means: 'Only findings of this job' },
    rule: { type: 'string', value: 'PATTERN', means: 'Only of this rule. Default: all' },
    subject: {
      type: 'string',
      value: 'PATTERN',
      means: 'Only about this subject; `**` crosses "/". Default: all',
    },
  },
  async run(invocation) {
    const [verb = 'list', ...rest] = invocation.positionals
    if (verb === 'list') return list(invocation)
    if (verb === 'add') return add(invocation)
    if (verb === 'end') return end(invocation, rest)
    const near = nearest(verb, ['list', 'add', 'end'])
    throw new UserError(`There is no "reeve silence ${verb}"${near ? `, did you mean "${near}"?` : ''}`)
  },
}

export const acknowledge: CliCommand = {
  name: 'acknowledge',
  summary: 'Say that somebody is on a finding: no further alerts about it until then',
  usage: 'FINDING --for TIME --reason TEXT',
  options: ABOUT,
  async run(invocation) {
    const [id, ...more] = invocation.positionals
    if (!id || more.length > 0 || !/^\d{1,15}$/.test(id))
      throw new UserError('Give the number of one finding: "reeve findings" shows them')
    const terms = readTerms(invocation.values)
    const store = await openForWriting(invocation)
    try {
      const finding = findFinding(store, Number(id))
      if (!finding) throw new UserError(`There is no finding ${id}: "reeve findings" shows their numbers`)
      if (finding.state !== 'open') throw new UserError(`Cannot acknowledge finding ${id}: it is resolved`)
      const { job, rule, subject } = finding
      keep(store, { kind: 'acknowledged', job, rule, subject, ...terms })
      print(`Acknowledged until ${time(terms.until)}: ${visible(finding.summary)}`)
      return EXIT.clean
    } finally {
      store.close()
    }
  },
}

async function list(invocation: Invocation): Promise<number> {
  const store = readStore(await readHost(invocation))
  const rows = store ? activeSilences(store, Date.now()) : []
  store?.close()
  if (invocation.json) printJson(rows)
  else if (rows.length === 0) print('Nothing is silenced.')
  else {
    const cells = rows.map((row) => [
      String(row.id),
      row.kind,
      time(row.until),
      row.job ?? '*',
      row.rule,
      row.subject,
      `${row.owner}: ${row.reason}`,
    ])
    print(table(['id', 'kind', 'until', 'job', 'rule', 'subject', 'who and why'], cells))
  }
  return EXIT.clean
}

async function add(invocation: Invocation): Promise<number> {
  const { values } = invocation
  const terms = readTerms(values)
  const host = await readHost(invocation)
  const job = textOption(values, 'job') ?? null
  if (job !== null) pickJobs(host.jobs, [job])
  const rule = textOption(values, 'rule') ?? '**'
  const subject = textOption(values, 'subject') ?? '**'
  const store = await openForWriting(invocation)
  const made = keep(store, { kind: 'silenced', job, rule, subject, ...terms })
  store.close()
  if (invocation.json) printJson({ ...made, job, rule, subject, ...terms })
  else
    print(
      `Silence ${made.id} holds until ${time(terms.until)}; open findings that it is about: ${made.findings}`,
    )
  return EXIT.clean
}

async function end(invocation: Invocation, ids: string[]): Promise<number> {
  const [id, ...more] = ids
  if (!id || more.length > 0 || !/^\d{1,15}$/.test(id))
    throw new UserError('Give the number of one silence: "reeve silence list" shows them')
  const store = await openForWriting(invocation)
  const ended = endSilence(store, Number(id), Date.now())
  if (ended) leaveTrail(store, 'silence.end', id)
  store.close()
  if (!ended) throw new UserError(`There is no silence ${id}: "reeve silence list" shows them`)
  print(`Silence ${id} has ended; the next run of a job alerts of what is still open.`)
  return EXIT.clean
}

/** Who, why and until when. Throws UserError where any is missing. */
function readTerms(values: OptionValues): Pick<NewSilence, 'owner' | 'reason' | 'until' | 'createdAt'> {
  const reason = textOption(values, 'reason')
  if (!reason?.trim()) throw new UserError('Say why with --reason: somebody will ask')
  const text = textOption(values, 'for')
  const duration = text === undefined ? undefined : parseDuration(text)
  if (duration === undefined || duration <= 0)
    throw new UserError('Say how long with --for, such as --for 2h or --for 3d')
  if (duration > MAX_SILENCE_MS)
    throw new UserError(
      'It can hold for 90d at most; what is accepted for longer is a waiver in the configuration',
    )
  const createdAt = Date.now()
  const owner = textOption(values, 'owner') ?? process.env.SUDO_USER ?? userInfo().username
  return { owner, reason, until: createdAt + duration, createdAt }
}

function keep(store: Store, silence: NewSilence): { id: number; findings: number } {
  const made = addSilence(store, silence, (finding) => concerns(silence, finding))
  leaveTrail(store, `${silence.kind === 'silenced' ? 'silence' : 'acknowledge'}.add`, String(made.id))
  return made
}

function leaveTrail(store: Store, action: string, object: string): void {
  const actor = `cli:${process.env.SUDO_USER ?? userInfo().username}`
  recordAudit(store, { at: Date.now(), actor, remote: null, action, object, result: 'ok' })
}

async function openForWriting(invocation: Invocation): Promise<Store> {
  const host = await readHost(invocation)
  actAsStateOwner(host.stateDir)
  return openStore(openStateDirectory(host.stateDir).database)
}
