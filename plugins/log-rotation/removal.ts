import type { KeptFile } from './records/judge.ts'

/** The rotated logs of one log that may go before their time. */
export interface Family {
  log: string
  generations: KeptFile[]
  /** What is younger than this is kept, whatever it costs: a policy demands it. */
  keepYoungerThanMs: number | undefined
}

/** The same of a log that is rotated by the files of logrotate. */
export interface AdoptedFamily {
  directory: string
  family: Family
}

export interface Removal {
  log: string
  file: KeptFile
}

/** What may be removed early, in the order in which it should: the oldest first, the newest of a log never. Pure. */
export function removable(families: Family[], nowMs: number): Removal[] {
  return families
    .flatMap(({ log, generations, keepYoungerThanMs }) => {
      const oldestFirst = generations.toSorted((a, b) => a.mtimeMs - b.mtimeMs || compare(b.path, a.path))
      return oldestFirst
        .slice(0, -1)
        .filter(({ mtimeMs }) => keepYoungerThanMs === undefined || nowMs - mtimeMs >= keepYoungerThanMs)
        .map((file) => ({ log, file }))
    })
    .sort((a, b) => a.file.mtimeMs - b.file.mtimeMs)
}

/** What has to go so that logs and rotated logs together have no more than `limitBytes`. Pure. */
export function planQuota(
  families: Family[],
  totalBytes: number,
  limitBytes: number,
  nowMs: number,
): { removals: Removal[]; leftBytes: number } {
  const removals: Removal[] = []
  let leftBytes = totalBytes
  for (const removal of removable(families, nowMs)) {
    if (leftBytes <= limitBytes) break
    removals.push(removal)
    leftBytes -= removal.file.size
  }
  return { removals, leftBytes }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
