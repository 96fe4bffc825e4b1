import { formatDuration, shellWord } from '../../../agent/contract/mod.ts'
import { nextOf, previousOf } from './files.ts'
import { isOpen, type Journal, overlapEndMs, type STEPS } from './journal.ts'
import { certificateFiles } from './kinds.ts'
import { issueCommand } from './permissions.ts'
import type { Rotatable } from './rotatable.ts'

const command = (argv: string[]) => argv.map(shellWord).join(' ')

/** What a rotation does, step by step, in words: for a dry run. Pure. */
export function describePlan({ declaration, rotation, path }: Rotatable): string[] {
  const { generate, issue, renew, reload, deliver, verify, probe, overlap } = rotation
  const files = certificateFiles(declaration, path)
  const proof = [
    ...(probe ? [`see that ${probe.host}:${probe.port} serves the new one`] : []),
    ...(verify ? [`see that the new one is accepted: ${command(verify)}`] : []),
  ]
  const reloads = reload.map((argv) => `run: ${command(argv)}`)
  return [
    renew
      ? `run: ${command(renew)}`
      : issue
        ? `run: ${command(issueCommand(issue, declaration, path))}`
        : `make a new value: ${generate ? command(generate) : '32 random bytes, as 64 hex digits'}`,
    ...(renew ? [] : [`write it beside: ${files.map(nextOf).join(', ')}`]),
    ...(declaration.kind === 'token-file'
      ? [`put it into ${path}, beside the old one`]
      : renew
        ? []
        : [`put it into ${path}, and keep the old one in ${files.map(previousOf).join(', ')}`]),
    ...reloads,
    ...(proof.length > 0 ? proof : ['nothing proves that it is accepted: there is no `verify`']),
    ...deliver.flatMap((client) => [
      `put it into ${client.path}${client.key === undefined ? '' : ` as ${client.key}`}`,
      ...client.reload.map((argv) => `run: ${command(argv)}`),
    ]),
    `wait ${formatDuration(overlap)}: old and new are both there`,
    ...(declaration.kind === 'token-file' ? [`remove the old one from ${path}`, ...reloads] : []),
    ...(declaration.kind === 'certificate'
      ? []
      : [
          verify
            ? `see that the old one is refused: ${command(verify)}`
            : 'nothing proves that the old one is refused: there is no `verify`',
        ]),
    `remove what was kept: ${files.map(previousOf).join(', ')}`,
  ]
}

/** How far a rotation is, in a few lines. Pure. */
export function describeJournal({ rotation, name }: Rotatable, journal: Journal | undefined): string[] {
  if (!journal) return [`${name} was never rotated by reeve.`]
  const lines = journal.history
    .filter(({ step }, index, all) => all.findIndex((one) => one.step === step) === index)
    .map(
      ({ step, atMs }) =>
        `  ${new Date(atMs).toISOString()}  ${(gapsAt[step] ?? '') && journal.unproven.includes(gapsAt[step] ?? '') ? 'nothing could be asked' : WORDS[step]}`,
    )
  const until = overlapEndMs(journal, rotation.overlap)
  const end = isOpen(journal)
    ? until === undefined
      ? `It is not through${journal.reason ? `: ${journal.reason}` : ''}.`
      : `Old and new are both there until ${new Date(until).toISOString()}; then run it again, or let a job that enforces do it.`
    : journal.step === 'done'
      ? 'It is through.'
      : `It was taken back: ${journal.reason ?? 'for no known reason'}.`
  const gaps = journal.unproven.map((what) => `Not proven: ${what} (no \`verify\` can tell).`)
  return [`Rotation of ${name}:`, ...lines, ...gaps, end]
}

/** What would be proven by a step, if there is a `verify`. */
const gapsAt: Partial<Record<(typeof STEPS)[number], string>> = {
  verified: 'the new one is accepted',
  refused: 'the old one is refused',
}

const WORDS: Record<(typeof STEPS)[number], string> = {
  preparing: 'begun',
  prepared: 'the new one is made, and beside the old one',
  switched: 'the new one is in place',
  reloaded: 'the service has read it',
  verified: 'the new one is accepted',
  delivered: 'the clients have it',
  retired: 'the old one is removed',
  refused: 'the old one is refused',
  done: 'through',
  'rolling-back': 'it failed, and is taken back',
  'rolled-back': 'taken back',
}
