/** Entries that are told one by one; all are counted. */
const LISTED = 1000

export interface NotRestored {
  name: string
  reason: string
}

/** What became of the entries of a restore. */
export class RestoreOutcome {
  restored = 0
  notRestoredCount = 0
  readonly notRestored: NotRestored[] = []
  /** Entries that are there, but do not belong to whom they did. */
  ownersLost = 0
  /** Extended attributes (access control lists, capabilities, labels) that could not be set. */
  attributesLost = 0

  /** `count` entries at and below `name` are not restored. */
  refuse(name: string, reason: string, count = 1): void {
    this.notRestoredCount += count
    if (this.notRestored.length < LISTED) this.notRestored.push({ name, reason })
  }
}
