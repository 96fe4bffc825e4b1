/**
 * Bytes that a writer may have added to a log between the last look at it and its truncation. Nothing tells exactly:
 * this is as much as it added in such a time while the log was copied, rounded. 0: not even one byte is likely.
 */
export function estimateLoss(growth: { bytes: number; overMs: number }, gapMs: number): number {
  if (growth.bytes <= 0 || growth.overMs <= 0) return 0
  return Math.round((growth.bytes / growth.overMs) * gapMs)
}
