/**
 * Pure: whether the contents of a file are due to be read again although nobody seems to have touched it. Every
 * file has its moment in the period, by its inode, so that each run reads its share and none is left out: those
 * whose moment lies after the last run, up to now.
 */
export function rehashing(
  lastMs: number | undefined,
  nowMs: number,
  periodMs: number,
): (inode: number) => boolean {
  if (lastMs === undefined) return () => false // all was read when the baseline was made
  if (nowMs - lastMs >= periodMs || nowMs < lastMs) return () => true
  const from = (lastMs % periodMs) / periodMs
  const to = (nowMs % periodMs) / periodMs
  const wraps = to < from
  return (inode) => {
    const moment = momentOf(inode)
    return wraps ? moment > from || moment <= to : moment > from && moment <= to
  }
}

/** A number from 0 to 1 that neighbours do not share (Fibonacci hashing). */
function momentOf(inode: number): number {
  return (Math.imul(inode >>> 0, 0x9e3779b1) >>> 0) / 2 ** 32
}
