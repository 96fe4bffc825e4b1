import type { Settings } from '../logrotate/settings.ts'
import { canHoldDirectories } from './directories.ts'
import { isPrivileged } from './identity.ts'

let canHold: boolean | undefined

/**
 * Whether directories are held by handles: with the powers of root, where a name that somebody exchanges could lead
 * anywhere. What is done as another user (`su`) is no more than that user may do.
 */
export function worksOnHandles(su: Settings['su']): boolean {
  if (su && su.uid !== 0) return false
  canHold ??= isPrivileged() && canHoldDirectories()
  return canHold
}
