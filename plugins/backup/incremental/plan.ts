import type { BackupRecord } from '../records.ts'
import type { IndexHeader } from './index-file.ts'

/** How the next backup is made. */
export type BackupPlan =
  | { kind: 'full'; reason: string }
  | { kind: 'changes'; previous: BackupRecord; full: BackupRecord }

export interface ChainPolicy {
  /** Milliseconds; a full backup is made when the last one is older. */
  fullEvery: number
  /** Backups of changes that follow a full one at most. */
  maxChain: number
}

export interface PlanInput {
  now: Date
  /** Undefined where every backup is a full one. */
  policy: ChainPolicy | undefined
  /** The backup that the index tells of, and the settings that it was made with; undefined without an index. */
  index: IndexHeader | undefined
  /** That backup and all that it builds upon, the full one first; empty when not all of it is proven and at hand. */
  chain: readonly BackupRecord[]
  settings: string
}

/** A clock is set right by less; a backup that is younger than that much is from the future. */
const CLOCK_TOLERANCE_MS = 300_000

/** A backup of changes, where all that it builds upon is proven and at hand; a full one in any other case. */
export function planBackup({ now, policy, index, chain, settings }: PlanInput): BackupPlan {
  const full = (reason: string): BackupPlan => ({ kind: 'full', reason })
  if (!policy) return full('every backup is a full one')
  if (!index) return full('there is no index of a backup to build on')
  const [first] = chain
  const previous = chain.at(-1)
  if (!first || previous?.name !== index.backup)
    return full('the last backup, or one that it needs, is not at hand')
  if (index.settings !== settings) return full('the sources or the recipients are not the same any more')
  if (previous.chain.index >= policy.maxChain) return full('the chain has as many changes as it may have')
  const ageMs = now.getTime() - Date.parse(first.createdAt)
  if (ageMs >= policy.fullEvery) return full('the last full backup is as old as it may be')
  if (ageMs < -CLOCK_TOLERANCE_MS) return full('the last full backup is from the future')
  return { kind: 'changes', previous, full: first }
}
