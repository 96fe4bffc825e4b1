import { type EntryState, isWithin, type OwnAction } from '../../../agent/contract/mod.ts'
import type { Cause, Change } from '../change.ts'
import { isHarmless, within } from './evidence.ts'
import { parentOf } from './look.ts'
import { toNs } from './windows.ts'

/** The clock of the store and that of the file system are one, but the latter counts in ticks. */
const TICK_NS = 10_000_000n
const OF_ATTRIBUTES = new Set<string>(['mode', 'owner', 'group', 'acl', 'xattrs', 'capabilities'])

/** Changes that reeve's own jobs made: in the time of their run, where they may, and of what they look after. */
export class OwnActions {
  constructor(
    private readonly actions: readonly OwnAction[],
    /** reeve's state, which changes with every run. */
    private readonly ownDirectory: string,
    private readonly lastChangeOf: (path: string) => bigint | undefined,
  ) {}

  explain(change: Change): Cause | undefined {
    const entry = change.kind === 'removed' ? change.before : change.after
    if (isWithin(this.ownDirectory, entry.path)) return this.explainState(change)
    const time = change.kind === 'removed' ? this.lastChangeOf(parentOf(entry.path)) : change.after.ctimeNs
    if (time === undefined) return undefined
    const found = this.actions.find((action) => this.didIt(action, change, entry, time))
    return found && { kind: 'reeve', detail: `reeve: ${found.job} (${found.plugin}), run ${found.runId}` }
  }

  private didIt(action: OwnAction, change: Change, { path }: EntryState, time: bigint): boolean {
    const endNs = action.finishedMs === null ? time : toNs(action.finishedMs) + TICK_NS
    if (!within(time, { startNs: toNs(action.startedMs) - TICK_NS, endNs })) return false
    if (change.kind === 'changed' && action.attributes.some((granted) => isWithin(granted, path))) {
      if (change.attributes.every((attribute) => OF_ATTRIBUTES.has(attribute))) return true
    }
    if (!action.write.some((granted) => isWithin(literal(granted), path))) return false
    return action.subjects.some((subject) => isOf(path, subject))
  }

  /** Its own files are private to it; who reads or writes them otherwise is another matter. */
  private explainState(change: Change): Cause | undefined {
    if (change.kind === 'removed') return OWN_STATE
    const { after } = change
    const isPrivate = (after.mode & 0o077) === 0 || isHarmless(after)
    const isUsual = after.type === 'file' || after.type === 'directory'
    return isPrivate && isUsual ? OWN_STATE : undefined
  }
}

const OWN_STATE: Cause = { kind: 'reeve', detail: 'reeve: its own state' }

/** The subject itself, or a name made of it: a generation of a log, a backup's companion, a temporary name. */
function isOf(path: string, subject: string): boolean {
  if (path === subject) return true
  if (parentOf(path) !== parentOf(subject)) return false
  const [name, own] = [path, subject].map((one) => one.slice(one.lastIndexOf('/') + 1))
  const stem = own?.replace(/\.(?:log|gz|zst|gpg|tar|json|txt)$/, '') ?? ''
  return (
    stem !== '' &&
    (name?.startsWith(`${own}.`) || name?.startsWith(`${own}-`) || name?.startsWith(`${stem}-`)) === true
  )
}

/** A granted pattern by the part before its first wildcard. */
function literal(granted: string): string {
  const wildcard = granted.search(/[*?[{]/)
  return wildcard < 0 ? granted : parentOf(granted.slice(0, wildcard))
}
