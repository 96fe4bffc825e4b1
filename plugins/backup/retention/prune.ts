import { describeError } from '../../../agent/contract/mod.ts'
import type { DestinationConfig, RetentionPolicy } from '../destination/config.ts'
import { type Destination, type DestinationReader, RemovalRefusedError } from '../destination/destination.ts'
import { type BackupRecord, copyAt, provenAt, type Records } from '../records.ts'
import { removeBackup } from '../seal/seal.ts'
import { planRetention, type RetentionPlan, whyHeld } from './plan.ts'

export interface PruneRules {
  retention: RetentionPolicy
  intervalMs: number
  now: Date
}

export interface PrunePlan extends Omit<RetentionPlan, 'remove'> {
  /** Proven ones beyond the retention, and those that never were proven. */
  remove: BackupRecord[]
  /** Why nothing is removed although the policy would; undefined when it is not held. */
  held: string | undefined
}

export interface Pruned {
  removed: string[]
  /** Why what should have been removed was not; undefined when all was. */
  held: string | undefined
}

/**
 * What retention would remove from a destination now. Only what this job wrote and what is still as it was written
 * is counted, or removed; where there is no proven backup, nothing is.
 */
export async function planPrune(
  reader: DestinationReader,
  records: Records,
  { retention, intervalMs, now }: PruneRules,
): Promise<PrunePlan> {
  const objects = new Map((await reader.list()).map((object) => [object.name, object]))
  const { location } = reader
  const mine = records.at(location)
  const isCounted = (record: BackupRecord) => provenAt(record, location) !== undefined
  const whole = mine.filter((record) => {
    const { name, stored } = record
    const found = objects.get(name)
    const mtimeMs = copyAt(record, location)?.mtimeMs
    // Without `stored` a run died right after the object had got its name, which is this job's alone.
    return found && (!stored || (found.bytes === stored.bytes && found.mtimeMs === mtimeMs))
  })
  const candidates = whole.filter(isCounted).map(toCandidate)
  const plan = planRetention(candidates, retention, now)
  const newest = mine.findLast(isCounted)
  const beyond = new Set(plan.remove)
  const remove = whole.filter(
    // What is newer than the newest proven one may be in the making.
    (record) =>
      isCounted(record) ? beyond.has(record.name) : newest && mine.indexOf(record) < mine.indexOf(newest),
  )
  const held = remove.length > 0 ? whyHeld(candidates, intervalMs) : undefined
  return { keep: plan.keep, remove: held === undefined ? remove : [], held }
}

function toCandidate({ name, createdAt, chain }: BackupRecord) {
  return { name, createdAt: new Date(createdAt), parent: chain.previous }
}

/** Removes what is planned: first it is noted, then removed, then forgotten. */
export async function prune(destination: Destination, records: Records, plan: PrunePlan): Promise<Pruned> {
  const { remove, held } = plan
  if (remove.length === 0) return { removed: [], held }
  const removed: string[] = []
  const mark = (isLeaving: boolean) => {
    for (const record of remove) {
      const copy = copyAt(record, destination.location)
      if (copy) copy.isLeaving = isLeaving
    }
  }
  mark(true)
  records.save()
  try {
    // The newest first: what builds upon another one never stays without it.
    for (const { name } of remove.toReversed()) {
      await removeBackup(destination, name)
      removed.push(name)
    }
    return { removed, held }
  } catch (error) {
    if (!(error instanceof RemovalRefusedError)) throw error
    mark(false)
    return { removed, held: describeError(error) }
  } finally {
    records.drop(new Set(removed), destination.location)
  }
}

export function rulesFor(
  config: { retention: RetentionPolicy; interval: number },
  destination: DestinationConfig,
  now: Date,
): PruneRules {
  return { retention: destination.retention ?? config.retention, intervalMs: config.interval, now }
}
