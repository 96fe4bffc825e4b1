import { compareTreeOrder, type Entry, isWithin } from '../../../agent/contract/mod.ts'
import type { Attribute as Known } from '../change.ts'
import type { BaselineReader } from './baseline-file.ts'
import { type BaselineEntry, directoryOf, encodeEntry } from './baseline-format.ts'

type Attribute = Extract<Known, 'mode' | 'owner' | 'group' | 'size'>

export type Drift =
  | { kind: 'new'; entry: Entry; below: number }
  | { kind: 'removed'; entry: BaselineEntry; below: number }
  | { kind: 'changed'; before: BaselineEntry; after: Entry; attributes: ('type' | Attribute)[] }

export interface ComparisonOptions {
  attributes: readonly Attribute[]
  onDrift: (drift: Drift) => void
  /** Whether an entry of the baseline lies where this walk could not, or should not, look. */
  isUnseen: (path: string) => boolean
}

/**
 * Merges a walk with a baseline, both sorted, so that of either no more than one entry is held. An entry whose
 * line is the same costs one comparison of two strings. A directory that is new or gone is told once, with the
 * number of entries below it; programs that are setuid or setgid are always told by themselves.
 */
export class Comparison {
  /** Entries of the baseline that lie where the walk did not look. */
  unseen = 0
  private folded: Extract<Drift, { below: number }> | undefined

  constructor(
    private readonly baseline: BaselineReader,
    private readonly options: ComparisonOptions,
  ) {}

  /** The next entry of the walk. */
  add(entry: Entry): void {
    const directory = directoryOf(entry.path)
    const { baseline } = this
    if (
      directory === baseline.directory &&
      encodeEntry(entry, entry.path.slice(directory.length)) === baseline.line
    ) {
      baseline.next()
      return
    }
    this.removeUntil(entry.path)
    if (baseline.atEnd || baseline.path() !== entry.path) {
      this.tell({ kind: 'new', entry, below: 0 })
      return
    }
    const before = baseline.entry()
    baseline.next()
    const attributes = differences(before, entry, this.options.attributes)
    if (attributes.length > 0) this.options.onDrift({ kind: 'changed', before, after: entry, attributes })
  }

  /** After the last entry of the walk. */
  finish(): void {
    this.removeUntil(undefined)
    this.flush()
  }

  private removeUntil(path: string | undefined): void {
    const { baseline } = this
    while (!baseline.atEnd && (path === undefined || compareTreeOrder(baseline.path(), path) < 0)) {
      if (this.options.isUnseen(baseline.path())) this.unseen++
      else this.tell({ kind: 'removed', entry: baseline.entry(), below: 0 })
      baseline.next()
    }
  }

  private tell(drift: Extract<Drift, { below: number }>): void {
    const { folded } = this
    if (folded?.kind === drift.kind && isWithin(folded.entry.path, drift.entry.path)) {
      folded.below++
      if (isPowerful(drift.entry)) this.options.onDrift(drift)
      return
    }
    this.flush()
    if (drift.entry.type === 'directory') this.folded = drift
    else this.options.onDrift(drift)
  }

  private flush(): void {
    if (this.folded) this.options.onDrift(this.folded)
    this.folded = undefined
  }
}

/** What gives more than it shows: a program that runs as its owner or group, and a way to a device. */
export function isPowerful(entry: Pick<Entry, 'type' | 'mode'>): boolean {
  if (entry.type === 'block-device' || entry.type === 'character-device') return true
  return entry.type === 'file' && (entry.mode & 0o6000) !== 0
}

function differences(
  before: BaselineEntry,
  after: Entry,
  attributes: readonly Attribute[],
): ('type' | Attribute)[] {
  const differs: Record<Attribute, boolean> = {
    mode: before.mode !== after.mode,
    owner: before.uid !== after.uid,
    group: before.gid !== after.gid,
    size: before.size !== after.size && (after.type === 'file' || after.type === 'symlink'),
  }
  const type: 'type'[] = before.type === after.type ? [] : ['type']
  return [...type, ...attributes.filter((attribute) => differs[attribute])]
}
