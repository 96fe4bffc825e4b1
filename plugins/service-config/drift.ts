import { type Finding, formatDuration, type HostWriter, shellWord, z } from '../../agent/contract/mod.ts'
import { complain } from './rules.ts'

const reviewed = z.record(
  z.string(),
  z.strictObject({
    /** Of the contents that somebody looked over, or that were there at the first look. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    reviewedAtMs: z.number(),
    /** When other contents were first seen; absent while they are the same. */
    changedAtMs: z.number().optional(),
  }),
)

/** What is known of the files of a configuration, by path. */
export type Reviewed = z.infer<typeof reviewed>

const FILE = 'reviewed.json'
const GONE = 'gone'

/** Undefined before the first look. Throws when what was kept cannot be read. */
export function loadReviewed(state: HostWriter, stateDir: string): Reviewed | undefined {
  const path = `${stateDir}/${FILE}`
  if (!state.stat(path)) return undefined
  return reviewed.parse(JSON.parse(state.readText(path)))
}

export function saveReviewed(state: HostWriter, stateDir: string, known: Reviewed): void {
  state.writeFile(`${stateDir}/${FILE}`, JSON.stringify(known), { replace: true })
}

/**
 * Pure: which files differ from what was looked over, and what is to be kept. Files that are new count as changed,
 * but at the first look of all; `dark` are those that were there and could not be read.
 */
export function compareReviewed(
  known: Reviewed | undefined,
  digests: ReadonlyMap<string, string>,
  dark: ReadonlySet<string>,
  nowMs: number,
): { next: Reviewed; changed: { path: string; changedAtMs: number; now: string }[] } {
  const next: Reviewed = {}
  const changed: { path: string; changedAtMs: number; now: string }[] = []
  for (const path of new Set([...Object.keys(known ?? {}), ...digests.keys()])) {
    const before = known?.[path]
    const now = digests.get(path)
    if (!before && now !== undefined && known === undefined) {
      next[path] = { sha256: now, reviewedAtMs: nowMs }
      continue
    }
    if (before && (now === before.sha256 || dark.has(path))) {
      next[path] = { sha256: before.sha256, reviewedAtMs: before.reviewedAtMs }
      continue
    }
    const changedAtMs = before?.changedAtMs ?? nowMs
    // A file that came later has no contents that anybody looked over: those of nothing stand for them.
    next[path] = {
      sha256: before?.sha256 ?? '0'.repeat(64),
      reviewedAtMs: before?.reviewedAtMs ?? nowMs,
      changedAtMs,
    }
    changed.push({ path, changedAtMs, now: now ?? GONE })
  }
  return { next, changed }
}

export function changeFindings(
  changed: { path: string; changedAtMs: number; now: string }[],
  { job, nowMs, reviewWithinMs }: { job: string; nowMs: number; reviewWithinMs: number },
): Finding[] {
  return changed.map(({ path, changedAtMs, now }) => {
    const overdue = nowMs - changedAtMs > reviewWithinMs
    const what = now === GONE ? 'is gone' : 'was changed'
    const finding = complain('configuration-changed', {
      key: '',
      place: { path },
      severity: overdue ? 'warning' : 'info',
      summary: `A file of the configuration ${what} and waits to be looked over${overdue ? ` for ${formatDuration(nowMs - changedAtMs)}` : ''}`,
      remedy: `reeve service-config reviewed --job ${shellWord(job)} ${shellWord(path)}`,
    })
    const evidence = { path, changedAt: new Date(changedAtMs).toISOString(), sha256: now.slice(0, 8) }
    return { ...finding, evidence: { ...evidence, reminder: overdue ? 'overdue' : 'due' } }
  })
}
