import { type Finding, type HostWriter, type Json, shellWord, z } from '../../../agent/contract/mod.ts'
import { octal } from '../baseline/summary.ts'
import type { Attributes } from './plan-repair.ts'

/** A repair has to hold for this long; what undoes it sooner is not fought. */
export const HOLD_MS = 3_600_000
const MAX_RECORDS = 20_000

const record = z.strictObject({
  atMs: z.number(),
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  /** `repaired`: by reeve. `contested`: it did not hold. `undone`: a person took the repair back. */
  state: z.enum(['repaired', 'contested', 'undone']),
})
const file = z.strictObject({ version: z.literal(1), entries: z.record(z.string(), record) })
type Record = z.output<typeof record>

/**
 * What was repaired of late, by subject, kept in the state directory: whether repairs hold, and which of them
 * a person does not want.
 */
export class RepairHistory {
  private hasChanged = false
  private readonly seen = new Set<string>()

  private constructor(
    private readonly entries: Map<string, Record>,
    private readonly nowMs: number,
  ) {}

  static read(state: HostWriter, stateDir: string, now: Date): RepairHistory {
    const path = pathOf(stateDir)
    const text = state.stat(path) ? state.readText(path, { maxBytes: 64 * 1024 * 1024 }) : undefined
    const entries = text === undefined ? {} : file.parse(JSON.parse(text) as Json).entries
    return new RepairHistory(new Map(Object.entries(entries)), now.getTime())
  }

  /** Notes a repair, and what it left. */
  note(subject: string, state: 'repaired' | 'undone', { mode, uid, gid }: Attributes): void {
    this.entries.set(subject, { atMs: this.nowMs, mode, uid, gid, state })
    this.hasChanged = true
  }

  /**
   * A fixable finding about an entry, as its past wants it: not fixable any more where the repair did not hold,
   * with a finding that says so, or where a person has undone it.
   */
  judge(finding: Finding, entry: Attributes): Finding[] {
    const { subject } = finding
    this.seen.add(subject)
    const known = this.entries.get(subject)
    const reason = this.isLeftAlone(subject, entry)
    if (!known || !reason || !finding.fixable) return [finding]
    if (reason === 'undone') {
      return [
        {
          ...finding,
          fixable: false,
          remedy: `Its repair was undone on ${iso(known.atMs)}, so it is left alone. By hand: ${finding.remedy ?? ''}`,
        },
      ]
    }
    if (known.state === 'repaired') {
      this.entries.set(subject, { ...known, state: 'contested' })
      this.hasChanged = true
    }
    return [{ ...finding, fixable: false }, contested(finding, known, entry)]
  }

  /** Why an entry that deviates is not repaired; undefined when it may be. */
  isLeftAlone(subject: string, entry: Attributes): 'undone' | 'contested' | undefined {
    const known = this.entries.get(subject)
    if (!known) return undefined
    if (known.state !== 'repaired') return known.state
    // What a repair may not do is left over, and is no sign that anybody undid it.
    const isAsLeft = entry.mode === known.mode && entry.uid === known.uid && entry.gid === known.gid
    return isAsLeft || this.nowMs - known.atMs > HOLD_MS ? undefined : 'contested'
  }

  /** After a whole look: what was in order is forgotten, unless its repair is young. */
  save(state: HostWriter, stateDir: string, isExamined: (subject: string) => boolean = () => true): void {
    for (const [subject, { state: what, atMs }] of this.entries) {
      if (this.seen.has(subject) || !isExamined(subject)) continue
      if (what === 'repaired' && this.nowMs - atMs <= HOLD_MS) continue
      this.entries.delete(subject)
      this.hasChanged = true
    }
    this.write(state, stateDir)
  }

  write(state: HostWriter, stateDir: string): void {
    if (!this.hasChanged) return
    const newest = [...this.entries].sort(([, a], [, b]) => a.atMs - b.atMs).slice(-MAX_RECORDS)
    const text = JSON.stringify({ version: 1, entries: Object.fromEntries(newest) } satisfies z.input<
      typeof file
    >)
    state.writeFile(pathOf(stateDir), text, { replace: true })
    this.hasChanged = false
  }
}

function contested(finding: Finding, known: Record, entry: Attributes): Finding {
  const { subject } = finding
  return {
    rule: 'repair-contested',
    subject,
    severity: 'critical',
    summary: `Its repair of ${iso(known.atMs)} did not hold: it was left with mode ${octal(known.mode)} and owner ${known.uid}:${known.gid}, and has ${octal(entry.mode)} and ${entry.uid}:${entry.gid} again`,
    remedy:
      `Find out what changes it (a service, a configuration manager, an intruder): ausearch -f ${shellWord(subject)}, ` +
      `or inotifywait -m -e attrib ${shellWord(subject)}. reeve leaves it alone until it has been in order once`,
    evidence: { repairedAt: iso(known.atMs), left: octal(known.mode), mode: octal(entry.mode) },
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function pathOf(stateDir: string): string {
  return `${stateDir}/repairs.json`
}
