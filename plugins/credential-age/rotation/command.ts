import { createHash } from 'node:crypto'
import {
  type ApplyContext,
  type Command,
  type CommandContext,
  type CommandResult,
  type Finding,
  type Report,
  UserError,
} from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import { rules } from '../rules.ts'
import { describeJournal, describePlan } from './describe.ts'
import { isOpen, type Journal, Journals } from './journal.ts'
import { rotationPermissions } from './permissions.ts'
import { rotatableOf, rotatablesOf } from './rotatable.ts'
import { type RotationContext, rotate } from './rotate.ts'

/** `reeve credentials rotate NAME` */
export const rotateCommand: Command<Config> = {
  summary: 'Rotate a credential, or go on with a rotation; each step is proven, and taken back when it fails',
  usage: '[--job NAME] [--dry-run] NAME',
  options: {
    'dry-run': { type: 'boolean', means: 'Only say what would be done' },
  },
  job: 'required',
  exclusive: true,
  concerns: (config, { positionals: [name] }) =>
    rotatablesOf(config).some((one) => one.name === name || one.path === name),
  permissions: (config, { positionals, values }) => {
    const [name] = positionals
    if (!config || name === undefined) return {}
    const rotatable = rotatableOf(config, name)
    return values['dry-run'] ? {} : rotationPermissions([rotatable])
  },
  async run(ctx): Promise<CommandResult> {
    const [name, ...others] = ctx.args.positionals
    if (!ctx.config || name === undefined || others.length > 0) {
      throw new UserError('Which credential? reeve credentials rotate NAME')
    }
    const rotatable = rotatableOf(ctx.config, name)
    const context = rotationContext(ctx)
    if (ctx.args.values['dry-run']) {
      const known = context.journals.load(rotatable.name)
      const steps = describePlan(rotatable)
      const text = [
        `Rotating ${rotatable.name} would:`,
        ...steps.map((step, index) => `${String(index + 1).padStart(3)}. ${step}`),
        ...(known && isOpen(known) ? ['', ...describeJournal(rotatable, known)] : []),
      ]
      return { exitCode: 0, text: text.join('\n'), json: { name: rotatable.name, steps } }
    }
    const journal = await rotate(context, rotatable)
    return {
      exitCode: exitCodeOf(journal),
      text: describeJournal(rotatable, journal).join('\n'),
      json: summaryOf(journal),
    }
  },
}

function exitCodeOf(journal: Journal): number {
  if (journal.step === 'rolled-back') return 4
  return journal.reason === undefined ? 0 : 3
}

function summaryOf({
  name,
  step,
  startedAtMs,
  switchedAtMs,
  endedAtMs,
  reason,
  unproven,
  oldAccepted,
}: Journal) {
  return {
    name,
    step,
    startedAt: new Date(startedAtMs).toISOString(),
    deliveredAt: switchedAtMs === undefined ? null : new Date(switchedAtMs).toISOString(),
    endedAt: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
    reason: reason ?? null,
    unproven,
    oldAccepted: oldAccepted ?? false,
  }
}

/** Does what check found due; what goes wrong is a finding. */
export async function applyRotations(ctx: ApplyContext<Config>): Promise<Report> {
  const wanted = new Set(ctx.findings.map(({ subject }) => subject))
  const context = rotationContext(ctx)
  const failures: Finding[] = []
  for (const rotatable of rotatablesOf(ctx.config).filter(({ name }) => wanted.has(name))) {
    const journal = await rotate(context, rotatable)
    ctx.log.info('rotation', { name: rotatable.name, step: journal.step })
    if (journal.reason === undefined) continue
    failures.push({
      rule: 'credential-rotation-failed',
      subject: rotatable.name,
      severity: rules['credential-rotation-failed'].severity,
      summary: `The rotation of ${rotatable.name} did not succeed: ${journal.reason}`,
      remedy: `reeve credentials rotate '${rotatable.name}'`,
    })
  }
  return { findings: failures }
}

type AnyContext = Pick<
  CommandContext<Config>,
  'host' | 'state' | 'stateDir' | 'fingerprint' | 'now' | 'signal'
>

function rotationContext({ host, state, stateDir, fingerprint, now, signal }: AnyContext): RotationContext {
  return {
    host,
    now,
    signal,
    fingerprint,
    sha256: (value) => createHash('sha256').update(value).digest('hex'),
    journals: new Journals(state, stateDir, fingerprint),
  }
}

export function journalsOf({ state, stateDir, fingerprint }: Omit<AnyContext, 'host'>): Journals {
  return new Journals(state, stateDir, fingerprint)
}
