import { createHash } from 'node:crypto'
import {
  type Command,
  type CommandContext,
  type CommandResult,
  formatBytes,
  UserError,
} from '../../agent/contract/mod.ts'
import type { Config } from './config.ts'
import { dueAtMs } from './judge.ts'
import { type Statement, Statements } from './statements.ts'

const MAX_EVIDENCE_BYTES = 16_777_216

/** `reeve attest NAME --note TEXT [--evidence FILE]` */
export const attest: Command<Config> = {
  summary: 'State that something was done: signed with a key of this host, dated, with its evidence',
  usage: '[--job NAME] NAME --note TEXT [--evidence FILE]',
  options: {
    note: { type: 'string', means: 'What was done, and what was found' },
    evidence: {
      type: 'string',
      means: `A file that shows it; a copy is kept (at most ${formatBytes(MAX_EVIDENCE_BYTES)})`,
    },
  },
  job: 'required',
  exclusive: true,
  concerns: ({ items }, { positionals: [name] }) => items.some((item) => item.name === name),
  permissions: (_config, { values }) => ({
    ...(typeof values.evidence === 'string' ? { read: [values.evidence] } : {}),
    env: ['SUDO_USER', 'USER'],
  }),
  paths: ['evidence'],
  async run(ctx): Promise<CommandResult> {
    const item = itemOf(ctx)
    const { note, evidence } = ctx.args.values
    if (typeof note !== 'string' || note.trim() === '') {
      throw new UserError(`Cannot attest "${item.name}" without a note: say with --note what was found`)
    }
    if (item.evidence === 'required' && typeof evidence !== 'string') {
      throw new UserError(`Cannot attest "${item.name}" without evidence: add --evidence FILE`)
    }
    const statement = {
      item: item.name,
      atMs: ctx.now.getTime(),
      by: process.env.SUDO_USER ?? process.env.USER ?? 'root',
      note: note.trim().slice(0, 2000),
      evidence: typeof evidence === 'string' ? keepEvidence(ctx, evidence) : null,
    }
    new Statements(ctx.state, ctx.stateDir, ctx.fingerprint).add(ctx.state, statement)
    const due = new Date(dueAtMs(item, { ...statement, previous: '' }) ?? 0).toISOString()
    const file = statement.evidence
      ? `, with ${statement.evidence.name} (SHA-256 ${statement.evidence.sha256})`
      : ''
    return {
      exitCode: 0,
      text: `${item.name}: stated by ${statement.by} on ${ctx.now.toISOString()}${file}.\nDue again on ${due.slice(0, 10)}. The finding is resolved by the next run: reeve run ${ctx.job}`,
      json: { ...statement, dueAt: due },
    }
  },
}

function itemOf({ config, args }: CommandContext<Config>) {
  const [name, ...others] = args.positionals
  if (!config || name === undefined || others.length > 0)
    throw new UserError('What? reeve attest NAME --note TEXT')
  const item = config.items.find((one) => one.name === name)
  if (item) return item
  throw new UserError(
    `There is nothing to attest by the name "${name}"; there are ${config.items.map((one) => one.name).join(', ')}`,
  )
}

/** Copies the evidence into the state directory, under the name of its digest. */
function keepEvidence(
  { host, state, stateDir }: CommandContext<Config>,
  path: string,
): Statement['evidence'] {
  const bytes = host.read(path, { maxBytes: MAX_EVIDENCE_BYTES, follow: true })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const directory = `${stateDir}/evidence`
  if (!state.stat(directory)) state.makeDirectory(directory, 0o700)
  state.writeFile(`${directory}/${sha256}`, bytes, { replace: true })
  return { name: path.slice(path.lastIndexOf('/') + 1), bytes: bytes.length, sha256 }
}
