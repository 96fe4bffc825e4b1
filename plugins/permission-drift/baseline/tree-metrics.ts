import type { Metric } from '../../../agent/contract/mod.ts'
import type { TreeScan } from './tree-scan.ts'

export interface TreeNumbers {
  /** By performance.now(). */
  started: number
  made: 0 | 1
  entries: number
  unseen?: number
  hashed?: number
  explained?: number
  ageSeconds?: number
}

/** What a look at a tree has to say in numbers: how far it went, what it left out and why. */
export function treeMetrics(tree: string, scan: TreeScan, numbers: TreeNumbers): Metric[] {
  const labels = { tree }
  const seconds = (performance.now() - numbers.started) / 1000
  const metric = (name: string, value: number | undefined, help: string): Metric[] =>
    value === undefined ? [] : [{ name, value, labels, help }]
  return [
    ...metric('examined_entries', scan.examined, 'Entries looked at'),
    ...[...scan.skipped].map(
      ([reason, value]): Metric => ({
        name: 'skipped_entries',
        value,
        labels: { tree, reason },
        help: 'Entries left out on purpose, with all below them',
      }),
    ),
    ...metric('walk_seconds', seconds, 'Time that looking at a tree took'),
    ...metric('baseline_made', numbers.made, '1 when this run made the baseline'),
    ...metric('baseline_entries', numbers.entries, 'Entries in the baseline'),
    ...metric('hashed_entries', numbers.hashed, 'Files whose contents were read'),
    ...metric('explained_changes', numbers.explained, 'Changes that have a known cause and were accepted'),
    ...metric(
      'unseen_entries',
      numbers.unseen,
      'Entries of the baseline where this run could not, or should not, look',
    ),
    ...metric('baseline_age_seconds', numbers.ageSeconds, 'Age of the baseline'),
  ]
}
