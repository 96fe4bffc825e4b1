import { type Finding, formatDuration, shellWord } from '../../../agent/contract/mod.ts'
import type { Container } from '../engine/shapes.ts'

/** Pure: whether a container that was made for one job is still there long after its end. */
export function judgeStale(
  subject: string,
  program: string,
  container: Container,
  { jobLabels, exitedMaxAge, nowMs }: { jobLabels: string[]; exitedMaxAge: number; nowMs: number },
): Finding[] {
  const { Labels } = container.Config
  const label = jobLabels.find((name) => Labels[name] !== undefined)
  if (label === undefined || !['exited', 'dead', 'created'].includes(container.State.Status)) return []
  const ended = Date.parse(container.State.FinishedAt)
  // One that never ran has the year 1.
  const since = Number.isFinite(ended) && ended > 0 ? ended : Date.parse(container.Created)
  const age = nowMs - since
  if (!Number.isFinite(age) || age <= exitedMaxAge) return []
  const name = container.Name.replace(/^\//, '')
  return [
    {
      rule: 'container-stale',
      subject,
      severity: 'warning',
      summary: `${subject} was made for the job "${Labels[label]}", which ended ${formatDuration(Math.floor(age / 3_600_000) * 3_600_000)} ago, and is still there`,
      remedy: `${program} rm ${shellWord(name)}`,
      evidence: { label, ended: new Date(since).toISOString() },
    },
  ]
}
