import { compareTreeOrder, type EntryState, isWithin } from '../../../agent/contract/mod.ts'
import type { Attribute, Change } from '../change.ts'

/** A difference as people are told of it. `below` counts the entries below a directory that go with it. */
export type Drift =
  | { kind: 'new'; entry: EntryState; below: number }
  | { kind: 'removed'; entry: EntryState; below: number }
  | { kind: 'renamed'; before: EntryState; after: EntryState; below: number }
  | { kind: 'changed'; before: EntryState; after: EntryState; attributes: ('type' | Attribute)[] }

type Whole = Extract<Drift, { kind: 'new' | 'removed' }>

/** More of one kind than this are not looked through for what was renamed. */
const MAX_HELD = 10_000

/**
 * Puts changes, which come in tree order, together for people: a directory that is new or gone is told once, with
 * the number of entries below it, and what is gone here and new there under the same inode was renamed. Programs
 * that are setuid or setgid, and devices, are always told by themselves.
 */
export class Fold {
  private folded: Whole | undefined
  private held: Record<Whole['kind'], Whole[]> = { new: [], removed: [] }

  constructor(private readonly onDrift: (drift: Drift) => void) {}

  add(change: Change): void {
    if (change.kind === 'changed') {
      this.onDrift(change)
      return
    }
    const entry = change.kind === 'new' ? change.after : change.before
    const { folded } = this
    const whole: Whole = { kind: change.kind, entry, below: 0 }
    if (folded?.kind === change.kind && isWithin(folded.entry.path, entry.path)) {
      folded.below++
      if (isPowerful(entry)) this.hold(whole)
      return
    }
    this.flush()
    if (entry.type === 'directory') this.folded = whole
    else this.hold(whole)
  }

  /** After the last change. */
  finish(): void {
    this.flush()
    const gone = new Map(this.held.removed.map((drift) => [identityOf(drift.entry), drift]))
    const renamed = new Set<Whole>()
    for (const drift of this.held.new) {
      const before = gone.get(identityOf(drift.entry))
      if (!before || renamed.has(before)) continue
      renamed.add(before).add(drift)
      this.onDrift({ kind: 'renamed', before: before.entry, after: drift.entry, below: drift.below })
    }
    const rest = [...this.held.removed, ...this.held.new].filter((drift) => !renamed.has(drift))
    rest.sort((a, b) => compareTreeOrder(a.entry.path, b.entry.path))
    for (const drift of rest) this.onDrift(drift)
  }

  private flush(): void {
    if (this.folded) this.hold(this.folded)
    this.folded = undefined
  }

  private hold(drift: Whole): void {
    const held = this.held[drift.kind]
    if (held.length < MAX_HELD) held.push(drift)
    else this.onDrift(drift)
  }
}

function identityOf({ type, dev, ino, mtimeNs }: EntryState): string {
  // The number of a file that is gone is soon given to a new one, which has another time.
  return `${type} ${dev} ${ino} ${mtimeNs}`
}

/** What gives more than it shows: a program that runs as its owner or group, and a way to a device. */
export function isPowerful(entry: Pick<EntryState, 'type' | 'mode'>): boolean {
  if (entry.type === 'block-device' || entry.type === 'character-device') return true
  return entry.type === 'file' && (entry.mode & 0o6000) !== 0
}
