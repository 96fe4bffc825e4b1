import type { AttributesLost, EntryAttributes } from '../contract/host.ts'
import { errnoOf } from '../lib/errors.ts'

/** One call for each thing that is set; all throw with an errno. */
export interface AttributeCalls {
  setOwner(uid: number, gid: number): void
  setExtendedAttribute(name: string, value: Uint8Array): void
  setMode(mode: number): void
}

/** Ids that an entry can have: the last one means "leave it as it is" to the kernel. */
const HIGHEST_ID = 0xfffffffe

/** Owners that this process may not give, as "uid:gid": each is tried once. */
export type RefusedOwners = Set<string>

/**
 * Gives an entry that was newly made its owner, extended attributes and mode. Where the owner may not be set, it gets
 * neither set-id bits nor file capabilities. The time is to be set afterwards.
 */
export function applyAttributes(
  calls: AttributeCalls,
  { owner, mode, extended }: Pick<EntryAttributes, 'owner' | 'mode' | 'extended'>,
  refused: RefusedOwners,
): AttributesLost {
  const lost = { owners: owner && !applyOwner(calls, owner, refused) ? 1 : 0, extended: 0 }
  for (const [name, value] of extended ?? []) {
    // A capability of somebody else's program is not given to one of ours.
    if (lost.owners > 0 && name === 'security.capability') lost.extended++
    else if (!applyExtended(calls, name, value)) lost.extended++
  }
  // Without its owner, what runs with the owner's rights would run with somebody else's. A change of owner has cleared
  // these bits, and what may not be written takes no attributes: so the mode comes last.
  if (mode !== undefined) calls.setMode(lost.owners > 0 ? mode & 0o1777 : mode)
  return lost
}

/** Whether the code of an error says that there is no room left, on the disk or for this user. */
export function isFull(code: string | undefined): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function applyOwner(
  calls: AttributeCalls,
  { uid, gid }: { uid: number; gid: number },
  refused: RefusedOwners,
): boolean {
  if (uid > HIGHEST_ID || gid > HIGHEST_ID) return false
  const owner = `${uid}:${gid}`
  if (refused.has(owner)) return false
  try {
    calls.setOwner(uid, gid)
    return true
  } catch (error) {
    // EINVAL: an id that the user namespace of this process does not have.
    if (errnoOf(error) !== 'EPERM' && errnoOf(error) !== 'EINVAL') throw error
    refused.add(owner)
    return false
  }
}

function applyExtended(calls: AttributeCalls, name: string, value: Uint8Array): boolean {
  try {
    calls.setExtendedAttribute(name, value)
    return true
  } catch (error) {
    if (isFull(errnoOf(error))) throw error
    return false
  }
}
