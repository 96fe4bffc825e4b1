import type { FileStat, HostWriter } from '../../../agent/contract/mod.ts'
import type { Repair } from './journal.ts'
import { planRepair, sameAttributes } from './plan-repair.ts'

/** Does one repair step by step through handles. Throws, with nothing done, for an entry that has changed. */
export function perform(host: HostWriter, { entry, after, attributes = [] }: Repair): void {
  let is: FileStat | undefined = host.stat(entry.path)
  if (!is || is.ino !== entry.ino || is.dev !== entry.dev || !sameAttributes(is, entry)) {
    throw new Error('it changed after it had been looked at')
  }
  // A list of rights before the mode: a mode alone would give the group what the list gave others.
  for (const { name, after: value } of attributes) {
    is = host.setAttribute(entry.path, is, name, value === null ? null : Buffer.from(value, 'hex'))
  }
  for (const step of planRepair(entry, after)) {
    is =
      step.change === 'mode'
        ? host.setMode(entry.path, is, step.mode)
        : host.setOwner(entry.path, is, step.uid, step.gid)
  }
}
