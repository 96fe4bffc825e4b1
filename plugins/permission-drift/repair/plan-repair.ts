import type { Entry } from '../../../agent/contract/mod.ts'
import type { Wanted } from '../policy/judge.ts'

export interface Attributes {
  mode: number
  uid: number
  gid: number
}

export type Step = { change: 'mode'; mode: number } | { change: 'owner'; uid: number; gid: number }

type Subject = Pick<Entry, 'type' | 'mode' | 'uid' | 'gid'>

const SET_ID = 0o6000

/** What a repair makes of an entry so that it comes as near to the policy as it may. */
export function repairByPolicy(entry: Subject, wanted: Wanted): Attributes {
  const uid = pick(entry.uid, wanted.uids)
  const gid = pick(entry.gid, wanted.gids)
  const { mode } = wanted
  if (mode?.kind === 'exact' && mode.mayWiden) return { uid, gid, mode: mode.bits }
  // A mode that is "at least" takes nothing away.
  const most = mode?.kind === 'at-least' ? undefined : mode?.bits
  const least = mode?.kind === 'at-least' && mode.mayWiden ? mode.bits : 0
  return { uid, gid, mode: narrow(entry, uid, gid, most) | least }
}

/**
 * What a repair makes of an entry that differs from its baseline in some attributes: its owner of then, and no
 * permission more than now.
 */
export function repairByBaseline(
  entry: Subject,
  before: Attributes,
  differing: readonly string[],
): Attributes {
  const uid = differing.includes('owner') ? before.uid : entry.uid
  const gid = differing.includes('group') ? before.gid : entry.gid
  return { uid, gid, mode: narrow(entry, uid, gid, differing.includes('mode') ? before.mode : undefined) }
}

export function sameAttributes(a: Attributes, b: Attributes): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}

/**
 * The steps from one to the other, in an order in which nobody can do more in between than before or after:
 * first what is taken away, then the owner, then what is given.
 */
export function planRepair(before: Attributes, after: Attributes): Step[] {
  const keepsOwner = before.uid === after.uid && before.gid === after.gid
  if (keepsOwner) return before.mode === after.mode ? [] : [{ change: 'mode', mode: after.mode }]
  // chown takes setuid and setgid away: they are given last, to the new owner.
  const between = before.mode & after.mode & ~SET_ID
  const steps: Step[] = []
  if (between !== before.mode) steps.push({ change: 'mode', mode: between })
  steps.push({ change: 'owner', uid: after.uid, gid: after.gid })
  if (between !== after.mode) steps.push({ change: 'mode', mode: after.mode })
  return steps
}

function pick(now: number, wanted: number[] | undefined): number {
  return wanted === undefined || wanted.includes(now) ? now : (wanted[0] ?? now)
}

/** A program that changes hands does not keep setuid or setgid unless the mode that is wanted has them. */
function narrow(entry: Subject, uid: number, gid: number, bits: number | undefined): number {
  if (bits !== undefined) return entry.mode & bits
  const keepsOwner = uid === entry.uid && gid === entry.gid
  return keepsOwner || entry.type === 'directory' ? entry.mode : entry.mode & ~SET_ID
}
