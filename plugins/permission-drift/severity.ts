import type { Entry, Severity } from '../../agent/contract/mod.ts'

// What cannot wait: others may write, or a program runs as somebody else than who starts it.
const SET_ID = 0o6000
const WRITABLE_BY_OTHERS = 0o0002
const STICKY = 0o1000

/** How bad permissions are that an entry should not have. */
export function severityOfBits(surplus: number, entry: Pick<Entry, 'type' | 'mode'>): Severity {
  const isShared = entry.type === 'directory' && (entry.mode & STICKY) !== 0
  const dangerous = isShared ? SET_ID : SET_ID | WRITABLE_BY_OTHERS
  return (surplus & dangerous) !== 0 ? 'critical' : 'warning'
}
