import {
  type Command,
  type CommandContext,
  type CommandResult,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { type Ledger, parseLedger } from '../ledger.ts'
import { isFileDeclaration } from '../places.ts'
import { rotatablesOf } from '../rotation/rotatable.ts'
import { type Incident, Incidents } from './incident.ts'
import { type Evidence, statesOf, stepsOf } from './runbook.ts'

/** `reeve credentials compromised NAME` */
export const compromisedCommand: Command<Config> = {
  summary:
    'Declare a credential compromised, and go through its runbook: steps are ticked, or proven by the next check',
  usage: '[--job NAME] [--reason TEXT] [--tick STEP --note TEXT] NAME',
  options: {
    reason: { type: 'string', means: 'What has happened' },
    tick: { type: 'string', means: 'A step that is done and that no check can prove' },
    note: { type: 'string', means: 'With --tick: what was done, and where it is written down' },
  },
  job: 'required',
  exclusive: true,
  concerns: ({ credentials }, { positionals: [name = ''] }) =>
    credentials.some(
      (one) => one.name === name || (isFileDeclaration(one) && name.replace(/#.*$/, '') === one.path),
    ),
  permissions: () => ({ env: ['SUDO_USER', 'USER'] }),
  async run(ctx): Promise<CommandResult> {
    const [name, ...others] = ctx.args.positionals
    if (name === undefined || others.length > 0) {
      throw new UserError('Which credential? reeve credentials compromised NAME')
    }
    const ledger = ctx.memory === undefined ? undefined : parseLedger(ctx.memory)
    if (!ledger)
      throw new UserError(
        `Cannot open a runbook: the job "${ctx.job}" has not looked yet; run: reeve run ${ctx.job}`,
      )
    const incidents = new Incidents(ctx.state, ctx.stateDir, ctx.fingerprint)
    const subject = subjectOf(ctx, ledger, name)
    const incident = ticked(ctx, incidents.of(subject) ?? opened(ctx, ledger, subject))
    incidents.save(incident)
    const states = statesOf(incident, evidenceOf(ledger, incident))
    const open = states.filter(({ state }) => state === 'open').length
    const marks = { proven: 'x', ticked: 'x', open: ' ' }
    const lines = states.map(({ step, state }) => {
      const tick = incident.ticks[step.id]
      const by = tick ? `, ${new Date(tick.atMs).toISOString().slice(0, 10)} by ${tick.by}: ${tick.note}` : ''
      return `  [${marks[state]}] ${step.id.padEnd(8)} ${step.means} (${state}${by})`
    })
    const text = [
      `${subject} was declared compromised on ${new Date(incident.openedAtMs).toISOString()}${incident.reason ? `: ${incident.reason}` : ''}.`,
      ...lines,
      open === 0
        ? 'All steps are through.'
        : `Steps that can be proven are by the next check (reeve run ${ctx.job}); tick the others: reeve credentials compromised --tick STEP --note TEXT '${subject}'`,
    ]
    return {
      exitCode: open === 0 ? 0 : 3,
      text: text.join('\n'),
      json: {
        subject,
        openedAt: new Date(incident.openedAtMs).toISOString(),
        steps: states.map(({ step, state }) => ({ id: step.id, means: step.means, state })),
      },
    }
  },
}

type Context = CommandContext<Config>

function opened({ args, config, now }: Context, ledger: Ledger, subject: string): Incident {
  const { reason } = args.values
  const path = subject.replace(/#.*$/, '')
  const kind = config?.credentials.find((one) => isFileDeclaration(one) && one.path === path)?.kind
  const looksLikeKey = kind === 'ssh-key' || /\/\.ssh\/|ssh_host_/.test(path)
  return {
    version: 1,
    subject,
    kind: looksLikeKey ? 'ssh-key' : (kind ?? 'unknown'),
    openedAtMs: now.getTime(),
    ...(typeof reason === 'string' ? { reason: reason.slice(0, 500) } : {}),
    fingerprint: ledger.places[subject]?.fingerprint ?? '',
    ticks: {},
  }
}

function ticked({ args, now }: Context, incident: Incident): Incident {
  const { tick, note } = args.values
  if (typeof tick !== 'string') return incident
  const known = stepsOf(incident.kind).map(({ id }) => id)
  if (!known.includes(tick))
    throw new UserError(`There is no step "${tick}"; the steps are ${known.join(', ')}`)
  if (typeof note !== 'string' || note.trim() === '') {
    throw new UserError(`Cannot tick "${tick}" without a note: say with --note what was done`)
  }
  const by = process.env.SUDO_USER ?? process.env.USER ?? 'root'
  return {
    ...incident,
    ticks: { ...incident.ticks, [tick]: { atMs: now.getTime(), by, note: note.slice(0, 500) } },
  }
}

/** As the ledger names it: its subject, or the name that its declaration gives it. */
function subjectOf({ config }: Context, ledger: Ledger, name: string): string {
  if (Object.hasOwn(ledger.places, name)) return name
  const paths = [
    ...(config?.credentials.flatMap((one) =>
      isFileDeclaration(one) && one.name === name ? [one.path] : [],
    ) ?? []),
    ...(config ? rotatablesOf(config).flatMap((one) => (one.name === name ? [one.path] : [])) : []),
  ]
  const found = Object.keys(ledger.places).filter((subject) =>
    paths.some((path) => subject === path || subject.startsWith(`${path}#`)),
  )
  const [only, other] = found
  if (only !== undefined && other === undefined) return only
  if (other !== undefined)
    throw new UserError(`"${name}" is several; name one: ${found.slice(0, 20).join(', ')}`)
  throw new UserError(`There is no credential "${name}" in the ledger; "reeve credentials" lists them`)
}

/** What the ledger of the last check says; only a check can tell whether a service was restarted. */
function evidenceOf(ledger: Ledger, { subject, fingerprint }: Incident): Evidence {
  return {
    placesWithOld: Object.entries(ledger.places).flatMap(([place, one]) =>
      one.fingerprint === fingerprint && ledger.values[fingerprint]?.lastSeenAtMs === ledger.lastRunAtMs
        ? [place]
        : [],
    ),
    now: ledger.places[subject]?.fingerprint,
    restarted: undefined,
  }
}
