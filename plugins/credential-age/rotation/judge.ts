import type { Finding } from '../../../agent/contract/mod.ts'
import type { Entry } from '../inventory.ts'
import { rules } from '../rules.ts'
import { DAY_MS } from '../timing.ts'
import { iso } from '../words.ts'
import { isOpen, type Journal, overlapEndMs } from './journal.ts'
import { problemOf, type Rotatable } from './rotatable.ts'

/** After a failure it is tried again by itself once a day. */
const RETRY_MS = DAY_MS

/** What is to be done about one rotation, and what went wrong with it. Pure. */
export function judgeRotation(
  rotatable: Rotatable,
  journal: Journal | undefined,
  entries: Entry[],
  nowMs: number,
): Finding[] {
  const { name, rotation } = rotatable
  const finding = (rule: keyof typeof rules, summary: string, more: Partial<Finding> = {}): Finding => ({
    rule,
    subject: name,
    severity: rules[rule].severity,
    summary: `The rotation of ${name} ${summary}`,
    remedy: `reeve credentials rotate '${name}'`,
    references: rules[rule].references,
    ...more,
  })
  const problem = problemOf(rotatable)
  if (problem)
    return [
      finding('credential-rotation-failed', `cannot work: ${problem}`, { remedy: 'Change the declaration' }),
    ]
  if (journal?.oldAccepted) {
    return [
      finding('credential-old-accepted', 'is not through: the old value is still accepted', {
        summary: `The old value of ${name} is still accepted after the rotation`,
        remedy: `Find out what still knows it, end that, then go on: reeve credentials rotate '${name}'`,
        fixable: true,
      }),
    ]
  }
  if (journal && isOpen(journal)) {
    const until = overlapEndMs(journal, rotation.overlap)
    if (until !== undefined && nowMs < until) return []
    if (journal.reason) {
      return [finding('credential-rotation-failed', `is stuck: ${journal.reason}`, { fixable: true })]
    }
    const what =
      until === undefined
        ? 'was cut off'
        : `has both since ${iso(journal.switchedAtMs ?? 0)}: the overlap is over`
    return [finding('credential-rotation-due', what, { fixable: true, evidence: { step: journal.step } })]
  }
  const failedAtMs = journal?.step === 'rolled-back' ? journal.endedAtMs : undefined
  const isDue = entries.some(({ credential, timing: { dueAtMs, expiresAtMs } }) => {
    const earliest = Math.min(dueAtMs ?? Number.POSITIVE_INFINITY, expiresAtMs ?? Number.POSITIVE_INFINITY)
    return belongsTo(rotatable, credential) && earliest - nowMs <= rotation.rotateBefore
  })
  if (failedAtMs !== undefined) {
    const again = rotation.automatic && isDue && nowMs - failedAtMs >= RETRY_MS
    return [
      finding('credential-rotation-failed', `was taken back: ${journal?.reason ?? 'for no known reason'}`, {
        fixable: again,
        evidence: { failedAt: iso(failedAtMs) },
      }),
    ]
  }
  if (!rotation.automatic || !isDue) return []
  return [finding('credential-rotation-due', 'is due', { fixable: true })]
}

function belongsTo(
  { path, declaration, rotation }: Rotatable,
  { path: other, id, label }: Entry['credential'],
): boolean {
  if (path !== other) return false
  // Of a certificate's file only the first is its own.
  if (declaration.kind === 'certificate') return id === undefined
  return rotation.entry === undefined || rotation.entry === id || rotation.entry === label
}
