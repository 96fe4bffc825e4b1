import type { FileStat, HostWriter } from '../../../agent/contract/mod.ts'
import type { Repair } from './journal.ts'
import { planRepair, sameAttributes } from './plan-repair.ts'

/** Does one repair step by step through handles. Throws, with nothing done, for an entry that has changed. */
export function perform(host: HostWriter, { entry, after }: Repair): void {
  let is: FileStat | undefined = host.stat(entry.path)
  if (!is || is.ino !== entry.ino || is.dev !== entry.dev || !sameAttributes(is, entry)) {
    throw new Error('it changed after it had been looked at')
  }
  for (const step of planRepair(entry, after)) {
    is =
      step.change === 'mode'
        ? host.setMode(entry.path, is, step.mode)
        : host.setOwner(entry.path, is, step.uid, step.gid)
  }
}
