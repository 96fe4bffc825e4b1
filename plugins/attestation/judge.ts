import {
  type Fact,
  type Finding,
  formatDuration,
  type Metric,
  type Rule,
  shellWord,
} from '../../agent/contract/mod.ts'
import type { Item } from './config.ts'
import type { Statement } from './statements.ts'

export const rules = {
  'attestation-overdue': {
    means: 'A person had to look at something and to say so, and did not in time',
    severity: 'warning',
  },
  'attestation-due-soon': { means: 'A statement of a person is due soon', severity: 'info' },
  'attestation-forged': {
    means: 'The record of statements is not the one that reeve wrote',
    severity: 'critical',
  },
  'attestation-evidence-missing': {
    means: 'The evidence of the last statement is gone, or is not the file that was handed in',
    severity: 'warning',
  },
} satisfies Record<string, Rule>

/** When an item is due: undefined says at once. */
export function dueAtMs({ every, since }: Item, last: Statement | undefined): number | undefined {
  const doneAtMs = last?.atMs ?? (since === undefined ? undefined : Date.parse(since))
  return doneAtMs === undefined ? undefined : doneAtMs + every
}

/** Whether an item was stated in time; several jobs may have items of the same name. Pure. */
export function judgeItem(item: Item, last: Statement | undefined, nowMs: number, job: string): Finding[] {
  const { name, means, owner, runbook, evidence } = item
  const due = dueAtMs(item, last)
  const isOverdue = due === undefined || nowMs >= due
  if (!isOverdue && due - nowMs > item.remindBefore) return []
  const file = evidence === 'none' ? '' : evidence === 'required' ? ' --evidence FILE' : ' [--evidence FILE]'
  const steps = runbook === undefined ? '' : `; the runbook is ${runbook}`
  const dueDay = due === undefined ? 'never done' : `due on ${new Date(due).toISOString().slice(0, 10)}`
  return [
    {
      rule: isOverdue ? 'attestation-overdue' : 'attestation-due-soon',
      subject: name,
      severity: isOverdue ? 'warning' : 'info',
      summary: `${means}: ${dueDay}${owner === undefined ? '' : `, by ${owner}`}`,
      remedy: `Do it${steps}, then say so: reeve attest ${shellWord(name)} --job ${shellWord(job)} --note 'what was found'${file}`,
      evidence: {
        every: formatDuration(item.every),
        lastAt: last ? new Date(last.atMs).toISOString() : null,
        ...(isOverdue
          ? {
              reminder:
                due === undefined ? 'never done' : `day ${Math.floor((nowMs - due) / 86_400_000) + 1}`,
            }
          : {}),
      },
    },
  ]
}

export function toFact(item: Item, last: Statement | undefined): Fact {
  const due = dueAtMs(item, last)
  const data = {
    means: item.means,
    owner: item.owner,
    runbook: item.runbook,
    everyDays: Math.round(item.every / 86_400_000),
    lastAt: last && new Date(last.atMs).toISOString(),
    by: last?.by,
    note: last?.note,
    evidence: last?.evidence?.name,
    evidenceSha256: last?.evidence?.sha256,
    dueAt: due === undefined ? undefined : new Date(due).toISOString(),
  }
  return {
    kind: 'attestation',
    subject: item.name,
    data: Object.fromEntries(
      Object.entries(data).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    ),
  }
}

export function toMetrics(item: Item, last: Statement | undefined): Metric[] {
  const due = dueAtMs(item, last)
  if (due === undefined) return []
  const help = 'When a statement of a person is due'
  return [{ name: 'due_timestamp_seconds', value: Math.floor(due / 1000), labels: { item: item.name }, help }]
}
